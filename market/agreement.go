package market

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/longpoll"
	"github.com/golem-go/golem/wire"
)

// Agreement returns an Agreement of which who, an identity of this node, is a
// party; ErrNotFound otherwise.
func (s *Service) Agreement(ctx context.Context, who golem.NodeID, id golem.AgreementID) (*golem.Agreement, error) {
	h, err := s.handshake(ctx, who, id)
	if err != nil {
		return nil, err
	}
	return &h.Agreement, nil
}

// handshake returns who's side of an Agreement, as time has left it.
func (s *Service) handshake(ctx context.Context, who golem.NodeID, id golem.AgreementID) (*Handshake, error) {
	for _, role := range []golem.Role{golem.Requestor, golem.Provider} {
		h, err := s.current(ctx, role, id)
		if err == nil && h.Owner() == who {
			return h, nil
		}
		if err != nil && !errors.Is(err, golem.ErrNotFound) {
			return nil, err
		}
	}
	return nil, noAgreement(id)
}

func noAgreement(id golem.AgreementID) error {
	return golem.Errorf(golem.ErrNotFound, "Agreement [%s] not found.", id)
}

// current returns an Agreement as time has left it.
func (s *Service) current(ctx context.Context, role golem.Role, id golem.AgreementID) (*Handshake, error) {
	return s.change(ctx, role, id, func(*Handshake, time.Time) error { return nil })
}

// change makes a step of an Agreement: it loads it, lets time and then decide
// move it, commits the outcome and tells whoever waits for it. When somebody
// else was faster it starts over. What time has done is kept even if decide
// refuses.
func (s *Service) change(ctx context.Context, role golem.Role, id golem.AgreementID, decide func(h *Handshake, now time.Time) error) (*Handshake, error) {
	for try := 0; ; try++ {
		h, err := s.store.Handshake(ctx, role, id)
		if errors.Is(err, golem.ErrNotFound) {
			return nil, noAgreement(id)
		}
		if err != nil {
			return nil, err
		}
		now := s.now()
		before := *h
		for h.age(now) {
		}
		aged := *h
		refused := decide(h, now)
		if refused != nil {
			h = &aged
		}
		if h.same(&before) {
			return h, refused
		}
		err = s.commit(ctx, h, before.State, now, try)
		if errors.Is(err, golem.ErrConflict) && ctx.Err() == nil {
			continue
		}
		return h, errors.Join(refused, err)
	}
}

// commit stores a step and tells whoever waits for it.
func (s *Service) commit(ctx context.Context, h *Handshake, from golem.AgreementState, now time.Time, try int) error {
	c := Change{Handshake: h, News: h.news, Owner: h.Owner(), Now: now}
	terminated := slices.ContainsFunc(h.news, isType(golem.AgreementTerminatedEvent))
	if terminated && h.Role == golem.Requestor {
		c.Fresh = s.rematch(&h.Agreement, try)
	}
	if h.Telling != "" && h.Due.IsZero() {
		h.Due = s.firstDue(h.Telling, now)
	}
	if err := s.store.Change(ctx, c); err != nil {
		return err
	}
	h.Revision++
	s.trace.agreement(h, from)
	s.handshakes.Wake(handshakeKey{h.Role, h.ID})
	if len(h.news) > 0 {
		s.following.Wake(h.Owner())
	}
	if c.Fresh != nil {
		s.collecting.Wake(h.Demand.ID)
	}
	if h.Telling != "" && !h.Due.After(now) {
		s.courier.bell.ring()
	}
	if s.cfg.OnApproved != nil && slices.ContainsFunc(h.news, isType(golem.AgreementApprovedEvent)) {
		s.cfg.OnApproved(&h.Agreement)
	}
	if s.cfg.OnTerminated != nil && terminated {
		s.cfg.OnTerminated(&h.Agreement)
	}
	return nil
}

func isType(t golem.AgreementEventType) func(AgreementEvent) bool {
	return func(e AgreementEvent) bool { return e.Type == t }
}

// firstDue returns when the courier tells something for the first time: at once,
// or after the agent's own call has had its time.
func (s *Service) firstDue(t Telling, now time.Time) time.Time {
	switch t {
	case TellCommit, TellTerminate:
		return now
	case TellConfirm:
		return now.Add(s.cfg.TellTimeout)
	}
	return now.Add(s.cfg.CallTimeout)
}

// owned makes decide fail for everybody but the owner of the Agreement.
func owned(who golem.NodeID, decide func(h *Handshake, now time.Time) error) func(h *Handshake, now time.Time) error {
	return func(h *Handshake, now time.Time) error {
		if h.Owner() != who {
			return noAgreement(h.ID)
		}
		return decide(h, now)
	}
}

// ProposeAgreement makes the Provider's last Proposal an Agreement, which the
// Provider does not know of before [Service.Confirm]. validTo is when the
// handshake must be finished.
func (s *Service) ProposeAgreement(ctx context.Context, who golem.NodeID, id golem.ProposalID, validTo time.Time) (golem.AgreementID, error) {
	const tries = 4
	for try := range tries {
		h, err := s.draft(ctx, who, id, validTo, try)
		if err != nil {
			return "", err
		}
		err = s.store.Propose(ctx, h)
		if errors.Is(err, golem.ErrConflict) {
			continue
		}
		if err == nil {
			s.trace.agreement(h, "")
		}
		return h.ID, err
	}
	return "", golem.Errorf(golem.ErrConflict, "Proposal [%s] is being changed", id)
}

// draft decides whether a Proposal may become an Agreement, and returns it.
func (s *Service) draft(ctx context.Context, who golem.NodeID, id golem.ProposalID, validTo time.Time, try int) (*Handshake, error) {
	x, err := s.store.Proposal(ctx, id)
	if err != nil && !errors.Is(err, golem.ErrNotFound) {
		return nil, err
	}
	if err != nil || x.Negotiation.Role != golem.Requestor || x.owner() != who {
		return nil, golem.Errorf(golem.ErrNotFound, "Proposal [%s] not found.", id)
	}
	switch {
	case x.Issuer == golem.Us:
		return nil, &wire.Refusal{Why: wire.WhyOwnProposal, ID: string(id)}
	case x.Prev == "" || x.State == golem.ProposalInitial:
		return nil, golem.Errorf(golem.ErrInvalid, "Proposal [%s] was not negotiated: counter it first.", id)
	case x.State == golem.ProposalAccepted:
		return nil, golem.Errorf(golem.ErrConflict, "Proposal [%s] is an Agreement already.", id)
	case x.State != golem.ProposalDraft:
		return nil, golem.Errorf(golem.ErrInvalid, "Proposal [%s] is %s.", id, x.State)
	case x.Next != "":
		return nil, golem.Errorf(golem.ErrInvalid, "Proposal [%s] was countered by [%s].", id, x.Next)
	}
	if validTo.Year() > 9999 || validTo.Year() < 1970 {
		return nil, golem.Errorf(golem.ErrInvalid, "validTo %v is no date", validTo)
	}
	prev, err := s.store.Proposal(ctx, x.Prev)
	if err != nil {
		return nil, err
	}
	return newHandshake(golem.Requestor, x, prev, s.stamp(golem.Requestor, string(id), try), validTo.UTC()), nil
}

// newHandshake returns the Agreement that makes of x, the Provider's Proposal,
// and prev, the Requestor's.
func newHandshake(role golem.Role, x, prev *Exchange, created, validTo time.Time) *Handshake {
	n := &x.Negotiation
	h := &Handshake{Role: role}
	h.ID = golem.NewAgreementID(n.Offer, n.Demand, created)
	h.Offer.Subscription = golem.Subscription{ID: n.Offer, Node: n.Provider, Properties: x.Properties, Constraints: x.Constraints, Created: created}
	h.Demand.Subscription = golem.Subscription{ID: n.Demand, Node: n.Requestor, Properties: prev.Properties, Constraints: prev.Constraints, Created: created}
	h.OfferProposal, h.DemandProposal = x.ID, prev.ID
	h.State, h.Created, h.ValidTo = golem.AgreementProposal, created, validTo
	if role == golem.Provider {
		h.State = golem.AgreementPending
	}
	return h
}

// Confirm sends an Agreement to the Provider and returns when it has it. session
// marks the events of the Agreement for this agent. After ErrUnavailable, or a
// refusal of the Provider, it may be tried again.
func (s *Service) Confirm(ctx context.Context, who golem.NodeID, id golem.AgreementID, session string) error {
	h, err := s.change(ctx, golem.Requestor, id, owned(who, func(h *Handshake, now time.Time) (err error) {
		if err = h.confirm(session); err != nil {
			return err
		}
		h.Signatures.Proposed, err = s.sign(ctx, h, golem.StepProposed)
		return err
	}))
	if err != nil {
		return err
	}
	failure := s.insist(ctx, func(ctx context.Context) error { return s.sendHandshake(ctx, h) })
	if failure != nil && ctx.Err() != nil {
		return context.Cause(ctx) // the courier goes on
	}
	h, err = s.answer(context.WithoutCancel(ctx), &Errand{Telling: TellConfirm, ID: id, Role: golem.Requestor}, failure)
	if err == nil && h.State == golem.AgreementProposal {
		err = failure
	}
	return err
}

// Cancel takes an Agreement back that is not approved. It returns ErrUnavailable
// where the Provider cannot be reached; the intent stands and is told until the
// Provider has answered. It returns ErrExpired where the Provider was faster.
func (s *Service) Cancel(ctx context.Context, who golem.NodeID, id golem.AgreementID, reason *golem.Reason) error {
	h, err := s.change(ctx, golem.Requestor, id, owned(who, func(h *Handshake, now time.Time) error { return h.cancel(reason) }))
	if err != nil || h.Telling == "" {
		return err
	}
	return s.settle(ctx, h, golem.AgreementCancelled, "cancel")
}

// RejectAgreement refuses an Agreement that is not approved; see [Service.Cancel].
func (s *Service) RejectAgreement(ctx context.Context, who golem.NodeID, id golem.AgreementID, reason *golem.Reason) error {
	h, err := s.change(ctx, golem.Provider, id, owned(who, func(h *Handshake, now time.Time) error { return h.reject(reason) }))
	if err != nil {
		return err
	}
	return s.settle(ctx, h, golem.AgreementRejected, "reject")
}

// settle tells the other party what h means to become, and returns whether it
// became that.
func (s *Service) settle(ctx context.Context, h *Handshake, want golem.AgreementState, verb string) error {
	e := Errand{Telling: h.Telling, ID: h.ID, Role: h.Role, Peer: h.Peer(), Since: s.now()}
	if err := s.run(ctx, &e); err != nil {
		return err
	}
	h, err := s.current(context.WithoutCancel(ctx), h.Role, h.ID)
	switch {
	case err != nil || h.State == want:
		return err
	case h.Telling == e.Telling:
		return golem.Errorf(golem.ErrUnavailable, "node %s does not answer; it will be told to %s Agreement [%s] as soon as it does", e.Peer, verb, h.ID)
	}
	return h.refuse(verb)
}

// Approve agrees to an Agreement as its Provider and waits until the Requestor
// has committed itself, at most timeout. It returns ErrTimeout where that did
// not happen, after which the Agreement may be approved again; ErrExpired where
// it was cancelled or its time has passed.
func (s *Service) Approve(ctx context.Context, who golem.NodeID, id golem.AgreementID, session string, timeout time.Duration) error {
	h, err := s.change(ctx, golem.Provider, id, owned(who, func(h *Handshake, now time.Time) (err error) {
		if err = h.approve(session, now, now.Add(timeout)); err != nil {
			return err
		}
		h.Signatures.Approved, err = s.sign(ctx, h, golem.StepApproved)
		return err
	}))
	if err != nil {
		return err
	}
	if h, err = s.awaitCommitment(ctx, h); err != nil {
		return err
	}
	switch h.State {
	case golem.AgreementApproved, golem.AgreementTerminated:
		return nil
	case golem.AgreementPending:
		return golem.Errorf(golem.ErrTimeout, "Timeout while approving Agreement [%s]: the requestor did not confirm.", id)
	}
	return golem.Errorf(golem.ErrExpired, "%s", h.State)
}

// awaitCommitment sends an approval until the Requestor answers, and waits until
// that has changed the Agreement or its deadline has passed.
func (s *Service) awaitCommitment(ctx context.Context, h *Handshake) (*Handshake, error) {
	waiting, cancel := context.WithDeadline(ctx, h.Deadline)
	defer cancel()
	at := h.Approved
	for told := false; waiting.Err() == nil; {
		if !told {
			err := s.once(waiting, func(ctx context.Context) error { return s.sendApproval(ctx, h) })
			if r := refusal(err); r != nil {
				return s.change(ctx, h.Role, h.ID, func(h *Handshake, _ time.Time) error { return h.approvalRefused(at, r) })
			}
			told = err == nil
		}
		if s.awaitChange(waiting, h, told) {
			break
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // time reverts it
	}
	return s.change(ctx, h.Role, h.ID, func(h *Handshake, now time.Time) error {
		if now.Before(h.Deadline) || !h.Approved.Equal(at) {
			return nil
		}
		return h.revert()
	})
}

// awaitChange waits until the Agreement is not Approving any more, and reports
// whether that is so. Where it was not told it waits only until that is tried again.
func (s *Service) awaitChange(ctx context.Context, h *Handshake, told bool) bool {
	if !told {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, tellAgain)
		defer cancel()
	}
	_, changed, err := longpoll.Wait(ctx, &s.handshakes, handshakeKey{h.Role, h.ID}, func(ctx context.Context) (struct{}, bool, error) {
		h, err := s.store.Handshake(context.WithoutCancel(ctx), h.Role, h.ID)
		return struct{}{}, err == nil && h.State != golem.AgreementApproving, err
	})
	return changed || err != nil
}

// sendApproval tells the Requestor that the Provider agrees.
func (s *Service) sendApproval(ctx context.Context, h *Handshake) error {
	_, err := wire.ApproveAgreement.Call(ctx, s.cfg.Bus, h.Owner(), h.Peer(), wire.AgreementApproved{
		Agreement: h.ID.For(golem.Provider), Signature: h.Signatures.Approved, At: h.Approved,
	})
	return err
}

// sendHandshake tells the other party what h.Telling says.
func (s *Service) sendHandshake(ctx context.Context, h *Handshake) (err error) {
	id, now := h.ID.For(h.Role), s.now()
	bus, from, to := s.cfg.Bus, h.Owner(), h.Peer()
	switch h.Telling {
	case TellConfirm:
		_, err = wire.ProposeAgreement.Call(ctx, bus, from, to, wire.AgreementReceived{
			Proposal: h.OfferProposal, Agreement: id, Created: h.Created, ValidTo: h.ValidTo, Signature: h.Signatures.Proposed,
		})
	case TellCommit:
		_, err = wire.CommitAgreement.Call(ctx, bus, from, to, wire.AgreementCommitted{Agreement: id, Signature: h.Signatures.Committed})
	case TellCancel:
		_, err = wire.CancelAgreement.Call(ctx, bus, from, to, wire.AgreementCancelled{Agreement: id, Reason: h.Reason, At: now})
	case TellReject:
		_, err = wire.RejectAgreement.Call(ctx, bus, from, to, wire.AgreementRejected{Agreement: id, Reason: h.Reason, At: now})
	case TellTerminate:
		method := wire.TerminateToProvider
		if h.Role == golem.Provider {
			method = wire.TerminateToRequestor
		}
		// Upstream gives this one message the letter of the receiver.
		_, err = method.Call(ctx, bus, from, to, wire.AgreementTerminated{
			Agreement: h.ID.For(h.Role.Other()), Reason: h.Reason, Signature: "NotSigned", At: now,
		})
	}
	return err
}

// answer applies the other party's answer to an errand.
func (s *Service) answer(ctx context.Context, e *Errand, answer error) (*Handshake, error) {
	r := refusal(answer)
	return s.change(ctx, e.Role, e.ID, func(h *Handshake, _ time.Time) error {
		switch e.Telling {
		case TellConfirm:
			return h.confirmed(answer)
		case TellCommit:
			return h.committed(e.approved, r)
		case TellCancel:
			return h.cancelled(r)
		case TellReject:
			return h.rejected(r)
		}
		return h.terminated()
	})
}

// WaitForApproval waits as the Requestor until the Provider has decided. It
// returns nil once the Agreement is approved; ErrExpired with the state as text
// when it never will be; ErrInvalid when it was not confirmed or is over; and
// ErrTimeout when ctx ends first.
func (s *Service) WaitForApproval(ctx context.Context, who golem.NodeID, id golem.AgreementID) error {
	h, decided, err := longpoll.Wait(ctx, &s.handshakes, handshakeKey{golem.Requestor, id}, func(ctx context.Context) (*Handshake, bool, error) {
		h, err := s.change(context.WithoutCancel(ctx), golem.Requestor, id, owned(who, func(*Handshake, time.Time) error { return nil }))
		return h, err == nil && h.State.Public() != golem.AgreementPending, err
	})
	switch {
	case err != nil:
		return err
	case !decided:
		return golem.Errorf(golem.ErrTimeout, "Timeout while waiting for Agreement [%s] approval.", id)
	case h.State == golem.AgreementApproved:
		return nil
	case h.State == golem.AgreementProposal, h.State == golem.AgreementTerminated:
		return golem.Errorf(golem.ErrInvalid, "Agreement [%s] is in state %s: nobody will approve it.", id, h.State)
	}
	return golem.Errorf(golem.ErrExpired, "%s", h.State)
}

// Terminate ends an approved Agreement. It returns once that is stored; the
// other party is told until it knows.
func (s *Service) Terminate(ctx context.Context, who golem.NodeID, id golem.AgreementID, reason *golem.Reason) error {
	h, err := s.handshake(ctx, who, id)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, h.Role, id, func(h *Handshake, _ time.Time) error { return h.terminate(reason) })
	return err
}

// Termination returns how an Agreement has ended: ErrInvalid where it has not.
func (s *Service) Termination(ctx context.Context, who golem.NodeID, id golem.AgreementID) (*AgreementEvent, error) {
	h, err := s.handshake(ctx, who, id)
	if err != nil {
		return nil, err
	}
	e, err := s.store.Termination(ctx, h.Role, id)
	if errors.Is(err, golem.ErrNotFound) {
		return nil, golem.Errorf(golem.ErrInvalid, "Agreement [%s] is in state %s, not terminated.", id, h.State.Public())
	}
	return e, err
}

// Agreements lists Agreements with the role of this node, oldest first.
func (s *Service) Agreements(ctx context.Context, q AgreementQuery) ([]AgreementEntry, error) {
	if err := s.expireAgreements(ctx, s.now()); err != nil {
		return nil, err
	}
	return s.store.Agreements(ctx, q)
}

// AgreementEvents waits for events later than q.After, until there is one or ctx
// ends, and returns at most q.Max, oldest first. Reading does not remove them.
func (s *Service) AgreementEvents(ctx context.Context, q EventQuery) ([]AgreementEvent, error) {
	es, _, err := longpoll.Wait(ctx, &s.following, q.Owner, func(ctx context.Context) ([]AgreementEvent, bool, error) {
		es, err := s.store.AgreementEvents(context.WithoutCancel(ctx), q)
		return es, len(es) > 0, err
	})
	return es, err
}

// expireAgreements moves on what time alone moves.
func (s *Service) expireAgreements(ctx context.Context, now time.Time) error {
	const batch = 200
	for {
		hs, err := s.store.Overdue(ctx, now, batch)
		if err != nil || len(hs) == 0 {
			return err
		}
		for _, h := range hs {
			if _, err := s.current(ctx, h.Role, h.ID); err != nil {
				return err
			}
		}
		if len(hs) < batch {
			return nil
		}
	}
}
