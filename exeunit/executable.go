package exeunit

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

// The most output of a Runtime's own that is looked at, in bytes.
const maxRuntimeOutput = 1 << 20

// testTimeout is how long a Runtime may take to test itself or say what it
// offers; runtimes boot a machine for that.
const testTimeout = 2 * time.Minute

// Executable is a Runtime that is a program obeying the command-line contract
// of spec exeunit.md §12, with a process for each command.
type Executable struct {
	Path    string
	Args    []string // before the subcommand of every invocation
	Env     []string // of its processes, as os.Environ returns it; see [RuntimeEnv]
	WorkDir string   // absolute; where commands run

	NoTaskPackage bool      // the Runtime has an image of its own
	Hardware      *Hardware // told to the Runtime; nil for not
	TakesEnv      bool      // the Runtime gives programs what --env says

	image string   // of the deployment
	env   []string // of programs
	procs processes
}

// Hardware is what a Runtime may give to its payload.
type Hardware struct {
	Threads    float64
	MemoryGiB  float64
	StorageGiB float64
}

var _ Runtime = (*Executable)(nil)

// RuntimeEnv returns env without what concerns only the node and its agent, such
// as app-keys: a Runtime has no business with them.
func RuntimeEnv(env []string) []string {
	var kept []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case strings.HasPrefix(name, "YAGNA_"), strings.HasPrefix(name, "GSB_"), strings.HasPrefix(name, "GOLEM_"),
			strings.HasPrefix(name, "EXE_UNIT_"), strings.Contains(name, "APPKEY"):
		default:
			kept = append(kept, v)
		}
	}
	return kept
}

var hostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// Deploy implements [Runtime].
func (e *Executable) Deploy(ctx context.Context, d Deployment, out Stdio) (*Deployed, error) {
	args := []string{}
	if d.Volumes != "" {
		args = append(args, "--volume-override", d.Volumes)
	}
	if d.Hostname != "" {
		if !hostname.MatchString(d.Hostname) {
			return nil, golem.Errorf(golem.ErrInvalid, "hostname %q is not one", clip(d.Hostname))
		}
		args = append(args, "--hostname", d.Hostname)
	}
	if d.TaskPackage == "" && !e.NoTaskPackage {
		return nil, golem.Errorf(golem.ErrInvalid, "task package (image) path was not provided")
	}
	if e.image = d.TaskPackage; e.TakesEnv {
		e.env = d.Env
	} else if len(d.Env) > 0 {
		fmt.Fprintln(out.Err, "environment variables are ignored: this runtime takes none")
	}
	result := &limited{left: maxRuntimeOutput}
	err := e.run(ctx, append(args, "deploy", "--"), Stdio{io.MultiWriter(out.Out, result), out.Err})
	if err != nil {
		return nil, err
	}
	return ParseDeployed(result.kept)
}

// Start implements [Runtime].
func (e *Executable) Start(ctx context.Context, args []string, out Stdio) error {
	return e.run(ctx, append([]string{"start", "--"}, args...), out)
}

// Run implements [Runtime].
func (e *Executable) Run(ctx context.Context, entryPoint string, args []string, out Stdio) error {
	return e.run(ctx, append([]string{"run", "--entrypoint", entryPoint, "--"}, args...), out)
}

// Stop implements [Runtime].
func (e *Executable) Stop(ctx context.Context) { e.procs.stop(ctx) }

// Resources implements [Runtime].
func (e *Executable) Resources() Resources { return e.procs.resources() }

// Template returns the properties the Runtime offers. A Runtime that fails has
// none of its own to offer.
func (e *Executable) Template(ctx context.Context, stderr io.Writer) (Template, error) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	out := &limited{left: maxRuntimeOutput}
	err := e.procs.run(ctx, e.command("", append(e.Args[:len(e.Args):len(e.Args)], "offer-template")), Stdio{out, stderr})
	switch {
	case isExit(err):
		return Template{}, nil
	case err != nil:
		return Template{}, err
	}
	return ParseTemplate(out.kept)
}

// Test makes the Runtime test itself.
func (e *Executable) Test(ctx context.Context, out Stdio) error {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	return e.procs.run(ctx, e.command("", append(e.Args[:len(e.Args):len(e.Args)], "test")), out)
}

// run executes a subcommand in the work directory.
func (e *Executable) run(ctx context.Context, subcommand []string, out Stdio) error {
	args := []string{"--workdir", e.WorkDir}
	if !e.NoTaskPackage {
		args = append(args, "--task-package", e.image)
	}
	if h := e.Hardware; h != nil {
		args = append(args,
			"--cpu-cores", strconv.Itoa(int(h.Threads)),
			"--mem-gib", strconv.FormatFloat(h.MemoryGiB, 'f', -1, 64),
			"--storage-gib", strconv.FormatFloat(h.StorageGiB, 'f', -1, 64))
	}
	for _, v := range e.env {
		args = append(args, "--env", v)
	}
	args = append(append(args, e.Args...), subcommand...)
	return e.procs.run(ctx, e.command(e.WorkDir, args), out)
}

func (e *Executable) command(dir string, args []string) command {
	return command{path: e.Path, args: args, env: e.Env, dir: dir}
}

// check says whether the Runtime can be started at all.
func (e *Executable) check() error {
	info, err := os.Stat(e.Path)
	switch {
	case err != nil:
		return golem.Errorf(golem.ErrInvalid, "runtime: %w", err)
	case info.IsDir():
		return golem.Errorf(golem.ErrInvalid, "runtime: %s is a directory", e.Path)
	}
	e.Path, err = filepath.Abs(e.Path)
	return err
}

func isExit(err error) bool {
	_, ok := err.(*ExitError)
	return ok
}

// limited keeps the beginning of what is written to it.
type limited struct {
	kept []byte
	left int
}

// Write implements io.Writer; it never fails.
func (l *limited) Write(b []byte) (int, error) {
	m := min(len(b), l.left)
	l.left -= m
	l.kept = append(l.kept, b[:m]...)
	return len(b), nil
}
