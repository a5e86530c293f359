/* The eight functions of WASI preview 1 that the tracer calls, and the few
 * constants that go with them. Names and numbers are those of the standard,
 * https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md */
#ifndef WASI_H
#define WASI_H

#include <stddef.h>
#include <stdint.h>

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

typedef struct {
	const void *data;
	size_t size;
} wasi_iovec;

typedef struct {
	uint32_t kind; /* 0: a directory */
	uint32_t name_size;
} wasi_prestat;

enum {
	WASI_STDOUT = 1,
	WASI_STDERR = 2,
	WASI_FIRST_PREOPEN = 3,
	WASI_CREATE = 1 << 0,
	WASI_TRUNCATE = 1 << 3,
	WASI_RIGHT_WRITE = 1 << 6,
};

WASI(args_sizes_get) int wasi_args_sizes_get(size_t *count, size_t *bytes);
WASI(args_get) int wasi_args_get(char **args, char *bytes);
WASI(fd_prestat_get) int wasi_fd_prestat_get(int fd, wasi_prestat *out);
WASI(fd_prestat_dir_name) int wasi_fd_prestat_dir_name(int fd, char *name, size_t size);
WASI(path_open) int wasi_path_open(int dir, uint32_t lookup, const char *path, size_t size,
	uint32_t create, uint64_t rights, uint64_t inherited, uint32_t flags, int *fd);
WASI(fd_write) int wasi_fd_write(int fd, const wasi_iovec *vec, size_t count, size_t *written);
WASI(fd_close) int wasi_fd_close(int fd);
WASI(proc_exit) _Noreturn void wasi_proc_exit(uint32_t code);

#endif
