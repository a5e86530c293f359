package requestor

import (
	"context"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/golem-go/golem"
)

// Process is a program of the image to be run, with files to copy before and
// after it, all in one batch of commands.
type Process struct {
	Path string   // in the image; "" where the image is one program
	Args []string // without the program's name

	// Inputs are copied before the program runs, by path there.
	Inputs map[string]Source
	// Outputs are copied after it has succeeded: from a path there, the key, to
	// one of this machine, where the file appears when it is complete.
	Outputs map[string]string

	// Stdout and Stderr take what the program prints, as it comes; nil and
	// [io.Discard] discard it. They are written to by the goroutine that called
	// Run. The program waits for a writer that takes its time, but not for ever.
	Stdout, Stderr io.Writer
}

// onlyProgram is what programs are called where the image has no names for them.
const onlyProgram = "main"

// Run runs a program and returns when it has ended: nil if it succeeded, an
// *[ExitError] if it did not, a *[ProviderError] if the Provider has failed,
// ErrInvalid if an output has no place on this machine, before anything is done,
// and ErrExhausted if it cannot be written there, as when the disk is full. It is
// ErrTooLarge, and may be an *[ExitError] too, when the program has ended by itself
// and some of what it printed was lost, which a slow writer or a broken connection
// may cause where a program prints megabytes.
// The first thing a rental does includes deploying the image, which saves
// asking the Provider twice.
//
// A program cannot be stopped alone: when ctx ends Run returns and the program
// goes on until the rental is closed.
func (r *Rental) Run(ctx context.Context, p Process) error {
	var steps script
	defer steps.release()
	for _, to := range slices.Sorted(maps.Keys(p.Inputs)) {
		if err := steps.upload(ctx, r, p.Inputs[to], to); err != nil {
			return err
		}
	}
	steps.run(&p)
	for _, from := range slices.Sorted(maps.Keys(p.Outputs)) {
		if err := steps.download(ctx, r, from, p.Outputs[from]); err != nil {
			return err
		}
	}
	return r.execute(ctx, &steps)
}

// Deploy makes the rental ready, unless it is. There is no need to call it: Run,
// Upload and Download do so first.
func (r *Rental) Deploy(ctx context.Context) error { return r.execute(ctx, &script{}) }

// Upload copies a file to a path of the rental, in one of its volumes. The
// Provider verifies its hash.
func (r *Rental) Upload(ctx context.Context, from Source, to string) error {
	var steps script
	defer steps.release()
	if err := steps.upload(ctx, r, from, to); err != nil {
		return err
	}
	return r.execute(ctx, &steps)
}

// Download copies a file of the rental to a path of this machine, where it
// appears, or replaces what is there, when it is complete and its hash is right.
func (r *Rental) Download(ctx context.Context, from, to string) error {
	var steps script
	defer steps.release()
	if err := steps.download(ctx, r, from, to); err != nil {
		return err
	}
	return r.execute(ctx, &steps)
}

// script is what is sent to a rental at a time.
type script struct {
	steps    []step
	releases []func() // of published files
}

// step is a command with what is to be known about it.
type step struct {
	command golem.Command
	stage   Stage
	what    string // for people
	stdout  io.Writer
	stderr  io.Writer
	trouble func() error // of this machine with what is copied to it; nil where nothing is
	arrived func() bool  // what is copied here; nil where nothing is
}

func (s *script) release() {
	for _, f := range s.releases {
		f()
	}
}

// prepend puts the commands that make a rental ready in front.
func (s *script) prepend(commands []golem.Command) {
	first := make([]step, len(commands), len(commands)+len(s.steps))
	for i, c := range commands {
		first[i] = step{command: c, stage: Starting, what: "start"}
		if c.Deploy != nil {
			first[i] = step{command: c, stage: Deploying, what: "deploy"}
		}
	}
	s.steps = append(first, s.steps...)
}

func (s *script) run(p *Process) {
	run := &golem.RunCommand{EntryPoint: p.Path, Args: p.Args}
	if run.EntryPoint == "" {
		run.EntryPoint = onlyProgram
	}
	// Bytes, because what programs print need not be text.
	stream := &golem.CaptureMode{Stream: &golem.CaptureStream{Format: "bin"}}
	capture := &golem.Capture{}
	stdout, stderr := wanted(p.Stdout), wanted(p.Stderr)
	if stdout != nil {
		capture.Stdout = stream
	}
	if stderr != nil {
		capture.Stderr = stream
	}
	if *capture != (golem.Capture{}) {
		run.Capture = capture
	}
	s.steps = append(s.steps, step{command: golem.Command{Run: run}, stage: Running, what: run.EntryPoint, stdout: stdout, stderr: stderr})
}

// wanted returns w, or nil where that discards what it gets.
func wanted(w io.Writer) io.Writer {
	if w == io.Discard {
		return nil
	}
	return w
}

func (s *script) upload(ctx context.Context, r *Rental, from Source, to string) error {
	if from.isZero() {
		return golem.Errorf(golem.ErrInvalid, "upload to %s: no source; see File, Bytes and URL", to)
	}
	u, release, err := r.r.publish(ctx, from)
	if err != nil {
		return err
	}
	s.releases = append(s.releases, release)
	s.transfer(Uploading, to, u, container(to))
	return nil
}

func (s *script) download(ctx context.Context, r *Rental, from, to string) error {
	if err := checkTarget(to); err != nil {
		return err
	}
	files, err := r.r.publisher(ctx)
	if err != nil {
		return err
	}
	slot, err := files.Receive(to)
	if err != nil {
		return err
	}
	s.releases = append(s.releases, func() { _ = files.Close(slot) })
	s.transfer(Fetching, from, container(from), slot.String())
	last := &s.steps[len(s.steps)-1]
	last.arrived = func() bool { return files.Received(slot) }
	last.trouble = func() error {
		if err := files.Failure(slot); err != nil {
			return golem.Errorf(golem.ErrExhausted, "%s cannot be written: %w", to, err)
		}
		return nil
	}
	return nil
}

// missing returns what should have been copied here and was not, "" for nothing.
// That a Provider says it has sent a file does not make it arrive.
func (s *script) missing() string {
	for i := range s.steps {
		if arrived := s.steps[i].arrived; arrived != nil && !arrived() {
			return s.steps[i].what
		}
	}
	return ""
}

// checkTarget says what keeps a file from appearing at path, as long as nothing
// is lost yet.
func checkTarget(path string) error {
	dir, err := os.Stat(filepath.Dir(path))
	switch {
	case err != nil:
		return golem.Errorf(golem.ErrInvalid, "output %s: %w; make the directory first", path, err)
	case !dir.IsDir():
		return golem.Errorf(golem.ErrInvalid, "output %s: %s is not a directory", path, filepath.Dir(path))
	}
	if there, err := os.Stat(path); err == nil && there.IsDir() {
		return golem.Errorf(golem.ErrInvalid, "output %s is a directory, want the name of a file", path)
	}
	return nil
}

func (s *script) transfer(stage Stage, what, from, to string) {
	t := &golem.TransferCommand{From: from, To: to, Progress: &golem.ProgressArgs{UpdateInterval: progressEvery}}
	s.steps = append(s.steps, step{command: golem.Command{Transfer: t}, stage: stage, what: what})
}

// container returns the URL of a path in a volume.
func container(path string) string { return "container:" + (&url.URL{Path: path}).EscapedPath() }
