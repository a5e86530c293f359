package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/sqlite"
)

// TestActivityReopen checks that every field is there again after a restart.
func TestActivityReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	ctx, at := t.Context(), time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	want := &activity.Record{
		Activity: golem.Activity{
			ID: golem.NewActivityID(), Agreement: "a", Role: golem.Provider, Owner: golem.NodeID{1}, Peer: golem.NodeID{2},
			Status: golem.ActivityStatus{
				State:  golem.StatePair{Current: golem.ActivityReady, Pending: golem.ActivityTerminated},
				Reason: "r", ErrorMessage: "e",
			},
			Usage:   golem.Usage{Current: []float64{1.5, 1e-9, 0.1}, Timestamp: 77},
			Created: at, Updated: at.Add(1000),
		},
		Session: "s", Confirmed: true, Reported: at.Add(2000), Lost: at.Add(3000), Destroying: at.Add(4000),
	}
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	create := &golem.ProviderEvent{Type: golem.ProviderEventType{Create: &golem.CreateActivityEvent{PublicKey: "0102"}}, Date: at}
	if err := db.Activity().AddActivity(ctx, want, 1, create); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = sqlite.Open(ctx, path); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := db.Activity().Activity(ctx, want.ID, golem.Provider)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	evs, err := db.Activity().Events(ctx, activity.EventQuery{Owner: golem.NodeID{1}, Most: 10})
	create.Activity, create.Agreement = want.ID, "a"
	if diff := cmp.Diff([]golem.ProviderEvent{*create}, evs); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestActivityStore(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, s, at := t.Context(), db.Activity(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	record := func(id golem.ActivityID, role golem.Role) *activity.Record {
		return &activity.Record{Activity: golem.Activity{
			ID: id, Agreement: "a", Role: role, Status: golem.ActivityStatus{State: golem.StatePair{Current: golem.ActivityNew}},
			Created: at, Updated: at,
		}, Reported: at}
	}
	destroy := &golem.ProviderEvent{Type: golem.ProviderEventType{Destroy: &golem.DestroyActivityEvent{}}, Date: at}
	end := func(r *activity.Record) (*golem.ProviderEvent, error) {
		r.Status.State.Current = golem.ActivityTerminated
		return destroy, nil
	}
	rename := func(to golem.ActivityID) func(r *activity.Record) (*golem.ProviderEvent, error) {
		return func(r *activity.Record) (*golem.ProviderEvent, error) { r.ID = to; return nil, nil }
	}
	boom := golem.Errorf(golem.ErrForbidden, "boom")
	steps := []struct {
		name string
		err  error
		want golem.Kind
	}{
		{"add", s.AddActivity(ctx, record("1", golem.Requestor), 2, nil), ""},
		{"add for the other role", s.AddActivity(ctx, record("1", golem.Provider), 2, destroy), ""},
		{"add again", s.AddActivity(ctx, record("1", golem.Requestor), 2, nil), golem.ErrConflict},
		{"add another", s.AddActivity(ctx, record("2", golem.Requestor), 2, nil), ""},
		{"add one too many", s.AddActivity(ctx, record("3", golem.Requestor), 2, nil), golem.ErrExhausted},
		{"rename", s.ChangeActivity(ctx, "2", golem.Requestor, rename("4")), ""},
		{"rename to another's", s.ChangeActivity(ctx, "4", golem.Requestor, rename("1")), golem.ErrConflict},
		{"change what is not there", s.ChangeActivity(ctx, "2", golem.Requestor, rename("5")), golem.ErrNotFound},
		{"change and fail", s.ChangeActivity(ctx, "4", golem.Requestor, func(r *activity.Record) (*golem.ProviderEvent, error) {
			r.ID = "5"
			return nil, boom
		}), golem.ErrForbidden},
		{"add a batch", s.AddBatch(ctx, activity.Batch{ID: "b", Activity: "1", Commands: 3, Created: at}), ""},
		{"add a batch of nothing", s.AddBatch(ctx, activity.Batch{ID: "c", Activity: "9", Created: at}), golem.ErrNotFound},
		{"end", s.ChangeActivity(ctx, "1", golem.Requestor, end), ""},
		{"end the other side", s.ChangeActivity(ctx, "1", golem.Provider, end), ""},
		{"add in its place", s.AddActivity(ctx, record("3", golem.Requestor), 2, nil), ""},
	}
	for _, step := range steps {
		if got := golem.KindOf(step.err); got != step.want {
			t.Errorf("%s: got %v, want %q", step.name, step.err, step.want)
		}
	}
	evs, err := s.Events(ctx, activity.EventQuery{Most: 10})
	if err != nil || len(evs) != 3 || !evs[1].Date.After(evs[0].Date) || !evs[2].Date.After(evs[1].Date) {
		t.Errorf("events: %+v, %v", evs, err)
	}
	if b, err := s.Batch(ctx, "b"); err != nil || b != (activity.Batch{ID: "b", Activity: "1", Commands: 3, Created: at}) {
		t.Errorf("batch: %+v, %v", b, err)
	}
	if err := s.ForgetActivities(ctx, at.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Batch(ctx, "b"); golem.KindOf(err) != golem.ErrNotFound {
		t.Errorf("batch of a forgotten activity: %v", err)
	}
	if evs, err := s.Events(ctx, activity.EventQuery{Most: 10}); err != nil || len(evs) != 0 {
		t.Errorf("events of forgotten activities: %v, %v", evs, err)
	}
	if rs, err := s.AliveActivities(ctx, golem.Requestor); err != nil || len(rs) != 2 {
		t.Errorf("alive: %v, %v", rs, err)
	}
}
