package wasm

import (
	"errors"
	"io"
	"io/fs"
	"os"

	abi "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/sys"
)

// file is an open file or directory of a volume.
type file struct {
	h      *os.File
	volume *volume
	name   string // when it was opened
	dir    bool
	writes bool // it was opened for that
	append bool // every write goes to the end
	dev    uint64
	ino    sys.Inode
}

var _ abi.File = (*file)(nil)

// admit refuses what is neither a regular file nor a directory, and anything but
// a directory where one is wanted.
func (f *file) admit(wantDir bool) abi.Errno {
	info, err := f.h.Stat()
	if err != nil {
		return toErrno(err)
	}
	st := sys.NewStat_t(info)
	f.dir, f.dev, f.ino = info.IsDir(), st.Dev, st.Ino
	switch {
	case wantDir && !f.dir:
		return abi.ENOTDIR
	case !f.dir && !info.Mode().IsRegular():
		return abi.EPERM
	case !f.dir && f.volume.mode == modeWrite && !f.writes:
		return abi.EACCES
	}
	return 0
}

// Dev implements [abi.File].
func (f *file) Dev() (uint64, abi.Errno) { return f.dev, 0 }

// Ino implements [abi.File].
func (f *file) Ino() (sys.Inode, abi.Errno) { return f.ino, 0 }

// IsDir implements [abi.File].
func (f *file) IsDir() (bool, abi.Errno) { return f.dir, 0 }

// IsAppend implements [abi.File].
func (f *file) IsAppend() bool { return f.append }

// SetAppend implements [abi.File].
func (f *file) SetAppend(enable bool) abi.Errno {
	f.append = enable
	return 0
}

// Stat implements [abi.File].
func (f *file) Stat() (sys.Stat_t, abi.Errno) {
	info, err := f.h.Stat()
	if err != nil {
		return sys.Stat_t{}, toErrno(err)
	}
	return sys.NewStat_t(info), 0
}

// Read implements [abi.File].
func (f *file) Read(b []byte) (int, abi.Errno) {
	if f.dir {
		return 0, abi.EISDIR
	}
	return result(f.h.Read(b))
}

// Pread implements [abi.File].
func (f *file) Pread(b []byte, offset int64) (int, abi.Errno) {
	switch {
	case f.dir:
		return 0, abi.EISDIR
	case offset < 0:
		return 0, abi.EINVAL
	}
	return result(f.h.ReadAt(b, offset))
}

// Write implements [abi.File].
func (f *file) Write(b []byte) (int, abi.Errno) {
	if f.dir {
		return 0, abi.EBADF
	}
	if f.append {
		if _, err := f.h.Seek(0, io.SeekEnd); err != nil {
			return 0, toErrno(err)
		}
	}
	return result(f.h.Write(b))
}

// Pwrite implements [abi.File].
func (f *file) Pwrite(b []byte, offset int64) (int, abi.Errno) {
	switch {
	case f.dir:
		return 0, abi.EBADF
	case offset < 0:
		return 0, abi.EINVAL
	}
	return result(f.h.WriteAt(b, offset))
}

// result returns what a payload is told about reading or writing.
func result(n int, err error) (int, abi.Errno) {
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, toErrno(err)
}

// position is an offset in a file. It has a name of its own because go vet takes
// a method Seek of an int64 for that of io.Seeker, which the engine's is not.
type position = int64

// Seek implements [abi.File].
func (f *file) Seek(offset position, whence int) (int64, abi.Errno) {
	if f.dir && (offset != 0 || whence != io.SeekStart) {
		return 0, abi.EISDIR
	}
	n, err := f.h.Seek(offset, whence)
	return n, toErrno(err)
}

// Readdir implements [abi.File]. Inodes are left out, which payloads then ask
// for if they want them.
func (f *file) Readdir(n int) ([]abi.Dirent, abi.Errno) {
	switch {
	case !f.dir:
		return nil, abi.ENOTDIR
	case f.volume.mode == modeWrite:
		return nil, abi.EACCES
	}
	entries, err := f.h.ReadDir(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, toErrno(err)
	}
	list := make([]abi.Dirent, len(entries))
	for i, e := range entries {
		list[i] = abi.Dirent{Name: e.Name(), Type: e.Type() & fs.ModeType}
	}
	return list, 0
}

// Truncate implements [abi.File].
func (f *file) Truncate(size int64) abi.Errno {
	switch {
	case f.dir:
		return abi.EISDIR
	case size < 0:
		return abi.EINVAL
	}
	return toErrno(f.h.Truncate(size))
}

// Sync implements [abi.File].
func (f *file) Sync() abi.Errno { return toErrno(f.h.Sync()) }

// Datasync implements [abi.File].
func (f *file) Datasync() abi.Errno { return toErrno(f.h.Sync()) }

// Utimens implements [abi.File], by the name the file was opened under.
func (f *file) Utimens(atim, mtim int64) abi.Errno { return f.volume.Utimens(f.name, atim, mtim) }

// Close implements [abi.File].
func (f *file) Close() abi.Errno {
	err := f.h.Close()
	if errors.Is(err, fs.ErrClosed) {
		return 0
	}
	return toErrno(err)
}
