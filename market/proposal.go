package market

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/wire"
)

// Proposal returns a Proposal of a negotiation about a subscription of an
// identity, or ErrNotFound.
func (s *Service) Proposal(ctx context.Context, who golem.NodeID, sub golem.SubscriptionID, id golem.ProposalID) (*Exchange, error) {
	x, err := s.store.Proposal(ctx, id)
	if err != nil && !errors.Is(err, golem.ErrNotFound) {
		return nil, err
	}
	// A stranger is told the same as somebody with a wrong id.
	if err != nil || x.Negotiation.Subscription != sub || x.owner() != who {
		return nil, golem.Errorf(golem.ErrNotFound, "Proposal [%s] not found (subscription [%s]).", id, sub)
	}
	return x, nil
}

// owner returns the party that is of this node.
func (x *Exchange) owner() golem.NodeID { return x.Negotiation.Party(x.Negotiation.Role) }

// peer returns the other party.
func (x *Exchange) peer() golem.NodeID { return x.Negotiation.Party(x.Negotiation.Role.Other()) }

// IssuerID returns the node whose statement the Proposal is.
func (x *Exchange) IssuerID() golem.NodeID {
	if x.Issuer == golem.Us {
		return x.owner()
	}
	return x.peer()
}

// Counter answers a Proposal with another one and returns its id when the other
// party has it. It returns ErrInvalid for a Proposal of the caller's own, for
// one that does not match and for a subscription that was withdrawn; ErrExpired
// where there is an answer already; the kind of the other party's refusal; and
// ErrUnavailable where it cannot be reached. After an error the Proposal may be
// countered again.
func (s *Service) Counter(ctx context.Context, who golem.NodeID, sub golem.SubscriptionID, prev golem.ProposalID, p Publication) (golem.ProposalID, error) {
	if err := s.enter(ctx); err != nil {
		return "", err
	}
	flat, party, err := s.compile(p.Properties, p.Constraints)
	if err != nil {
		return "", err
	}
	// A repetition is due to somebody else's answer at the same time, or to a
	// creation time that gives an id which exists.
	const tries = 4
	for try := range tries {
		x, err := s.Proposal(ctx, who, sub, prev)
		if err != nil {
			return "", err
		}
		c, err := s.counter(x, flat, p.Constraints, party, try)
		if err != nil {
			return "", err
		}
		err = s.store.Counter(ctx, c)
		if errors.Is(err, golem.ErrConflict) {
			continue
		}
		if err != nil {
			return "", err
		}
		s.trace.proposal(&c.Proposal, &x.Negotiation)
		return c.Proposal.ID, s.tellCounter(ctx, &x.Negotiation, x, &c.Proposal)
	}
	return "", golem.Errorf(golem.ErrConflict, "Proposal [%s] is being changed", prev)
}

// counter decides whether x may be countered and returns what to store.
func (s *Service) counter(x *Exchange, flat, constraints string, party property.Party, try int) (Counter, error) {
	now := s.now()
	reopened, err := s.counterable(x, now)
	if err != nil {
		return Counter{}, err
	}
	if err := s.matches(x, party); err != nil {
		return Counter{}, err
	}
	n := &x.Negotiation
	created := s.stamp(n.Role, string(x.ID), try)
	return Counter{
		Proposal: golem.Proposal{
			ID: golem.NewProposalID(n.Role, n.Offer, n.Demand, created), Prev: x.ID, Issuer: golem.Us, Negotiation: n.ID,
			Properties: flat, Constraints: constraints, State: golem.ProposalDraft, Created: created, Expires: x.Expires,
		},
		Prev: x.State, Reopened: reopened, Telling: TellCounter, Due: now.Add(s.cfg.TellTimeout),
	}, nil
}

// counterable decides whether x may be countered by us now, whatever is said,
// and returns the state it then gets.
func (s *Service) counterable(x *Exchange, now time.Time) (golem.ProposalState, error) {
	if x.Issuer == golem.Us {
		return "", &wire.Refusal{Why: wire.WhyOwnProposal, ID: string(x.ID)}
	}
	return s.answerable(x, now)
}

// answerable decides whether x may be countered by anybody.
func (s *Service) answerable(x *Exchange, now time.Time) (golem.ProposalState, error) {
	if x.Next != "" {
		return "", &wire.Refusal{Why: wire.WhyAlreadyCountered, ID: string(x.ID)}
	}
	if _, err := s.board.offer(x.Negotiation.Offer, now); err != nil {
		return "", err
	}
	if x.Negotiation.Role == golem.Requestor {
		if _, err := s.board.demand(x.Negotiation.Demand, now); err != nil {
			return "", err
		}
	}
	return x.Proposal.Countered()
}

// matches decides whether a new Proposal matches the one it counters.
func (s *Service) matches(x *Exchange, party property.Party) error {
	prev, err := property.ParseParty(x.Properties, x.Constraints)
	if err != nil {
		return golem.Errorf(golem.ErrInvalid, "Proposal [%s]: %w", x.ID, err)
	}
	demand, offer := party, prev
	if (x.Negotiation.Role == golem.Provider) == (x.Issuer == golem.Them) {
		demand, offer = prev, party
	}
	return mismatch(x.ID, demand, offer)
}

// mismatch returns nil where a Demand and an Offer match, or a refusal that says
// why they do not, beginning as upstream's does.
func mismatch(prev golem.ProposalID, demand, offer property.Party) error {
	m := property.Compare(demand, offer)
	if m.Verdict == property.Yes {
		return nil
	}
	const most = 2000
	text := "Mismatched constraints - Offer: [" + strings.Join(m.Offer, ", ") + "], Demand: [" + strings.Join(m.Demand, ", ") + "]. " +
		strings.Join(property.Explain(demand, offer).Reasons(), "; ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return &wire.Refusal{Why: wire.WhyNotMatching, ID: string(prev), Text: text}
}

// tellCounter sends a counter-proposal of ours and applies the answer.
func (s *Service) tellCounter(ctx context.Context, n *golem.Negotiation, prev *Exchange, p *golem.Proposal) error {
	err := s.insist(ctx, func(ctx context.Context) error { return s.sendCounter(ctx, n, prev, p) })
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // the courier goes on
	}
	return s.counterTold(context.WithoutCancel(ctx), p.ID, err)
}

// sendCounter sends a counter-proposal of ours once.
func (s *Service) sendCounter(ctx context.Context, n *golem.Negotiation, prev *Exchange, p *golem.Proposal) error {
	content := wire.ProposalContent{ID: p.ID, Properties: p.Properties, Constraints: p.Constraints, Created: p.Created, Expires: p.Expires}
	from, to := n.Party(n.Role), n.Party(n.Role.Other())
	var err error
	switch {
	case n.Role == golem.Provider:
		_, err = wire.CounterToRequestor.Call(ctx, s.cfg.Bus, from, to, wire.ProposalReceived{Prev: prev.ID, Proposal: content})
	case prev.Prev == "":
		_, err = wire.InitialProposal.Call(ctx, s.cfg.Bus, from, to, wire.InitialProposalReceived{Proposal: content, Offer: n.Offer, Demand: n.Demand})
	default:
		_, err = wire.CounterToProvider.Call(ctx, s.cfg.Bus, from, to, wire.ProposalReceived{Prev: prev.ID, Proposal: content})
	}
	return err
}

// counterTold applies the answer to a counter-proposal of ours: one that was not
// taken is removed, so that its predecessor can be countered again. An answer
// by a Proposal shows that it was taken, whatever was lost.
func (s *Service) counterTold(ctx context.Context, id golem.ProposalID, failure error) error {
	if failure == nil {
		return s.store.Told(ctx, id, TellCounter)
	}
	err := s.store.Retract(ctx, id)
	if errors.Is(err, golem.ErrConflict) {
		return nil
	}
	return errors.Join(failure, err)
}

// Reject refuses a Proposal of the other party. Only the caller may reopen it,
// by countering it. The other party is told until it knows.
func (s *Service) Reject(ctx context.Context, who golem.NodeID, sub golem.SubscriptionID, id golem.ProposalID, reason *golem.Reason) error {
	x, err := s.Proposal(ctx, who, sub, id)
	if err != nil {
		return err
	}
	switch {
	case x.Issuer == golem.Us:
		return &wire.Refusal{Why: wire.WhyOwnProposal, ID: string(id)}
	case x.State == golem.ProposalRejected:
		return nil
	}
	if _, err := x.State.Next(golem.ProposalReject); err != nil {
		return err
	}
	telling := TellRejection
	if x.Prev == "" {
		telling = "" // the Provider does not know of the match
	}
	now := s.now()
	if err := s.store.RejectProposal(ctx, id, x.State, telling, reason, now.Add(s.cfg.CallTimeout), nil); err != nil {
		return err
	}
	s.trace.rejected(id, golem.Us, reason)
	if telling == "" {
		return nil
	}
	e := Errand{Telling: telling, Proposal: id, Role: x.Negotiation.Role, Peer: x.peer(), Since: now}
	s.trace.background("tell", s.run(ctx, &e))
	return nil
}

// sendRejection tells the other party that its Proposal is rejected.
func (s *Service) sendRejection(ctx context.Context, x *Exchange) error {
	reason, err := s.store.Rejection(ctx, x.ID)
	if err != nil {
		return err
	}
	method := wire.RejectionToProvider
	if x.Negotiation.Role == golem.Provider {
		method = wire.RejectionToRequestor
	}
	_, err = method.Call(ctx, s.cfg.Bus, x.owner(), x.peer(), wire.ProposalRejected{Proposal: x.ID, Reason: reason})
	return err
}
