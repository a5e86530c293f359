/* The program the runtime tests itself with: it prints "ok" if it can write and
 * read back a file in its first volume, and cannot leave it. */
#include <stddef.h>
#include <stdint.h>

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

typedef struct { const void *data; size_t size; } iovec;

WASI(path_open) int path_open(int dir, uint32_t lookup, const char *path, size_t size,
	uint32_t create, uint64_t rights, uint64_t inherited, uint32_t flags, int *fd);
WASI(fd_write) int fd_write(int fd, const iovec *vec, size_t count, size_t *written);
WASI(fd_read) int fd_read(int fd, const iovec *vec, size_t count, size_t *read);
WASI(fd_close) int fd_close(int fd);
WASI(proc_exit) _Noreturn void proc_exit(uint32_t code);

enum { CREATE = 1, READ = 1 << 1, WRITE = 1 << 6, VOLUME = 3 };

static void check(int step, int ok) {
	if (!ok) proc_exit((uint32_t)step);
}

__attribute__((export_name("_start"))) void start(void) {
	char byte = 'x';
	iovec v = {&byte, 1};
	size_t n;
	int fd;
	check(1, !path_open(VOLUME, 0, "probe", 5, CREATE, WRITE, WRITE, 0, &fd));
	check(2, !fd_write(fd, &v, 1, &n) && n == 1 && !fd_close(fd));
	byte = 0;
	check(3, !path_open(VOLUME, 0, "probe", 5, 0, READ, READ, 0, &fd));
	check(4, !fd_read(fd, &v, 1, &n) && n == 1 && byte == 'x' && !fd_close(fd));
	check(5, path_open(VOLUME, 0, "../deploy.json", 14, 0, READ, READ, 0, &fd));
	iovec ok = {"ok\n", 3};
	check(6, !fd_write(1, &ok, 1, &n) && n == 3);
}
