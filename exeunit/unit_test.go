//go:build unix

package exeunit_test

import (
	"bytes"
	"context"
	"crypto/sha3"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/gftp"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/wire"
)

var local = p2p.TrustLocal

// as calls in the name of somebody.
type as struct {
	gsb.Caller
	from gsb.Request
}

func (a as) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	r.Caller, r.Trust = a.from.Caller, a.from.Trust
	return a.Caller.Call(ctx, r, w)
}

const activity = golem.ActivityID("0123456789abcdef0123456789abcdef")

var (
	requestor = golem.NodeID{1}
	provider  = golem.NodeID{2}
)

// unit is a Supervisor with a bus around it, on which it is also the node.
type unit struct {
	t     testing.TB
	bus   *gsb.Bus
	files *gftp.Publisher // of the Requestor
	cfg   exeunit.Config
	sup   *exeunit.Supervisor
	stop  context.CancelCauseFunc
	ended chan struct{}
	err   error // of Run

	mu     sync.Mutex
	states []golem.ActivityStatus
	usages []golem.Usage
	answer func() error // of the node to reports
}

// newUnit returns a unit whose Runtime is this test binary of the given kind.
func newUnit(t testing.TB, kind string) *unit {
	t.Helper()
	dir := t.TempDir()
	u := &unit{t: t, ended: make(chan struct{})}
	// The Requestor's files are reached like those of another node.
	u.bus = gsb.New(gsb.Config{Identities: func() []golem.NodeID { return []golem.NodeID{requestor, provider} }})
	u.files = gftp.NewPublisher(u.bus, requestor)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	u.cfg = exeunit.Config{
		Activity: activity, Bus: u.bus, Report: true,
		Agreement: &exeunit.Agreement{
			ID: "agreement", Requestor: requestor, Provider: provider,
			Vector: []string{golem.UsageCPU, "custom", golem.UsageDuration, golem.UsageMemory, golem.UsageStorage},
		},
		WorkDir: filepath.Join(dir, "work"), CacheDir: filepath.Join(dir, "cache"),
	}
	for _, d := range []string{u.cfg.WorkDir, u.cfg.CacheDir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	u.cfg.Runtime = &exeunit.Executable{
		Path: self, Env: append(exeunit.RuntimeEnv(os.Environ()), beRuntime+"="+kind, fast), WorkDir: u.cfg.WorkDir, NoTaskPackage: true,
	}
	u.cfg.ManagedImage = true
	return u
}

// image makes the unit demand an image with the given content.
func (u *unit) image(content string) *unit {
	u.t.Helper()
	f, err := u.files.PublishBytes([]byte(content))
	if err != nil {
		u.t.Fatal(err)
	}
	u.cfg.Agreement.TaskPackage = fmt.Sprintf("hash:sha3:%x:%s", sha3.Sum224([]byte(content)), f)
	u.cfg.ManagedImage = false
	u.cfg.Runtime.(*exeunit.Executable).NoTaskPackage = false
	return u
}

// start runs the Supervisor until the test ends, and waits until it is ready.
func (u *unit) start() *unit {
	u.t.Helper()
	u.run()
	u.await("Initialized")
	return u
}

// run runs the Supervisor until the test ends.
func (u *unit) run() {
	u.t.Helper()
	report := func(f func()) (gsb.Unit, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.answer != nil {
			if err := u.answer(); err != nil {
				return gsb.Unit{}, err
			}
		}
		f()
		return gsb.Unit{}, nil
	}
	r1, err1 := wire.SetActivityState.Handle(u.bus, func(_ context.Context, _ gsb.Peer, r wire.SetActivityStateRequest) (gsb.Unit, error) {
		return report(func() { u.states = append(u.states, r.State) })
	})
	r2, err2 := wire.SetActivityUsage.Handle(u.bus, func(_ context.Context, _ gsb.Peer, r wire.SetActivityUsageRequest) (gsb.Unit, error) {
		return report(func() { u.usages = append(u.usages, r.Usage) })
	})
	var err error
	u.sup, err = exeunit.New(u.cfg)
	if err := errors.Join(err1, err2, err); err != nil {
		u.t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(u.t.Context())
	u.stop = stop
	go func() {
		defer close(u.ended)
		u.err = u.sup.Run(ctx)
	}()
	u.t.Cleanup(func() {
		stop(nil)
		<-u.ended
		r1()
		r2()
	})
}

// await waits until the state, as a Requestor sees it, is a resting one.
func (u *unit) await(state golem.ActivityState) {
	u.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		s, err := wire.ExeUnitState.At(string(activity)).Call(u.t.Context(), u.bus, requestor, requestor, wire.ActivityQuery{Activity: activity})
		if err == nil && s.State == (golem.StatePair{Current: state}) {
			return
		}
		select {
		case <-u.ended:
			u.t.Fatalf("ended with %v before the state was %s", u.err, state)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("state is %v, want %s", s, state)
		}
	}
}

// last returns what the node was told last.
func (u *unit) last() golem.ActivityStatus {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.states) == 0 {
		return golem.ActivityStatus{}
	}
	return u.states[len(u.states)-1]
}

// exec hands over a script and returns the id of the batch.
func (u *unit) exec(script string) golem.BatchID {
	u.t.Helper()
	id := golem.NewBatchID()
	if err := u.execAs(id, script); err != nil {
		u.t.Fatal(err)
	}
	return id
}

func (u *unit) execAs(id golem.BatchID, script string) error {
	u.t.Helper()
	cs, err := golem.ParseScript(script)
	if err != nil {
		u.t.Fatal(err)
	}
	_, err = wire.Exec.At(string(activity)).Call(u.t.Context(), u.bus, requestor, requestor, wire.ExecRequest{Activity: activity, Batch: id, Script: cs})
	return err
}

// results waits for the results of a batch.
func (u *unit) results(id golem.BatchID) []golem.CommandResult {
	u.t.Helper()
	return u.resultsWithin(id, 30)
}

func (u *unit) resultsWithin(id golem.BatchID, seconds float32) []golem.CommandResult {
	u.t.Helper()
	r := wire.BatchResultsRequest{Activity: activity, Batch: id, Timeout: &seconds}
	rs, err := wire.BatchResults.At(string(activity)).Call(u.t.Context(), u.bus, requestor, requestor, r)
	if err != nil {
		u.t.Fatal(err)
	}
	return rs
}

// do executes a script and returns its last result.
func (u *unit) do(script string) golem.CommandResult {
	u.t.Helper()
	rs := u.results(u.exec(script))
	if len(rs) == 0 || !rs[len(rs)-1].IsBatchFinished {
		u.t.Fatalf("%s: not finished: %+v", script, rs)
	}
	return rs[len(rs)-1]
}

// must executes a script that succeeds.
func (u *unit) must(script string) golem.CommandResult {
	u.t.Helper()
	r := u.do(script)
	if r.Result != golem.ResultOk {
		u.t.Fatalf("%s: %s %s", script, message(r), r.Stderr)
	}
	return r
}

const ready = `[{"deploy":{}},{"start":{}}]`

// run returns the script that runs an entry point with everything captured.
func run(entry string, args ...string) string {
	return runCaptured(`{"stdout":{"atEnd":{}},"stderr":{"atEnd":{}}}`, entry, args...)
}

func runCaptured(capture, entry string, args ...string) string {
	b, _ := json.Marshal(append([]string{}, args...))
	return fmt.Sprintf(`[{"run":{"entry_point":%q,"args":%s,"capture":%s}}]`, entry, b, capture)
}

func message(r golem.CommandResult) string {
	if r.Message == nil {
		return ""
	}
	return *r.Message
}

// stream collects the events of a batch until its end.
func (u *unit) stream(id golem.BatchID) (events []golem.RuntimeEvent) {
	u.t.Helper()
	r := wire.StreamBatchRequest{Activity: activity, Batch: id}
	for e, err := range wire.StreamBatch.At(string(activity)).Call(u.t.Context(), u.bus, requestor, requestor, r) {
		if err != nil {
			u.t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// describe writes events in a short form, output joined.
func describe(events []golem.RuntimeEvent) string {
	var b strings.Builder
	for _, e := range events {
		switch k := e.Kind; {
		case k.Started != nil:
			fmt.Fprintf(&b, "[%d %s]", e.Index, k.Started.Command.Name())
		case k.Finished != nil:
			fmt.Fprintf(&b, "[%d=%d]", e.Index, k.Finished.ReturnCode)
		case k.Stdout != nil:
			b.WriteString(k.Stdout.String())
		case k.Stderr != nil:
			fmt.Fprintf(&b, "!%s", k.Stderr)
		case k.Progress != nil:
			b.WriteString(".")
		}
	}
	return b.String()
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tree returns the regular files below dir.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var names []string
	filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return nil
	})
	return strings.Join(names, " ")
}

func pattern(n int) []byte { return bytes.Repeat([]byte("golem!"), n/6+1)[:n] }
