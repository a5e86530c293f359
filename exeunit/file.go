package exeunit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/golem-go/golem"
)

// fileSource reads a regular file of a volume.
type fileSource struct {
	f      *os.File
	length int64
}

// openFile opens the file name in root for reading. It waits for nobody, which a
// named pipe would make it do.
func openFile(root *os.Root, name string) (*fileSource, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, fileError(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = golem.Errorf(golem.ErrInvalid, "not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, fileError(err)
	}
	return &fileSource{f, info.Size()}, nil
}

func (s *fileSource) size() int64     { return s.length }
func (s *fileSource) resumable() bool { return true }
func (s *fileSource) close()          { s.f.Close() }

func (s *fileSource) copyTo(ctx context.Context, w io.Writer, offset int64) error {
	n, err := io.CopyBuffer(onlyWriter{w}, contextReader{ctx, io.NewSectionReader(s.f, offset, s.length-offset)}, make([]byte, copyBuffer))
	if err == nil && n < s.length-offset {
		err = golem.Errorf(golem.ErrConflict, "the file has been shortened while it was read")
	}
	return err
}

// fileSink writes a file of a volume. The file appears when it is complete; what
// was there before, of whatever kind, is never written to.
type fileSink struct {
	root    *os.Root
	name    string
	temp    string   // chosen at the first put where it is ""
	durable bool     // what was committed survives a power cut
	f       *os.File // nil before the first put and after commit
}

// newFileSink returns a sink for the file name in root, which it owns.
func newFileSink(root *os.Root, name string) (*fileSink, error) {
	if name == "." {
		root.Close()
		return nil, golem.Errorf(golem.ErrInvalid, "the destination is a directory")
	}
	return &fileSink{root: root, name: name}, nil
}

func (s *fileSink) resumable() bool { return true }

func (s *fileSink) put(_ context.Context, offset, _ int64, fill func(io.Writer) error) error {
	if s.f == nil {
		if err := s.create(); err != nil {
			return fileError(err)
		}
	}
	if err := s.f.Truncate(offset); err != nil {
		return fileError(err)
	}
	if _, err := s.f.Seek(offset, io.SeekStart); err != nil {
		return fileError(err)
	}
	return fill(fileWriter{s.f})
}

// create makes the temporary file, beside the one it will replace.
func (s *fileSink) create() error {
	if s.temp == "" {
		dir := path.Dir(s.name)
		if err := s.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		s.temp = path.Join(dir, "."+randomName()+".part")
	}
	f, err := s.root.OpenFile(s.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	s.f = f
	return err
}

// commit puts the file in its place.
func (s *fileSink) commit() error {
	if info, err := s.root.Lstat(s.name); err == nil && info.Mode().IsRegular() {
		s.f.Chmod(info.Mode().Perm()) // a program that is replaced stays executable
	}
	var err error
	if s.durable {
		err = s.f.Sync()
	}
	if e := s.f.Close(); err == nil {
		err = e
	}
	s.f = nil
	if err == nil {
		err = s.root.Rename(s.temp, s.name)
	}
	if err != nil {
		s.root.Remove(s.temp)
	}
	return fileError(err)
}

// close drops what was not committed.
func (s *fileSink) close() {
	if s.f != nil {
		s.f.Close()
		s.root.Remove(s.temp)
	}
	s.root.Close()
}

// fileWriter turns errors of writing into texts for Requestors.
type fileWriter struct{ f *os.File }

func (w fileWriter) Write(b []byte) (int, error) {
	n, err := w.f.Write(b)
	return n, fileError(err)
}

// fileError gives an error of a file a kind, and takes this machine's paths out.
func fileError(err error) error {
	kind := golem.ErrInvalid
	switch {
	case err == nil:
		return nil
	case golem.KindOf(err) != golem.ErrInternal:
		return err
	case errors.Is(err, fs.ErrNotExist):
		kind = golem.ErrNotFound
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		kind = golem.ErrExhausted
	case errors.Is(err, syscall.EIO):
		kind = golem.ErrInternal
	}
	return golem.Errorf(kind, "%w", bare(err))
}

// randomName returns a name nobody else has.
func randomName() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// onlyWriter hides other methods of a writer, which would go around the buffer.
type onlyWriter struct{ io.Writer }

// contextReader is a reader that gives up with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(b)
}
