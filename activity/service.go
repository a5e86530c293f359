package activity

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/internal/longpoll"
)

// Agreements knows the Agreements this node is a party of.
type Agreements interface {
	// Agreement returns the Agreement that who, an identity of this node, is a
	// party of, or golem.ErrNotFound.
	Agreement(ctx context.Context, who golem.NodeID, id golem.AgreementID) (*golem.Agreement, error)
}

// Bus is what the Service calls and answers on: a *gsb.Bus.
type Bus interface {
	gsb.Caller
	gsb.Binder
}

// Limits are the times and numbers the Service goes by. A zero member stands for
// its default.
type Limits struct {
	Unresponsive time.Duration // silence after which an ExeUnit is taken for unresponsive; 5 s, at least 2 s
	Inactive     time.Duration // silence after which it is to be stopped; 10 s, at least 2 s
	Start        time.Duration // time an ExeUnit has to report for the first time; 1 min
	Abandon      time.Duration // time the agent has to stop an ExeUnit before the Activity counts as ended; 1 min
	GiveUp       time.Duration // time a Provider is told to destroy an Activity; 24 h
	Keep         time.Duration // for how long ended activities are remembered; 90 days
	PerAgreement int           // activities of one Agreement alive at a time; 32
}

// Config is what a Service is made of.
type Config struct {
	Store      Store
	Bus        Bus
	Agreements Agreements
	Limits     Limits
	Rand       *rand.Rand        // for jitter, used by the Service alone; nil: seeded at random
	Alive      func(loop string) // told each time a loop of Run comes round; may be nil
	Trace      Trace
}

// Service is the activity part of a node, in both roles. Its methods may be
// called by many goroutines; their argument who is the identity on whose behalf
// they are called.
type Service struct {
	store      Store
	bus        Bus
	agreements Agreements
	limits     Limits
	alive      func(string)
	trace      Trace
	rand       *rand.Rand // of the resending loop
	started    time.Time

	moved    longpoll.Hub[golem.ActivityID] // a Record has changed
	happened longpoll.Hub[golem.NodeID]     // a Provider has a new event

	gate gate
}

// New returns a Service. It answers others only while Run runs.
func New(cfg Config) (*Service, error) {
	l := cfg.Limits
	setDefault(&l.Unresponsive, 5*time.Second)
	setDefault(&l.Inactive, 10*time.Second)
	setDefault(&l.Start, time.Minute)
	setDefault(&l.Abandon, time.Minute)
	setDefault(&l.GiveUp, 24*time.Hour)
	setDefault(&l.Keep, 90*24*time.Hour)
	setDefault(&l.PerAgreement, 32)
	if least := 2 * time.Second; l.Unresponsive < least || l.Inactive < least {
		return nil, golem.Errorf(golem.ErrInvalid, "activity limits: ExeUnits report every second, silence below %v means nothing", least)
	}
	if cfg.Store == nil || cfg.Bus == nil || cfg.Agreements == nil {
		return nil, golem.Errorf(golem.ErrInvalid, "activity: store, bus and agreements are needed")
	}
	s := &Service{
		store: cfg.Store, bus: cfg.Bus, agreements: cfg.Agreements, limits: l,
		alive: cfg.Alive, trace: cfg.Trace, rand: cfg.Rand, started: now(),
	}
	if s.alive == nil {
		s.alive = func(string) {}
	}
	if s.rand == nil {
		var seed [32]byte
		crand.Read(seed[:])
		s.rand = rand.New(rand.NewChaCha8(seed))
	}
	return s, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// now is the only clock of the package.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Run answers other nodes and ExeUnits, watches over ExeUnits and repeats what
// was not acknowledged, until ctx ends. It returns nil then, or the error that
// kept it from starting. It is called once.
func (s *Service) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	release, err := s.bind(ctx)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.watch(ctx) })
	wg.Go(func() { s.resend(ctx) })
	<-ctx.Done()
	release()
	wg.Wait()
	s.gate.close()
	return nil
}

// round runs one round of a loop and traces its failure, unless the loop ends.
func (s *Service) round(ctx context.Context, loop string, f func(context.Context) error) {
	s.alive(loop)
	if err := f(ctx); err != nil && ctx.Err() == nil {
		s.trace.failed(loop, err)
	}
}

// find returns the Activity that who is a party of. Of a node's own two sides of
// an Activity it prefers the Provider's, which knows more.
func (s *Service) find(ctx context.Context, who golem.NodeID, id golem.ActivityID, roles ...golem.Role) (*Record, error) {
	for _, role := range roles {
		r, err := s.store.Activity(ctx, id, role)
		switch {
		case err == nil && r.Owner == who && r.Confirmed:
			return r, nil
		case err != nil && golem.KindOf(err) != golem.ErrNotFound:
			return nil, err
		}
	}
	return nil, unknown(id)
}

func unknown(id golem.ActivityID) error {
	return golem.Errorf(golem.ErrNotFound, "activity %s not found", clip(string(id), 64))
}

func ended(id golem.ActivityID) error {
	return golem.Errorf(golem.ErrNotFound, "activity %s has ended", id)
}

// change makes one change of an Activity, wakes those who wait for it, and
// returns what became of it.
func (s *Service) change(ctx context.Context, id golem.ActivityID, role golem.Role, f func(*Record) (*golem.ProviderEvent, error)) (*Record, error) {
	var after *Record
	var before golem.StatePair
	var event *golem.ProviderEvent
	err := s.store.ChangeActivity(ctx, id, role, func(r *Record) (_ *golem.ProviderEvent, err error) {
		before = r.Visible().State
		if event, err = f(r); err == nil {
			after = r
		}
		return event, err
	})
	if err != nil {
		return nil, err
	}
	s.moved.Wake(after.ID)
	if event != nil {
		s.happened.Wake(after.Owner)
	}
	s.trace.moved(after, before)
	return after, nil
}
