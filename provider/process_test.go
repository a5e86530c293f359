//go:build unix

package provider

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/internal/lifeline"
)

// supervisorEnv makes the test binary a supervisor.
const supervisorEnv = "GOLEM_TEST_SUPERVISOR"

func TestMain(m *testing.M) {
	if os.Getenv(supervisorEnv) != "" {
		os.Exit(supervise(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// supervise does what its first argument, the name of the runtime, says.
func supervise(args []string) int {
	if args[0] == "-child" {
		time.Sleep(time.Minute) // unless it is killed
		return 0
	}
	name := args[1]
	has := func(word string) bool { return slices.Contains(args, word) }
	value := func(flag string) string { return args[slices.Index(args, flag)+1] }
	fmt.Fprintln(os.Stderr, "runtime", name, "of", os.Getenv("GSB_URL"))
	switch {
	case has("test") && name == "broken":
		fmt.Fprintln(os.Stderr, "no KVM")
		return 3
	case has("test") && name == "hanging":
		time.Sleep(time.Minute)
	case has("test"):
		return 0
	case has("offer-template") && name == "chatty":
		fmt.Print(strings.Repeat("x", mostTemplate+1))
		return 0
	case has("offer-template"):
		fmt.Println(`{"properties":{"golem":{"com":{"usage":{"vector":["golem.usage.duration_sec"]}}}},"constraints":""} stray`)
		return 0
	}
	a, err := exeunit.ReadAgreement(value("-a"))
	if err != nil || a.ID == "" {
		return 9
	}
	term := make(chan os.Signal, 1)
	if name == "stubborn" {
		signal.Ignore(syscall.SIGTERM)
	} else {
		signal.Notify(term, syscall.SIGTERM)
	}
	child := exec.Command(os.Args[0], "-child")
	if err := child.Start(); err != nil {
		return 9
	}
	started := fmt.Sprintf("%d %d %s\n", os.Getpid(), child.Process.Pid, strings.Join(args, " "))
	os.WriteFile("started.tmp", []byte(started), 0o644)
	os.Rename("started.tmp", "started")
	switch name {
	case "crash":
		return 7
	case "abort":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "orphan":
		line := lifeline.Inherited(os.Getenv(lifeline.Env))
		line.Broken()
		return 5
	}
	<-term
	return 0
}

func testProcesses(t *testing.T) *Processes {
	return &Processes{
		Dir: t.TempDir(), Env: append(os.Environ(), supervisorEnv+"=1", "GSB_URL=unix:/tmp/x", "GORACE=atexit_sleep_ms=0"),
		Grace: 100 * time.Millisecond,
	}
}

func testRuntime(t *testing.T, name string) Descriptor {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Descriptor{Name: name, Version: "1.0.0", Supervisor: self, Runtime: name}
}

func testTask(t *testing.T, name string) Task {
	a := &golem.Agreement{ID: golem.AgreementID(strings.Repeat("a", 64)), State: golem.AgreementApproved}
	a.Offer.Properties = `{"golem.com.usage.vector":["golem.usage.duration_sec"]}`
	a.Demand.Properties = `{}`
	return Task{Activity: golem.NewActivityID(), Agreement: a, Runtime: testRuntime(t, name), PublicKey: "00ff"}
}

func TestProbe(t *testing.T) {
	p := testProcesses(t)
	template, err := p.Probe(t.Context(), testRuntime(t, "good"))
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := template.Properties[golem.PropUsageVector].([]any); len(v) != 1 {
		t.Errorf("template: %v", template)
	}
	for name, want := range map[string]string{"broken": "no KVM", "chatty": "prints more than"} {
		if _, err := p.Probe(t.Context(), testRuntime(t, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, want)
		}
	}
	if _, err := p.Probe(t.Context(), Descriptor{Name: "none", Supervisor: "/no/such/file"}); err == nil {
		t.Error("a supervisor that is not there works")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.Probe(ctx, testRuntime(t, "hanging")); golem.KindOf(err) != golem.ErrTimeout {
		t.Errorf("hanging: got %v", err)
	}
}

// started waits until the supervisor of a task runs, and returns its process id,
// that of its child, and its arguments.
func started(t *testing.T, p *Processes, task Task) (pid, child int, args string) {
	t.Helper()
	path := filepath.Join(p.Dir, "exe-unit", "work", string(task.Agreement.ID), string(task.Activity), "started")
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := strings.SplitN(strings.TrimSpace(string(text)), " ", 3)
		pid, _ = strconv.Atoi(f[0])
		child, _ = strconv.Atoi(f[1])
		return pid, child, f[2]
	}
	t.Fatal("the supervisor does not start")
	return 0, 0, ""
}

// wantGone checks that a process ends soon.
func wantGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		if syscall.Kill(pid, 0) == syscall.ESRCH {
			return
		}
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && bytes.Contains(stat, []byte(") Z ")) {
			return // nobody waits for orphans in some containers
		}
	}
	t.Errorf("process %d is still there", pid)
}

func TestProcessStopped(t *testing.T) {
	for _, name := range []string{"obedient", "stubborn"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, task := testProcesses(t), testTask(t, name)
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { result <- p.Run(ctx, task) }()
			pid, child, args := started(t, p, task)
			work := filepath.Join(p.Dir, "exe-unit", "work", string(task.Agreement.ID))
			want := fmt.Sprintf("-b %s service-bus %s /local/activity -c %s -w %s -a %s --requestor-pub-key 00ff", name, task.Activity,
				filepath.Join(p.Dir, "exe-unit", "cache"), filepath.Join(work, string(task.Activity)), filepath.Join(work, "agreement.json"))
			if args != want {
				t.Errorf("arguments %q, want %q", args, want)
			}
			cancel()
			if err := <-result; err != nil {
				t.Errorf("stopped: %v", err)
			}
			wantGone(t, pid)
			wantGone(t, child)
			if _, err := os.Stat(work); !os.IsNotExist(err) {
				t.Errorf("the directory of the agreement is left: %v", err)
			}
		})
	}
}

func TestProcessFails(t *testing.T) {
	for name, want := range map[string]string{"crash": "exit code 7", "abort": "execution aborted"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, task := testProcesses(t), testTask(t, name)
			p.Keep = true
			err := p.Run(t.Context(), task)
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			pid, child, _ := started(t, p, task)
			wantGone(t, pid)
			wantGone(t, child)
			said, err := os.ReadFile(filepath.Join(p.Dir, "exe-unit", "work", string(task.Agreement.ID), string(task.Activity), "exe-unit.log"))
			if err != nil || !strings.Contains(string(said), "of unix:/tmp/x") {
				t.Errorf("log %q, %v", said, err)
			}
		})
	}
}

func TestProcessNotStarted(t *testing.T) {
	p := testProcesses(t)
	task := testTask(t, "none")
	task.Runtime.Supervisor = "/no/such/file"
	if err := p.Run(t.Context(), task); !errors.Is(err, ErrNotStarted) {
		t.Errorf("got %v", err)
	}
	task = testTask(t, "none")
	task.Activity = "../../escape"
	if err := p.Run(t.Context(), task); !errors.Is(err, ErrNotStarted) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "exe-unit", "escape")); err == nil {
		t.Error("an activity works outside of its directory")
	}
}

func TestProcessLifeline(t *testing.T) {
	line, err := lifeline.New()
	if err != nil {
		t.Fatal(err)
	}
	p, task := testProcesses(t), testTask(t, "orphan")
	p.Line = line
	result := make(chan error, 1)
	go func() { result <- p.Run(t.Context(), task) }()
	_, child, _ := started(t, p, task)
	line.Close()
	if err := <-result; err == nil || err.Error() != "exit code 5" {
		t.Errorf("got %v", err)
	}
	wantGone(t, child)
}

func TestClean(t *testing.T) {
	p := testProcesses(t)
	for i, name := range []string{"work/old/a", "work/new/a", "cache/old", "cache/new"} {
		path := filepath.Join(p.Dir, "exe-unit", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			old := time.Now().Add(-48 * time.Hour)
			top := filepath.Join(p.Dir, "exe-unit", filepath.Dir(name), filepath.Base(name))
			if strings.HasPrefix(name, "work") {
				top = filepath.Join(p.Dir, "exe-unit", "work", "old")
			}
			if err := os.Chtimes(top, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Clean(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(p.Dir, "exe-unit", "*", "*"))
	for i := range left {
		left[i] = strings.TrimPrefix(left[i], filepath.Join(p.Dir, "exe-unit")+"/")
	}
	if !slices.Equal(left, []string{"cache/new", "work/new"}) {
		t.Errorf("left are %q", left)
	}
}

func TestTail(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for i := range 10000 {
		fmt.Fprintf(w, "line %d\n", i)
	}
	w.Flush()
	if got := tail(f); !strings.HasSuffix(got, "line 9999") || len(got) > mostSaid {
		t.Errorf("got %d bytes, %q", len(got), got[max(0, len(got)-20):])
	}
}
