/* A guest for tests: each entry of the table below is a command, named by its
 * first argument. Paths are given to the host as they are, below the preopened
 * directory that is their longest prefix: "/d/../x" asks for "../x" in "/d". */
#include <stddef.h>
#include <stdint.h>

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

typedef struct { const void *data; size_t size; } iovec;
typedef struct { uint32_t kind; uint32_t name_size; } prestat;
typedef struct { uint64_t dev, ino; uint8_t type; uint64_t nlink, size, atim, mtim, ctim; } filestat;
typedef struct { uint64_t next, ino; uint32_t name_size; uint8_t type; } dirent;

WASI(args_sizes_get) int args_sizes_get(size_t *count, size_t *bytes);
WASI(args_get) int args_get(char **args, char *bytes);
WASI(environ_sizes_get) int environ_sizes_get(size_t *count, size_t *bytes);
WASI(environ_get) int environ_get(char **env, char *bytes);
WASI(fd_prestat_get) int fd_prestat_get(int fd, prestat *out);
WASI(fd_prestat_dir_name) int fd_prestat_dir_name(int fd, char *name, size_t size);
WASI(path_open) int path_open(int dir, uint32_t lookup, const char *path, size_t size,
	uint32_t create, uint64_t rights, uint64_t inherited, uint32_t flags, int *fd);
WASI(path_symlink) int path_symlink(const char *from, size_t from_size, int dir, const char *to, size_t to_size);
WASI(path_link) int path_link(int dir, uint32_t lookup, const char *from, size_t from_size, int todir, const char *to, size_t to_size);
WASI(path_rename) int path_rename(int dir, const char *from, size_t from_size, int todir, const char *to, size_t to_size);
WASI(path_unlink_file) int path_unlink_file(int dir, const char *path, size_t size);
WASI(path_remove_directory) int path_remove_directory(int dir, const char *path, size_t size);
WASI(path_create_directory) int path_create_directory(int dir, const char *path, size_t size);
WASI(path_readlink) int path_readlink(int dir, const char *path, size_t size, char *buf, size_t buf_size, size_t *used);
WASI(path_filestat_get) int path_filestat_get(int dir, uint32_t lookup, const char *path, size_t size, filestat *out);
WASI(path_filestat_set_times) int path_filestat_set_times(int dir, uint32_t lookup, const char *path, size_t size, uint64_t atim, uint64_t mtim, uint32_t flags);
WASI(fd_filestat_set_size) int fd_filestat_set_size(int fd, uint64_t size);
WASI(fd_write) int fd_write(int fd, const iovec *vec, size_t count, size_t *written);
WASI(fd_read) int fd_read(int fd, const iovec *vec, size_t count, size_t *read);
WASI(fd_seek) int fd_seek(int fd, int64_t offset, uint32_t whence, uint64_t *at);
WASI(fd_readdir) int fd_readdir(int fd, void *buf, size_t size, uint64_t cookie, size_t *used);
WASI(fd_close) int fd_close(int fd);
WASI(clock_time_get) int clock_time_get(uint32_t clock, uint64_t precision, uint64_t *time);
WASI(random_get) int random_get(void *buf, size_t size);
WASI(proc_exit) _Noreturn void proc_exit(uint32_t code);

enum { CREATE = 1, DIRECTORY = 2, EXCLUSIVE = 4, TRUNCATE = 8, APPEND = 1, FOLLOW = 1 };
enum { READ = 1 << 1, WRITE = 1 << 6, READDIR = 1 << 14, SIZE = 1 << 22 };

static char *args[64], arg_bytes[1 << 16], buffer[1 << 16];
static size_t arg_count;

static size_t length(const char *s) { size_t n = 0; while (s[n]) n++; return n; }

static int equal(const char *a, const char *b) {
	while (*a && *a == *b) a++, b++;
	return *a == *b;
}

static void put(int fd, const void *data, size_t size) {
	while (size > 0) {
		iovec v = {data, size};
		size_t n;
		if (fd_write(fd, &v, 1, &n)) proc_exit(99);
		data = (const char *)data + n;
		size -= n;
	}
}

static void print(const char *s) { put(1, s, length(s)); }

static void print_number(uint64_t n) {
	char digits[20];
	size_t i = sizeof digits;
	do digits[--i] = '0' + n % 10; while (n /= 10);
	put(1, digits + i, sizeof digits - i);
}

static uint64_t number(const char *s) {
	uint64_t n = 0;
	while (*s) n = 10 * n + (uint64_t)(*s++ - '0');
	return n;
}

/* Errors are told by the number that WASI gives them. */
static int result(int err) {
	if (!err) return 0;
	print("errno ");
	print_number((uint64_t)err);
	return 1;
}

/* The directory a path lies in, and what follows. */
static int split(const char *path, const char **rest) {
	static char name[4096];
	int best = -1;
	size_t best_size = 0;
	prestat p;
	for (int fd = 3; fd_prestat_get(fd, &p) == 0; fd++) {
		if (p.name_size >= sizeof name || fd_prestat_dir_name(fd, name, p.name_size)) continue;
		size_t n = p.name_size, i = 0;
		while (n > 1 && name[n - 1] == '/') n--;
		while (i < n && path[i] == name[i]) i++;
		if (i == n && (path[n] == '/' || !path[n] || n == 1) && (best < 0 || n > best_size)) best = fd, best_size = n;
	}
	if (best < 0) return 3; /* let the host refuse it */
	path += best_size;
	while (*path == '/') path++;
	*rest = *path ? path : ".";
	return best;
}

static int open_file(const char *path, uint32_t create, uint64_t rights, uint32_t flags, int *fd) {
	const char *rest = path;
	int dir = split(path, &rest);
	return path_open(dir, FOLLOW, rest, length(rest), create, rights, rights, flags, fd);
}

static int echo(void) {
	for (size_t i = 2; i < arg_count; i++) {
		if (i > 2) print(" ");
		print(args[i]);
	}
	return 0;
}

static int exit_with(void) { return (int)number(args[2]); }
static int trap(void) { __builtin_trap(); }
static int spin(void) { print("spinning"); for (volatile int i = 0;; i++); }
static int recurse(int n) { volatile char use[64]; use[n & 63] = 1; return n < 0 ? 0 : recurse(n + 1) + use[0]; }
static int overflow(void) { return recurse(1); }

static int grow(void) {
	for (uint64_t left = number(args[2]); left > 0; left--) {
		int page = (int)__builtin_wasm_memory_grow(0, 16);
		if (page < 0) { print("refused"); return 3; }
		for (int i = 0; i < 16; i++) *(volatile char *)((page + i) * 65536) = 1;
	}
	print("grown");
	return 0;
}

static int hoard(void) { /* and die of it */
	for (;;) {
		int page = (int)__builtin_wasm_memory_grow(0, 16);
		if (page < 0) __builtin_trap();
		*(volatile char *)(page * 65536) = 1;
	}
}

static int name(void) { print(args[0]); return 0; }

static int environment(void) {
	static char *vars[64], bytes[1 << 16];
	size_t n, size;
	if (environ_sizes_get(&n, &size) || n > 64 || size > sizeof bytes || environ_get(vars, bytes)) return 9;
	for (size_t i = 0; i < n; i++) print(vars[i]), print("\n");
	return 0;
}

static int write_with(uint32_t create, uint64_t rights, uint32_t flags) {
	int fd, err = open_file(args[2], create, rights, flags, &fd);
	if (err) return result(err);
	iovec v = {args[3], length(args[3])};
	size_t n;
	err = fd_write(fd, &v, 1, &n);
	if (err) return result(err);
	return result(fd_close(fd));
}

static int write_file(void) { return write_with(CREATE | TRUNCATE, WRITE, 0); }
static int append_file(void) { return write_with(CREATE, WRITE, APPEND); }
static int create_file(void) { return write_with(CREATE | EXCLUSIVE, WRITE, 0); }

static int read_with(uint64_t rights) {
	int fd, err = open_file(args[2], 0, rights, 0, &fd);
	if (err) return result(err);
	for (;;) {
		iovec v = {buffer, sizeof buffer};
		size_t n;
		err = fd_read(fd, &v, 1, &n);
		if (err || !n) return result(err);
		put(1, buffer, n);
	}
}

static int read_file(void) { return read_with(READ); }
static int update_file(void) { return read_with(READ | WRITE); }

static int copy(void) {
	int in, out, err = open_file(args[2], 0, READ, 0, &in);
	if (!err) err = open_file(args[3], CREATE | TRUNCATE, WRITE, 0, &out);
	if (err) return result(err);
	for (;;) {
		iovec v = {buffer, sizeof buffer};
		size_t n;
		err = fd_read(in, &v, 1, &n);
		if (err || !n) return result(err);
		put(out, buffer, n);
	}
}

static int list(void) {
	int fd, err = open_file(args[2], DIRECTORY, READ | READDIR, 0, &fd);
	if (err) return result(err);
	uint64_t cookie = 0;
	for (;;) {
		size_t used, at = 0;
		err = fd_readdir(fd, buffer, sizeof buffer, cookie, &used);
		if (err) return result(err);
		while (at + sizeof(dirent) <= used) {
			dirent *d = (dirent *)(buffer + at);
			if (at + sizeof(dirent) + d->name_size > used) break;
			put(1, buffer + at + sizeof(dirent), d->name_size);
			print(d->type == 3 ? "/ " : d->type == 7 ? "@ " : " ");
			cookie = d->next;
			at += sizeof(dirent) + d->name_size;
		}
		if (used < sizeof buffer) return 0;
	}
}

static int stat_with(uint32_t lookup) {
	const char *rest = args[2];
	int dir = split(args[2], &rest);
	filestat s;
	int err = path_filestat_get(dir, lookup, rest, length(rest), &s);
	if (err) return result(err);
	print_number(s.type);
	print(" ");
	print_number(s.size);
	return 0;
}

static int stat(void) { return stat_with(FOLLOW); }
static int lstat(void) { return stat_with(0); }

static int symlink(void) {
	const char *rest = args[3];
	int dir = split(args[3], &rest);
	return result(path_symlink(args[2], length(args[2]), dir, rest, length(rest)));
}

static int readlink(void) {
	const char *rest = args[2];
	int dir = split(args[2], &rest);
	size_t n;
	int err = path_readlink(dir, rest, length(rest), buffer, sizeof buffer, &n);
	if (err) return result(err);
	put(1, buffer, n);
	return 0;
}

static int link(void) {
	const char *from = args[2], *to = args[3];
	int dir = split(args[2], &from), todir = split(args[3], &to);
	return result(path_link(dir, 0, from, length(from), todir, to, length(to)));
}

static int rename(void) {
	const char *from = args[2], *to = args[3];
	int dir = split(args[2], &from), todir = split(args[3], &to);
	return result(path_rename(dir, from, length(from), todir, to, length(to)));
}

static int unlink(void) {
	const char *rest = args[2];
	int dir = split(args[2], &rest);
	return result(path_unlink_file(dir, rest, length(rest)));
}

static int rmdir(void) {
	const char *rest = args[2];
	int dir = split(args[2], &rest);
	return result(path_remove_directory(dir, rest, length(rest)));
}

static int mkdir(void) {
	const char *rest = args[2];
	int dir = split(args[2], &rest);
	return result(path_create_directory(dir, rest, length(rest)));
}

static int touch(void) {
	const char *rest = args[2];
	int dir = split(args[2], &rest);
	return result(path_filestat_set_times(dir, FOLLOW, rest, length(rest), 1000000000, 2000000000, 1 | 4));
}

static int truncate(void) {
	int fd, err = open_file(args[2], 0, WRITE | SIZE, 0, &fd);
	if (!err) err = fd_filestat_set_size(fd, number(args[3]));
	return result(err);
}

/* Fill a file with MiB until the host has enough. */
static int fill(void) {
	int fd, err = open_file(args[2], CREATE, WRITE, 0, &fd);
	for (uint64_t i = 0; !err && i < 16 * number(args[3]); i++) {
		iovec v = {buffer, sizeof buffer};
		size_t n;
		err = fd_write(fd, &v, 1, &n);
	}
	return result(err);
}

/* Nest directories, each made in the one before. */
static int nest(void) {
	int dir, err = open_file(args[2], DIRECTORY, READ, 0, &dir);
	for (uint64_t i = 0; !err && i < number(args[3]); i++) {
		int next = 0;
		err = path_create_directory(dir, "d", 1);
		if (!err) err = path_open(dir, 0, "d", 1, DIRECTORY, READ, READ, 0, &next);
		fd_close(dir);
		dir = next;
	}
	return result(err);
}

static int seek(void) {
	int fd, err = open_file(args[2], 0, READ, 0, &fd);
	uint64_t at;
	if (!err) err = fd_seek(fd, (int64_t)number(args[3]), 0, &at);
	iovec v = {buffer, sizeof buffer};
	size_t n;
	if (!err) err = fd_read(fd, &v, 1, &n);
	if (err) return result(err);
	put(1, buffer, n);
	return 0;
}

static int clock(void) {
	uint64_t t;
	if (clock_time_get(0, 1, &t)) return 9;
	print_number(t);
	return 0;
}

static int random(void) {
	uint64_t a, b;
	if (random_get(&a, sizeof a) || random_get(&b, sizeof b)) return 9;
	return a == b;
}

static int input(void) {
	iovec v = {buffer, sizeof buffer};
	size_t n;
	int err = fd_read(0, &v, 1, &n);
	if (err) return result(err);
	print_number(n);
	return 0;
}

static int complain(void) { put(2, args[2], length(args[2])); return 0; }

static int flood(void) {
	for (uint64_t i = 16 * number(args[2]); i > 0; i--) put(1, buffer, sizeof buffer);
	return 0;
}

static const struct { const char *name; int (*run)(void); size_t args; } commands[] = {
	{"echo", echo, 0}, {"exit", exit_with, 1}, {"trap", trap, 0}, {"spin", spin, 0}, {"overflow", overflow, 0},
	{"grow", grow, 1}, {"hoard", hoard, 0}, {"name", name, 0}, {"env", environment, 0},
	{"write", write_file, 2}, {"append", append_file, 2}, {"create", create_file, 2}, {"read", read_file, 1},
	{"update", update_file, 1}, {"copy", copy, 2}, {"list", list, 1}, {"stat", stat, 1}, {"lstat", lstat, 1},
	{"symlink", symlink, 2},
	{"readlink", readlink, 1}, {"link", link, 2}, {"rename", rename, 2}, {"unlink", unlink, 1}, {"rmdir", rmdir, 1},
	{"mkdir", mkdir, 1}, {"touch", touch, 1}, {"truncate", truncate, 2}, {"fill", fill, 2}, {"nest", nest, 2},
	{"seek", seek, 2}, {"clock", clock, 0}, {"random", random, 0}, {"input", input, 0}, {"complain", complain, 1},
	{"flood", flood, 1},
};

__attribute__((export_name("_start"))) void start(void) {
	size_t size;
	if (args_sizes_get(&arg_count, &size) || arg_count > 64 || size > sizeof arg_bytes || args_get(args, arg_bytes)) proc_exit(98);
	for (size_t i = 0; arg_count > 1 && i < sizeof commands / sizeof *commands; i++) {
		if (equal(args[1], commands[i].name) && arg_count >= 2 + commands[i].args) {
			int code = commands[i].run();
			if (code) proc_exit((uint32_t)code);
			return;
		}
	}
	proc_exit(97);
}
