package activity_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/activity/activitytest"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/wire"
)

// ready creates an Activity and starts it.
func (w *world) ready(t *testing.T) golem.ActivityID {
	t.Helper()
	w.startAgent()
	id := w.create(t)
	w.run(t, id, deploy, start)
	return id
}

func TestExecAnswerLost(t *testing.T) {
	for name, lost := range map[string]fault{"answer": {loseReply: true}, "request": {loseRequest: true}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				id := w.ready(t)
				times := 2
				w.faults.set(func(r p2p.Request) (f fault) {
					if strings.HasSuffix(r.Addr, "/Exec") && times > 0 {
						times--
						f = lost
					}
					return f
				})
				rs := w.run(t, id, program("echo", "once"))
				if len(rs) != 1 || rs[0].Stdout.Text != "once\n" {
					t.Errorf("results: %+v", rs)
				}
				if got, want := w.agent.ExeUnit(id).Executed(), []string{"deploy", "start", "echo once"}; !slices.Equal(got, want) {
					t.Errorf("executed %q, want %q", got, want)
				}
			})
		})
	}
}

func TestExecGivenUpIsNotSentAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ready(t)
		w.faults.set(func(r p2p.Request) fault { return fault{loseRequest: strings.HasSuffix(r.Addr, "/Exec")} })
		done := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := w.requestor.Exec(ctx, w.requestor.id, id, []golem.Command{program("echo", "late")}, 5*time.Second)
			done <- err
		}()
		time.Sleep(time.Second)
		cancel() // the process dies
		if err := <-done; err == nil {
			t.Error("no error")
		}
		w.requestor.stop()
		w.faults.set(nil)
		w.requestor.start(t)
		time.Sleep(time.Minute)
		if got, want := w.agent.ExeUnit(id).Executed(), []string{"deploy", "start"}; !slices.Equal(got, want) {
			t.Errorf("executed %q, want %q", got, want)
		}
		rs := w.run(t, id, program("echo", "new"))
		if len(rs) != 1 || rs[0].Stdout.Text != "new\n" {
			t.Errorf("after the restart: %+v", rs)
		}
	})
}

func TestExecUpstreamKnowsTheBatch(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := createByHand(t, w)
		var seen []golem.BatchID
		release, err := wire.Exec.At(string(id)).Handle(w.provider.bus, func(_ context.Context, _ gsb.Peer, req wire.ExecRequest) (golem.BatchID, error) {
			seen = append(seen, req.Batch)
			if len(seen) > 1 {
				return "", golem.Errorf(golem.ErrInvalid, "Batch %s already exists", req.Batch)
			}
			return req.Batch, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		first := true
		w.faults.set(func(p2p.Request) fault {
			f := fault{loseReply: first}
			first = false
			return f
		})
		batch, err := w.requestor.Exec(t.Context(), w.requestor.id, id, []golem.Command{deploy}, 5*time.Second)
		if err != nil || !slices.Equal(seen, []golem.BatchID{batch, batch}) {
			t.Errorf("got %s, %v; the ExeUnit %v", batch, err, seen)
		}
	})
}

func TestExecRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ready(t)
		tests := map[string]struct {
			id     golem.ActivityID
			script []golem.Command
			want   golem.Kind
		}{
			"empty":   {id, nil, golem.ErrInvalid},
			"nothing": {id, []golem.Command{{}}, golem.ErrInvalid},
			"sign":    {id, []golem.Command{deploy, {Sign: &golem.SignCommand{}}}, golem.ErrUnsupported},
			"unknown": {"0123", []golem.Command{deploy}, golem.ErrNotFound},
			"too big": {id, []golem.Command{program("echo", strings.Repeat("x", p2p.MaxBody))}, golem.ErrTooLarge},
		}
		for name, tt := range tests {
			_, err := w.requestor.Exec(t.Context(), w.requestor.id, tt.id, tt.script, time.Second)
			if golem.KindOf(err) != tt.want {
				t.Errorf("%s: got %v, want %s", name, err, tt.want)
			}
		}
	})
}

func TestResults(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ready(t)
		ctx, who := t.Context(), w.requestor.id
		batch, err := w.requestor.Exec(ctx, who, id, []golem.Command{program("sleep", "3"), program("exit", "7"), program("echo", "never")}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		at := func(timeout time.Duration, index ...int) ([]golem.CommandResult, time.Duration, error) {
			begin := time.Now()
			q := activity.ResultsQuery{Batch: batch, Timeout: timeout}
			if len(index) > 0 {
				q.Index = &index[0]
			}
			rs, err := w.requestor.Results(ctx, who, id, q)
			return rs, time.Since(begin), err
		}
		if rs, took, err := at(0); err != nil || len(rs) != 0 || took > 100*time.Millisecond {
			t.Errorf("at once: %v, %v after %v", rs, err, took)
		}
		if rs, took, err := at(time.Second); err != nil || len(rs) != 0 || took > time.Second {
			t.Errorf("within a second: %v, %v after %v", rs, err, took)
		}
		if _, _, err := at(time.Second, 0); golem.KindOf(err) != golem.ErrTimeout {
			t.Errorf("command 0 within a second: %v", err)
		}
		cs, err := w.requestor.RunningCommands(ctx, who, id, time.Second)
		if err != nil || len(cs) != 1 || cs[0].Command != "run" {
			t.Errorf("running: %v, %v", cs, err)
		}
		if rs, _, err := at(5*time.Second, 0); err != nil || len(rs) != 1 || rs[0].IsBatchFinished {
			t.Errorf("command 0: %v, %v", rs, err)
		}
		rs, took, err := at(20 * time.Second)
		if err != nil || len(rs) != 2 || !rs[1].IsBatchFinished || rs[1].Result != golem.ResultError || took > time.Second {
			t.Errorf("at the end: %v, %v after %v", rs, err, took)
		}
		_, err = w.requestor.RunningCommands(ctx, who, id, time.Second)
		wantKind(t, err, golem.ErrNotFound)
		_, err = w.requestor.Results(ctx, who, id, activity.ResultsQuery{Batch: "none"})
		wantKind(t, err, golem.ErrNotFound)

		other := w.create(t)
		_, err = w.requestor.Results(ctx, who, other, activity.ResultsQuery{Batch: batch})
		wantKind(t, err, golem.ErrNotFound) // it is of another activity
	})
}

// follow collects the events of a batch until it has ended or n have come.
func (w *world) follow(t *testing.T, id golem.ActivityID, batch golem.BatchID, after, n int) (evs []activity.StreamEvent) {
	t.Helper()
	for ev, err := range w.requestor.Stream(t.Context(), w.requestor.id, id, batch, after) {
		if err != nil {
			t.Error(err)
			break
		}
		if evs = append(evs, ev); len(evs) == n {
			break
		}
	}
	return evs
}

func TestStream(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ready(t)
		batch, err := w.requestor.Exec(t.Context(), w.requestor.id, id, []golem.Command{program("count", "3"), program("echo", "x")}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		live := w.follow(t, id, batch, -1, 0) // started, 1, 2, 3, finished, started, x, finished
		if len(live) != 8 || time.Since(begin) < 2*time.Second {
			t.Fatalf("live: %d events in %v", len(live), time.Since(begin))
		}
		for i, ev := range live {
			if ev.Number != i || ev.Batch != batch {
				t.Errorf("event %d: %+v", i, ev)
			}
		}
		begin = time.Now()
		if again := w.follow(t, id, batch, -1, 0); len(again) != 8 || time.Since(begin) > time.Second {
			t.Errorf("again: %d events in %v", len(again), time.Since(begin))
		}
		if rest := w.follow(t, id, batch, 5, 0); len(rest) != 2 || rest[0].Number != 6 {
			t.Errorf("after 5: %+v", rest)
		}
		if none := w.follow(t, id, batch, 7, 0); len(none) != 0 {
			t.Errorf("after the last: %+v", none)
		}
		if two := w.follow(t, id, batch, -1, 2); len(two) != 2 {
			t.Errorf("left after two: %+v", two)
		}
	})
}

// Upstream's ExeUnits do not begin at the beginning.
func TestStreamFromNowOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ready(t)
		batch, err := w.requestor.Exec(t.Context(), w.requestor.id, id, []golem.Command{program("sleep", "1")}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		w.stopAgent()
		bindStream(t, w, id, func(send func(golem.RuntimeEvent) error) error {
			for range 3 {
				ev := golem.RuntimeEvent{Batch: batch, Index: 2, Kind: golem.RuntimeEventKind{Stdout: &golem.Output{Text: "x"}}}
				if err := send(ev); err != nil {
					return err
				}
			}
			return nil
		})
		evs := w.follow(t, id, batch, 10, 0)
		if len(evs) != 3 || evs[0].Number != 11 || evs[2].Number != 13 {
			t.Errorf("got %+v", evs)
		}
	})
}

func bindStream(t *testing.T, w *world, id golem.ActivityID, f func(send func(golem.RuntimeEvent) error) error) {
	t.Helper()
	_, err := wire.StreamBatch.At(string(id)).Handle(w.provider.bus, func(_ context.Context, _ gsb.Peer, _ wire.StreamBatchRequest, send func(golem.RuntimeEvent) error) error {
		return f(send)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An ExeUnit that is not there is an error that SDKs take for temporary, unless
// the Provider says that the Activity has ended.
func TestExeUnitGone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := createByHand(t, w) // nothing is bound
		_, err := w.requestor.Exec(t.Context(), w.requestor.id, id, []golem.Command{deploy}, time.Second)
		wantKind(t, err, golem.ErrUnavailable)
		if !strings.Contains(err.Error(), "endpoint address not found") {
			t.Errorf("SDKs look for other words in %q", err)
		}
		_, err = w.requestor.RunningCommands(t.Context(), w.requestor.id, id, time.Second)
		wantKind(t, err, golem.ErrUnavailable)
		if err := reportState(w, id, pair(golem.ActivityTerminated, "")); err != nil {
			t.Fatal(err)
		}
		_, err = w.requestor.RunningCommands(t.Context(), w.requestor.id, id, time.Second)
		wantKind(t, err, golem.ErrNotFound)
	})
}

func TestExeUnitGoneWhileStreaming(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ready(t)
		batch, err := w.requestor.Exec(t.Context(), w.requestor.id, id, []golem.Command{program("sleep", "100")}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, err := range w.requestor.Stream(t.Context(), w.requestor.id, id, batch, -1) {
				if err != nil && golem.KindOf(err) == golem.ErrNotFound {
					t.Errorf("the batch was there: %v", err)
				}
			}
		})
		time.Sleep(2 * time.Second)
		w.stopAgent()
		wg.Wait()
		_, err = w.requestor.Results(t.Context(), w.requestor.id, id, activity.ResultsQuery{Batch: batch})
		wantKind(t, err, golem.ErrNotFound)
	})
}

func TestConcurrentBatches(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ready(t)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { w.run(t, id, program("echo", "x")) })
		}
		wg.Wait()
		if got := w.state(t, w.requestor, id); got != pair(golem.ActivityReady, "") {
			t.Errorf("state %v", got)
		}
	})
}

func TestReset(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.agent.Unit = func(golem.ProviderEvent) activitytest.UnitConfig { return activitytest.UnitConfig{Start: time.Second} }
		id := w.ready(t)
		w.run(t, id, golem.Command{Terminate: &golem.TerminateCommand{}})
		if got := w.state(t, w.requestor, id); got != pair(golem.ActivityInitialized, "") {
			t.Errorf("reset: %v", got)
		}
		rs := w.run(t, id, start)
		if len(rs) != 1 || rs[0].Result != golem.ResultError {
			t.Errorf("start before deploy: %+v", rs)
		}
		w.run(t, id, deploy, start)
		if got := w.state(t, w.requestor, id); got != pair(golem.ActivityReady, "") {
			t.Errorf("deployed again: %v", got)
		}
	})
}
