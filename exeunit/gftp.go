package exeunit

import (
	"context"
	"io"
	"sync"

	"github.com/golem-go/golem/gftp"
)

// gftpSource reads a file of another node.
type gftpSource struct{ file *gftp.File }

func openGftp(ctx context.Context, c gftp.Client, u gftp.URL) (source, error) {
	f, err := c.Open(ctx, u)
	if err != nil {
		return nil, err
	}
	return gftpSource{f}, nil
}

func (s gftpSource) size() int64     { return s.file.Size }
func (s gftpSource) resumable() bool { return true }
func (s gftpSource) close()          {}

func (s gftpSource) copyTo(ctx context.Context, w io.Writer, offset int64) error {
	_, err := s.file.CopyTo(ctx, w, offset)
	return err
}

// gftpSink writes to an upload slot of another node, which verifies what it got.
type gftpSink struct {
	client gftp.Client
	url    gftp.URL
}

func (s gftpSink) resumable() bool { return false }
func (s gftpSink) commit() error   { return nil }
func (s gftpSink) close()          {}

func (s gftpSink) put(ctx context.Context, _, _ int64, fill func(io.Writer) error) error {
	return pump(fill, func(r io.Reader) error {
		_, err := s.client.Upload(ctx, s.url, r)
		return err
	})
}

// pump connects somebody who writes with somebody who reads to the end of what
// is written, or fails with the error of the writer.
func pump(fill func(io.Writer) error, drain func(io.Reader) error) error {
	r, w := io.Pipe()
	var filler sync.WaitGroup
	var fillErr error
	filler.Go(func() {
		fillErr = fill(w)
		w.CloseWithError(fillErr)
	})
	err := drain(r)
	if err != nil {
		r.CloseWithError(err)
	} else {
		r.Close()
	}
	filler.Wait()
	if err == nil {
		err = fillErr
	}
	return err
}
