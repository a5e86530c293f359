package exeunit

import (
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// pipes carry the output of a process to where it shall go. They are ours, and
// not those of package exec, so that the end of the process is seen apart from
// that of its output.
type pipes struct {
	outlets []*outlet
	writers []*os.File
	copying sync.WaitGroup
}

// outlet is our end of one pipe.
type outlet struct {
	from *os.File
	to   io.Writer

	mu       sync.Mutex
	deadline time.Time // of reading; zero while the process runs
}

// openPipes connects the output of cmd, which is not started yet, with out.
func openPipes(cmd *exec.Cmd, out Stdio) (*pipes, error) {
	p := &pipes{}
	for _, s := range []struct {
		from *io.Writer
		to   io.Writer
	}{{&cmd.Stdout, out.Out}, {&cmd.Stderr, out.Err}} {
		r, w, err := os.Pipe()
		if err != nil {
			return p, err
		}
		*s.from = w
		p.outlets, p.writers = append(p.outlets, &outlet{from: r, to: s.to}), append(p.writers, w)
	}
	return p, nil
}

// copy begins to copy.
func (p *pipes) copy() {
	for _, o := range p.outlets {
		p.copying.Go(o.copy)
	}
}

// finish returns when everything has been copied, or it has been waited long
// enough for somebody who holds on to a pipe.
func (p *pipes) finish() {
	for _, o := range p.outlets {
		o.finish()
	}
	p.copying.Wait()
	p.closeReaders()
}

func (p *pipes) closeReaders() {
	for _, o := range p.outlets {
		o.from.Close()
	}
}

func (p *pipes) closeWriters() {
	for _, w := range p.writers {
		w.Close()
	}
}

// copy copies to the end of the pipe, or until nobody takes any more.
func (o *outlet) copy() {
	buffer := make([]byte, copyBuffer)
	for {
		n, err := o.from.Read(buffer)
		if n > 0 && !o.pass(buffer[:n]) || err != nil {
			return
		}
	}
}

// pass writes a piece. The time that takes, because somebody reads slowly, does
// not count: what is in the pipe when the process ends is still read.
func (o *outlet) pass(b []byte) bool {
	begun := time.Now()
	_, err := o.to.Write(b)
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.deadline.IsZero() {
		o.deadline = o.deadline.Add(time.Since(begun))
		o.from.SetReadDeadline(o.deadline)
	}
	return err == nil
}

// finish gives what is left to be read some time.
func (o *outlet) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deadline = time.Now().Add(drainDelay)
	o.from.SetReadDeadline(o.deadline)
}
