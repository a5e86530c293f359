package gftp

import (
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// maxUpload is the most a slot receives, in bytes: a peer that lies about
// offsets must not make a file that nothing can handle.
const maxUpload = 1 << 40

// slot receives one file, any number of times: a sender that missed the answer
// to its last message starts again.
type slot struct {
	path string

	mu      sync.Mutex
	temp    *os.File // nil before the first chunk and after the last
	writing int      // chunks being written
	closed  bool
	hash    string // of the file that was finished last
	failed  error  // of this machine, the last one
}

// fail notes that this machine could not do its part, and returns what the
// sender is told of that.
func (s *slot) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
	return golem.Errorf(golem.ErrExhausted, "%w", cause(err))
}

// failure returns why this machine could not do its part, nil if it could.
func (s *slot) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// received reports whether a file was finished.
func (s *slot) received() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hash != ""
}

// write stores a chunk.
func (s *slot) write(c wire.GftpChunk) error {
	if len(c.Content) > maxChunk || c.Offset > maxUpload {
		return golem.Errorf(golem.ErrExhausted, "chunk of %d bytes at %d: over the limit", len(c.Content), c.Offset)
	}
	f, err := s.begin()
	if err != nil {
		return err
	}
	_, err = f.WriteAt(c.Content, int64(c.Offset))
	s.mu.Lock()
	s.writing--
	s.mu.Unlock()
	if err != nil {
		return s.fail(err)
	}
	return nil
}

// begin returns the file to write to, for one more chunk.
func (s *slot) begin() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, golem.Errorf(golem.ErrConflict, "the slot is closed")
	}
	if s.temp == nil {
		f, err := os.CreateTemp(filepath.Dir(s.path), "."+filepath.Base(s.path)+".*.part")
		if err != nil {
			s.failed = err
			return nil, golem.Errorf(golem.ErrExhausted, "%w", cause(err))
		}
		s.temp = f
	}
	s.writing++
	return s.temp, nil
}

// finish checks what has arrived and puts it in its place.
func (s *slot) finish(hash *string) error {
	want := ""
	if hash != nil {
		want = strings.ToLower(*hash)
	}
	s.mu.Lock()
	repeated := s.temp == nil && s.hash != "" && s.hash == want
	s.mu.Unlock()
	if repeated {
		return nil
	}
	f, err := s.take()
	if err != nil {
		return err
	}
	sum, err := settle(f, s.path, want)
	if err != nil {
		os.Remove(f.Name())
		if errors.Is(err, wire.ErrGftpIntegrity) {
			return err
		}
		return s.fail(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hash = sum
	return nil
}

// take ends the writing of the file; an upload without chunks is an empty file.
func (s *slot) take() (*os.File, error) {
	f, err := s.begin()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing--
	if s.writing > 0 {
		return nil, golem.Errorf(golem.ErrConflict, "%d chunks are still being written", s.writing)
	}
	s.temp = nil
	return f, nil
}

// settle verifies f and renames it to path.
func settle(f *os.File, path, want string) (sum string, err error) {
	defer f.Close()
	h := sha3.New256()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, maxUpload+maxChunk)); err != nil {
		return "", err
	}
	if sum = hex.EncodeToString(h.Sum(nil)); want != "" && want != sum {
		return "", wire.ErrGftpIntegrity
	}
	// Temporary files are private; what is received is an ordinary file.
	if err := f.Chmod(0o644); err != nil {
		return "", err
	}
	return sum, os.Rename(f.Name(), path)
}

func (s *slot) close() {
	s.mu.Lock()
	temp := s.temp
	s.temp, s.closed = nil, true
	s.mu.Unlock()
	if temp != nil {
		temp.Close()
		os.Remove(temp.Name())
	}
}

// cause returns err without the path in it: peers need not know our directories.
func cause(err error) error {
	switch e := err.(type) {
	case *os.PathError:
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	case *os.LinkError:
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}
