package devnet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/golem-go/golem/internal/lifeline"
)

// process is one process of the network.
type process struct {
	name   string
	kind   string // "hub", "node" or "provider"
	dir    string // its data
	env    []string
	cmd    *exec.Cmd
	stdout io.ReadCloser
	exited chan struct{} // closed when it has been reaped
	err    error         // how it ended, valid then
}

// start starts the process. What it logs goes to a file in its directory.
func (p *process) start(cfg Config, line *lifeline.Line, args []string) error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(cfg.Exe, args...)
	p.cmd.Env = p.env
	p.cmd.Stderr = log
	p.cmd.Dir = p.dir
	detach(p.cmd)
	line.Pass(p.cmd)
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return err
	}
	return p.cmd.Start()
}

func (p *process) logFile() string { return filepath.Join(p.dir, "golem.log") }

// awaitReady reads the line by which the process says that it is ready.
func (p *process) awaitReady(ctx context.Context, ready any) error {
	line := make(chan []byte, 1)
	go func() {
		r := bufio.NewReader(p.stdout)
		b, _ := r.ReadBytes('\n')
		line <- b
		io.Copy(io.Discard, r) // a full pipe would stop the process
	}()
	select {
	case b := <-line:
		if len(bytes.TrimSpace(b)) == 0 {
			return errors.New("ended before it was ready")
		}
		if ready == nil {
			return nil
		}
		return json.Unmarshal(b, ready)
	case <-ctx.Done():
		return fmt.Errorf("not ready in time: %w", ctx.Err())
	}
}

// lastLog returns the end of the process's log.
func (p *process) lastLog() string {
	const most = 2000
	b, err := os.ReadFile(p.logFile())
	if err != nil {
		return ""
	}
	return string(b[max(0, len(b)-most):])
}

// stopAll asks processes to end, all at once, and kills those that do not.
func stopAll(ps []*process) error {
	errs := make([]error, len(ps))
	var wg sync.WaitGroup
	for i, p := range ps {
		wg.Go(func() { errs[i] = p.stop() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (p *process) stop() error {
	interrupt(p.cmd.Process)
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTimeout):
	}
	p.cmd.Process.Kill()
	<-p.exited
	return fmt.Errorf("%s did not end within %v and was killed", p.name, stopTimeout)
}
