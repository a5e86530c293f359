package wasm

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	abi "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/sys"
)

// maxDepth is how many elements a path of a payload may have. The supervisor
// measures volumes, for which a tree must not be too deep.
const maxDepth = 64

// volume is the file system of a mount. All paths are resolved below its root by
// package os, which follows no link that leads out.
type volume struct {
	abi.UnimplementedFS
	root *os.Root
	mode mode
}

var _ abi.FS = (*volume)(nil)

// clean returns the form of a payload's path that package os takes, and whether
// the path must be a directory.
func clean(path string) (name string, dir bool, errno abi.Errno) {
	name = strings.TrimLeft(path, "/")
	trimmed := strings.TrimRight(name, "/")
	dir = trimmed != name
	if trimmed == "" {
		return ".", true, 0
	}
	if strings.Count(trimmed, "/") >= maxDepth {
		return "", false, abi.ENAMETOOLONG
	}
	return trimmed, dir, 0
}

// writable refuses changes of a volume that is mounted for reading.
func (v *volume) writable() abi.Errno {
	if v.mode == modeRead {
		return abi.EROFS
	}
	return 0
}

// OpenFile implements [abi.FS].
func (v *volume) OpenFile(path string, flag abi.Oflag, perm fs.FileMode) (abi.File, abi.Errno) {
	name, dir, errno := clean(path)
	if errno != 0 {
		return nil, errno
	}
	flags, errno := v.openFlags(flag)
	if errno != 0 {
		return nil, errno
	}
	if flag&abi.O_NOFOLLOW != 0 {
		if info, err := v.root.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, abi.ELOOP
		}
	}
	h, err := v.root.OpenFile(name, flags, perm.Perm())
	if err != nil {
		return nil, toErrno(err)
	}
	f := &file{
		h: h, volume: v, name: name, append: flag&abi.O_APPEND != 0,
		writes: flags&(os.O_WRONLY|os.O_RDWR) != 0,
	}
	if errno := f.admit(dir || flag&abi.O_DIRECTORY != 0); errno != 0 {
		h.Close()
		return nil, errno
	}
	return f, 0
}

// openFlags translates the flags of the engine, and refuses what the mode of the
// mount does not allow. A volume for writing is not read from; its directories
// can still be opened, which every path through them needs.
func (v *volume) openFlags(flag abi.Oflag) (int, abi.Errno) {
	access := os.O_RDONLY
	switch {
	case flag&abi.O_RDWR != 0 && v.mode == modeWrite, flag&abi.O_WRONLY != 0:
		access = os.O_WRONLY
	case flag&abi.O_RDWR != 0:
		access = os.O_RDWR
	}
	flags := access | openNonBlock
	for _, f := range []struct {
		from abi.Oflag
		to   int
	}{
		{abi.O_CREAT, os.O_CREATE}, {abi.O_EXCL, os.O_EXCL}, {abi.O_TRUNC, os.O_TRUNC},
		{abi.O_SYNC, os.O_SYNC}, {abi.O_DSYNC, os.O_SYNC},
	} {
		if flag&f.from != 0 {
			flags |= f.to
		}
	}
	if access != os.O_RDONLY || flag&(abi.O_CREAT|abi.O_TRUNC) != 0 {
		if errno := v.writable(); errno != 0 {
			return 0, errno
		}
	}
	return flags, 0
}

// Stat implements [abi.FS].
func (v *volume) Stat(path string) (sys.Stat_t, abi.Errno) { return v.stat(path, v.root.Stat) }

// Lstat implements [abi.FS].
func (v *volume) Lstat(path string) (sys.Stat_t, abi.Errno) { return v.stat(path, v.root.Lstat) }

func (v *volume) stat(path string, f func(string) (fs.FileInfo, error)) (sys.Stat_t, abi.Errno) {
	name, dir, errno := clean(path)
	if errno != 0 {
		return sys.Stat_t{}, errno
	}
	info, err := f(name)
	switch {
	case err != nil:
		return sys.Stat_t{}, toErrno(err)
	case dir && !info.IsDir():
		return sys.Stat_t{}, abi.ENOTDIR
	}
	return sys.NewStat_t(info), 0
}

// change runs f on the clean form of a path, if the volume may be changed.
func (v *volume) change(path string, f func(name string) error) abi.Errno {
	if errno := v.writable(); errno != 0 {
		return errno
	}
	name, _, errno := clean(path)
	if errno != 0 {
		return errno
	}
	return toErrno(f(name))
}

// Mkdir implements [abi.FS].
func (v *volume) Mkdir(path string, perm fs.FileMode) abi.Errno {
	return v.change(path, func(name string) error { return v.root.Mkdir(name, perm.Perm()) })
}

// Chmod implements [abi.FS].
func (v *volume) Chmod(path string, perm fs.FileMode) abi.Errno {
	return v.change(path, func(name string) error { return v.root.Chmod(name, perm.Perm()) })
}

// Rename implements [abi.FS].
func (v *volume) Rename(from, to string) abi.Errno {
	return v.changeTwo(from, to, v.root.Rename)
}

// Link implements [abi.FS].
func (v *volume) Link(oldPath, newPath string) abi.Errno {
	return v.changeTwo(oldPath, newPath, v.root.Link)
}

func (v *volume) changeTwo(from, to string, f func(from, to string) error) abi.Errno {
	source, _, errno := clean(from)
	if errno != 0 {
		return errno
	}
	return v.change(to, func(name string) error { return f(source, name) })
}

// Symlink implements [abi.FS]. A link may say anything; it is when it is
// followed that it must not lead out.
func (v *volume) Symlink(target, path string) abi.Errno {
	return v.change(path, func(name string) error { return v.root.Symlink(target, name) })
}

// Readlink implements [abi.FS].
func (v *volume) Readlink(path string) (string, abi.Errno) {
	name, _, errno := clean(path)
	if errno != 0 {
		return "", errno
	}
	target, err := v.root.Readlink(name)
	return target, toErrno(err)
}

// Rmdir implements [abi.FS].
func (v *volume) Rmdir(path string) abi.Errno {
	return v.remove(path, true)
}

// Unlink implements [abi.FS].
func (v *volume) Unlink(path string) abi.Errno {
	return v.remove(path, false)
}

// remove removes a directory or anything else, as asked.
func (v *volume) remove(path string, dir bool) abi.Errno {
	if errno := v.writable(); errno != 0 {
		return errno
	}
	name, slash, errno := clean(path)
	if errno != 0 {
		return errno
	}
	info, err := v.root.Lstat(name)
	switch {
	case err != nil:
		return toErrno(err)
	case info.IsDir() && !dir:
		return abi.EISDIR
	case !info.IsDir() && (dir || slash):
		return abi.ENOTDIR
	}
	return toErrno(v.root.Remove(name))
}

// Utimens implements [abi.FS].
func (v *volume) Utimens(path string, atim, mtim int64) abi.Errno {
	return v.change(path, func(name string) error {
		return v.root.Chtimes(name, toTime(atim), toTime(mtim))
	})
}

// toTime returns the zero time, which changes nothing, for a time to be left.
func toTime(ns int64) time.Time {
	if ns == abi.UTIME_OMIT {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// toErrno returns what a payload is told about an error. One that is not the
// system's is that a path leads out.
func toErrno(err error) abi.Errno {
	var e syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return abi.UnwrapOSError(e)
	case errors.Is(err, fs.ErrClosed):
		return abi.EBADF
	case errors.Is(err, fs.ErrExist):
		return abi.EEXIST
	case errors.Is(err, fs.ErrNotExist):
		return abi.ENOENT
	}
	return abi.EPERM
}
