package exeunit

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/golem-go/golem"
)

const (
	copyBuffer = 64 << 10 // bytes

	// transferRetries is how often a transfer is tried again, after 2 s, 4 s, …
	transferRetries = 2

	// stallTimeout is how long a transfer may make no progress.
	stallTimeout = 90 * time.Second
)

// job is the copying of one content, with retries that go on where the previous
// attempt stopped, if both ends can.
type job struct {
	open     func(ctx context.Context) (source, error)
	dst      sink
	digest   *digest // nil for none
	most     int64   // bytes; 0: no limit
	progress *progress

	done int64     // bytes that dst has taken
	sum  hash.Hash // of them; nil for no digest
}

// run copies until it has succeeded or failed for good.
func (j *job) run(ctx context.Context) (err error) {
	if j.digest != nil {
		if j.sum, err = j.digest.hasher(); err != nil {
			return err
		}
	}
	for try := 0; ; try++ {
		if err = j.attempt(ctx); err == nil {
			return j.dst.commit()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if try == transferRetries || !retriable(err) {
			return err
		}
		delay := 2 * time.Second << try
		j.progress.message(fmt.Sprintf("Retry in %gs because of error: %s", delay.Seconds(), golem.Public(err)))
		if err := sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// attempt copies once, from where the attempt before has got to.
func (j *job) attempt(ctx context.Context) error {
	src, err := j.open(ctx)
	if err != nil {
		return err
	}
	defer src.close()
	total := src.size()
	if j.most > 0 && total > j.most {
		return tooLarge(j.most)
	}
	if !src.resumable() || !j.dst.resumable() || total >= 0 && total < j.done {
		j.restart()
	}
	flowing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(stallTimeout, func() {
		cancel(golem.Errorf(golem.ErrTimeout, "no data for %v", stallTimeout))
	})
	defer stalled.Stop()
	err = j.dst.put(flowing, j.done, total, func(w io.Writer) error {
		defer stalled.Stop() // how long the other side takes to check is its affair
		if err := src.copyTo(flowing, &meter{j, w, total, stalled}, j.done); err != nil {
			return err
		}
		return j.check(total)
	})
	if err != nil && flowing.Err() != nil {
		return context.Cause(flowing)
	}
	return err
}

// restart begins from 0.
func (j *job) restart() {
	j.done = 0
	if j.sum != nil {
		j.sum.Reset()
	}
}

// check says whether what was copied is what it should be.
func (j *job) check(total int64) error {
	if total >= 0 && j.done != total {
		return golem.Errorf(golem.ErrUnavailable, "got %d bytes of %d", j.done, total)
	}
	j.progress.finish(j.done)
	if j.sum != nil {
		return j.digest.verify(j.sum)
	}
	return nil
}

// meter passes on what a job copies, and counts it.
type meter struct {
	j       *job
	w       io.Writer
	total   int64
	stalled *time.Timer
}

func (m *meter) Write(b []byte) (int, error) {
	j := m.j
	if j.most > 0 && j.done+int64(len(b)) > j.most {
		return 0, tooLarge(j.most)
	}
	n, err := m.w.Write(b)
	j.done += int64(n)
	if j.sum != nil {
		j.sum.Write(b[:n])
	}
	m.stalled.Reset(stallTimeout)
	j.progress.update(j.done, m.total)
	return n, err
}

func tooLarge(most int64) error {
	return golem.Errorf(golem.ErrExhausted, "the content has more than the %d bytes that are allowed", most)
}

// retriable reports whether a transfer that failed with err may succeed when
// tried again (spec exeunit.md §15.5).
func retriable(err error) bool {
	switch golem.KindOf(err) {
	case golem.ErrTimeout, golem.ErrUnavailable, golem.ErrNoAnswer:
		return true
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	for _, errno := range []syscall.Errno{
		syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ECONNREFUSED, syscall.ENOTCONN,
		syscall.EADDRNOTAVAIL, syscall.EPIPE, syscall.ETIMEDOUT, syscall.EINTR,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// sleep waits for d, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
