package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/internal/lifeline"
	"github.com/golem-go/golem/wire"
)

// Processes is the Launcher that starts supervisor processes. Dir is required.
type Processes struct {
	// Dir is where activities work: below it are exe-unit/work, with a directory for
	// each Agreement and in it one for each Activity, and exe-unit/cache, which all
	// share.
	Dir string
	// Env is the environment of the processes; GSB_URL in it is how they find the
	// bus of their node. nil is that of this process.
	Env []string
	// Line ends the processes when this one ends, however that comes about.
	Line *lifeline.Line
	// Keep leaves the directories of activities when they have ended.
	Keep bool
	Log  *slog.Logger // nil: discard

	Grace time.Duration // to end when asked to, before being killed; 0 is 5 s
}

const (
	probeTimeout = time.Minute
	mostTemplate = 1 << 20 // bytes
	mostSaid     = 2 << 10 // bytes of what a process has to say in an error
	drain        = time.Second
)

// Probe implements [Launcher]: it runs the runtime's self-test, and asks for its
// template.
func (p *Processes) Probe(ctx context.Context, d Descriptor) (exeunit.Template, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if _, err := p.output(ctx, &d, string(exeunit.ModeTest)); err != nil {
		return exeunit.Template{}, fmt.Errorf("self-test of runtime %s: %w", d.Name, err)
	}
	text, err := p.output(ctx, &d, string(exeunit.ModeOfferTemplate))
	if err != nil {
		return exeunit.Template{}, fmt.Errorf("offer template of runtime %s: %w", d.Name, err)
	}
	return exeunit.ParseTemplate(text)
}

// output runs a supervisor and returns what it prints.
func (p *Processes) output(ctx context.Context, d *Descriptor, command string) ([]byte, error) {
	out, said := &limited{most: mostTemplate}, &limited{most: mostSaid}
	cmd := exec.CommandContext(ctx, d.Supervisor, d.Args(command)...)
	cmd.Stdout, cmd.Stderr = out, said
	cmd.WaitDelay = drain
	cmd.SysProcAttr = groupLeader()
	cmd.Cancel = func() error { killGroup(cmd.Process); return nil }
	p.settle(cmd)
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, golem.Errorf(golem.ErrTimeout, "%s %s does not end", d.Supervisor, command)
	case err != nil:
		return nil, golem.Errorf(golem.ErrUnavailable, "%s %s: %w: %s", d.Supervisor, command, err, said.text())
	case out.over:
		return nil, golem.Errorf(golem.ErrTooLarge, "%s %s prints more than %d bytes", d.Supervisor, command, mostTemplate)
	}
	return out.kept, nil
}

// settle gives a process its environment.
func (p *Processes) settle(cmd *exec.Cmd) {
	if cmd.Env = p.Env; cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append([]string{}, cmd.Env...)
	p.Line.Pass(cmd)
}

// limited keeps the first bytes of what is written to it.
type limited struct {
	kept []byte
	most int
	over bool
}

func (l *limited) Write(b []byte) (int, error) {
	keep := min(len(b), l.most-len(l.kept))
	l.kept = append(l.kept, b[:keep]...)
	l.over = l.over || keep < len(b)
	return len(b), nil
}

func (l *limited) text() string {
	return strings.ToValidUTF8(strings.TrimSpace(string(l.kept)), "")
}

// Run implements [Launcher].
func (p *Processes) Run(ctx context.Context, t Task) error {
	log := p.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	pl, err := p.prepare(&t)
	if err == nil {
		err = p.supervise(ctx, &t, pl, log)
	} else {
		err = fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	if !p.Keep {
		if err := pl.remove(); err != nil {
			log.Warn("cannot remove the directory of an activity", "activity", t.Activity, "err", err)
		}
	}
	return err
}

// place is where an Activity works.
type place struct{ deal, work, cache, agreement, log string }

// prepare makes the directories and writes the Agreement.
func (p *Processes) prepare(t *Task) (pl place, err error) {
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return pl, err
	}
	pl.deal = filepath.Join(dir, "exe-unit", "work", string(t.Agreement.ID))
	pl.work = filepath.Join(pl.deal, string(t.Activity))
	pl.cache = filepath.Join(dir, "exe-unit", "cache")
	pl.agreement = filepath.Join(pl.deal, "agreement.json")
	pl.log = filepath.Join(pl.work, "exe-unit.log")
	if !filepath.IsLocal(string(t.Agreement.ID)) || !filepath.IsLocal(string(t.Activity)) {
		return place{}, golem.Errorf(golem.ErrInvalid, "activity %q of agreement %q: no names of files", t.Activity, t.Agreement.ID)
	}
	for _, d := range []string{pl.work, pl.cache} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return pl, err
		}
	}
	text, err := json.MarshalIndent(t.Agreement, "", "  ")
	if err != nil {
		return pl, err
	}
	return pl, os.WriteFile(pl.agreement, text, 0o644)
}

// remove removes the directory of an Activity, and that of its Agreement if it was
// the last one.
func (pl *place) remove() error {
	if pl.work == "" {
		return nil
	}
	if err := os.RemoveAll(pl.work); err != nil {
		return err
	}
	rest, err := os.ReadDir(pl.deal)
	if err != nil || len(rest) > 1 || len(rest) == 1 && rest[0].Name() != filepath.Base(pl.agreement) {
		return err
	}
	return os.RemoveAll(pl.deal)
}

// supervise starts a supervisor and waits until it has ended.
func (p *Processes) supervise(ctx context.Context, t *Task, pl place, log *slog.Logger) error {
	said, err := os.OpenFile(pl.log, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	defer said.Close()
	args := t.Runtime.Args(string(exeunit.ModeServiceBus), string(t.Activity), wire.ActivityReportURL,
		"-c", pl.cache, "-w", pl.work, "-a", pl.agreement)
	if t.PublicKey != "" {
		args = append(args, "--requestor-pub-key", t.PublicKey)
	}
	cmd := exec.Command(t.Runtime.Supervisor, args...)
	cmd.Dir, cmd.Stderr = pl.work, said
	cmd.SysProcAttr = groupLeader()
	p.settle(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	log.Debug("ExeUnit process started", "activity", t.Activity, "pid", cmd.Process.Pid)
	p.await(ctx, cmd)
	if cmd.ProcessState.Success() || ctx.Err() != nil {
		return nil
	}
	log.Warn("ExeUnit process failed", "activity", t.Activity, "state", cmd.ProcessState.String(), "said", tail(said))
	if !cmd.ProcessState.Exited() {
		return golem.Errorf(golem.ErrUnavailable, "execution aborted")
	}
	return golem.Errorf(golem.ErrUnavailable, "exit code %d", cmd.ProcessState.ExitCode())
}

// await waits until a process has ended. When ctx ends first the process is asked
// to end, and some time later its group is killed. In any case nothing of the
// group is left afterwards.
func (p *Processes) await(ctx context.Context, cmd *exec.Cmd) {
	grace := p.Grace
	if grace == 0 {
		grace = 5 * time.Second
	}
	ended := make(chan struct{})
	stopper := make(chan struct{})
	go func() {
		defer close(stopper)
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		terminate(cmd.Process)
		select {
		case <-ended:
		case <-time.After(grace):
			killGroup(cmd.Process)
		}
	}()
	awaitExit(cmd)
	killGroup(cmd.Process) // before its id is free to be another's
	close(ended)
	<-stopper
	if cmd.ProcessState == nil {
		cmd.Wait() // how it has ended is in its state
	}
}

// Clean removes what activities and images have left behind that was not changed
// for the given time.
func (p *Processes) Clean(age time.Duration) error {
	var errs []error
	for _, pattern := range []string{"work/*", "cache/*"} {
		paths, err := filepath.Glob(filepath.Join(p.Dir, "exe-unit", pattern))
		errs = append(errs, err)
		for _, path := range paths {
			st, err := os.Lstat(path)
			if err == nil && time.Since(st.ModTime()) > age {
				err = os.RemoveAll(path)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// tail returns the end of a log.
func tail(f *os.File) string {
	st, err := f.Stat()
	if err != nil {
		return ""
	}
	b := make([]byte, min(st.Size(), mostSaid))
	n, err := f.ReadAt(b, st.Size()-int64(len(b)))
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, fs.ErrClosed) {
		return ""
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(b[:n])), "")
}
