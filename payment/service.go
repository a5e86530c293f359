package payment

import (
	"context"
	"crypto/sha3"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/internal/longpoll"
)

// Bus is what the service needs of the service bus.
type Bus interface {
	gsb.Caller
	gsb.Binder
}

// Config says what a Service works with. Store, Bus, Agreements, Activities,
// Signer and Verifier are required; the zero value of the rest is the default.
type Config struct {
	Store      Store
	Bus        Bus
	Agreements Agreements
	Activities Activities
	Signer     golem.Signer
	Verifier   golem.Verifier
	Drivers    []Driver

	// Default is the platform of an Allocation that names none; zero is the first
	// of the first driver.
	Default golem.Platform

	// PayDelay is how long what is accepted may wait to be paid together with
	// others. 0 pays at once.
	PayDelay time.Duration
	// DueMargin is how long before its due date something is paid at the latest;
	// 0 is two minutes.
	DueMargin time.Duration
	// AllocationTimeout is the life of an Allocation that names none; 0 is a day.
	AllocationTimeout time.Duration
	// SkipValidation makes Allocations without looking at the balance, for
	// development only.
	SkipValidation bool
	// RefuseUnsigned refuses payments of nodes before 0.15, which are believed on
	// the strength of their proof alone otherwise.
	RefuseUnsigned bool

	// PeerTimeout bounds one message to another node; 0 is 30 seconds.
	PeerTimeout time.Duration
	// Backoff is the delay after the first failed attempt to tell something,
	// which doubles with each further one; 0 is 5 seconds.
	Backoff time.Duration
	// MaxBackoff is the longest such delay; 0 is an hour.
	MaxBackoff time.Duration
	// SyncDelay is how long after the start Requestors are asked for what was
	// missed; 0 is 30 seconds.
	SyncDelay time.Duration

	Rand  *rand.Rand        // of jitter, not shared with others; nil is seeded with 0
	Trace *Trace            // nil: nobody looks
	Alive func(loop string) // called every few seconds by each loop that goes round
}

// Service is the payment service of a node. Its methods may be called by many
// goroutines, also before Run.
type Service struct {
	cfg      Config
	drivers  map[golem.Platform]Driver
	known    []golem.Platform // in the order of drivers
	releases []func()         // of bus addresses
	news     longpoll.Hub[topic]
	trace    *Trace

	toExpire, toGather, toDeliver chan struct{}

	mu   sync.Mutex
	rand *rand.Rand
	post posted
}

// New returns the payment service of a node and binds it to the bus.
func New(cfg Config) (*Service, error) {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&cfg.DueMargin, 2*time.Minute)
	def(&cfg.AllocationTimeout, 24*time.Hour)
	def(&cfg.PeerTimeout, 30*time.Second)
	def(&cfg.Backoff, 5*time.Second)
	def(&cfg.MaxBackoff, time.Hour)
	def(&cfg.SyncDelay, 30*time.Second)
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(0, 0))
	}
	if cfg.Trace == nil {
		cfg.Trace = &Trace{}
	}
	s := &Service{
		cfg: cfg, trace: cfg.Trace, rand: cfg.Rand,
		drivers: map[golem.Platform]Driver{}, post: posted{busy: map[Correspondent]bool{}},
		toExpire: make(chan struct{}, 1), toGather: make(chan struct{}, 1), toDeliver: make(chan struct{}, 1),
	}
	if err := s.register(cfg.Drivers); err != nil {
		return nil, err
	}
	var err error
	if s.releases, err = s.bind(cfg.Bus); err != nil {
		s.unbind()
		return nil, fmt.Errorf("payment: %w", err)
	}
	return s, nil
}

func (s *Service) unbind() {
	for _, release := range s.releases {
		release()
	}
}

// Run does what must happen by itself until ctx ends: Allocations time out,
// orders are given to drivers, other nodes are told. It returns after everything
// it started has ended, and the service answers no messages any more.
func (s *Service) Run(ctx context.Context) error {
	defer s.unbind()
	switch err := s.resume(ctx); {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("payment: %w", err)
	}
	var all sync.WaitGroup
	all.Go(func() { s.loop(ctx, "payment-expire", s.toExpire, s.expire) })
	all.Go(func() { s.loop(ctx, "payment-gather", s.toGather, s.gather) })
	all.Go(func() { s.deliverAll(ctx) })
	all.Go(func() { s.requestSync(ctx) })
	for _, d := range s.cfg.Drivers {
		all.Go(func() { s.runDriver(ctx, d) })
	}
	all.Wait()
	return nil
}

// runDriver keeps a driver running.
func (s *Service) runDriver(ctx context.Context, d Driver) {
	for ctx.Err() == nil {
		err := d.Run(ctx, s.Settled)
		if ctx.Err() != nil {
			return
		}
		s.trace.failed("driver "+d.Platforms()[0].Driver, err)
		pause(ctx, retryDelay)
	}
}

// retryDelay is the pause of a loop that could not do its work.
const retryDelay = 5 * time.Second

// aliveEvery is how often an idle loop says that it lives.
const aliveEvery = 2 * time.Second

// loop calls work at the time work says, and when it is woken.
func (s *Service) loop(ctx context.Context, name string, wake <-chan struct{}, work func(context.Context) (next time.Time, err error)) {
	for ctx.Err() == nil {
		next, err := work(ctx)
		if err != nil && ctx.Err() == nil {
			s.trace.failed(name, err)
			next = s.now().Add(retryDelay)
		}
		s.rest(ctx, name, wake, next)
	}
}

// rest returns when it is woken, at next unless that is zero, or when ctx ends.
func (s *Service) rest(ctx context.Context, name string, wake <-chan struct{}, next time.Time) {
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(next.Sub(s.now()))
		defer t.Stop()
		due = t.C
	}
	var beat <-chan time.Time
	if s.cfg.Alive != nil {
		s.cfg.Alive(name)
		t := time.NewTicker(aliveEvery)
		defer t.Stop()
		beat = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
			return
		case <-due:
			return
		case <-beat:
			s.cfg.Alive(name)
		}
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// wake makes a loop come round.
func wake(loop chan struct{}) {
	select {
	case loop <- struct{}{}:
	default: // it is about to anyway
	}
}

// now is the clock: UTC, in microseconds.
func (s *Service) now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// step works out a sheet and writes it, in one transaction, then wakes whoever
// waits for what it brings. f may run more than once if the Store says so, so it
// leaves nothing behind but the sheet.
func (s *Service) step(ctx context.Context, f func(*sheet) error) error {
	var c Change
	err := s.cfg.Store.Step(ctx, func(r Reader) (Change, error) {
		w := newSheet(r, s.now())
		if err := f(w); err != nil {
			return Change{}, err
		}
		var err error
		c, err = w.change()
		return c, err
	})
	if err != nil {
		return err
	}
	s.announce(&c)
	return nil
}

// announce wakes agents and loops that a change concerns.
func (s *Service) announce(c *Change) {
	for _, e := range c.Events {
		s.news.Wake(eventsOf(e.Owner))
		s.news.Wake(topic{"document", e.Owner, e.Document})
	}
	for _, p := range c.Payments {
		s.news.Wake(paymentsOf(p.Owner))
	}
	if len(c.Messages) > 0 {
		s.note(c.Messages)
		wake(s.toDeliver)
	}
	if len(c.Obligations) > 0 {
		wake(s.toGather)
	}
	if len(c.Allocations) > 0 {
		wake(s.toExpire)
	}
}

// register notes which driver pays on which platform.
func (s *Service) register(drivers []Driver) error {
	for _, d := range drivers {
		platforms := d.Platforms()
		if len(platforms) == 0 {
			return golem.Errorf(golem.ErrInvalid, "payment driver without a platform")
		}
		for _, p := range platforms {
			if s.drivers[p] != nil || p.Driver != platforms[0].Driver {
				return golem.Errorf(golem.ErrInvalid, "payment driver %s: platform %s is not its own, or served twice", platforms[0].Driver, p)
			}
			s.drivers[p] = d
			s.known = append(s.known, p)
		}
	}
	if s.cfg.Default.IsZero() && len(s.known) > 0 {
		s.cfg.Default = s.known[0]
	}
	if !s.cfg.Default.IsZero() && s.drivers[s.cfg.Default] == nil {
		return golem.Errorf(golem.ErrInvalid, "default payment platform %s has no driver", s.cfg.Default)
	}
	return nil
}

// usable checks that this node can sign for an address.
func (s *Service) usable(ctx context.Context, a golem.Address) error {
	_, err := s.cfg.Signer.Sign(ctx, golem.NodeID(a), sha3.Sum256([]byte("golem: can this account sign?")))
	if errors.Is(err, golem.ErrNotFound) {
		return golem.Errorf(golem.ErrNotFound, "address %s is not an identity of this node", a)
	}
	return err
}
