package gftp

import (
	"bytes"
	"os"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// maxChunk is the most a peer may ask for at a time, in bytes.
const maxChunk = 1 << 20

// content is what is served under a hash.
type content interface {
	length() int64
	readAt(b []byte, offset int64) (int, error)
}

// readChunk reads what a peer asks for.
func readChunk(c content, r wire.GftpGetChunkRequest) (wire.GftpChunk, error) {
	size := uint64(c.length())
	switch {
	case r.Size == 0 || r.Size > maxChunk:
		return wire.GftpChunk{}, golem.Errorf(golem.ErrInvalid, "chunk of %d bytes: want 1 to %d", r.Size, maxChunk)
	case r.Offset > size, r.Offset == size && size > 0:
		return wire.GftpChunk{}, golem.Errorf(golem.ErrInvalid, "offset %d lies beyond the file's %d bytes", r.Offset, size)
	}
	b := make([]byte, min(r.Size, size-r.Offset))
	if _, err := c.readAt(b, int64(r.Offset)); err != nil {
		return wire.GftpChunk{}, err
	}
	return wire.GftpChunk{Offset: r.Offset, Content: b}, nil
}

// file is a published file. It is opened for each chunk, so that any number can
// be published.
type file struct{ stamp }

func (f file) length() int64 { return f.size }

func (f file) readAt(b []byte, offset int64) (int, error) {
	h, err := os.Open(f.path)
	if err != nil {
		return 0, golem.Errorf(golem.ErrNotFound, "the file is gone")
	}
	defer h.Close()
	if now, err := stampOf(f.path, h); err != nil || now != f.stamp {
		return 0, golem.Errorf(golem.ErrNotFound, "the file has changed since it was published")
	}
	n, err := h.ReadAt(b, offset)
	if err != nil {
		return n, golem.Errorf(golem.ErrNotFound, "the file cannot be read")
	}
	return n, nil
}

// blob is published memory.
type blob []byte

func (b blob) length() int64 { return int64(len(b)) }

func (b blob) readAt(to []byte, offset int64) (int, error) {
	return bytes.NewReader(b).ReadAt(to, offset)
}

// stamp tells whether a file is still the one that was hashed.
type stamp struct {
	path string
	size int64
	mod  time.Time
}

func stampOf(path string, f *os.File) (stamp, error) {
	info, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	if !info.Mode().IsRegular() {
		return stamp{}, golem.Errorf(golem.ErrInvalid, "%s is not a regular file", path)
	}
	return stamp{path, info.Size(), info.ModTime()}, nil
}
