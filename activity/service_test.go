package activity_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
)

// failingStore fails while bad is set.
type failingStore struct {
	activity.Store
	bad atomic.Bool
}

var errDisk = golem.Errorf(golem.ErrInternal, "disk full")

func (s *failingStore) AliveActivities(ctx context.Context, role golem.Role) ([]*activity.Record, error) {
	if s.bad.Load() {
		return nil, errDisk
	}
	return s.Store.AliveActivities(ctx, role)
}

func (s *failingStore) ChangeActivity(ctx context.Context, id golem.ActivityID, role golem.Role, f func(*activity.Record) (*golem.ProviderEvent, error)) error {
	if s.bad.Load() {
		return errDisk
	}
	return s.Store.ChangeActivity(ctx, id, role, f)
}

// The loops go on when the store fails, say so, and say that they are alive.
func TestStoreFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.provider.stop()
		var mu sync.Mutex
		alive, failed := map[string]int{}, map[string]int{}
		store := &failingStore{Store: w.provider.db.Activity()}
		s, err := activity.New(activity.Config{
			Store: store, Bus: w.provider.bus, Agreements: &w.provider.agreements, Rand: rand.New(rand.NewPCG(1, 2)),
			Alive: func(loop string) { mu.Lock(); defer mu.Unlock(); alive[loop]++ },
			Trace: activity.Trace{Failed: func(loop string, err error) {
				mu.Lock()
				defer mu.Unlock()
				failed[loop]++
				if err == nil {
					t.Error("failed without an error")
				}
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		time.Sleep(100 * time.Millisecond)
		id := createByHandAt(t, w, s)
		store.bad.Store(true)
		wantKind(t, reportState(w, id, pair(golem.ActivityReady, "")), golem.ErrInternal)
		time.Sleep(30 * time.Second)
		store.bad.Store(false)
		time.Sleep(time.Second)
		if got := len(w.events(t)); got != 2 {
			t.Errorf("%d events: the silence was not noticed", got)
		}
		cancel()
		running.Wait()
		mu.Lock()
		defer mu.Unlock()
		for _, loop := range []string{"activity watch", "activity resend"} {
			if alive[loop] < 30 || failed[loop] < 29 {
				t.Errorf("%s: %d rounds, %d failed", loop, alive[loop], failed[loop])
			}
		}
		w.provider.start(t)
	})
}

func TestTrace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		told := map[string]int{}
		tell := func(what string) { mu.Lock(); defer mu.Unlock(); told[what]++ }
		for _, n := range []*node{w.requestor, w.provider} {
			n.stop()
			n.trace = activity.Trace{
				Created:    func(a golem.Activity) { tell("created at " + string(a.Role)) },
				Destroying: func(a golem.Activity, why string) { tell("destroying at " + string(a.Role) + ": " + why) },
				Sent:       func(golem.Activity, golem.BatchID, error) { tell("sent") },
				Failed:     func(loop string, err error) { t.Errorf("%s: %v", loop, err) },
			}
			n.start(t)
		}
		id := w.ready(t)
		w.run(t, id, program("echo"))
		if err := w.requestor.Destroy(t.Context(), w.requestor.id, id, time.Minute); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for what, want := range map[string]int{
			"created at Requestor": 1, "created at Provider": 1, "sent": 2,
			"destroying at Requestor: the Requestor has destroyed it": 1,
			"destroying at Provider: the Requestor has destroyed it":  1,
		} {
			if told[what] != want {
				t.Errorf("%s: %d times, want %d", what, told[what], want)
			}
		}
	})
}
