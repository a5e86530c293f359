package activitytest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/internal/longpoll"
	"github.com/golem-go/golem/wire"
)

// UnitConfig says what an ExeUnit is.
type UnitConfig struct {
	Activity golem.ActivityID
	Bus      activity.Bus
	Runtime  Runtime       // nil: Scripted
	Rates    []float64     // by how much each usage counter grows in a second; nil: {1}
	Start    time.Duration // until it is initialized

	// Loses says which events those who follow a batch do not get; nil: none.
	Loses func(golem.RuntimeEvent) bool
}

// ExeUnit executes the batches of one Activity.
type ExeUnit struct {
	cfg     UnitConfig
	running sync.WaitGroup // of batches
	changed longpoll.Hub[golem.BatchID]

	mu       sync.Mutex
	state    golem.ActivityStatus
	told     golem.StatePair // what the node was told last
	silent   bool
	started  time.Time
	ctx      context.Context // of the Runtime; nil before Run and after its end
	kill     context.CancelFunc
	batches  map[golem.BatchID]*batch
	order    []*batch
	executed []string
}

// NewExeUnit returns an ExeUnit; Run makes it work.
func NewExeUnit(cfg UnitConfig) *ExeUnit {
	if cfg.Runtime == nil {
		cfg.Runtime = Scripted
	}
	if cfg.Rates == nil {
		cfg.Rates = []float64{1}
	}
	return &ExeUnit{cfg: cfg, batches: map[golem.BatchID]*batch{}, state: status(golem.ActivityNew, "")}
}

func status(current, pending golem.ActivityState) golem.ActivityStatus {
	return golem.ActivityStatus{State: golem.StatePair{Current: current, Pending: pending}}
}

// errGone is what Run returns when the node does not know the Activity any more.
var errGone = golem.Errorf(golem.ErrNotFound, "the activity has ended")

// Run answers on the bus and reports every second, until ctx ends or the node
// says that the Activity is no more. At its end nothing of the ExeUnit is left.
func (u *ExeUnit) Run(ctx context.Context) error {
	select {
	case <-time.After(u.cfg.Start):
	case <-ctx.Done():
		return nil
	}
	release, err := u.bind()
	if err != nil {
		return err
	}
	defer release()
	runtime, kill := context.WithCancel(context.WithoutCancel(ctx))
	u.mu.Lock()
	u.ctx, u.kill, u.started = runtime, kill, time.Now()
	u.state = status(golem.ActivityInitialized, "")
	u.mu.Unlock()
	err = u.report(ctx)
	u.stop(context.WithoutCancel(ctx), err)
	return err
}

// report tells the node how it is every second.
func (u *ExeUnit) report(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := errors.Join(u.tellState(ctx), u.tellUsage(ctx)); errors.Is(err, golem.ErrNotFound) {
			return errGone
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// stop ends all batches and, unless the node knows already, tells it.
func (u *ExeUnit) stop(ctx context.Context, why error) {
	u.mu.Lock()
	u.state.State.Pending = golem.ActivityTerminated
	u.ctx = nil
	u.kill()
	u.mu.Unlock()
	if why == nil {
		u.tellState(ctx)
	}
	u.running.Wait()
	u.mu.Lock()
	u.state = status(golem.ActivityTerminated, "")
	u.state.Reason = "Finished"
	u.mu.Unlock()
	if why == nil {
		u.tellState(ctx)
	}
}

// tellState reports the state if it is not what was reported last.
func (u *ExeUnit) tellState(ctx context.Context) error {
	u.mu.Lock()
	st, silent := u.state, u.silent || u.told == u.state.State
	u.mu.Unlock()
	if silent {
		return nil
	}
	req := wire.SetActivityStateRequest{Activity: u.cfg.Activity, State: st}
	_, err := wire.SetActivityState.Call(ctx, u.cfg.Bus, golem.NodeID{}, golem.NodeID{}, req)
	if err == nil {
		u.mu.Lock()
		u.told = st.State
		u.mu.Unlock()
	}
	return err
}

func (u *ExeUnit) tellUsage(ctx context.Context) error {
	u.mu.Lock()
	silent := u.silent
	u.mu.Unlock()
	if silent {
		return nil
	}
	req := wire.SetActivityUsageRequest{Activity: u.cfg.Activity, Usage: u.Usage()}
	_, err := wire.SetActivityUsage.Call(ctx, u.cfg.Bus, golem.NodeID{}, golem.NodeID{}, req)
	return err
}

// Usage returns what was used up to now.
func (u *ExeUnit) Usage() golem.Usage {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := time.Now()
	usage := golem.Usage{Current: make([]float64, len(u.cfg.Rates)), Timestamp: at.Unix()}
	for i, rate := range u.cfg.Rates {
		usage.Current[i] = rate * at.Sub(u.started).Seconds()
	}
	return usage
}

// SetSilent makes the ExeUnit stop reporting, as one that hangs would, or report
// again.
func (u *ExeUnit) SetSilent(silent bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.silent = silent
}

// Executed returns the names of the commands that were begun, in order; for run
// it is the program with its arguments.
func (u *ExeUnit) Executed() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.executed)
}

// bind makes the ExeUnit answer on the bus.
func (u *ExeUnit) bind() (release func(), err error) {
	id, bus := string(u.cfg.Activity), u.cfg.Bus
	var releases []func()
	bound := func(r func(), e error) {
		if e == nil {
			releases = append(releases, r)
		}
		err = errors.Join(err, e)
	}
	bound(wire.Exec.At(id).Handle(bus, u.onExec))
	bound(wire.BatchResults.At(id).Handle(bus, u.onResults))
	bound(wire.StreamBatch.At(id).Handle(bus, u.onStream))
	bound(wire.RunningCommands.At(id).Handle(bus, u.onRunning))
	bound(wire.ExeUnitState.At(id).Handle(bus, func(context.Context, gsb.Peer, wire.ActivityQuery) (golem.ActivityStatus, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.state, nil
	}))
	bound(wire.ExeUnitUsage.At(id).Handle(bus, func(context.Context, gsb.Peer, wire.ActivityQuery) (golem.Usage, error) {
		return u.Usage(), nil
	}))
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	if err != nil {
		release()
	}
	return release, err
}
