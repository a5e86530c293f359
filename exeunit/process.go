package exeunit

import (
	"context"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/golem-go/golem"
)

const (
	// killDelay is how long a process may take to end when asked to, before it
	// is killed.
	killDelay = 5 * time.Second

	// drainDelay is how long output is waited for after the end of a process, for
	// the case that a descendant has left its group and holds the pipe open.
	drainDelay = time.Second

	// samplePeriod is how often running processes are measured.
	samplePeriod = 250 * time.Millisecond
)

// command is a process to be run.
type command struct {
	path string
	args []string
	env  []string
	dir  string // "" for ours
}

// processes runs processes and accounts for them. Each is the leader of a group
// of its own, all of which ends with it; it is killed when we die.
type processes struct {
	mu   sync.Mutex
	live map[*process]struct{}
	idle chan struct{} // closed when live becomes empty
	cpu  time.Duration // of processes that have ended
	peak int64         // most memory in use at a time, bytes
}

// process is one that is running.
type process struct {
	pid    int
	cancel context.CancelFunc
	cpu    time.Duration // of it and its descendants, as far as seen
	mapped int64         // memory that shows files, when last seen
}

// run executes a process to its end. When ctx ends it is asked to end, and
// killed if it does not; the error is then the cause of ctx.
func (ps *processes) run(ctx context.Context, c command, out Stdio) error {
	// The kernel kills the process when the thread that started it ends: the
	// thread must stay ours until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(running, c.path, c.args...)
	cmd.Env = append([]string{}, c.env...) // never nil, which would be ours
	cmd.Dir = c.dir
	cmd.SysProcAttr = groupLeader()
	cmd.Cancel = func() error { return terminateGroup(cmd.Process) }
	cmd.WaitDelay = killDelay
	pipes, err := openPipes(cmd, out)
	if err == nil {
		err = cmd.Start()
	}
	pipes.closeWriters()
	if err != nil {
		pipes.closeReaders()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return golem.Errorf(golem.ErrUnavailable, "runtime: %w", err)
	}
	p := ps.add(cmd.Process.Pid, cancel)
	var sampler sync.WaitGroup
	sampler.Go(func() { ps.watch(running) })
	pipes.copy()
	err = cmd.Wait()
	killGroup(cmd.Process)
	pipes.finish()
	cancel()
	sampler.Wait()
	ps.remove(p, cmd)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return exitError(cmd, err)
}

// exitError returns what a process's end means.
func exitError(cmd *exec.Cmd, err error) error {
	state := cmd.ProcessState
	switch {
	case state == nil:
		return golem.Errorf(golem.ErrUnavailable, "runtime: %w", err)
	case !state.Exited():
		return &ExitError{Code: -1, Signal: state.String()}
	case state.ExitCode() != 0:
		return &ExitError{Code: state.ExitCode()}
	}
	return nil
}

func (ps *processes) add(pid int, cancel context.CancelFunc) *process {
	p := &process{pid: pid, cancel: cancel}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(ps.live) == 0 {
		ps.live, ps.idle = map[*process]struct{}{}, make(chan struct{})
	}
	ps.live[p] = struct{}{}
	return p
}

func (ps *processes) remove(p *process, cmd *exec.Cmd) {
	cpu, resident := consumption(cmd.ProcessState)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.cpu += max(cpu, p.cpu)
	ps.peak = max(ps.peak, resident-p.mapped)
	delete(ps.live, p)
	if len(ps.live) == 0 {
		close(ps.idle)
	}
}

// stop ends all processes and waits until they have, or ctx ends.
func (ps *processes) stop(ctx context.Context) {
	ps.mu.Lock()
	for p := range ps.live {
		p.cancel()
	}
	idle := ps.idle
	if len(ps.live) == 0 {
		idle = nil
	}
	ps.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// watch measures until ctx ends, so that peaks between reports are seen.
func (ps *processes) watch(ctx context.Context) {
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			ps.resources()
		}
	}
}

// resources measures what runs and adds what has ended.
func (ps *processes) resources() Resources {
	ps.mu.Lock()
	pids := make(map[*process]int, len(ps.live))
	for p := range ps.live {
		pids[p] = p.pid
	}
	ps.mu.Unlock()
	seen := make(map[*process]footprint, len(pids))
	for p, pid := range pids {
		seen[p] = measure(pid)
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	total := Resources{CPU: ps.cpu}
	var memory int64
	for p := range ps.live {
		f := seen[p]
		p.cpu = max(p.cpu, f.cpu)
		p.mapped = max(p.mapped, f.mapped)
		total.CPU += p.cpu
		memory += f.memory
	}
	ps.peak = max(ps.peak, memory)
	total.Memory = ps.peak
	return total
}

// footprint is what a process and its descendants use.
type footprint struct {
	cpu    time.Duration
	memory int64 // the most, without what shows files; bytes
	mapped int64 // what shows files; bytes
}
