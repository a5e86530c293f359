//go:build unix

package exeunit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

func TestLife(t *testing.T) {
	u := newUnit(t, "good").start()
	id := u.exec(`[{"deploy":{}},{"start":{"args":["a","b"]}},{"run":{"entry_point":"echo","args":["hi"],"capture":{"stdout":{"stream":{}}}}}]`)
	rs := u.results(id)
	var got []string
	for _, r := range rs {
		got = append(got, fmt.Sprintf("%d %s %q %v", r.Index, r.Result, r.Stdout.String(), r.IsBatchFinished))
	}
	want := []string{
		`0 Ok "noise {\"valid\":{\"Ok\":\"\"},\"vols\":[{\"name\":\"vol-in\",\"path\":\"/in\"},{\"name\":\"vol-out\",\"path\":\"/out\"}]}" false`,
		`1 Ok "started -- a b" false`,
		`2 Ok "hi" true`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	u.await("Ready")
	// A follower that comes late sees everything from the start, and the end.
	for range 2 {
		got := describe(u.stream(id))
		if !strings.HasPrefix(got, "[0 deploy]noise") || !strings.HasSuffix(got, "[0=0][1 start]started -- a b[1=0][2 run]hi[2=0]") {
			t.Errorf("events: %s", got)
		}
	}
	if r := u.must(`[{"terminate":{}}]`); r.Stdout.String() != "" {
		t.Errorf("terminate printed %q", r.Stdout)
	}
	u.await("Initialized")
	u.must(ready)
	u.stop(nil)
	<-u.ended
	if u.err != nil {
		t.Errorf("ended with %v", u.err)
	}
	last := u.last()
	if last.State.Current != "Terminated" || last.Reason != `Finished: {"batches_done":3,"batches_pending":0,"cmds_done":6,"cmds_pending":0}` {
		t.Errorf("the node was told last: %+v", last)
	}
	if !slices.ContainsFunc(u.states, func(s golem.ActivityStatus) bool { return s.State == golem.StatePair{Current: "Initialized"} }) {
		t.Errorf("the node was told %v", u.states)
	}
	if len(u.usages) == 0 || len(u.usages[0].Current) != 5 || u.usages[0].Current[1] != 0 {
		t.Errorf("usage was told as %v", u.usages)
	}
}

func TestStates(t *testing.T) {
	const prefix = "Local service error: State error: "
	tests := []struct {
		name, before, script, want string // want: message of the last result
		state                      golem.ActivityState
	}{
		{"run before deploy", "", run("echo"), prefix + "Activity is initialized - deploy() command is expected now", "Initialized"},
		{"start before deploy", "", `[{"start":{}}]`, prefix + "Activity is initialized - deploy() command is expected now", "Initialized"},
		{"run before start", `[{"deploy":{}}]`, run("echo"), prefix + "Activity is deployed - start() command is expected now", "Deployed"},
		{"deploy twice", ready, `[{"deploy":{}}]`, prefix + "Cannot send command after a successful start()", "Ready"},
		{"transfer before start", `[{"deploy":{}}]`, `[{"transfer":{"from":"container:/in/a","to":"container:/in/b"}}]`, prefix + "Activity is deployed - start() command is expected now", "Deployed"},
		{"sign", "", `[{"sign":{}}]`, "signing not supported: this ExeUnit does not run in an enclave", "Initialized"},
		{"terminate before deploy", "", `[{"terminate":{}}]`, "", "Initialized"},
		{"terminate after deploy", `[{"deploy":{}}]`, `[{"terminate":{}}]`, "", "Initialized"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := newUnit(t, "good").start()
			if test.before != "" {
				u.must(test.before)
			}
			r := u.do(test.script)
			if got := message(r); got != test.want || (r.Result == golem.ResultOk) != (test.want == "") {
				t.Errorf("got %s %q, want %q", r.Result, got, test.want)
			}
			u.await(test.state)
		})
	}
}

// TestFailedCommandMovesState pins what requestors that poll the state rely on.
func TestFailedCommandMovesState(t *testing.T) {
	u := newUnit(t, "good").image("bad image").start()
	rs := u.results(u.exec(ready))
	if len(rs) != 1 || rs[0].Result != golem.ResultError || message(rs[0]) != "ExeScript command exited with code 3" || rs[0].Stderr.String() != "the image is bad" || !rs[0].IsBatchFinished {
		t.Errorf("got %+v", rs)
	}
	u.await("Deployed")
}

func TestExitCodes(t *testing.T) {
	u := newUnit(t, "good").start()
	u.must(ready)
	tests := []struct {
		name, script, message string
		code                  int
	}{
		{"success", run("exit", "0"), "", 0},
		{"failure", run("exit", "7"), "ExeScript command exited with code 7", 7},
		{"255", run("exit", "255"), "ExeScript command exited with code 255", 255},
		{"signal", run("signal", "9"), "ExeScript command exited with code -1 (signal: killed)", -1},
		{"no entry point", run("none"), "ExeScript command exited with code 127", 127},
		{"bad capture", runCaptured(`{"stdout":{"stream":{"format":"xml"}}}`, "echo"), `capture: format "xml" is unknown`, -1},
		{"two captures", runCaptured(`{"stdout":{"atEnd":{"head":1,"tail":2}}}`, "echo"), "capture: head, tail and headTail exclude each other", -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			id := u.exec(test.script)
			r := u.results(id)[0]
			events := u.stream(id)
			if got := events[len(events)-1].Kind.Finished; message(r) != test.message || got == nil || got.ReturnCode != test.code {
				t.Errorf("got %q, %+v; want %q, code %d", message(r), got, test.message, test.code)
			}
		})
	}
}

func TestBatches(t *testing.T) {
	u := newUnit(t, "good").start()
	u.must(ready)

	t.Run("stops at the first failure", func(t *testing.T) {
		rs := u.results(u.exec(`[{"run":{"entry_point":"echo"}},{"run":{"entry_point":"exit","args":["1"]}},{"run":{"entry_point":"echo"}}]`))
		if len(rs) != 2 || rs[0].IsBatchFinished || !rs[1].IsBatchFinished {
			t.Errorf("got %+v", rs)
		}
	})
	t.Run("repeated", func(t *testing.T) {
		id := u.exec(run("echo", "once"))
		u.results(id)
		if err := u.execAs(id, run("echo", "once")); err != nil {
			t.Errorf("the same script: %v", err)
		}
		err := u.execAs(id, run("echo", "twice"))
		if !errors.Is(err, golem.ErrInvalid) || err.Error() != fmt.Sprintf("Batch %s already exists", id) {
			t.Errorf("another script: %v", err)
		}
		if n := len(u.stream(id)); n != 2 {
			t.Errorf("%d events, want 2: it ran once", n)
		}
	})
	t.Run("busy", func(t *testing.T) {
		slow := u.exec(run("sleep", "500"))
		for describe(u.events(slow, 1)) == "" {
		}
		r := u.do(run("echo"))
		if want := "Local service error: State error: Busy: StatePair(Ready, Some(Ready))"; message(r) != want {
			t.Errorf("got %q, want %q", message(r), want)
		}
		u.results(slow)
	})
	t.Run("command index", func(t *testing.T) {
		id := u.exec(`[{"run":{"entry_point":"echo","args":["a"],"capture":{"stdout":{"atEnd":{}}}}},{"run":{"entry_point":"echo","args":["b"],"capture":{"stdout":{"atEnd":{}}}}},{"run":{"entry_point":"sleep","args":["300"]}}]`)
		get := func(index int, timeout float32) ([]golem.CommandResult, error) {
			r := wire.BatchResultsRequest{Activity: activity, Batch: id, Timeout: &timeout, CommandIndex: &index}
			return wire.BatchResults.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, r)
		}
		rs, err := get(1, 10)
		if err != nil || len(rs) != 2 || rs[0].Stdout.String() != "" || rs[1].Stdout.String() != "b" || !rs[1].IsBatchFinished {
			t.Errorf("got %+v, %v", rs, err)
		}
		if _, err := get(2, 0.01); !errors.Is(err, golem.ErrTimeout) {
			t.Errorf("unfinished: got %v, want ErrTimeout", err)
		}
		if _, err := get(3, 1); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("beyond the script: got %v, want ErrInvalid", err)
		}
		if rs := u.resultsWithin(id, 0); len(rs) != 2 {
			t.Errorf("without waiting: got %d results, want 2", len(rs))
		}
		u.results(id)
	})
	t.Run("unknown", func(t *testing.T) {
		r := wire.BatchResultsRequest{Activity: activity, Batch: "none"}
		_, err := wire.BatchResults.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, r)
		if !errors.Is(err, golem.ErrNotFound) || err.Error() != "batch_id = none" {
			t.Errorf("results: got %v", err)
		}
		for _, err := range wire.StreamBatch.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, wire.StreamBatchRequest{Activity: activity, Batch: "none"}) {
			if !errors.Is(err, golem.ErrInvalid) {
				t.Errorf("stream: got %v", err)
			}
		}
	})
	t.Run("empty", func(t *testing.T) {
		id := golem.NewBatchID()
		if _, err := wire.Exec.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, wire.ExecRequest{Activity: activity, Batch: id}); err != nil {
			t.Fatal(err)
		}
		if rs := u.results(id); len(rs) != 0 {
			t.Errorf("got %v", rs)
		}
		if got := u.stream(id); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("running command", func(t *testing.T) {
		query := func() ([]golem.RunningCommand, error) {
			return wire.RunningCommands.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, wire.ActivityQuery{Activity: activity})
		}
		if _, err := query(); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("nothing runs: got %v, want ErrNotFound", err)
		}
		id := u.exec(run("sleep", "300"))
		u.events(id, 1)
		got, err := query()
		if diff := cmp.Diff([]golem.RunningCommand{{Command: "Run", Params: []string{"sleep", "300"}}}, got); err != nil || diff != "" {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
		u.results(id)
	})
}

// events returns the first n events of a batch.
func (u *unit) events(id golem.BatchID, n int) (events []golem.RuntimeEvent) {
	u.t.Helper()
	r := wire.StreamBatchRequest{Activity: activity, Batch: id}
	for e, err := range wire.StreamBatch.At(string(activity)).Call(u.t.Context(), u.bus, requestor, requestor, r) {
		if err != nil {
			u.t.Fatal(err)
		}
		if events = append(events, e); len(events) == n {
			break
		}
	}
	return events
}

func TestStrangers(t *testing.T) {
	u := newUnit(t, "good").start()
	stranger := golem.NodeID{9}
	tests := []struct {
		name     string
		from     gsb.Request
		activity golem.ActivityID
		ok       bool
	}{
		{"requestor", gsb.Request{Caller: requestor}, activity, true},
		{"our node", gsb.Request{Trust: local}, activity, true},
		{"provider itself", gsb.Request{Caller: provider, Trust: local}, activity, true},
		{"somebody else", gsb.Request{Caller: stranger}, activity, false},
		{"somebody else by our node", gsb.Request{Caller: stranger, Trust: local}, activity, false},
		{"provider by a claim", gsb.Request{Caller: provider}, activity, false},
		{"nobody", gsb.Request{}, activity, false},
		{"another activity", gsb.Request{Caller: requestor}, "another", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			caller := as{u.bus, test.from}
			_, err := wire.ExeUnitState.At(string(activity)).Call(t.Context(), caller, golem.NodeID{}, golem.NodeID{}, wire.ActivityQuery{Activity: test.activity})
			if ok := err == nil; ok != test.ok || !ok && !errors.Is(err, golem.ErrForbidden) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := wire.Exec.At(string(activity)).Call(t.Context(), as{u.bus, gsb.Request{Caller: stranger}}, golem.NodeID{}, golem.NodeID{}, wire.ExecRequest{Activity: activity, Batch: "b"}); !errors.Is(err, golem.ErrForbidden) {
		t.Errorf("exec: got %v, want ErrForbidden", err)
	}
}

func TestCaptures(t *testing.T) {
	u := newUnit(t, "good").start()
	u.must(ready)
	tests := []struct {
		name, capture string
		args          []string
		kept, events  string
	}{
		{"none", `{}`, []string{"abc"}, "", "[0 run][0=0]"},
		{"null", `null`, []string{"abc"}, "", "[0 run][0=0]"},
		{"all", `{"stdout":{"atEnd":{}}}`, []string{"abc"}, "abc", "[0 run][0=0]"},
		{"head", `{"stdout":{"atEnd":{"head":4}}}`, []string{"abc", "def"}, "abcd", "[0 run][0=0]"},
		{"tail", `{"stdout":{"atEnd":{"tail":4}}}`, []string{"abc", "def", "gh"}, "efgh", "[0 run][0=0]"},
		{"both", `{"stdout":{"atEnd":{"headTail":5}}}`, []string{"abc", "def", "gh"}, "abcgh", "[0 run][0=0]"},
		{"stream", `{"stdout":{"stream":{}}}`, []string{"abc", "def"}, "abcdef", "[0 run]abcdef[0=0]"},
		{"stream limit", `{"stdout":{"stream":{"limit":4}}}`, []string{"abc", "def"}, "abcd", "[0 run]abcd[0=0]"},
		{"cut character", `{"stdout":{"stream":{}}}`, []string{"a\xe2\x82", "\xacb", "\xf0\x9f", "\x98\x80"}, "a€b😀", "[0 run]a€b😀[0=0]"},
		{"unfinished character", `{"stdout":{"stream":{}}}`, []string{"a\xe2\x82"}, "aâ\u0082", "[0 run]a\uFFFD\uFFFD[0=0]"},
		{"bytes", `{"stdout":{"stream":{"format":"bin"}}}`, []string{"\xff\x00", "\x80"}, "\xff\x00\x80", "[0 run]\xff\x00\x80[0=0]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var quoted []string
			for _, a := range test.args {
				quoted = append(quoted, strconv.Quote(a))
			}
			id := u.exec(runCaptured(test.capture, "bytes", quoted...))
			r := u.results(id)[0]
			if r.Stdout.String() != test.kept || !r.Stderr.IsZero() {
				t.Errorf("kept %q, want %q; %q", r.Stdout.String(), test.kept, r.Stderr.String())
			}
			if got := describe(u.stream(id)); got != test.events {
				t.Errorf("events %q, want %q", got, test.events)
			}
		})
	}
}

// TestManyBatches has output of more batches than are kept.
func TestManyBatches(t *testing.T) {
	u := newUnit(t, "good").start()
	u.must(ready)
	var ids []golem.BatchID
	for range 8 { // of 2 × 5 MiB
		id := u.exec(`[{"run":{"entry_point":"flood","args":["5"],"capture":{"stdout":{"stream":{}}}}},{"run":{"entry_point":"exit"}}]`)
		wait := wire.BatchResultsRequest{Activity: activity, Batch: id, Timeout: new(float32(60)), CommandIndex: new(1)}
		if _, err := wire.BatchResults.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, wait); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	first, last := u.results(ids[0])[0], u.results(ids[7])[0]
	if !first.Stdout.IsZero() || message(first) != "the output is not kept any more" || first.Result != golem.ResultOk {
		t.Errorf("first: %d bytes, %q", len(first.Stdout.Text), message(first))
	}
	if len(last.Stdout.Text) != 5<<20 {
		t.Errorf("last: %d bytes", len(last.Stdout.Text))
	}
	if got := describe(u.stream(ids[0])); got != "[0=0][1=0]" {
		t.Errorf("events of the first: %.40q", got)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestKill ends the Activity while a program runs that does not want to end.
func TestKill(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, entry string
		within      time.Duration
	}{
		{"polite", "sleep", 2 * time.Second},
		{"stubborn", "hang", 7 * time.Second},
		{"with a child", "fork", 2 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := newUnit(t, "good").start()
			u.must(ready)
			id := u.exec(runCaptured(`{"stdout":{"stream":{}}}`, test.entry, "100000"))
			events := u.events(id, 1)
			if test.entry != "sleep" {
				events = u.events(id, 2)
			}
			begun := time.Now()
			u.stop(nil)
			<-u.ended
			if took := time.Since(begun); took > test.within {
				t.Errorf("took %v, want at most %v", took, test.within)
			}
			if test.entry == "fork" {
				pid, err := strconv.Atoi(events[1].Kind.Stdout.Text)
				if err != nil {
					t.Fatal(err)
				}
				awaitDeath(t, pid)
			}
			if want := `Finished: {"batches_done":2,"batches_pending":0,"cmds_done":3,"cmds_pending":0}`; u.last().Reason != want {
				t.Errorf("reason %s, want %s", u.last().Reason, want)
			}
		})
	}
}

// TestLeftBehind has a program leave a process behind that holds its output open.
func TestLeftBehind(t *testing.T) {
	u := newUnit(t, "good").start()
	u.must(ready)
	begun := time.Now()
	r := u.must(run("fork"))
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("took %v", took)
	}
	pid, err := strconv.Atoi(r.Stdout.Text)
	if err != nil {
		t.Fatal(err)
	}
	awaitDeath(t, pid)
}

// awaitDeath waits until a process is gone, or only its corpse is left.
func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil && syscall.Kill(pid, 0) != nil || strings.Contains(string(b), ") Z ") {
			return
		}
	}
	t.Errorf("process %d lives", pid)
}

func TestTerminateCommand(t *testing.T) {
	u := newUnit(t, "good").start()
	u.must(ready)
	slow := u.exec(`[{"run":{"entry_point":"sleep","args":["100000"]}},{"run":{"entry_point":"echo"}}]`)
	u.events(slow, 1)
	u.must(`[{"terminate":{}}]`)
	rs := u.results(slow)
	if len(rs) != 1 || !rs[0].IsBatchFinished || !strings.HasPrefix(message(rs[0]), "Local service error: State error: Unexpected state: ") {
		t.Errorf("got %+v", rs)
	}
	u.await("Initialized")
	u.must(ready)
	if r := u.must(run("echo", "again")); r.Stdout.Text != "again" {
		t.Errorf("got %q", r.Stdout.Text)
	}
}

func TestSignal(t *testing.T) {
	u := newUnit(t, "good")
	signals := make(chan os.Signal, 1)
	u.cfg.Signals = signals
	u.start()
	signals <- syscall.SIGTERM
	<-u.ended
	if u.err != nil || !strings.HasPrefix(u.last().Reason, "Interrupted by signal: 15: {") {
		t.Errorf("ended with %v; reason %s", u.err, u.last().Reason)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		limit  func(c *exeunit.Config)
		script string
		want   string
	}{
		{"memory", func(c *exeunit.Config) { c.Agreement.Memory = 0.1 }, run("allocate", "150"), `Usage limit exceeded: "golem.usage.gib" exceeded the value of 0.1: {`},
		{"storage", func(c *exeunit.Config) { c.Agreement.Storage = 0.01 }, run("store", "20"), `Usage limit exceeded: "golem.usage.storage_gib" exceeded the value of 0.01: {`},
		{"cpu", func(c *exeunit.Config) { c.CPULimit = 500 * time.Millisecond }, run("burn", "20000"), `Usage limit exceeded: "golem.usage.cpu_sec" exceeded the value of 0.5: {`},
		{"duration", func(c *exeunit.Config) { c.DurationLimit = time.Second }, run("sleep", "20000"), `Usage limit exceeded: "golem.usage.duration_sec" exceeded the value of 1: {`},
		{"expiration", func(c *exeunit.Config) { c.Agreement.Expiration = time.Now().Add(time.Second) }, run("sleep", "20000"), `Usage limit exceeded: the agreement expired at `},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := newUnit(t, "good")
			test.limit(&u.cfg)
			u.start()
			u.must(ready)
			u.exec(test.script)
			select {
			case <-u.ended:
			case <-time.After(15 * time.Second):
				t.Fatal("nothing happens")
			}
			if u.err == nil || !strings.HasPrefix(u.last().Reason, test.want) {
				t.Errorf("ended with %v; reason %s", u.err, u.last().Reason)
			}
		})
	}
}

func TestManagedHardware(t *testing.T) {
	u := newUnit(t, "good")
	u.cfg.Agreement.Memory, u.cfg.Agreement.Storage = 0.001, 0.001
	u.cfg.ManagedHardware = true
	u.cfg.Runtime.(*exeunit.Executable).Hardware = &exeunit.Hardware{Threads: 2.7, MemoryGiB: 0.5, StorageGiB: 10}
	u.start()
	u.must(ready)
	u.must(run("sleep", "700"))
	got := string(read(t, filepath.Join(u.cfg.WorkDir, "options")))
	want := fmt.Sprintf("map[--cpu-cores:2 --mem-gib:0.5 --storage-gib:10 --workdir:%s]", u.cfg.WorkDir)
	if got != want {
		t.Errorf("the runtime was given %s, want %s", got, want)
	}
}

// TestUsage compares counters with what programs did.
func TestUsage(t *testing.T) {
	u := newUnit(t, "good").start()
	u.must(ready)
	u.must(run("burn", "400"))
	u.must(run("burn", "300"))
	id := u.exec(run("allocate", "100"))
	usage := func() []float64 {
		r, err := wire.ExeUnitUsage.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, wire.ActivityQuery{Activity: activity})
		if err != nil {
			t.Fatal(err)
		}
		return r.Current
	}
	var got []float64
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if got = usage(); got[3] > 0.09 || time.Now().After(deadline) {
			break
		}
	}
	if cpu := got[0]; cpu < 0.7 || cpu > 3 {
		t.Errorf("cpu is %v s, want what two ended programs used and a little more", cpu)
	}
	if gib := got[3]; gib < 0.09 || gib > 0.2 {
		t.Errorf("memory is %v GiB, want about 0.1", gib)
	}
	_ = id
}

func TestRuntimeEnvironment(t *testing.T) {
	env := []string{"PATH=/bin", "HOME=/root", "YAGNA_APPKEY=secret", "GSB_URL=x", "GOLEM_X=y", "MY_APPKEY=z", "RUST_LOG=info", "YA_RUNTIME_VM_X=1"}
	want := []string{"PATH=/bin", "HOME=/root", "RUST_LOG=info", "YA_RUNTIME_VM_X=1"}
	if diff := cmp.Diff(want, exeunit.RuntimeEnv(env)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	u := newUnit(t, "good")
	u.cfg.Runtime.(*exeunit.Executable).Env = []string{"A=b", beRuntime + "=good", fast}
	u.start()
	u.must(ready)
	if got := u.must(run("env")).Stdout.Text; strings.Contains(got, "HOME=") || !strings.Contains(got, "A=b") {
		t.Errorf("the program sees %s", got)
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, kind, script, want string
	}{
		{"service mode", "service", ready, "runtimes in service mode (start mode blocking) are not supported"},
		{"networks", "good", `[{"deploy":{"net":[{"id":"n","ip":"192.168.0.0","nodeIp":"192.168.0.2"}]}}]`, "private networks are not supported by this runtime"},
		{"volumes", "good", `[{"deploy":{"volumes":["../x"]}}]`, `volume "../x": want an absolute path without . and ..`},
		{"hostname", "good", `[{"deploy":{"hostname":"-x"}}]`, `hostname "-x" is not one`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := newUnit(t, test.kind).start()
			if got := message(u.do(test.script)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestManifest(t *testing.T) {
	u := newUnit(t, "good")
	u.cfg.Agreement.Manifest = true
	u.run()
	<-u.ended
	if !errors.Is(u.err, golem.ErrUnsupported) || !strings.HasPrefix(u.last().Reason, "manifest initialization error: ") {
		t.Errorf("ended with %v; reason %s", u.err, u.last().Reason)
	}
}

func TestDeployOptions(t *testing.T) {
	u := newUnit(t, "mute").image("an image").start()
	u.must(`[{"deploy":{"volumes":["/a","/b/c"],"hostname":"box","env":{"A":"b"}}}]`)
	got := string(read(t, filepath.Join(u.cfg.WorkDir, "options")))
	if !strings.Contains(got, `--volume-override:{"/a":{"host":{}},"/b/c":{"host":{}}}`) || !strings.Contains(got, "--hostname:box") || !strings.Contains(got, "--task-package:"+u.cfg.CacheDir) {
		t.Errorf("the runtime was given %s", got)
	}
	if strings.Contains(got, "--env") {
		t.Errorf("a runtime that takes no environment was given %s", got)
	}
}

func TestDeployEnvironment(t *testing.T) {
	u := newUnit(t, "mute").image("an image")
	u.cfg.Runtime.(*exeunit.Executable).TakesEnv = true
	u.start()
	u.must(`[{"deploy":{"env":{"A":"b=c"}}}]`)
	if got := string(read(t, filepath.Join(u.cfg.WorkDir, "options"))); !strings.Contains(got, "--env:A=b=c") {
		t.Errorf("the runtime was given %s", got)
	}
}
