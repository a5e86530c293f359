package market

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/internal/longpoll"
)

// Config is what a market needs, and how it behaves. Store, Bus, Identities and
// Rand are required.
type Config struct {
	Store      Store
	Bus        *gsb.Bus
	Identities func() []golem.NodeID // of this node, the default one first
	Rand       *rand.Rand            // for pauses and samples; read by New only

	// Signer signs Offers and Agreements; nil leaves them unsigned.
	Signer golem.Signer
	// Verifier checks signatures; nil takes every message as unsigned.
	Verifier golem.Verifier
	// Features returns what a node announces; see wire.FeatureSignedAgreements. The caller
	// caches it. nil is a network of nodes that announce nothing.
	Features func(ctx context.Context, node golem.NodeID) ([]string, error)

	// OnApproved and OnTerminated are called after an Agreement has become so.
	// They must return soon. A crash in between loses the call: who depends on
	// it looks at the Agreements when it starts.
	OnApproved, OnTerminated func(a *golem.Agreement)

	Trace Trace
	// Alive is called whenever a loop of Run comes round, at least every few
	// seconds.
	Alive func(loop string)

	Policy
	Timing
	Limits
}

// Policy says whom this node deals with.
type Policy struct {
	// ProvenOnly refuses messages of peers whose identity is a mere claim.
	ProvenOnly bool
	// SignedOnly refuses foreign Offers that their owner has not signed.
	SignedOnly bool
}

// Timing are the pauses of the market. Zero values stand for upstream's, or for
// what the comment says.
type Timing struct {
	TTL             time.Duration // of a subscription, 1 h
	BroadcastDelay  time.Duration // at least between two broadcasts of news, 5 s
	BroadcastPause  time.Duration // between the parts of a broadcast, 50 ms
	BroadcastCycle  time.Duration // mean time between tellings of all, 4 min; negative never
	WithdrawalCycle time.Duration // the same for withdrawals, 4 min
	FetchTimeout    time.Duration // for the bodies of Offers, 3 s
	CallTimeout     time.Duration // for one message to a peer, 20 s
	TellTimeout     time.Duration // for a message an agent waits for, with repetitions, 60 s
	CleanCycle      time.Duration // 4 h
	KeepEvents      time.Duration // not collected, 24 h
	KeepAgreements  time.Duration // after their ValidTo, 90 days
}

// Limits bound what others can make this node do. Zero values stand for what
// the comments say.
type Limits struct {
	Text          int // bytes of properties and constraints of one Offer or Proposal, 64 KiB
	Offers        int // known, 100,000
	OfferBytes    int // of all Offers, 256 MiB
	OffersPerNode int // 64
	Broadcast     int // ids in a broadcast of all, sent or heeded, 200
	Negotiations  int // a Requestor may begin in an hour, 3,600
}

const (
	maxTTL  = 24 * time.Hour   // of any subscription
	slack   = 5 * time.Minute  // by which clocks of nodes may differ
	idle    = 5 * time.Second  // at most between two rounds of a loop
	soonest = time.Millisecond // at least, unless the bell rings
)

func (c *Config) setDefaults() {
	def := func(d *time.Duration, v time.Duration) { *d = cmp.Or(*d, v) }
	def(&c.TTL, time.Hour)
	def(&c.BroadcastDelay, 5*time.Second)
	def(&c.BroadcastPause, 50*time.Millisecond)
	def(&c.BroadcastCycle, 4*time.Minute)
	def(&c.WithdrawalCycle, 4*time.Minute)
	def(&c.FetchTimeout, 3*time.Second)
	def(&c.CallTimeout, 20*time.Second)
	def(&c.TellTimeout, time.Minute)
	def(&c.CleanCycle, 4*time.Hour)
	def(&c.KeepEvents, 24*time.Hour)
	def(&c.KeepAgreements, 90*24*time.Hour)
	most := func(n *int, v int) { *n = cmp.Or(*n, v) }
	most(&c.Text, 64<<10)
	most(&c.Offers, 100_000)
	most(&c.OfferBytes, 256<<20)
	most(&c.OffersPerNode, 64)
	most(&c.Broadcast, 200)
	most(&c.Negotiations, 3600)
	if c.Features == nil {
		c.Features = func(context.Context, golem.NodeID) ([]string, error) { return nil, nil }
	}
	if c.Alive == nil {
		c.Alive = func(string) {}
	}
}

// Service is the market of a node. It is safe for concurrent use. Its methods
// wait until Run has read the store.
type Service struct {
	cfg   Config
	store Store
	trace *Trace
	board *board
	ready chan struct{} // closed when the board is filled

	collecting longpoll.Hub[golem.SubscriptionID] // new events, or the end of the subscription
	handshakes longpoll.Hub[handshakeKey]         // changes of an Agreement
	following  longpoll.Hub[golem.NodeID]         // new AgreementEvents
	browsing   longpoll.Hub[struct{}]             // new Offers

	matcher   matcher
	courier   courier
	errands   sync.WaitGroup // of the courier, under way
	announcer announcer
	fetcher   fetcher
	leases    leases
	scans     scans

	salt uint64 // of what is left to chance

	mu      sync.Mutex
	heardAt time.Time // the last broadcast of Offers
}

// handshakeKey names an Agreement in one of its roles; one node may have both.
type handshakeKey struct {
	role golem.Role
	id   golem.AgreementID
}

// New returns a market, which works once Run is called.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Bus == nil || cfg.Identities == nil || cfg.Rand == nil {
		return nil, fmt.Errorf("market needs Store, Bus, Identities and Rand")
	}
	cfg.setDefaults()
	s := &Service{cfg: cfg, store: cfg.Store, board: newBoard(), ready: make(chan struct{}), salt: cfg.Rand.Uint64()}
	s.trace = &s.cfg.Trace
	s.matcher.bell, s.courier.bell, s.announcer.bell = newBell(), newBell(), newBell()
	s.fetcher.init()
	return s, nil
}

// Run reads the store, answers peers and does what is left to do, until ctx
// ends. It is called once.
func (s *Service) Run(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("market: %w", err)
	}
	release, err := s.bind()
	defer release()
	if err != nil {
		return fmt.Errorf("market: %w", err)
	}
	close(s.ready)
	var loops sync.WaitGroup
	defer s.errands.Wait()
	defer loops.Wait()
	loop := func(name string, b bell, step func(context.Context) time.Time) {
		loops.Go(func() { s.loop(ctx, name, b, step) })
	}
	loop("match", s.matcher.bell, s.match)
	loop("tell", s.courier.bell, s.deliver)
	loop("expire", nil, s.expire)
	loop("announce", s.announcer.bell, s.announce)
	loop("share", nil, s.cycle("share", s.cfg.BroadcastCycle, s.share))
	loop("share withdrawals", nil, s.cycle("share withdrawals", s.cfg.WithdrawalCycle, s.shareWithdrawals))
	loop("clean", nil, s.cycle("clean", s.cfg.CleanCycle, s.clean))
	for i := range fetchWorkers {
		loop(fmt.Sprintf("fetch %d", i), s.fetcher.bell, s.fetch)
	}
	<-ctx.Done()
	return nil
}

// enter waits until the board is filled.
func (s *Service) enter(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	default:
	}
	select {
	case <-s.ready:
		return nil
	case <-ctx.Done():
		return golem.Errorf(golem.ErrUnavailable, "the market is not open yet: %w", context.Cause(ctx))
	}
}

// bell wakes a loop. Ringing twice is ringing once.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// loop calls step when the bell rings, when the time step returned last has
// come, and at least every few seconds.
func (s *Service) loop(ctx context.Context, name string, b bell, step func(context.Context) time.Time) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-b:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		s.cfg.Alive(name)
		wait := idle
		if next := step(ctx); !next.IsZero() {
			wait = max(soonest, min(wait, time.Until(next)))
		}
		timer.Reset(wait)
	}
}

// cycle returns a step that calls f after irregular pauses of the given mean.
func (s *Service) cycle(name string, mean time.Duration, f func(context.Context)) func(context.Context) time.Time {
	var next time.Time
	chance := s.chance(name)
	return func(ctx context.Context) time.Time {
		switch now := s.now(); {
		case mean < 0:
			return time.Time{}
		case next.IsZero():
		case now.Before(next):
			return next
		default:
			f(ctx)
		}
		next = s.now().Add(jitter(chance, mean))
		return next
	}
}

// pause waits, and reports whether it has not been cut short.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// now returns the time to the microsecond, as it is stored and sent.
func (s *Service) now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// stamp returns a time of creation for something whose id hashes no more of it
// than the minute and the nanoseconds (spec market.md §6.2). What was created at
// the same microsecond, or a number of seconds later, is told apart by the
// nanoseconds below: they come from a key, the full time and the number of the
// try. Even ones are Requestors', odd ones Providers'.
func (s *Service) stamp(role golem.Role, key string, try int) time.Time {
	now := s.now()
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", key, now.UnixMicro())
	ns := 2 * ((h.Sum64() + uint64(try)) % 500)
	if role == golem.Provider {
		ns++
	}
	return now.Add(time.Duration(ns))
}

// chance returns a source of randomness for a purpose. Purposes do not share
// one, so that what one of them draws does not depend on who else draws, and when.
func (s *Service) chance(purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(s.salt, h.Sum64()))
}

// jitter returns a time between half and one and a half of d, to the microsecond.
func jitter(r *rand.Rand, d time.Duration) time.Duration {
	return (d/2 + time.Duration(r.Int64N(int64(d)+1))).Truncate(time.Microsecond)
}

// isOwn reports whether node is an identity of this node.
func (s *Service) isOwn(node golem.NodeID) bool {
	for _, id := range s.cfg.Identities() {
		if id == node {
			return true
		}
	}
	return false
}
