package gftp

import (
	"context"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// The defaults of a Client.
const (
	DefaultWindow  = 8
	DefaultTimeout = time.Minute
)

// settleTimeout is how long a receiver may take to check an upload.
const settleTimeout = 30 * time.Minute

// Client copies files from and to other nodes. It is a value; its methods may be
// called by many goroutines.
type Client struct {
	Bus     gsb.Caller
	From    golem.NodeID  // the identity that asks; zero: the default one
	Window  int           // chunks in flight; 0: DefaultWindow
	Timeout time.Duration // of one chunk; 0: DefaultTimeout
}

// File is a file of another node.
type File struct {
	URL  URL
	Size int64 // as the node says; bytes

	client Client
}

// Open asks for the size of the file at u.
func (c Client) Open(ctx context.Context, u URL) (*File, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	m, err := wire.GftpMetadata.At(u.Name).Call(ctx, c.Bus, c.From, u.Node, gsb.Unit{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u, err)
	}
	if m.FileSize > math.MaxInt64 {
		return nil, golem.Errorf(golem.ErrInvalid, "%s: size of %d bytes is impossible", u, m.FileSize)
	}
	return &File{URL: u, Size: int64(m.FileSize), client: c}, nil
}

// CopyTo writes the file to w from offset on, in order, with several chunks in
// flight. It returns how many bytes w took, also when it fails, so that the copy
// can be continued there. The hash is not verified.
func (f *File) CopyTo(ctx context.Context, w io.Writer, offset int64) (n int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var fetchers sync.WaitGroup
	defer fetchers.Wait()
	defer cancel()
	queue := make(chan chan chunk, f.client.window()-1)
	fetchers.Go(func() { f.order(ctx, &fetchers, queue, offset) })
	for slot := range queue {
		var c chunk
		select {
		case c = <-slot:
		case <-ctx.Done():
			return n, ctx.Err()
		}
		if c.err != nil {
			return n, fmt.Errorf("%s: %w", f.URL, c.err)
		}
		m, err := w.Write(c.content)
		n += int64(m)
		if err != nil {
			return n, err
		}
	}
	return n, ctx.Err()
}

// chunk is a part of a file, or why there is none.
type chunk struct {
	content []byte
	err     error
}

// order fetches the chunks from offset on, as many at a time as queue has room,
// and lets queue know in which order they belong.
func (f *File) order(ctx context.Context, fetchers *sync.WaitGroup, queue chan<- chan chunk, offset int64) {
	defer close(queue)
	for at := offset; at < f.Size; at += wire.GftpChunkSize {
		slot := make(chan chunk, 1)
		select {
		case queue <- slot:
		case <-ctx.Done():
			return
		}
		fetchers.Go(func() { slot <- f.fetch(ctx, at) })
	}
}

// fetch gets the chunk at offset.
func (f *File) fetch(ctx context.Context, offset int64) chunk {
	ctx, cancel := f.client.deadline(ctx)
	defer cancel()
	r := wire.GftpGetChunkRequest{Offset: uint64(offset), Size: uint64(min(wire.GftpChunkSize, f.Size-offset))}
	c, err := wire.GftpGetChunk.At(f.URL.Name).Call(ctx, f.client.Bus, f.client.From, f.URL.Node, r)
	switch {
	case err != nil:
		return chunk{err: err}
	case c.Offset != r.Offset || uint64(len(c.Content)) != r.Size:
		return chunk{err: golem.Errorf(golem.ErrInvalid, "got %d bytes of offset %d, asked for %d of offset %d",
			len(c.Content), c.Offset, r.Size, r.Offset)}
	}
	return chunk{content: c.Content}
}

// Download copies the file at u to path, which appears, or is replaced, when the
// file is complete and its hash, where the name is one, is right.
func (c Client) Download(ctx context.Context, u URL, path string) error {
	f, err := c.Open(ctx, u)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	h := sha3.New256()
	if _, err := f.CopyTo(ctx, io.MultiWriter(temp, h), 0); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if want, ok := u.Hash(); ok && want != [32]byte(h.Sum(nil)) {
		return golem.Errorf(golem.ErrInvalid, "download %s: the content has another hash than the url", u)
	}
	// Temporary files are private; what is downloaded is an ordinary file.
	if err := errors.Join(temp.Chmod(0o644), temp.Close()); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return os.Rename(temp.Name(), path)
}

// Upload copies r to the slot at u, with several chunks in flight, and returns
// when the other side has verified it.
func (c Client) Upload(ctx context.Context, u URL, r io.Reader) (n int64, err error) {
	h := sha3.New256()
	if n, err = c.send(ctx, u, io.TeeReader(r, h)); err != nil {
		return n, fmt.Errorf("upload to %s: %w", u, err)
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	end := wire.GftpUploadFinishedRequest{Hash: new(hex.EncodeToString(h.Sum(nil)))}
	if _, err := wire.GftpUploadFinished.At(u.Name).Call(ctx, c.Bus, c.From, u.Node, end); err != nil {
		return n, fmt.Errorf("upload to %s: %w", u, err)
	}
	return n, nil
}

// send uploads the chunks of r and returns when all have been acknowledged.
func (c Client) send(ctx context.Context, u URL, r io.Reader) (n int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var senders sync.WaitGroup
	room := make(chan struct{}, c.window())
	for err == nil {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			err = context.Cause(ctx)
			continue
		}
		b := make([]byte, wire.GftpChunkSize)
		var m int
		if m, err = io.ReadFull(r, b); m == 0 {
			continue
		}
		part := wire.GftpUploadChunkRequest{Chunk: wire.GftpChunk{Offset: uint64(n), Content: b[:m]}}
		n += int64(m)
		senders.Go(func() {
			ctx, done := c.deadline(ctx)
			defer done()
			if _, err := wire.GftpUploadChunk.At(u.Name).Call(ctx, c.Bus, c.From, u.Node, part); err != nil {
				cancel(err)
			}
			<-room
		})
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	} else {
		cancel(err)
	}
	senders.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	return n, err
}

func (c Client) window() int {
	if c.Window > 0 {
		return c.Window
	}
	return DefaultWindow
}

func (c Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Timeout > 0 {
		return context.WithTimeout(ctx, c.Timeout)
	}
	return context.WithTimeout(ctx, DefaultTimeout)
}
