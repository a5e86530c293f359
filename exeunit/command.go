package exeunit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/golem-go/golem"
)

// execute runs the commands of a batch until one fails or ctx ends.
func (s *Supervisor) execute(ctx context.Context, b *batch) {
	defer b.end()
	for i := range b.script {
		if s.step(ctx, b, i) != 0 {
			return
		}
	}
}

// step runs one command and returns its code.
func (s *Supervisor) step(ctx context.Context, b *batch, i int) int {
	b.started(i, stamp())
	c := &b.script[i]
	ctx, cancel := s.limitTime(ctx)
	defer cancel()
	stdout, stderr, err := s.captures(ctx, b, i, c)
	if err == nil {
		err = context.Cause(ctx) // a batch that was stopped begins nothing
	}
	if err == nil {
		err = s.perform(ctx, b, i, Stdio{stdout, stderr})
	}
	r := golem.CommandResult{Result: golem.ResultOk}
	code, message := outcome(err)
	s.log.Info("command finished", "activity", s.cfg.Activity, "batch", b.id, "command", c.Name(), "code", code, "err", err)
	if stdout != nil && stderr != nil {
		message = s.collect(&r, stdout, stderr, message)
	}
	if code != 0 {
		r.Result = golem.ResultError
	}
	if message != "" {
		r.Message = &message
	}
	b.finished(i, stamp(), r, code)
	return code
}

// captures returns what takes the output of command i, and waits for followers
// no longer than ctx.
func (s *Supervisor) captures(ctx context.Context, b *batch, i int, c *golem.Command) (stdout, stderr *capture, err error) {
	out := func(o golem.Output) { b.print(ctx, i, golem.RuntimeEventKind{Stdout: &o}) }
	errs := func(o golem.Output) { b.print(ctx, i, golem.RuntimeEventKind{Stderr: &o}) }
	if c.Run == nil {
		return captureAll(&b.budget, out), captureAll(&b.budget, errs), nil
	}
	modes := golem.Capture{}
	if c.Run.Capture != nil {
		modes = *c.Run.Capture
	}
	if stdout, err = newCapture(modes.Stdout, &b.budget, out); err != nil {
		return nil, nil, err
	}
	stderr, err = newCapture(modes.Stderr, &b.budget, errs)
	return stdout, stderr, err
}

// collect moves the output into the result, and says in the message where it is
// incomplete.
func (s *Supervisor) collect(r *golem.CommandResult, stdout, stderr *capture, message string) string {
	out, missedOut := stdout.finish()
	errs, missedErr := stderr.finish()
	r.Stdout, r.Stderr = out, errs
	for _, missed := range []struct {
		name string
		n    uint64
	}{{"stdout", missedOut}, {"stderr", missedErr}} {
		if missed.n > 0 {
			if message != "" {
				message += "; "
			}
			message += fmt.Sprintf("%d bytes of %s were not kept: the limit of the batch is %d", missed.n, missed.name, maxBatchOutput)
		}
	}
	return message
}

// outcome returns the code and the message a command ends with: the exit code of
// the program, or -1 for every other failure.
func outcome(err error) (code int, message string) {
	var exit *ExitError
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &exit) && exit.Code > 0:
		return exit.Code, exit.Error()
	case exit != nil:
		return -1, exit.Error()
	}
	return -1, golem.Public(err)
}

// limitTime gives a command the time it may take.
func (s *Supervisor) limitTime(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.cfg.CommandTimeout <= 0 {
		return ctx, func() {}
	}
	cause := golem.Errorf(golem.ErrTimeout, "the command has taken longer than the %v the provider allows", s.cfg.CommandTimeout)
	return context.WithTimeoutCause(ctx, s.cfg.CommandTimeout, cause)
}

// perform runs a command if the state allows it.
func (s *Supervisor) perform(ctx context.Context, b *batch, i int, out Stdio) error {
	c := &b.script[i]
	switch {
	case c.Sign != nil:
		return golem.Errorf(golem.ErrUnsupported, "signing not supported: this ExeUnit does not run in an enclave")
	case c.Terminate != nil:
		return s.reset(ctx, b)
	}
	own, err := s.machine.begin(c)
	if err != nil {
		return stateError(err)
	}
	err = s.run(ctx, b, i, out)
	if e := s.machine.end(own); e != nil {
		return stateError(e)
	}
	return err
}

// stateError marks an error as upstream does; SDKs' tests look for it.
//
//lint:ignore ST1005 the text is upstream's
func stateError(err error) error { return fmt.Errorf("Local service error: State error: %w", err) }

// run runs a command that has the state for itself.
func (s *Supervisor) run(ctx context.Context, b *batch, i int, out Stdio) error {
	c := &b.script[i]
	tell := func(p golem.CommandProgress) { b.progressed(i, stamp(), p) }
	switch {
	case c.Deploy != nil:
		return s.deploy(ctx, c.Deploy, newProgress(c.Deploy.Progress, tell), out)
	case c.Start != nil:
		return s.cfg.Runtime.Start(ctx, c.Start.Args, out)
	case c.Run != nil:
		return s.cfg.Runtime.Run(ctx, c.Run.EntryPoint, c.Run.Args, out)
	}
	s.mu.Lock()
	volumes := s.volumes
	s.mu.Unlock()
	err := s.transfers.transfer(ctx, c.Transfer, volumes, newProgress(c.Transfer.Progress, tell))
	return transferError(err)
}

func transferError(err error) error {
	if err == nil {
		return nil
	}
	//lint:ignore ST1005 the text is upstream's
	return fmt.Errorf("Local service error: Transfer error: %w", err)
}

// deploy gets the image and makes the Runtime prepare it.
func (s *Supervisor) deploy(ctx context.Context, c *golem.DeployCommand, p *progress, out Stdio) error {
	if len(c.Net) > 0 {
		return golem.Errorf(golem.ErrUnsupported, "private networks are not supported by this runtime")
	}
	d := Deployment{Hostname: c.Hostname}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		d.Env = append(d.Env, name+"="+c.Env[name])
	}
	var err error
	if d.Volumes, err = volumeOverride(c.Volumes); err != nil {
		return err
	}
	if url := s.cfg.Agreement.TaskPackage; url != "" && !s.cfg.ManagedImage {
		if d.TaskPackage, err = s.transfers.image(ctx, url, p); err != nil {
			return transferError(err)
		}
	}
	deployed, err := s.cfg.Runtime.Deploy(ctx, d, out)
	if err != nil {
		return err
	}
	if deployed.StartMode != StartEmpty {
		return golem.Errorf(golem.ErrUnsupported, "runtimes in service mode (start mode %s) are not supported", deployed.StartMode)
	}
	s.mu.Lock()
	s.volumes = deployed.Volumes
	s.mu.Unlock()
	return nil
}

// errReset ends batches when another one terminates what was deployed.
var errReset = golem.Errorf(golem.ErrCancelled, "interrupted by a terminate command")

// reset executes the command terminate of batch b: all other batches and the
// Runtime are stopped, and the Activity can be deployed again.
func (s *Supervisor) reset(ctx context.Context, b *batch) error {
	if err := s.machine.beginReset(); err != nil {
		return stateError(err)
	}
	defer s.machine.endReset()
	s.mu.Lock()
	others := make([]*batch, 0, len(s.order))
	for _, other := range s.order {
		if other != b {
			other.cancel(errReset)
			others = append(others, other)
		}
	}
	s.mu.Unlock()
	stopping, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	s.cfg.Runtime.Stop(stopping)
	for _, other := range others {
		if !other.ended(stopping) {
			return golem.Errorf(golem.ErrTimeout, "what is running does not stop")
		}
	}
	return nil
}
