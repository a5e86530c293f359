package activity_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/wire"
)

func inf() float64 { return math.Inf(1) }
func nan() float64 { return math.NaN() }

// createHandler answers as a Provider's node that chooses the ids itself.
func createHandler(id func() golem.ActivityID) func(context.Context, gsb.Peer, wire.CreateActivityRequest) (wire.CreateActivityReply, error) {
	return func(context.Context, gsb.Peer, wire.CreateActivityRequest) (wire.CreateActivityReply, error) {
		return wire.CreateActivityReply{Activity: id()}, nil
	}
}

// handle makes the Provider's node say what the test wants it to, until release.
func handle(t *testing.T, w *world, st *golem.ActivityStatus, usage *golem.Usage) (release func()) {
	t.Helper()
	releaseState, err := wire.ActivityState.Handle(w.provider.bus, func(context.Context, gsb.Peer, wire.ActivityQuery) (golem.ActivityStatus, error) {
		return *st, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	releaseUsage, err := wire.ActivityUsage.Handle(w.provider.bus, func(context.Context, gsb.Peer, wire.ActivityQuery) (golem.Usage, error) {
		return *usage, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() { releaseState(); releaseUsage() }
}

// reportUsage sends a report as an ExeUnit of the Provider does.
func reportUsage(w *world, id golem.ActivityID, counters ...float64) error {
	req := wire.SetActivityUsageRequest{Activity: id, Usage: golem.Usage{Current: counters, Timestamp: time.Now().Unix()}}
	_, err := wire.SetActivityUsage.Call(w.t.Context(), w.provider.bus, golem.NodeID{}, golem.NodeID{}, req)
	return err
}

func reportState(w *world, id golem.ActivityID, st golem.StatePair) error {
	req := wire.SetActivityStateRequest{Activity: id, State: golem.ActivityStatus{State: st}}
	_, err := wire.SetActivityState.Call(w.t.Context(), w.provider.bus, golem.NodeID{}, golem.NodeID{}, req)
	return err
}

// createByHand creates an Activity whose ExeUnit is the test itself.
func createByHand(t *testing.T, w *world) golem.ActivityID {
	t.Helper()
	return createByHandAt(t, w, w.provider.Service)
}

func createByHandAt(t *testing.T, w *world, provider *activity.Service) golem.ActivityID {
	t.Helper()
	var id golem.ActivityID
	done := make(chan error)
	go func() {
		var err error
		id, err = w.requestor.Create(t.Context(), w.requestor.id, w.agreement, activity.Creation{Timeout: 5 * time.Second})
		done <- err
	}()
	evs, err := provider.Events(t.Context(), activity.EventQuery{Owner: w.provider.id, Most: 1}, time.Minute)
	if err != nil || len(evs) != 1 {
		t.Fatalf("events: %v, %v", evs, err)
	}
	if err := reportState(w, evs[0].Activity, pair(golem.ActivityInitialized, "")); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return id
}

func TestReports(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := createByHand(t, w)
		wantKind(t, reportState(w, id, pair(golem.ActivityUnresponsive, "")), golem.ErrInvalid)
		wantKind(t, reportState(w, id, pair(golem.ActivityReady, golem.ActivityUnresponsive)), golem.ErrInvalid)
		wantKind(t, reportState(w, "unknown", pair(golem.ActivityReady, "")), golem.ErrNotFound)
		wantKind(t, reportUsage(w, "unknown", 1), golem.ErrNotFound)
		wantKind(t, reportState(w, id, pair(golem.ActivityInitialized, golem.ActivityDeployed)), "")
		if got := w.state(t, w.requestor, id); got != pair(golem.ActivityInitialized, golem.ActivityDeployed) {
			t.Errorf("deploying: %v", got)
		}
		wantKind(t, reportUsage(w, id, 1, 5), "")
		wantKind(t, reportUsage(w, id, 2, 4), "")
		wantKind(t, reportUsage(w, id), "")
		wantKind(t, reportUsage(w, id, 1, 2, 3), golem.ErrInvalid)
		for _, n := range []*node{w.provider, w.requestor} {
			if u, err := n.Usage(t.Context(), n.id, id, time.Second); err != nil || u.Current[0] != 2 || u.Current[1] != 5 {
				t.Errorf("usage %v, %v", u, err)
			}
		}
		wantKind(t, reportState(w, id, pair(golem.ActivityTerminated, golem.ActivityReady)), "")
		if got := w.state(t, w.requestor, id); got != pair(golem.ActivityTerminated, "") {
			t.Errorf("ended: %v", got)
		}
		wantKind(t, reportState(w, id, pair(golem.ActivityReady, "")), golem.ErrNotFound)
		wantKind(t, reportUsage(w, id, 9, 9), golem.ErrNotFound)
		if got := w.state(t, w.provider, id); got != pair(golem.ActivityTerminated, "") {
			t.Errorf("ended and reported: %v", got)
		}
	})
}

// foreign carries calls as if they came from another node.
type foreign struct{ *gsb.Bus }

func (f foreign) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	r.Trust = p2p.TrustKey
	return f.Bus.Call(ctx, r, w)
}

func TestReportsAreLocal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := createByHand(t, w)
		bus, none := foreign{w.provider.bus}, golem.NodeID{}
		state := wire.SetActivityStateRequest{Activity: id, State: golem.ActivityStatus{State: pair(golem.ActivityReady, "")}}
		_, err := wire.SetActivityState.Call(t.Context(), bus, none, none, state)
		wantKind(t, err, golem.ErrForbidden)
		_, err = wire.SetActivityUsage.Call(t.Context(), bus, none, none, wire.SetActivityUsageRequest{Activity: id})
		wantKind(t, err, golem.ErrForbidden)
		// What another node names is always below /public of ours.
		_, err = wire.SetActivityState.Call(t.Context(), w.requestor.bus, w.requestor.id, w.provider.id, state)
		if err == nil {
			t.Error("a report from another node is accepted")
		}
		if got := w.state(t, w.provider, id); got != pair(golem.ActivityInitialized, "") {
			t.Errorf("state %v", got)
		}
	})
}

func TestSetState(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := createByHand(t, w)
		set := func(st golem.ActivityState) error {
			return w.provider.SetState(t.Context(), w.provider.id, id, golem.ActivityStatus{State: pair(st, ""), Reason: "exit code 1"})
		}
		wantKind(t, set("Nonsense"), golem.ErrInvalid)
		wantKind(t, set(golem.ActivityUnresponsive), golem.ErrInvalid)
		wantKind(t, set(golem.ActivityTerminated), "")
		wantKind(t, set(golem.ActivityTerminated), "")
		wantKind(t, set(golem.ActivityReady), golem.ErrConflict)
		st, err := w.requestor.State(t.Context(), w.requestor.id, id, time.Second)
		if err != nil || st.State != pair(golem.ActivityTerminated, "") || st.Reason != "exit code 1" {
			t.Errorf("the requestor is told %v, %v", st, err)
		}
	})
}

func TestStopWhileWaiting(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		done := make(chan error)
		go func() {
			_, err := w.requestor.Create(t.Context(), w.requestor.id, w.agreement, activity.Creation{Timeout: time.Hour})
			done <- err
		}()
		time.Sleep(time.Second)
		begin := time.Now()
		w.provider.stop()
		if err := <-done; err == nil || time.Since(begin) > time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		w.provider.start(t)
		w.startAgent()
		time.Sleep(time.Minute)
		wantQuiet(t, w)
	})
}
