package activity_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/wire"
)

func TestLife(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		id := w.create(t)
		if got := w.state(t, w.requestor, id); got != pair(golem.ActivityInitialized, "") {
			t.Errorf("created: %v", got)
		}
		rs := w.run(t, id, deploy, start, program("echo", "hello", "golem"))
		if len(rs) != 3 || rs[2].Stdout.Text != "hello golem\n" || !rs[2].IsBatchFinished {
			t.Errorf("results: %+v", rs)
		}
		for _, n := range []*node{w.requestor, w.provider} {
			if got := w.state(t, n, id); got != pair(golem.ActivityReady, "") {
				t.Errorf("deployed and started, to %s: %v", n.id, got)
			}
		}
		if err := w.requestor.Destroy(t.Context(), w.requestor.id, id, 30*time.Second); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, w, "create", "destroy")

		w.net.Isolate(w.provider.net) // from here on nobody is asked
		if got := w.state(t, w.requestor, id); got != pair(golem.ActivityTerminated, "") {
			t.Errorf("destroyed: %v", got)
		}
		usage, err := w.requestor.Usage(t.Context(), w.requestor.id, id, 0)
		if err != nil {
			t.Fatal(err)
		}
		there, _ := w.provider.Usage(t.Context(), w.provider.id, id, 0)
		if diff := cmp.Diff(there, usage); diff != "" || usage.Current[0] < 2 {
			t.Errorf("final usage of the two parties: %v %s", usage, diff)
		}
		for _, n := range []*node{w.requestor, w.provider} {
			as, err := n.Activities(t.Context(), n.id, w.agreement)
			if err != nil || len(as) != 1 || as[0].ID != id {
				t.Errorf("%s has %v, %v", n.id, as, err)
			}
		}
	})
}

func TestCreateRefused(t *testing.T) {
	tests := map[string]struct {
		prepare func(w *world)
		who     func(w *world) *node // nil: the Requestor
		want    golem.Kind
	}{
		"agreement ended": {
			prepare: func(w *world) { w.requestor.agreements.SetState(w.agreement, golem.AgreementTerminated) },
			want:    golem.ErrConflict,
		},
		"agreement ended at the provider": {
			prepare: func(w *world) { w.provider.agreements.SetState(w.agreement, golem.AgreementTerminated) },
			want:    golem.ErrForbidden,
		},
		"agreement not approved at the provider": {
			prepare: func(w *world) { w.provider.agreements.SetState(w.agreement, golem.AgreementApproving) },
			want:    golem.ErrForbidden,
		},
		"by the provider": {
			who:  func(w *world) *node { return w.provider },
			want: golem.ErrNotFound,
		},
		"by a stranger": {
			who:  (*world).stranger,
			want: golem.ErrNotFound,
		},
		"by a stranger who believes to be a party": {
			who: func(w *world) *node {
				n := w.stranger()
				a, _ := w.provider.agreements.Agreement(w.t.Context(), w.provider.id, w.agreement)
				a.Demand.Node = n.id
				n.agreements.Put(*a)
				return n
			},
			want: golem.ErrNotFound,
		},
		"provider away": {
			prepare: func(w *world) { w.net.Isolate(w.provider.net) },
			want:    golem.ErrUnavailable,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.startAgent()
				if tt.prepare != nil {
					tt.prepare(w)
				}
				n := w.requestor
				if tt.who != nil {
					n = tt.who(w)
				}
				_, err := n.Create(t.Context(), n.id, w.agreement, activity.Creation{Timeout: time.Second})
				wantKind(t, err, tt.want)
				wantEvents(t, w)
				if as, _ := n.Activities(t.Context(), n.id, ""); len(as) != 0 {
					t.Errorf("there is an activity: %v", as)
				}
			})
		})
	}
}

func TestCreateRequestIsChecked(t *testing.T) {
	tests := map[string]struct {
		change func(*wire.CreateActivityRequest)
		want   golem.Kind
	}{
		"agreement id":      {func(r *wire.CreateActivityRequest) { r.Agreement = "../x" }, golem.ErrInvalid},
		"unknown agreement": {func(r *wire.CreateActivityRequest) { r.Agreement = golem.AgreementID(strings.Repeat("f", 64)) }, golem.ErrNotFound},
		"other provider":    {func(r *wire.CreateActivityRequest) { r.Provider = golem.NodeID{9} }, golem.ErrNotFound},
		"himself":           {func(r *wire.CreateActivityRequest) { r.Provider = golem.NodeID{1} }, golem.ErrNotFound},
		"activity id":       {func(r *wire.CreateActivityRequest) { r.Proposed = "0123456789abcdef/../1" }, golem.ErrInvalid},
		"long activity id":  {func(r *wire.CreateActivityRequest) { r.Proposed = golem.ActivityID(strings.Repeat("a", 65)) }, golem.ErrInvalid},
		"key":               {func(r *wire.CreateActivityRequest) { r.PublicKey = make([]byte, 2000) }, golem.ErrInvalid},
		"prefixed id":       {func(r *wire.CreateActivityRequest) { r.Agreement = "P-" + r.Agreement }, ""},
	}
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		for name, tt := range tests {
			req := wire.CreateActivityRequest{Provider: w.provider.id, Agreement: w.agreement}
			tt.change(&req)
			_, err := wire.CreateActivity.Call(t.Context(), w.requestor.bus, w.requestor.id, w.provider.id, req)
			if golem.KindOf(err) != tt.want {
				t.Errorf("%s: got %v, want %q", name, err, tt.want)
			}
		}
	})
}

func TestCreateWithoutAgent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		begin := time.Now()
		_, err := w.requestor.Create(t.Context(), w.requestor.id, w.agreement, activity.Creation{Timeout: 5 * time.Second})
		wantKind(t, err, golem.ErrTimeout)
		if took := time.Since(begin); took > 6*time.Second {
			t.Errorf("took %v", took)
		}
		wantEvents(t, w, "create", "destroy")
		time.Sleep(5 * time.Minute)
		as, err := w.provider.Activities(t.Context(), w.provider.id, "")
		if err != nil || len(as) != 1 || as[0].Status.State.Current != golem.ActivityTerminated {
			t.Errorf("nobody started or stopped it: %v, %v", as, err)
		}
		wantQuiet(t, w)
	})
}

// alive returns the activities of n that have not ended.
func (w *world) alive(t *testing.T, n *node) (ids []golem.ActivityID) {
	t.Helper()
	for _, role := range []golem.Role{golem.Provider, golem.Requestor} {
		rs, err := n.db.Activity().AliveActivities(t.Context(), role)
		if err != nil {
			t.Error(err)
		}
		for _, r := range rs {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// wantQuiet checks that nothing is alive and nothing waits to be told.
func wantQuiet(t *testing.T, w *world) {
	t.Helper()
	for _, n := range w.nodes {
		if ids := w.alive(t, n); len(ids) != 0 {
			t.Errorf("%s still has %v", n.id, ids)
		}
	}
}

func TestCreateAnswerLost(t *testing.T) {
	for name, f := range map[string]fault{"answer": {loseReply: true}, "request": {loseRequest: true}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.startAgent()
				w.faults.set(func(r p2p.Request) fault {
					if strings.HasSuffix(r.Addr, "CreateActivity") {
						return f
					}
					return fault{}
				})
				_, err := w.requestor.Create(t.Context(), w.requestor.id, w.agreement, activity.Creation{Timeout: 5 * time.Second})
				wantKind(t, err, golem.ErrUnavailable)
				time.Sleep(10 * time.Second)
				wantQuiet(t, w)
			})
		})
	}
}

func TestCreateInterrupted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		w.faults.set(func(r p2p.Request) fault { return fault{loseReply: strings.HasSuffix(r.Addr, "CreateActivity")} })
		row := &activity.Record{Activity: golem.Activity{
			ID: golem.NewActivityID(), Agreement: w.agreement, Role: golem.Requestor, Owner: w.requestor.id, Peer: w.provider.id,
			Status:  golem.ActivityStatus{State: pair(golem.ActivityNew, "")},
			Created: time.Now(), Updated: time.Now(),
		}, Reported: time.Now()}
		w.requestor.stop() // having written the row and sent the request, before the answer
		if err := w.requestor.db.Activity().AddActivity(t.Context(), row, 1, nil); err != nil {
			t.Fatal(err)
		}
		req := wire.CreateActivityRequest{Provider: w.provider.id, Agreement: w.agreement, Proposed: row.ID}
		wire.CreateActivity.Call(t.Context(), w.requestor.bus, w.requestor.id, w.provider.id, req)
		if got := w.state(t, w.provider, row.ID); got != pair(golem.ActivityInitialized, "") {
			t.Fatalf("at the provider: %v", got)
		}
		w.requestor.start(t)
		_, err := w.requestor.Activity(t.Context(), w.requestor.id, row.ID)
		wantKind(t, err, golem.ErrNotFound)
		time.Sleep(10 * time.Second)
		wantQuiet(t, w)
		if as, _ := w.requestor.Activities(t.Context(), w.requestor.id, ""); len(as) != 0 {
			t.Errorf("the requestor is shown %v", as)
		}
	})
}

func TestCreateDoubled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		w.faults.set(func(p2p.Request) fault { return fault{double: true} })
		id := w.create(t)
		rs := w.run(t, id, deploy, start, program("count", "3"))
		if len(rs) != 3 || rs[2].Stdout.Text != "1\n2\n3\n" {
			t.Errorf("results %+v", rs)
		}
		want := []string{"deploy", "start", "count 3"}
		if got := w.agent.ExeUnit(id).Executed(); !slices.Equal(got, want) {
			t.Errorf("executed %q, want %q", got, want)
		}
		if err := w.requestor.Destroy(t.Context(), w.requestor.id, id, 30*time.Second); err != nil {
			t.Error(err)
		}
		wantEvents(t, w, "create", "destroy")
	})
}

func TestCreateMany(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		var wg sync.WaitGroup
		var mu sync.Mutex
		kinds := map[golem.Kind]int{}
		for range 40 {
			wg.Go(func() {
				_, err := w.requestor.Create(t.Context(), w.requestor.id, w.agreement, activity.Creation{Timeout: 5 * time.Second})
				mu.Lock()
				defer mu.Unlock()
				kinds[golem.KindOf(err)]++
			})
		}
		wg.Wait()
		if want := (map[golem.Kind]int{"": 32, golem.ErrExhausted: 8}); !cmp.Equal(kinds, want) {
			t.Errorf("got %v, want %v", kinds, want)
		}
		evs := w.events(t)
		for i := 1; i < len(evs); i++ {
			if !evs[i].Date.After(evs[i-1].Date) {
				t.Errorf("event %d has date %v, the one before %v", i, evs[i].Date, evs[i-1].Date)
			}
		}
	})
}

func TestStrangersSeeNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		id := w.create(t)
		batch, err := w.requestor.Exec(t.Context(), w.requestor.id, id, []golem.Command{deploy}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		stranger := w.stranger()
		ctx, who := t.Context(), stranger.id
		terminated := golem.ActivityStatus{State: pair(golem.ActivityTerminated, "")}
		for _, n := range []*node{w.requestor, w.provider} { // the stranger has an app-key there
			calls := map[string]error{}
			_, calls["state"] = n.State(ctx, who, id, 0)
			_, calls["usage"] = n.Usage(ctx, who, id, 0)
			_, calls["activity"] = n.Activity(ctx, who, id)
			_, calls["exec"] = n.Exec(ctx, who, id, []golem.Command{deploy}, time.Second)
			_, calls["results"] = n.Results(ctx, who, id, activity.ResultsQuery{Batch: batch})
			_, calls["command"] = n.RunningCommands(ctx, who, id, 0)
			calls["destroy"] = n.Destroy(ctx, who, id, time.Second)
			calls["set state"] = n.SetState(ctx, who, id, terminated)
			for _, err := range n.Stream(ctx, who, id, batch, -1) {
				calls["stream"] = err
			}
			for name, err := range calls {
				if golem.KindOf(err) != golem.ErrNotFound {
					t.Errorf("%s on %s: %v", name, n.id, err)
				}
			}
			if as, err := n.Activities(ctx, who, ""); err != nil || len(as) != 0 {
				t.Errorf("list: %v, %v", as, err)
			}
		}
		wantKind(t, w.requestor.SetState(ctx, w.requestor.id, id, terminated), golem.ErrNotFound) // the other side's operation

		bus, from, to := stranger.bus, stranger.id, w.provider.id
		_, err = wire.ActivityState.Call(ctx, bus, from, to, wire.ActivityQuery{Activity: id})
		wantKind(t, err, golem.ErrNotFound)
		_, err = wire.ActivityUsage.Call(ctx, bus, from, to, wire.ActivityQuery{Activity: id})
		wantKind(t, err, golem.ErrNotFound)
		_, err = wire.DestroyActivity.Call(ctx, bus, from, to, wire.DestroyActivityRequest{Activity: id, Agreement: w.agreement})
		wantKind(t, err, golem.ErrNotFound)
		_, err = wire.DestroyActivity.Call(ctx, w.requestor.bus, w.requestor.id, to, wire.DestroyActivityRequest{Activity: id, Agreement: w.agree(2)})
		wantKind(t, err, golem.ErrNotFound)
		wantEvents(t, w, "create")
	})
}

func TestProposedIDOfAnother(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		id := w.create(t)
		req := wire.CreateActivityRequest{Provider: w.provider.id, Agreement: w.agree(2), Proposed: id}
		_, err := wire.CreateActivity.Call(t.Context(), w.requestor.bus, w.requestor.id, w.provider.id, req)
		wantKind(t, err, golem.ErrInvalid)
		wantEvents(t, w, "create")
	})
}

func TestDestroyWhileProviderIsAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		id := w.create(t)
		w.net.Isolate(w.provider.net)
		err := w.requestor.Destroy(t.Context(), w.requestor.id, id, time.Second)
		wantKind(t, err, golem.ErrUnavailable)
		_, err = w.requestor.Exec(t.Context(), w.requestor.id, id, []golem.Command{deploy}, time.Second)
		wantKind(t, err, golem.ErrNotFound)
		time.Sleep(time.Minute)
		w.requestor.stop()
		w.requestor.start(t)
		time.Sleep(time.Minute)
		wantEvents(t, w, "create")
		w.net.Heal()
		time.Sleep(10 * time.Minute)
		wantEvents(t, w, "create", "destroy")
		wantQuiet(t, w)
	})
}

func TestDestroyGivesUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		id := w.create(t)
		w.net.Isolate(w.provider.net)
		var tries atomic.Int32
		w.requestor.stop()
		w.requestor.limits.GiveUp = 10 * time.Minute
		w.requestor.trace.Retry = func(golem.Activity, error) { tries.Add(1) }
		w.requestor.start(t)
		wantKind(t, w.requestor.Destroy(t.Context(), w.requestor.id, id, time.Second), golem.ErrUnavailable)
		time.Sleep(15 * time.Minute)
		if got := w.state(t, w.requestor, id); got != pair(golem.ActivityTerminated, "") {
			t.Errorf("after a quarter of an hour: %v", got)
		}
		if n := tries.Load(); n < 6 || n > 12 {
			t.Errorf("%d tries in ten minutes", n)
		}
	})
}

func TestAgreementTerminated(t *testing.T) {
	for _, told := range []bool{true, false} {
		name := map[bool]string{true: "told", false: "found out after a restart"}[told]
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.startAgent()
				w.create(t)
				other := w.agree(2)
				kept, err := w.requestor.Create(t.Context(), w.requestor.id, other, activity.Creation{Timeout: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				if !told {
					w.provider.stop()
				}
				w.provider.agreements.SetState(w.agreement, golem.AgreementTerminated)
				w.requestor.agreements.SetState(w.agreement, golem.AgreementTerminated)
				if told {
					for _, n := range w.nodes {
						if err := n.OnAgreementTerminated(t.Context(), w.agreement); err != nil {
							t.Error(err)
						}
					}
				} else {
					w.stopAgent()
					w.provider.start(t)
					w.startAgent()
				}
				time.Sleep(70 * time.Second)
				want := []golem.ActivityID{kept}
				if !told {
					want = nil // its ExeUnit went down with the agent
				}
				if got := w.alive(t, w.provider); !slices.Equal(got, want) {
					t.Errorf("alive at the provider: %v, want %v", got, want)
				}
				if got := w.alive(t, w.requestor); !slices.Equal(got, []golem.ActivityID{kept}) {
					t.Errorf("alive at the requestor: %v, want %s", got, kept)
				}
			})
		})
	}
}

func TestUpstreamChoosesTheID(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.provider.stop()
		const theirs = golem.ActivityID("00112233445566778899aabbccddeeff")
		answer := theirs
		release, err := wire.CreateActivity.Handle(w.provider.bus, createHandler(func() golem.ActivityID { return answer }))
		if err != nil {
			t.Fatal(err)
		}
		if id := w.create(t); id != theirs {
			t.Errorf("got %s, want %s", id, theirs)
		}
		answers := map[string]golem.ActivityID{"of another": theirs, "malformed": "../../local/activity", "empty": "", "long": golem.ActivityID(strings.Repeat("a", 1<<20))}
		for name, id := range answers {
			answer = id
			if _, err := w.requestor.Create(t.Context(), w.requestor.id, w.agreement, activity.Creation{Timeout: time.Second}); err == nil {
				t.Errorf("id %s is accepted", name)
			} else if len(err.Error()) > 1000 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
		}
		release()
		w.provider.start(t)
		as, err := w.requestor.Activities(t.Context(), w.requestor.id, "")
		if err != nil || len(as) != 1 || as[0].ID != theirs {
			t.Errorf("activities: %v, %v", as, err)
		}
	})
}

func TestHostileProvider(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startAgent()
		id := w.create(t)
		w.stopAgent()
		w.provider.stop()
		status := golem.ActivityStatus{State: pair("Nonsense", "")}
		var usage golem.Usage
		release := handle(t, w, &status, &usage)
		if _, err := w.requestor.State(t.Context(), w.requestor.id, id, time.Second); err == nil {
			t.Error("state Nonsense is accepted")
		}
		status = golem.ActivityStatus{State: pair(golem.ActivityReady, ""), Reason: strings.Repeat("é", 1<<20)}
		st, err := w.requestor.State(t.Context(), w.requestor.id, id, time.Second)
		if err != nil || len(st.Reason) > 4096 {
			t.Errorf("reason of %d bytes, %v", len(st.Reason), err)
		}
		usage.Current = []float64{5}
		for _, next := range [][]float64{{7}, {3}, {}, {inf()}, {-inf()}, {nan()}} {
			usage.Current = next
			got, err := w.requestor.Usage(t.Context(), w.requestor.id, id, time.Second)
			if err != nil || got.Current[0] != 7 {
				t.Errorf("after %v: %v, %v", next, got, err)
			}
		}
		usage.Current = []float64{8, 9}
		_, err = w.requestor.Usage(t.Context(), w.requestor.id, id, time.Second)
		wantKind(t, err, golem.ErrUnavailable)
		usage.Current = make([]float64, 1000)
		_, err = w.requestor.Usage(t.Context(), w.requestor.id, id, time.Second)
		wantKind(t, err, golem.ErrUnavailable)
		release()
		w.provider.start(t)
	})
}

func TestConfig(t *testing.T) {
	_, err := activity.New(activity.Config{})
	wantKind(t, err, golem.ErrInvalid)
	_, err = activity.New(activity.Config{Limits: activity.Limits{Unresponsive: time.Second}})
	wantKind(t, err, golem.ErrInvalid)
}

func TestBusyBus(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s, err := activity.New(activity.Config{Store: w.provider.db.Activity(), Bus: w.provider.bus, Agreements: &w.provider.agreements})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); !errors.Is(err, golem.ErrConflict) {
			t.Errorf("second service on a bus: %v", err)
		}
	})
}
