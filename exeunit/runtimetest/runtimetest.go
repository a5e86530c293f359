package runtimetest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem/exeunit"
)

// Runtime is the runtime under test, with an image that has the programs the
// suite needs. A program is an entry point and the arguments before its own.
type Runtime struct {
	Path string
	Args []string // for every invocation
	Env  []string

	Image    string // path; "" for a runtime that has its own
	BadImage string // path of an image to be refused; "" for none

	Echo []string // prints its arguments, separated by spaces
	Exit []string // ends with the code it is given
	Hang []string // prints something and never ends
	Copy []string // copies the file of its first argument to that of its second
	In   string   // path of a volume that Copy can read from
	Out  string   // path of a volume that Copy can write to
}

// Test runs the suite.
func Test(t *testing.T, r Runtime) {
	t.Run("offer-template", r.testTemplate)
	t.Run("test", r.testTest)
	t.Run("deploy twice", r.testDeployTwice)
	t.Run("bad image", r.testBadImage)
	t.Run("run before deploy", r.testNotDeployed)
	t.Run("run", r.testRun)
	t.Run("volumes", r.testVolumes)
	t.Run("kill", r.testKill)
}

// unit is one deployment.
type unit struct {
	t   *testing.T
	r   *Runtime
	exe *exeunit.Executable
}

func (r *Runtime) unit(t *testing.T) *unit {
	return &unit{t, r, &exeunit.Executable{
		Path: r.Path, Args: r.Args, Env: r.Env, WorkDir: t.TempDir(), NoTaskPackage: r.Image == "",
	}}
}

// deploy deploys image and starts.
func (u *unit) deploy(image string) (*exeunit.Deployed, error) {
	u.t.Helper()
	var out, errs bytes.Buffer
	d, err := u.exe.Deploy(u.t.Context(), exeunit.Deployment{TaskPackage: image}, exeunit.Stdio{Out: &out, Err: &errs})
	if err != nil {
		return nil, errors.New(err.Error() + ": " + errs.String())
	}
	return d, u.exe.Start(u.t.Context(), nil, exeunit.Stdio{Out: &out, Err: &errs})
}

// ready returns a deployed and started unit.
func (r *Runtime) ready(t *testing.T) (*unit, *exeunit.Deployed) {
	t.Helper()
	u := r.unit(t)
	d, err := u.deploy(r.Image)
	if err != nil {
		t.Fatalf("deploy: %v", err)
	}
	return u, d
}

// run runs a program to its end.
func (u *unit) run(program []string, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	args = append(program[1:len(program):len(program)], args...)
	err = u.exe.Run(u.t.Context(), program[0], args, exeunit.Stdio{Out: &out, Err: &errs})
	return out.String(), errs.String(), err
}

func (r *Runtime) testTemplate(t *testing.T) {
	var errs bytes.Buffer
	if _, err := r.unit(t).exe.Template(t.Context(), &errs); err != nil {
		t.Errorf("%v: %s", err, errs.String())
	}
}

func (r *Runtime) testTest(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	if err := r.unit(t).exe.Test(ctx, exeunit.Stdio{Out: &out, Err: &errs}); err != nil {
		t.Errorf("%v: %s", err, errs.String())
	}
}

func (r *Runtime) testDeployTwice(t *testing.T) {
	u, first := r.ready(t)
	for _, v := range first.Volumes {
		if info, err := os.Stat(filepath.Join(u.exe.WorkDir, v.Name)); err != nil || !info.IsDir() {
			t.Errorf("volume %s has no directory: %v", v.Path, err)
		}
	}
	if first.StartMode != exeunit.StartEmpty {
		t.Errorf("start mode is %s", first.StartMode)
	}
	second, err := u.deploy(r.Image)
	if err != nil {
		t.Fatal(err)
	}
	if len(second.Volumes) != len(first.Volumes) {
		t.Errorf("volumes are %v, then %v", first.Volumes, second.Volumes)
	}
	if out, errs, err := u.run(r.Echo, "again"); err != nil || strings.TrimSpace(out) != "again" {
		t.Errorf("%q, %v: %s", out, err, errs)
	}
}

func (r *Runtime) testBadImage(t *testing.T) {
	if r.BadImage == "" {
		return
	}
	_, err := r.unit(t).deploy(r.BadImage)
	if err == nil || !strings.Contains(err.Error(), "exited with code") || strings.HasSuffix(err.Error(), ": ") {
		t.Errorf("got %v, want an exit code and a reason", err)
	}
}

func (r *Runtime) testNotDeployed(t *testing.T) {
	var exit *exeunit.ExitError
	if _, _, err := r.unit(t).run(r.Echo, "hi"); !errors.As(err, &exit) {
		t.Errorf("got %v, want an exit code", err)
	}
}

func (r *Runtime) testRun(t *testing.T) {
	u, _ := r.ready(t)
	if out, errs, err := u.run(r.Echo, "one", "--two", "th ree"); err != nil || strings.TrimSpace(out) != "one --two th ree" {
		t.Errorf("echo: %q, %v: %s", out, err, errs)
	}
	for _, code := range []int{1, 7, 100} {
		_, _, err := u.run(r.Exit, strconv.Itoa(code))
		var exit *exeunit.ExitError
		if !errors.As(err, &exit) || exit.Code != code {
			t.Errorf("exit %d: got %v", code, err)
		}
	}
	if _, _, err := u.run(r.Exit, "0"); err != nil {
		t.Errorf("exit 0: got %v", err)
	}
}

func (r *Runtime) testVolumes(t *testing.T) {
	u, d := r.ready(t)
	dirs := map[string]string{}
	for _, v := range d.Volumes {
		dirs[v.Path] = filepath.Join(u.exe.WorkDir, v.Name)
	}
	if dirs[r.In] == "" || dirs[r.Out] == "" {
		t.Fatalf("volumes %s and %s are not among %v", r.In, r.Out, d.Volumes)
	}
	want := bytes.Repeat([]byte("golem"), 100_000)
	if err := os.WriteFile(filepath.Join(dirs[r.In], "from"), want, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errs, err := u.run(r.Copy, r.In+"/from", r.Out+"/to"); err != nil {
		t.Fatalf("%v: %s", err, errs)
	}
	got, err := os.ReadFile(filepath.Join(dirs[r.Out], "to"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
}

// testKill ends a program that does not end.
func (r *Runtime) testKill(t *testing.T) {
	u, _ := r.ready(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &first{seen: cancel}
	begun := time.Now()
	err := u.exe.Run(ctx, r.Hang[0], r.Hang[1:], exeunit.Stdio{Out: out, Err: out})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

// first calls seen at the first output.
type first struct{ seen func() }

func (f *first) Write(b []byte) (int, error) {
	f.seen()
	return len(b), nil
}
