package market

import (
	"context"
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/wire"
)

// received is a Proposal of the other party, checked as far as it goes by itself.
type received struct {
	golem.Proposal
	party property.Party
}

// receive checks a Proposal that arrives for a pair: its size, its language, and
// that its id is the hash of what it belongs to. The copy gets our letter.
func (s *Service) receive(role golem.Role, offer, demand golem.SubscriptionID, c wire.ProposalContent) (*received, error) {
	invalid := func(why wire.Why, text string) error { return &wire.Refusal{Why: why, ID: string(c.ID), Text: text} }
	if _, err := golem.ParseProposalID(string(c.ID)); err != nil {
		return nil, invalid(wire.WhyInvalidID, "")
	}
	if len(c.Properties)+len(c.Constraints) > s.cfg.Text {
		return nil, invalid(wire.WhyUnexpected, "Proposal is too large.")
	}
	r := &received{}
	if r.ID = golem.NewProposalID(role, offer, demand, c.Created); r.ID != c.ID.For(role) {
		return nil, invalid(wire.WhyInvalidID, "")
	}
	var err error
	if r.party, err = property.ParseParty(c.Properties, c.Constraints); err != nil {
		return nil, invalid(wire.WhyNotMatching, err.Error())
	}
	// The sender's expiry is a wish.
	latest := s.now().Add(maxTTL)
	r.Issuer, r.State = golem.Them, golem.ProposalDraft
	r.Properties, r.Constraints = c.Properties, c.Constraints
	r.Created, r.Expires = c.Created.UTC(), c.Expires.UTC()
	if r.Expires.After(latest) {
		r.Expires = latest
	}
	return r, nil
}

// known reports whether a Proposal is here already, from the same sender and as
// it is told now: the sender has not heard our answer.
func (s *Service) known(ctx context.Context, from gsb.Peer, r *received) (bool, error) {
	x, err := s.store.Proposal(ctx, r.ID)
	switch {
	case errors.Is(err, golem.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case x.Issuer == golem.Them && x.peer() == from.Node && x.Properties == r.Properties && x.Constraints == r.Constraints:
		return true, nil
	}
	return false, &wire.Refusal{Why: wire.WhyInvalidID, ID: string(r.ID.For(x.Negotiation.Role.Other()))}
}

// ofNegotiation returns our copy of a Proposal a message refers to. To anybody
// but the other party it does not exist.
func (s *Service) ofNegotiation(ctx context.Context, from gsb.Peer, role golem.Role, id golem.ProposalID) (*Exchange, error) {
	missing := &wire.Refusal{Why: wire.WhyNotFound, ID: string(id)}
	if _, err := golem.ParseProposalID(string(id)); err != nil {
		return nil, missing
	}
	x, err := s.store.Proposal(ctx, id.For(role))
	if errors.Is(err, golem.ErrNotFound) {
		return nil, missing
	}
	if err == nil && (x.Negotiation.Role != role || x.peer() != from.Node) {
		return nil, missing
	}
	return x, err
}

// onInitialProposal takes the first counter-proposal of a Requestor. The Offer it
// counters becomes the first Proposal on this side too.
func (s *Service) onInitialProposal(ctx context.Context, from gsb.Peer, m wire.InitialProposalReceived) (gsb.Unit, error) {
	if _, err := golem.ParseSubscriptionID(string(m.Demand)); err != nil {
		return gsb.Unit{}, noSubscription(m.Demand)
	}
	r, err := s.receive(golem.Provider, m.Offer, m.Demand, m.Proposal)
	if err != nil {
		return gsb.Unit{}, err
	}
	now := s.now()
	offer, err := s.board.offer(m.Offer, now)
	if err != nil {
		return gsb.Unit{}, err
	}
	switch {
	case !s.isOwn(offer.sub.Node):
		return gsb.Unit{}, noSubscription(m.Offer)
	case offer.sub.Node == from.Node:
		return gsb.Unit{}, &wire.Refusal{Why: wire.WhyUnauthorized, ID: string(m.Proposal.ID), Node: from.Node, Text: "a node does not trade with itself"}
	}
	if err := mismatch(m.Proposal.ID, r.party, offer.party); err != nil {
		return gsb.Unit{}, err
	}
	n := golem.Negotiation{
		Role: golem.Provider, Subscription: m.Offer,
		Offer: m.Offer, Demand: m.Demand, Requestor: from.Node, Provider: offer.sub.Node,
	}
	if offer.sub.Expires.Before(r.Expires) {
		r.Expires = offer.sub.Expires
	}
	return gsb.Unit{}, s.begin(ctx, from, n, offer, r, now)
}

// begin stores a Negotiation a Requestor has begun.
func (s *Service) begin(ctx context.Context, from gsb.Peer, n golem.Negotiation, offer *entry, r *received, now time.Time) error {
	const tries = 3
	for try := range tries {
		if known, err := s.known(ctx, from, r); known || err != nil {
			return err
		}
		created := s.stamp(golem.Provider, string(r.ID), try)
		first := golem.NewProposalID(golem.Provider, n.Offer, n.Demand, created)
		n.ID = negotiationOf(first)
		initial := golem.Proposal{
			ID: first, Issuer: golem.Us, Negotiation: n.ID,
			State: golem.ProposalInitial, Created: created, Expires: offer.sub.Expires,
		}
		r.Prev, r.Negotiation = initial.ID, n.ID
		c := Counter{Proposal: r.Proposal, Prev: initial.State, Reopened: initial.State, Event: newAnswer(&n, r.ID, now)}
		err := s.store.Receive(ctx, n, initial, c, s.cfg.Negotiations, now.Add(-time.Hour))
		if errors.Is(err, golem.ErrConflict) {
			continue
		}
		if err == nil {
			s.trace.proposal(&r.Proposal, &n)
			s.collecting.Wake(n.Subscription)
		}
		return err
	}
	return golem.Errorf(golem.ErrConflict, "Proposal [%s] is being changed", r.ID)
}

// newAnswer returns the event of a counter-proposal.
func newAnswer(n *golem.Negotiation, id golem.ProposalID, now time.Time) *Event {
	return &Event{
		Subscription: n.Subscription, Kind: EventProposal, Rank: RankAnswer,
		Peer: n.Party(n.Role.Other()), Proposal: id, At: now,
	}
}

// onProposal takes a later counter-proposal.
func (s *Service) onProposal(ctx context.Context, from gsb.Peer, role golem.Role, m wire.ProposalReceived) (gsb.Unit, error) {
	const tries = 3
	for range tries {
		x, err := s.ofNegotiation(ctx, from, role, m.Prev)
		if err != nil {
			return gsb.Unit{}, err
		}
		r, err := s.receive(role, x.Negotiation.Offer, x.Negotiation.Demand, m.Proposal)
		if err != nil {
			return gsb.Unit{}, err
		}
		if known, err := s.known(ctx, from, r); known || err != nil {
			return gsb.Unit{}, err
		}
		c, err := s.countered(x, r)
		if err != nil {
			return gsb.Unit{}, err
		}
		err = s.store.Counter(ctx, c)
		if errors.Is(err, golem.ErrConflict) {
			continue
		}
		if err == nil {
			s.trace.proposal(&c.Proposal, &x.Negotiation)
			s.collecting.Wake(x.Negotiation.Subscription)
		}
		return gsb.Unit{}, err
	}
	return gsb.Unit{}, golem.Errorf(golem.ErrConflict, "Proposal [%s] is being changed", m.Prev)
}

// countered decides whether the other party may counter x by r.
func (s *Service) countered(x *Exchange, r *received) (Counter, error) {
	if x.Issuer == golem.Them {
		return Counter{}, &wire.Refusal{Why: wire.WhyOwnProposal, ID: string(x.ID.For(x.Negotiation.Role.Other()))}
	}
	now := s.now()
	reopened, err := s.answerable(x, now)
	if err != nil {
		return Counter{}, err
	}
	if err := s.matches(x, r.party); err != nil {
		return Counter{}, err
	}
	if x.Negotiation.Role == golem.Requestor {
		if err := checkPricing(r.party.Properties); err != nil {
			return Counter{}, &wire.Refusal{Why: wire.WhyNotMatching, ID: string(x.ID), Text: err.Error()}
		}
	}
	r.Prev, r.Negotiation = x.ID, x.Negotiation.ID
	return Counter{Proposal: r.Proposal, Prev: x.State, Reopened: reopened, Event: newAnswer(&x.Negotiation, r.ID, now)}, nil
}

// onProposalRejected takes the refusal of a Proposal of ours.
func (s *Service) onProposalRejected(ctx context.Context, from gsb.Peer, role golem.Role, m wire.ProposalRejected) (gsb.Unit, error) {
	if m.Initial && role == golem.Provider {
		return gsb.Unit{}, nil // a match this side does not know of
	}
	x, err := s.ofNegotiation(ctx, from, role, m.Proposal)
	if err != nil {
		return gsb.Unit{}, err
	}
	switch {
	case x.Issuer == golem.Them:
		return gsb.Unit{}, &wire.Refusal{Why: wire.WhyOwnProposal, ID: string(m.Proposal)}
	case x.State == golem.ProposalRejected:
		return gsb.Unit{}, nil
	}
	if _, err := x.State.Next(golem.ProposalReject); err != nil {
		return gsb.Unit{}, &wire.Refusal{Why: wire.WhyUnexpected, ID: string(m.Proposal), Text: "Proposal is " + string(x.State)}
	}
	now := s.now()
	e := &Event{
		Subscription: x.Negotiation.Subscription, Kind: EventRejection, Rank: RankDecision,
		Peer: from.Node, Proposal: x.ID, Reason: m.Reason, At: now,
	}
	if err := s.store.RejectProposal(ctx, x.ID, x.State, "", m.Reason, time.Time{}, e); err != nil {
		return gsb.Unit{}, err
	}
	s.trace.rejected(x.ID, golem.Them, m.Reason)
	s.collecting.Wake(x.Negotiation.Subscription)
	return gsb.Unit{}, nil
}
