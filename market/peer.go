package market

import (
	"context"
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/wire"
)

// bind makes the market answer its messages. release undoes what was done, also
// after an error.
func (s *Service) bind() (release func(), err error) {
	var releases []func()
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	add := func(r func(), e error) {
		if e != nil {
			err = errors.Join(err, e)
			return
		}
		releases = append(releases, r)
	}
	add(answer(s, wire.RetrieveOffers, s.onRetrieve))
	add(answer(s, wire.QueryOffers, s.onQuery))

	add(answer(s, wire.InitialProposal, s.onInitialProposal))
	add(answer(s, wire.CounterToProvider, as(golem.Provider, s.onProposal)))
	add(answer(s, wire.CounterToRequestor, as(golem.Requestor, s.onProposal)))
	add(answer(s, wire.RejectionToProvider, as(golem.Provider, s.onProposalRejected)))
	add(answer(s, wire.RejectionToRequestor, as(golem.Requestor, s.onProposalRejected)))

	add(answer(s, wire.ProposeAgreement, s.onAgreementReceived))
	add(answer(s, wire.CancelAgreement, s.onAgreementCancelled))
	add(answer(s, wire.CommitAgreement, s.onAgreementCommitted))
	add(answer(s, wire.ApproveAgreement, s.onAgreementApproved))
	add(answer(s, wire.RejectAgreement, s.onAgreementRejected))
	add(answer(s, wire.TerminateToProvider, as(golem.Provider, s.onAgreementTerminated)))
	add(answer(s, wire.TerminateToRequestor, as(golem.Requestor, s.onAgreementTerminated)))

	add(answer(s, wire.GetAgreement, s.onGetAgreement))
	add(answer(s, wire.ListAgreements, s.onListAgreements))
	add(answer(s, wire.LastBroadcast, s.onLastBroadcast))

	releases = append(releases,
		wire.OffersBroadcast.Subscribe(s.cfg.Bus, s.onOffers),
		wire.WithdrawalsBroadcast.Subscribe(s.cfg.Bus, s.onWithdrawals),
		wire.NewNeighbour.Subscribe(s.cfg.Bus, s.onNewNeighbour),
	)
	return release, err
}

// answer binds f to a method, for peers this node deals with.
func answer[Req, Resp any](s *Service, m gsb.Method[Req, Resp], f func(context.Context, gsb.Peer, Req) (Resp, error)) (func(), error) {
	return m.Handle(s.cfg.Bus, func(ctx context.Context, from gsb.Peer, req Req) (resp Resp, err error) {
		if s.cfg.ProvenOnly && from.Trust == p2p.TrustClaim {
			err = golem.Errorf(golem.ErrForbidden, "the identity of %s is not proven", from.Node)
		} else {
			resp, err = f(ctx, from, req)
		}
		if err != nil {
			s.trace.refused(from.Node, m.Name, err)
		}
		return resp, err
	})
}

// as gives a handler the role this node has in the message.
func as[Req any](role golem.Role, f func(context.Context, gsb.Peer, golem.Role, Req) (gsb.Unit, error)) func(context.Context, gsb.Peer, Req) (gsb.Unit, error) {
	return func(ctx context.Context, from gsb.Peer, req Req) (gsb.Unit, error) { return f(ctx, from, role, req) }
}

// ofPeer makes a step of an Agreement on behalf of its other party. To anybody
// else the Agreement does not exist.
func (s *Service) ofPeer(ctx context.Context, from gsb.Peer, role golem.Role, id golem.ProposalID, decide func(h *Handshake) error) (gsb.Unit, error) {
	missing := &wire.Refusal{Why: wire.WhyNotFound, ID: string(id)}
	agreement, err := golem.ParseAgreementID(string(id))
	if err != nil {
		return gsb.Unit{}, missing
	}
	_, err = s.change(ctx, role, agreement, func(h *Handshake, _ time.Time) error {
		if h.Peer() != from.Node {
			return missing
		}
		return decide(h)
	})
	if refusal(err) == nil && errors.Is(err, golem.ErrNotFound) {
		err = missing
	}
	return gsb.Unit{}, err
}

func (s *Service) onAgreementApproved(ctx context.Context, from gsb.Peer, m wire.AgreementApproved) (gsb.Unit, error) {
	return s.ofPeer(ctx, from, golem.Requestor, m.Agreement, func(h *Handshake) error {
		again, err := h.onApproved(m.At.UTC(), m.Signature)
		if again || err != nil {
			return err
		}
		if h.Signatures.Approved, err = s.verify(ctx, h, golem.StepApproved, m.Signature); err != nil {
			return err
		}
		h.Signatures.Committed, err = s.sign(ctx, h, golem.StepCommitted)
		return err
	})
}

func (s *Service) onAgreementCommitted(ctx context.Context, from gsb.Peer, m wire.AgreementCommitted) (gsb.Unit, error) {
	return s.ofPeer(ctx, from, golem.Provider, m.Agreement, func(h *Handshake) error {
		again, err := h.onCommitted(m.Signature)
		if again || err != nil {
			return err
		}
		h.Signatures.Committed, err = s.verify(ctx, h, golem.StepCommitted, m.Signature)
		return err
	})
}

func (s *Service) onAgreementRejected(ctx context.Context, from gsb.Peer, m wire.AgreementRejected) (gsb.Unit, error) {
	return s.ofPeer(ctx, from, golem.Requestor, m.Agreement, func(h *Handshake) error { return h.onRejected(m.Reason) })
}

func (s *Service) onAgreementCancelled(ctx context.Context, from gsb.Peer, m wire.AgreementCancelled) (gsb.Unit, error) {
	return s.ofPeer(ctx, from, golem.Provider, m.Agreement, func(h *Handshake) error { return h.onCancelled(m.Reason) })
}

func (s *Service) onAgreementTerminated(ctx context.Context, from gsb.Peer, role golem.Role, m wire.AgreementTerminated) (gsb.Unit, error) {
	return s.ofPeer(ctx, from, role, m.Agreement, func(h *Handshake) error { return h.onTerminated(m.Reason) })
}

// onAgreementReceived takes an Agreement a Requestor proposes. Taking it twice
// is taking it once.
func (s *Service) onAgreementReceived(ctx context.Context, from gsb.Peer, m wire.AgreementReceived) (gsb.Unit, error) {
	const tries = 3
	for range tries {
		known, err := s.knownAgreement(ctx, from, m)
		if known || err != nil {
			return gsb.Unit{}, err
		}
		h, err := s.receiveAgreement(ctx, from, m)
		if err != nil {
			return gsb.Unit{}, err
		}
		e := Event{Subscription: h.Offer.ID, Kind: EventAgreement, Rank: RankDecision, Peer: from.Node, Agreement: h.ID, At: s.now()}
		err = s.store.ReceiveAgreement(ctx, h, e)
		if errors.Is(err, golem.ErrConflict) {
			continue
		}
		if err == nil {
			s.trace.agreement(h, "")
			s.collecting.Wake(h.Offer.ID)
		}
		return gsb.Unit{}, err
	}
	return gsb.Unit{}, golem.Errorf(golem.ErrConflict, "Proposal [%s] is being changed", m.Proposal)
}

// knownAgreement reports whether a proposed Agreement is here already, as it is
// proposed and not refused since.
func (s *Service) knownAgreement(ctx context.Context, from gsb.Peer, m wire.AgreementReceived) (bool, error) {
	id, err := golem.ParseAgreementID(string(m.Agreement))
	if err != nil {
		return false, &wire.Refusal{Why: wire.WhyInvalidID, ID: string(m.Agreement)}
	}
	h, err := s.current(ctx, golem.Provider, id)
	if errors.Is(err, golem.ErrNotFound) {
		return false, nil
	}
	switch {
	case err != nil:
		return false, err
	case h.Peer() != from.Node || h.OfferProposal != m.Proposal.For(golem.Provider) || !h.ValidTo.Equal(m.ValidTo):
		return false, &wire.Refusal{Why: wire.WhyInvalidID, ID: string(m.Agreement)}
	case h.State == golem.AgreementPending, h.State == golem.AgreementApproving, h.State == golem.AgreementApproved:
		return true, nil
	}
	return false, &wire.Refusal{Why: wire.WhyUnexpected, ID: string(m.Agreement), Text: "Agreement is " + string(h.State)}
}

// receiveAgreement decides whether a proposed Agreement is taken, and returns it.
func (s *Service) receiveAgreement(ctx context.Context, from gsb.Peer, m wire.AgreementReceived) (*Handshake, error) {
	x, err := s.ofNegotiation(ctx, from, golem.Provider, m.Proposal)
	if err != nil {
		return nil, err
	}
	refuse := func(why wire.Why, text string) error {
		return &wire.Refusal{Why: why, ID: string(m.Proposal), Text: text}
	}
	now := s.now()
	switch {
	case x.Issuer == golem.Them:
		return nil, refuse(wire.WhyOwnProposal, "")
	case x.Prev == "":
		return nil, refuse(wire.WhyNoNegotiations, "")
	case x.State != golem.ProposalDraft:
		return nil, refuse(wire.WhyUnexpected, "Proposal is "+string(x.State))
	case x.Next != "":
		return nil, refuse(wire.WhyAlreadyCountered, "")
	case !m.ValidTo.After(now):
		return nil, refuse(wire.WhyUnexpected, "Agreement expired.")
	}
	if _, err := s.board.offer(x.Negotiation.Offer, now); err != nil {
		return nil, refuse(wire.WhyUnexpected, err.Error())
	}
	prev, err := s.store.Proposal(ctx, x.Prev)
	if err != nil {
		return nil, err
	}
	h := newHandshake(golem.Provider, x, prev, m.Created.UTC(), m.ValidTo.UTC())
	if h.ID.For(golem.Provider) != m.Agreement.For(golem.Provider) {
		return nil, &wire.Refusal{Why: wire.WhyInvalidID, ID: string(m.Agreement)}
	}
	h.Signatures.Proposed, err = s.verify(ctx, h, golem.StepProposed, m.Signature)
	return h, err
}

// onGetAgreement answers services of this node, and the other party.
func (s *Service) onGetAgreement(ctx context.Context, from gsb.Peer, q wire.AgreementQuery) (a golem.Agreement, err error) {
	id, err := golem.ParseAgreementID(q.Agreement)
	if err != nil {
		return a, err
	}
	if q.Role != golem.Requestor && q.Role != golem.Provider {
		return a, golem.Errorf(golem.ErrInvalid, "role %q: want Requestor or Provider", q.Role)
	}
	h, err := s.current(ctx, q.Role, id)
	if err != nil {
		return a, err
	}
	if _, err := h.RoleOf(from.Node); err != nil && !from.Local() {
		return a, noAgreement(id)
	}
	a = h.Agreement
	if !from.Local() && h.Owner() != from.Node {
		a.Session = "" // concerns our agent alone
	}
	return a, nil
}

// onListAgreements answers services of this node with all Agreements, and others
// with theirs.
func (s *Service) onListAgreements(ctx context.Context, from gsb.Peer, q wire.AgreementsQuery) ([]wire.AgreementEntry, error) {
	var query AgreementQuery
	if !from.Local() {
		query.Peer = from.Node
	}
	if q.State != nil {
		query.State = *q.State
	}
	if q.Before != nil {
		query.Before = *q.Before
	}
	if q.After != nil {
		query.After = *q.After
	}
	if q.Session != nil {
		query.Session = *q.Session
	}
	entries, err := s.Agreements(ctx, query)
	if entries == nil {
		entries = []wire.AgreementEntry{}
	}
	return entries, err
}

func (s *Service) onLastBroadcast(context.Context, gsb.Peer, struct{}) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heardAt, nil
}
