package activity_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
)

func TestSilence(t *testing.T) {
	tests := map[string]struct {
		silent  time.Duration
		lost    bool
		stopped bool
	}{
		"short":  {4 * time.Second, false, false},
		"longer": {8 * time.Second, true, false},
		"long":   {12 * time.Second, true, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				id := w.ready(t)
				unit := w.agent.ExeUnit(id)
				unit.SetSilent(true)
				time.Sleep(tt.silent)
				want := pair(golem.ActivityReady, "")
				switch {
				case tt.stopped:
					want = pair(golem.ActivityTerminated, "")
				case tt.lost:
					want = pair(golem.ActivityUnresponsive, "")
				}
				if got := w.state(t, w.provider, id); got != want {
					t.Errorf("while silent: %v, want %v", got, want)
				}
				unit.SetSilent(false)
				time.Sleep(2 * time.Second)
				if tt.stopped {
					wantEvents(t, w, "create", "destroy")
					return
				}
				wantEvents(t, w, "create")
				if got := w.state(t, w.provider, id); got != pair(golem.ActivityReady, "") {
					t.Errorf("after that: %v", got)
				}
			})
		})
	}
}

// The node was away, not the ExeUnit.
func TestRestartIsNoSilence(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ready(t)
		unit := w.agent.ExeUnit(id)
		unit.SetSilent(true) // a report that fails would shut it down
		w.provider.stop()
		time.Sleep(5 * time.Minute)
		w.provider.start(t)
		time.Sleep(3 * time.Second)
		unit.SetSilent(false)
		time.Sleep(3 * time.Second)
		if got := w.state(t, w.provider, id); got != pair(golem.ActivityReady, "") {
			t.Errorf("state %v", got)
		}
		wantEvents(t, w, "create")
	})
}

// An ExeUnit whose agent has died goes on reporting, and is made to stop by
// being told that its Activity has ended.
func TestAgentDies(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := createByHand(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		var told error
		var unit sync.WaitGroup
		unit.Go(func() {
			for told == nil && ctx.Err() == nil {
				time.Sleep(time.Second)
				told = reportUsage(w, id, 1)
			}
		})
		defer cancel()
		err := w.requestor.Destroy(t.Context(), w.requestor.id, id, 5*time.Second)
		wantKind(t, err, golem.ErrTimeout)
		time.Sleep(90 * time.Second)
		unit.Wait()
		wantKind(t, told, golem.ErrNotFound)
		wantQuiet(t, w)
	})
}

func TestEvents(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ctx, owner := t.Context(), w.provider.id
		begin := time.Now()
		evs, err := w.provider.Events(ctx, activity.EventQuery{Owner: owner, Most: 10}, 3*time.Second)
		if err != nil || len(evs) != 0 || time.Since(begin) != 3*time.Second {
			t.Errorf("nothing: %v, %v after %v", evs, err, time.Since(begin))
		}
		w.startAgent()
		var creating sync.WaitGroup
		var woken time.Duration
		creating.Go(func() {
			begin := time.Now()
			w.provider.Events(ctx, activity.EventQuery{Owner: owner, Most: 10}, time.Minute)
			woken = time.Since(begin)
		})
		synctest.Wait()
		for range 5 {
			creating.Go(func() { w.create(t) })
		}
		creating.Wait()
		if woken > 20*time.Millisecond {
			t.Errorf("woken after %v", woken)
		}
		all := w.events(t)
		if len(all) != 5 {
			t.Fatalf("%d events", len(all))
		}
		var paged []golem.ProviderEvent
		for len(paged) < 5 {
			q := activity.EventQuery{Owner: owner, Session: session, Most: 2}
			if len(paged) > 0 {
				q.After = paged[len(paged)-1].Date
			}
			evs, err := w.provider.Events(ctx, q, 0)
			if err != nil || len(evs) == 0 {
				t.Fatalf("page after %d: %v, %v", len(paged), evs, err)
			}
			paged = append(paged, evs...)
		}
		if !slices.Equal(ids(paged), ids(all)) {
			t.Errorf("pages %v, all %v", ids(paged), ids(all))
		}
		for _, q := range []activity.EventQuery{
			{Owner: owner, Session: "other", Most: 10},
			{Owner: w.requestor.id, Most: 10},
		} {
			if evs, err := w.provider.Events(ctx, q, 0); err != nil || len(evs) != 0 {
				t.Errorf("%+v: %v, %v", q, evs, err)
			}
		}
	})
}

func ids(evs []golem.ProviderEvent) (ids []golem.ActivityID) {
	for _, ev := range evs {
		ids = append(ids, ev.Activity)
	}
	return ids
}

func TestForget(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		id := w.create(t)
		kept := w.create(t)
		w.run(t, id, deploy)
		if err := w.requestor.Destroy(t.Context(), w.requestor.id, id, time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		for _, n := range []*node{w.requestor, w.provider} {
			n.stop()
			n.limits.Keep = time.Minute
			n.start(t)
			as, err := n.Activities(t.Context(), n.id, "")
			if err != nil || len(as) != 1 || as[0].ID != kept {
				t.Errorf("%s remembers %v, %v", n.id, as, err)
			}
		}
		wantEvents(t, w, "create")
	})
}

// The same story told several times is the same, to the microsecond.
func TestDeterministic(t *testing.T) {
	tell := func(t *testing.T) (story []string) {
		inWorld(t, func(t *testing.T, w *world) {
			cryptotest.SetGlobalRandom(t, 1) // what happens to a message depends on its content
			begin := time.Now()
			var mu sync.Mutex
			names := map[golem.ActivityID]string{}
			for _, n := range []*node{w.requestor, w.provider} {
				n.stop()
				n.trace.Moved = func(a golem.Activity, from golem.StatePair) {
					mu.Lock()
					defer mu.Unlock()
					if names[a.ID] == "" {
						names[a.ID] = fmt.Sprint("activity ", len(names)+1)
					}
					story = append(story, fmt.Sprintf("%v %s %s: %v to %v", time.Since(begin), a.Role, names[a.ID], from, a.Status.State))
				}
				n.start(t)
			}
			w.startAgent()
			var jobs sync.WaitGroup
			for i := range 4 {
				jobs.Go(func() {
					time.Sleep(time.Duration(i) * 7 * time.Millisecond)
					id := w.create(t)
					w.run(t, id, deploy, start, program("count", fmt.Sprint(i+1)))
					w.state(t, w.requestor, id)
					w.agent.ExeUnit(id).SetSilent(i == 2)
					time.Sleep(7 * time.Second)
					w.agent.ExeUnit(id).SetSilent(false)
					time.Sleep(2 * time.Second)
					w.requestor.Destroy(t.Context(), w.requestor.id, id, time.Minute)
				})
			}
			jobs.Wait()
		})
		return story
	}
	first := tell(t)
	for range 4 {
		if diff := cmp.Diff(first, tell(t)); diff != "" {
			t.Fatal(diff)
		}
	}
	if len(first) < 40 {
		t.Errorf("a short story:\n%s", strings.Join(first, "\n"))
	}
}
