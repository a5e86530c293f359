package market

import (
	"context"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/longpoll"
)

// MaxEvents is the most events a poll returns.
const MaxEvents = 100

// leases are the events that are on their way to an agent. They are not in the
// store: whatever was on its way when the node died is delivered again.
type leases struct {
	mu    sync.Mutex
	taken map[golem.SubscriptionID]map[int64]bool
}

func (l *leases) count(sub golem.SubscriptionID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.taken[sub])
}

// take leases up to max of the given events that nobody else has.
func (l *leases) take(sub golem.SubscriptionID, seqs []int64, max int) (mine []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seq := range seqs {
		if len(mine) == max {
			break
		}
		if l.taken[sub][seq] {
			continue
		}
		if l.taken[sub] == nil {
			if l.taken == nil {
				l.taken = map[golem.SubscriptionID]map[int64]bool{}
			}
			l.taken[sub] = map[int64]bool{}
		}
		l.taken[sub][seq] = true
		mine = append(mine, seq)
	}
	return mine
}

func (l *leases) release(sub golem.SubscriptionID, seqs []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seq := range seqs {
		delete(l.taken[sub], seq)
	}
	if len(l.taken[sub]) == 0 {
		delete(l.taken, sub)
	}
}

// News is an event with what it is about.
type News struct {
	Event
	Exchange  *Exchange        // of a ProposalEvent
	Agreement *golem.Agreement // of an AgreementEvent
}

// Collection is a number of events that an agent is given. Exactly one of
// Delivered and Returned is called, once.
type Collection struct {
	News []News

	s    *Service
	sub  golem.SubscriptionID
	seqs []int64
}

// Delivered removes the events: the agent has them.
func (c *Collection) Delivered(ctx context.Context) error {
	if len(c.seqs) == 0 {
		return nil
	}
	if err := c.s.store.Delivered(ctx, c.seqs); err != nil {
		c.Returned()
		return err
	}
	c.s.leases.release(c.sub, c.seqs)
	c.s.trace.delivered(c.sub, len(c.seqs), false)
	return nil
}

// Returned puts the events back: the agent did not get them.
func (c *Collection) Returned() {
	if len(c.seqs) == 0 {
		return
	}
	c.s.leases.release(c.sub, c.seqs)
	c.s.trace.delivered(c.sub, len(c.seqs), true)
	c.s.collecting.Wake(c.sub)
}

// CollectOffer waits for events of an Offer, until there is one or ctx ends; it
// returns an empty Collection then. ErrNotFound says that the Offer is not on
// the market, or not the caller's.
func (s *Service) CollectOffer(ctx context.Context, who golem.NodeID, sub golem.SubscriptionID, max int) (*Collection, error) {
	return s.collect(ctx, who, sub, max, s.board.offer)
}

// CollectDemand likewise waits for events of a Demand.
func (s *Service) CollectDemand(ctx context.Context, who golem.NodeID, sub golem.SubscriptionID, max int) (*Collection, error) {
	return s.collect(ctx, who, sub, max, s.board.demand)
}

type finder = func(golem.SubscriptionID, time.Time) (*entry, error)

func (s *Service) collect(ctx context.Context, who golem.NodeID, sub golem.SubscriptionID, max int, find finder) (*Collection, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	c := &Collection{s: s, sub: sub}
	e, err := find(sub, s.now())
	if e == nil || e.sub.Node != who {
		return c, golem.Errorf(golem.ErrNotFound, "%w", noSubscription(sub))
	}
	if err != nil {
		return c, golem.Errorf(golem.ErrNotFound, "%w", err)
	}
	// The store is asked under the caller's context, which ends with the poll;
	// a poll that is over has found nothing rather than failed.
	_, _, err = longpoll.Wait(ctx, &s.collecting, sub, func(ctx context.Context) (struct{}, bool, error) {
		if _, err := find(sub, s.now()); err != nil {
			return struct{}{}, false, golem.Errorf(golem.ErrNotFound, "%w", err)
		}
		err := c.fill(context.WithoutCancel(ctx), max)
		return struct{}{}, len(c.News) > 0, err
	})
	return c, err
}

// fill leases the next events and loads them. It reads them after it has leased
// them, so that none is given twice to agents that poll at the same time. Events
// about what is gone are removed with the others, or alone.
func (c *Collection) fill(ctx context.Context, max int) error {
	for {
		seqs, err := c.s.store.Pending(ctx, c.sub, max+c.s.leases.count(c.sub))
		if err != nil {
			return err
		}
		if c.seqs = c.s.leases.take(c.sub, seqs, max); len(c.seqs) == 0 {
			return nil
		}
		if c.News, err = c.s.loadNews(ctx, c.seqs); err != nil {
			c.Returned()
			return err
		}
		if len(c.News) > 0 {
			return nil
		}
		if err := c.Delivered(ctx); err != nil {
			return err
		}
	}
}

// loadNews returns the events with what they are about.
func (s *Service) loadNews(ctx context.Context, seqs []int64) ([]News, error) {
	es, err := s.store.Events(ctx, seqs)
	if err != nil {
		return nil, err
	}
	news := make([]News, 0, len(es))
	for _, e := range es {
		n := News{Event: e}
		var err error
		switch e.Kind {
		case EventProposal:
			n.Exchange, err = s.store.Proposal(ctx, e.Proposal)
		case EventAgreement:
			var h *Handshake
			if h, err = s.store.Handshake(ctx, golem.Provider, e.Agreement); err == nil {
				n.Agreement = &h.Agreement
			}
		}
		switch {
		case err == nil:
			news = append(news, n)
		case golem.KindOf(err) != golem.ErrNotFound:
			return nil, err
		}
	}
	return news, nil
}
