package exeunit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/golem-go/golem"
)

const (
	// storagePeriod is how long a measured size is good for. Large trees are
	// measured less often, so that at most a tenth of the time goes into it.
	storagePeriod = 2 * time.Second

	// maxDirectoryDepth is how deep directories may be nested. The payload
	// decides about the depth, and each level takes a file descriptor.
	maxDirectoryDepth = 256
)

// storage measures a directory that a payload writes to.
type storage struct {
	dir string

	mu    sync.Mutex
	bytes int64
	err   error
}

// size returns the bytes that were found last.
func (s *storage) size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// failure returns why the directory cannot be measured, which a payload can
// bring about; a limit would mean nothing then.
func (s *storage) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// run measures until ctx ends.
func (s *storage) run(ctx context.Context) {
	for {
		begun := time.Now()
		s.measure(ctx)
		if sleep(ctx, max(storagePeriod, 9*time.Since(begun))) != nil {
			return
		}
	}
}

// measure walks the directory once.
func (s *storage) measure(ctx context.Context) {
	var bytes int64
	root, err := os.OpenRoot(s.dir)
	if err == nil {
		bytes, err = directorySize(ctx, root, 0)
	}
	if ctx.Err() != nil {
		return
	}
	if golem.KindOf(err) != golem.ErrExhausted {
		err = nil // the tree changes while it is walked
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes, s.err = bytes, err
}

// directorySize returns the bytes that files below root take on the disk, and
// closes root. Links are not followed; a file with several names counts once.
func directorySize(ctx context.Context, root *os.Root, depth int) (bytes int64, err error) {
	defer root.Close()
	if depth > maxDirectoryDepth {
		return 0, golem.Errorf(golem.ErrExhausted, "directories are nested more than %d deep", maxDirectoryDepth)
	}
	dir, err := root.Open(".")
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	for ctx.Err() == nil {
		entries, err := dir.ReadDir(512)
		for _, e := range entries {
			n, err := entrySize(ctx, root, e.Name(), depth)
			bytes += n
			if golem.KindOf(err) == golem.ErrExhausted {
				return bytes, err
			}
		}
		if err != nil || len(entries) == 0 {
			break
		}
	}
	return bytes, nil
}

// entrySize returns the bytes of an entry and everything below it.
func entrySize(ctx context.Context, root *os.Root, name string, depth int) (int64, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return 0, err
	}
	bytes := diskUsage(info)
	if !info.IsDir() {
		return bytes, nil
	}
	below, err := root.OpenRoot(name)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return bytes, golem.Errorf(golem.ErrExhausted, "a directory cannot be read and measured")
	case err != nil:
		return bytes, err
	}
	more, err := directorySize(ctx, below, depth+1)
	return bytes + more, err
}
