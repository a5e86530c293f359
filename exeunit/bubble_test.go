//go:build unix

package exeunit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/gftp"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/wire"
)

// fake is a Runtime in this process. Its entry points are durations, for which
// they run, and flood, which prints the number of MiB its argument says.
type fake struct{ dir string }

func (f *fake) Deploy(context.Context, exeunit.Deployment, exeunit.Stdio) (*exeunit.Deployed, error) {
	err := os.MkdirAll(filepath.Join(f.dir, "vol-in"), 0o755)
	return &exeunit.Deployed{Volumes: []exeunit.Volume{{Name: "vol-in", Path: "/in"}}, StartMode: exeunit.StartEmpty}, err
}

func (*fake) Start(context.Context, []string, exeunit.Stdio) error { return nil }

func (*fake) Run(ctx context.Context, entry string, args []string, out exeunit.Stdio) error {
	if entry == "flood" {
		return flood(ctx, args[0], out.Out)
	}
	d, err := time.ParseDuration(entry)
	if err != nil {
		return &exeunit.ExitError{Code: 1}
	}
	select {
	case <-time.After(d):
		fmt.Fprint(out.Out, "slept")
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (*fake) Stop(context.Context) {}
func (*fake) Resources() exeunit.Resources {
	return exeunit.Resources{CPU: 1500 * time.Millisecond, Memory: 1 << 29}
}

// bubble runs f with a unit in virtual time.
func bubble(t *testing.T, edit func(u *unit), f func(t *testing.T, u *unit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		u := newUnit(t, "")
		u.cfg.Runtime = &fake{u.cfg.WorkDir}
		if edit != nil {
			edit(u)
		}
		u.start()
		f(t, u)
		u.stop(nil)
		<-u.ended
	})
}

func TestReports(t *testing.T) {
	bubble(t, nil, func(t *testing.T, u *unit) {
		u.must(ready)
		u.exec(run("2500ms"))
		time.Sleep(10500 * time.Millisecond)
		u.stop(nil)
		<-u.ended
		if len(u.usages) != 11 { // one a second, and one at the end
			t.Errorf("%d usage reports", len(u.usages))
		}
		if diff := cmp.Diff([]float64{1.5, 0, 0.5}, []float64{u.usages[0].Current[0], u.usages[0].Current[1], u.usages[0].Current[3]}); diff != "" {
			t.Errorf("usage (-want +got):\n%s", diff)
		}
		if d := u.usages[9].Current[2]; d < 10 || d > 10.1 {
			t.Errorf("duration after ten seconds is %v", d)
		}
		var got []string
		for _, s := range u.states {
			got = append(got, fmt.Sprint(s.State))
		}
		// Those the command goes through at once may be told as the last of them.
		joined := strings.Join(got, " ")
		for _, want := range []string{"{Initialized }", "{Ready Ready}", "{Ready }", "{Terminated }"} {
			if !strings.Contains(joined, want) {
				t.Errorf("state %s was not told: %s", want, joined)
			}
		}
	})
}

func TestNodeForgets(t *testing.T) {
	var gone atomic.Bool
	bubble(t, func(u *unit) {
		u.answer = func() error {
			if gone.Load() {
				return golem.Errorf(golem.ErrNotFound, "activity not found")
			}
			return nil
		}
	}, func(t *testing.T, u *unit) {
		u.must(ready)
		u.exec(run("1h"))
		gone.Store(true)
		begun := time.Now()
		<-u.ended
		if took := time.Since(begun); took > 2*time.Second || !errors.Is(u.err, golem.ErrNotFound) {
			t.Errorf("ended with %v after %v", u.err, took)
		}
	})
}

func TestNodeSilent(t *testing.T) {
	var failing atomic.Bool
	bubble(t, func(u *unit) {
		u.answer = func() error {
			if failing.Load() {
				return golem.Errorf(golem.ErrUnavailable, "restarting")
			}
			return nil
		}
	}, func(t *testing.T, u *unit) {
		u.must(ready)
		failing.Store(true)
		time.Sleep(30 * time.Second) // a node that restarts
		failing.Store(false)
		time.Sleep(2 * time.Second)
		failing.Store(true)
		begun := time.Now()
		<-u.ended
		if took := time.Since(begun); took < 59*time.Second || took > 75*time.Second || !errors.Is(u.err, golem.ErrUnavailable) {
			t.Errorf("ended with %v after %v", u.err, took)
		}
	})
}

// TestStateRetry has a node that misses a change of state.
func TestStateRetry(t *testing.T) {
	var failures atomic.Int32
	bubble(t, func(u *unit) {
		u.answer = func() error {
			if failures.Add(-1) >= 0 {
				return golem.Errorf(golem.ErrUnavailable, "busy")
			}
			return nil
		}
	}, func(t *testing.T, u *unit) {
		failures.Store(4)
		u.must(ready)
		time.Sleep(10 * time.Second)
		if s := u.last().State; s != (golem.StatePair{Current: "Ready"}) {
			t.Errorf("the node knows %v", s)
		}
	})
}

func TestWaiting(t *testing.T) {
	bubble(t, nil, func(t *testing.T, u *unit) {
		u.must(ready)
		const script = `[{"run":{"entry_point":"1s"}},{"run":{"entry_point":"1s"}},{"run":{"entry_point":"1s"}}]`
		ask := func(id golem.BatchID, timeout *float32, index *int) (n int, took time.Duration, err error) {
			begun := time.Now()
			r := wire.BatchResultsRequest{Activity: activity, Batch: id, Timeout: timeout, CommandIndex: index}
			rs, err := wire.BatchResults.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, r)
			return len(rs), time.Since(begun), err
		}
		id := u.exec(script)
		if n, took, err := ask(id, nil, nil); n != 0 || took != 0 || err != nil {
			t.Errorf("no timeout: %d results after %v, %v", n, took, err)
		}
		if n, took, err := ask(id, new(float32(1.5)), nil); n != 1 || took != 1500*time.Millisecond || err != nil {
			t.Errorf("1.5 s: %d results after %v, %v", n, took, err)
		}
		if n, took, err := ask(id, new(float32(10)), new(1)); n != 2 || took != 500*time.Millisecond || err != nil {
			t.Errorf("index 1: %d results after %v, %v", n, took, err)
		}
		if _, took, err := ask(id, new(float32(0.25)), new(2)); took != 250*time.Millisecond || !errors.Is(err, golem.ErrTimeout) {
			t.Errorf("index 2: after %v, %v", took, err)
		}
		if n, took, err := ask(id, new(float32(-1)), nil); n != 2 || took != 0 || err != nil {
			t.Errorf("negative: %d results after %v, %v", n, took, err)
		}
		if n, took, err := ask(id, new(float32(1e30)), nil); n != 3 || took != 750*time.Millisecond || err != nil {
			t.Errorf("endless: %d results after %v, %v", n, took, err)
		}
		// A batch that stops early wakes who waits for its last command.
		failing := u.exec(`[{"run":{"entry_point":"1s"}},{"run":{"entry_point":"fail"}},{"run":{"entry_point":"1s"}}]`)
		if n, took, err := ask(failing, new(float32(100)), nil); n != 2 || took != time.Second || err != nil {
			t.Errorf("failing: %d results after %v, %v", n, took, err)
		}
		if _, took, err := ask(failing, new(float32(100)), new(2)); took != 0 || !errors.Is(err, golem.ErrTimeout) && err != nil {
			t.Errorf("never reached: after %v, %v", took, err)
		}
	})
}

func TestCommandTimeout(t *testing.T) {
	bubble(t, func(u *unit) { u.cfg.CommandTimeout = time.Minute }, func(t *testing.T, u *unit) {
		u.must(ready)
		begun := time.Now()
		r := u.resultsWithin(u.exec(run("1h")), 100)
		if took := time.Since(begun); message(r[0]) != "the command has taken longer than the 1m0s the provider allows" || took != time.Minute {
			t.Errorf("got %q after %v", message(r[0]), took)
		}
		if r := u.resultsWithin(u.exec(run("59s")), 100); r[0].Result != golem.ResultOk {
			t.Errorf("got %q", message(r[0]))
		}
	})
}

func TestLongScript(t *testing.T) {
	bubble(t, nil, func(t *testing.T, u *unit) {
		script := make([]golem.Command, 10_001)
		for i := range script {
			script[i].Sign = &golem.SignCommand{}
		}
		_, err := wire.Exec.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, wire.ExecRequest{Activity: activity, Batch: "b", Script: script})
		if err == nil || err.Error() != "script of 10001 commands, at most 10000" {
			t.Errorf("got %v", err)
		}
		_, err = wire.Exec.At(string(activity)).Call(t.Context(), u.bus, requestor, requestor, wire.ExecRequest{Activity: activity, Script: script[:1]})
		if !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("no id: got %v", err)
		}
	})
}

// TestTransferRetries has a peer that is not there at first.
func TestTransferRetries(t *testing.T) {
	tests := []struct {
		failures int32
		kind     golem.Kind
		took     time.Duration
		want     string
	}{
		{0, golem.ErrTimeout, 0, ""},
		{1, golem.ErrTimeout, 2 * time.Second, ""},
		{2, golem.ErrTimeout, 6 * time.Second, ""},
		{3, golem.ErrTimeout, 6 * time.Second, transferError},
		{1, golem.ErrNotFound, 0, transferError},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.failures, test.kind), func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, u *unit) {
				file := gftp.URL{Node: requestor, Name: "flaky"}
				left := test.failures
				// Errors of the way, not of the file.
				u.bus.Bind(wire.GftpMetadata.At(file.Name).Addr(), func(_ context.Context, _ gsb.Request, w func(gsb.Reply) error) error {
					if left--; left >= 0 {
						return golem.Errorf(test.kind, "no answer")
					}
					b, err := flexbuffers.Marshal(map[string]any{"Ok": wire.GftpMetadataReply{}})
					if err != nil {
						return err
					}
					return w(gsb.Reply{Body: b, Last: true})
				})
				u.must(ready)
				begun := time.Now()
				r := u.do(fmt.Sprintf(`[{"transfer":{"from":"%s","to":"container:/in/a"}}]`, file))
				if took := time.Since(begun); took != test.took || !strings.HasPrefix(message(r), test.want) || (test.want == "") != (r.Result == golem.ResultOk) {
					t.Errorf("got %s %q after %v", r.Result, message(r), took)
				}
			})
		})
	}
}
