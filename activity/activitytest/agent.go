package activitytest

import (
	"context"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
)

// Gateway is what an Agent needs of its node: an *activity.Service.
type Gateway interface {
	Events(ctx context.Context, q activity.EventQuery, timeout time.Duration) ([]golem.ProviderEvent, error)
	SetState(ctx context.Context, who golem.NodeID, id golem.ActivityID, st golem.ActivityStatus) error
}

// Agent is a Provider's agent: it starts an ExeUnit for each Activity its node
// tells it of, and stops it when told.
type Agent struct {
	Node    golem.NodeID
	Session string
	Gateway Gateway
	Bus     activity.Bus
	Unit    func(golem.ProviderEvent) UnitConfig // Activity and Bus are filled in; nil: the zero value

	mu    sync.Mutex
	units map[golem.ActivityID]*started
}

type started struct {
	*ExeUnit
	stop context.CancelFunc
}

// Run works until ctx ends; all ExeUnits are stopped then.
func (a *Agent) Run(ctx context.Context) {
	var units sync.WaitGroup
	defer units.Wait()
	var after time.Time
	for ctx.Err() == nil {
		evs, err := a.Gateway.Events(ctx, activity.EventQuery{Owner: a.Node, Session: a.Session, After: after, Most: 100}, 3*time.Second)
		if err != nil {
			sleep(ctx, time.Second)
			continue
		}
		for _, ev := range evs {
			after = ev.Date
			if ev.Type.Destroy != nil {
				a.destroy(ctx, ev.Activity)
				continue
			}
			a.create(ctx, &units, ev)
		}
	}
}

func (a *Agent) create(ctx context.Context, units *sync.WaitGroup, ev golem.ProviderEvent) {
	var cfg UnitConfig
	if a.Unit != nil {
		cfg = a.Unit(ev)
	}
	cfg.Activity, cfg.Bus = ev.Activity, a.Bus
	run, stop := context.WithCancel(ctx)
	u := &started{NewExeUnit(cfg), stop}
	a.mu.Lock()
	if a.units == nil {
		a.units = map[golem.ActivityID]*started{}
	}
	a.units[ev.Activity] = u
	a.mu.Unlock()
	units.Go(func() {
		defer stop()
		u.Run(run)
		a.ended(ctx, ev.Activity)
	})
}

// destroy stops the ExeUnit of an Activity; of one that does not exist, because
// it belonged to an agent before this one, it says that it has ended.
func (a *Agent) destroy(ctx context.Context, id golem.ActivityID) {
	a.mu.Lock()
	u := a.units[id]
	a.mu.Unlock()
	if u == nil {
		a.ended(ctx, id)
		return
	}
	u.stop()
}

// ended tells the node that an ExeUnit has ended, until it has heard.
func (a *Agent) ended(ctx context.Context, id golem.ActivityID) {
	st := status(golem.ActivityTerminated, "")
	st.Reason = "exit code 0"
	for {
		err := a.Gateway.SetState(context.WithoutCancel(ctx), a.Node, id, st)
		if kind := golem.KindOf(err); err == nil || kind == golem.ErrNotFound || ctx.Err() != nil {
			return
		}
		sleep(ctx, 10*time.Second)
	}
}

// ExeUnit returns the ExeUnit of an Activity, nil if there was none.
func (a *Agent) ExeUnit(id golem.ActivityID) *ExeUnit {
	a.mu.Lock()
	defer a.mu.Unlock()
	if u := a.units[id]; u != nil {
		return u.ExeUnit
	}
	return nil
}
