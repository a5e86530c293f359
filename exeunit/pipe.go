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
	readers, writers []*os.File
	to               []io.Writer
	copying          sync.WaitGroup
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
		p.readers, p.writers, p.to = append(p.readers, r), append(p.writers, w), append(p.to, s.to)
	}
	return p, nil
}

// copy begins to copy.
func (p *pipes) copy() {
	for i, r := range p.readers {
		p.copying.Go(func() { io.CopyBuffer(onlyWriter{p.to[i]}, onlyReader{r}, make([]byte, copyBuffer)) })
	}
}

// finish returns when everything has been copied, or nothing has come for a
// while from somebody who holds on to a pipe.
func (p *pipes) finish() {
	for _, r := range p.readers {
		r.SetReadDeadline(time.Now().Add(drainDelay))
	}
	p.copying.Wait()
	p.closeReaders()
}

func (p *pipes) closeReaders() { closeAll(p.readers) }
func (p *pipes) closeWriters() { closeAll(p.writers) }

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// onlyReader hides other methods of a reader, which would go around the buffer.
type onlyReader struct{ io.Reader }
