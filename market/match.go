package market

import (
	"context"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

// matcher holds what has come to the market and was not held against the other
// side yet.
type matcher struct {
	bell bell

	mu    sync.Mutex
	queue []*entry
}

// add puts e in the queue.
func (m *matcher) add(e *entry) {
	m.mu.Lock()
	m.queue = append(m.queue, e)
	m.mu.Unlock()
	m.bell.ring()
}

// next takes the first entry off the queue, or returns nil.
func (m *matcher) next() *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) == 0 {
		return nil
	}
	e := m.queue[0]
	m.queue = m.queue[1:]
	return e
}

// retryMatch is the pause after the store has failed.
const retryMatch = time.Second

// match works the queue off. Agents are woken at the end, so that what comes
// together is found together.
func (s *Service) match(ctx context.Context) time.Time {
	var matched []golem.SubscriptionID
	defer func() {
		for _, sub := range matched {
			s.collecting.Wake(sub)
		}
	}()
	for ctx.Err() == nil {
		e := s.matcher.next()
		if e == nil {
			return time.Time{}
		}
		subs, err := s.matchEntry(ctx, e)
		matched = append(matched, subs...)
		if err != nil && ctx.Err() == nil {
			s.trace.background("match", err)
			s.matcher.add(e)
			return s.now().Add(retryMatch)
		}
	}
	return time.Time{}
}

// openBatch is how many matches are stored in one transaction, so that a Demand
// that fits everything does not keep others from writing.
const openBatch = 200

// matchEntry holds e against those that came before it and opens a Negotiation
// for each match. It returns the Demands that have new matches.
func (s *Service) matchEntry(ctx context.Context, e *entry) (subs []golem.SubscriptionID, err error) {
	now := s.now()
	others := s.board.counterparts(e)
	var ms []Match
	found := 0
	for i, other := range others {
		offer, demand := e, other
		if e.listing == nil {
			offer, demand = other, e
		}
		if s.fits(offer, demand, now) {
			ms = append(ms, s.newMatch(offer, demand, 0, true))
			if subs == nil || e.listing != nil {
				subs = append(subs, demand.sub.ID)
			}
			found++
		}
		if len(ms) == openBatch || i == len(others)-1 {
			if len(ms) > 0 {
				_, err = s.store.Open(ctx, ms, now)
			}
			if err != nil {
				return subs, err
			}
			ms = ms[:0]
		}
	}
	if e.listing == nil {
		s.trace.matched(e.sub.ID, found, len(others))
	}
	return subs, nil
}

// fits decides whether the Offer is shown to the agent of the Demand.
func (s *Service) fits(offer, demand *entry, now time.Time) bool {
	if offer.sub.Node == demand.sub.Node || offer.sub.Expired(now) || demand.sub.Expired(now) {
		return false
	}
	if property.Match(demand.party, offer.party) != property.Yes {
		return false
	}
	if err := checkPricing(offer.party.Properties); err != nil {
		s.trace.hidden(offer.sub.ID, err)
		return false
	}
	return true
}

// checkPricing refuses linear pricing that cannot be computed with. Agents crash
// on it, and anybody can publish it (spec rest-api.md §12.2).
func checkPricing(p *property.Set) error {
	if model, _ := p.String(golem.PropPricingModel); model != "linear" {
		return nil
	}
	counters, ok := p.Strings(golem.PropUsageVector)
	if !ok {
		return golem.Errorf(golem.ErrInvalid, "linear pricing without a list of counters in %s", golem.PropUsageVector)
	}
	coeffs, ok := p.Floats(golem.PropCoefficients)
	if !ok {
		return golem.Errorf(golem.ErrInvalid, "linear pricing without a list of numbers in %s", golem.PropCoefficients)
	}
	_, err := golem.ParseCoefficients(coeffs, len(counters))
	return err
}

// newMatch returns the Negotiation that a match opens. The first Proposal is the
// Offer; it is good for as long as both are on the market.
func (s *Service) newMatch(offer, demand *entry, try int, once bool) Match {
	o, d := offer.sub, demand.sub
	created := s.stamp(golem.Requestor, string(o.ID+d.ID), try)
	id := golem.NewProposalID(golem.Requestor, o.ID, d.ID, created)
	n := golem.Negotiation{
		ID: negotiationOf(id), Role: golem.Requestor, Subscription: d.ID,
		Offer: o.ID, Demand: d.ID, Requestor: d.Node, Provider: o.Node,
	}
	expires := o.Expires
	if d.Expires.Before(expires) {
		expires = d.Expires
	}
	return Match{Negotiation: n, Once: once, Initial: golem.Proposal{
		ID: id, Issuer: golem.Them, Negotiation: n.ID,
		Properties: o.Properties, Constraints: o.Constraints, State: golem.ProposalInitial, Created: created, Expires: expires,
	}}
}

// negotiationOf returns the id of the Negotiation that begins with a Proposal. It
// stays on this node.
func negotiationOf(first golem.ProposalID) golem.NegotiationID {
	const digits = 32
	return golem.NegotiationID(first.Hash()[:digits])
}

// rematch returns the match by which a pair may negotiate again after its
// Agreement has ended, or nil if either has left the market.
func (s *Service) rematch(a *golem.Agreement, try int) *Match {
	now := s.now()
	offer, err := s.board.offer(a.Offer.ID, now)
	if err != nil {
		return nil
	}
	demand, err := s.board.demand(a.Demand.ID, now)
	if err != nil {
		return nil
	}
	m := s.newMatch(offer, demand, try, false)
	return &m
}
