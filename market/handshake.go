package market

import (
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// Handshake is an Agreement and where its handshake stands on this node.
//
// Its methods are the decisions of the protocol: they compute what an Agreement
// becomes when something happens, and touch nothing else. The Provider's node
// is where an Agreement is concluded. Each side records what it means to do,
// tells the other until that answers, and adopts the answer:
//
//   - the Requestor's cancellation and the Provider's rejection wait, as an
//     intent, for the other's word; of two intents that cross the Provider's wins;
//   - a Requestor who confirmed an approval waits for the Provider's word, and
//     nothing else moves it;
//   - while something is being told an Agreement does not expire by itself.
type Handshake struct {
	golem.Agreement
	Role     golem.Role
	Telling  Telling       // what the other party has not acknowledged
	Reason   *golem.Reason // that goes with it
	Due      time.Time     // when to tell it again
	Attempts int
	Deadline time.Time // Provider, Approving: until when the commitment is awaited
	Revision int       // counts the changes

	news []AgreementEvent // of the step being decided
}

// Peer returns the other party.
func (h *Handshake) Peer() golem.NodeID { return h.Party(h.Role.Other()) }

// Owner returns the party that is of this node.
func (h *Handshake) Owner() golem.NodeID { return h.Party(h.Role) }

// same reports whether a step has changed nothing.
func (h *Handshake) same(before *Handshake) bool {
	return h.State == before.State && h.Telling == before.Telling && h.Approved.Equal(before.Approved)
}

// move takes the step of the state machine that e stands for.
func (h *Handshake) move(e golem.AgreementEvent) error {
	next, err := h.State.Next(e)
	if err != nil {
		return err
	}
	h.State = next
	return nil
}

// steps takes several moves, of which a missing one is a fault of ours: callers
// have looked at the state.
func (h *Handshake) steps(es ...golem.AgreementEvent) error {
	for _, e := range es {
		if err := h.move(e); err != nil {
			return err
		}
	}
	return nil
}

// report adds an event for the agent.
func (h *Handshake) report(t golem.AgreementEventType, by golem.Role, reason *golem.Reason) {
	h.news = append(h.news, AgreementEvent{Agreement: h.ID, Type: t, By: by, Reason: reason})
}

// tell records what the other party has to acknowledge.
func (h *Handshake) tell(t Telling, reason *golem.Reason) {
	h.Telling, h.Reason, h.Attempts, h.Due = t, reason, 0, time.Time{}
}

// told ends telling.
func (h *Handshake) told() { h.tell("", nil) }

// refuse returns the error for an agent that asks what the state does not allow:
// upstream's status is 409 before the handshake has begun and 410 later.
func (h *Handshake) refuse(verb string) error {
	kind := golem.ErrExpired
	if h.State == golem.AgreementProposal {
		kind = golem.ErrConflict
	}
	return golem.Errorf(kind, "Agreement [%s] is in state %s: cannot %s it.", h.ID, h.State.Public(), verb)
}

// invalid returns the answer for a peer whose message the state does not allow.
func (h *Handshake) invalid() error { return h.answer(h.State) }

// answer returns the refusal that names a state.
func (h *Handshake) answer(s golem.AgreementState) error {
	r := &wire.Refusal{Why: wire.WhyInvalidState, ID: string(h.ID.For(h.Role.Other())), State: s}
	if s == golem.AgreementExpired {
		r.Why = wire.WhyExpired
	}
	return r
}

// age applies what time alone does, and reports whether that was anything.
func (h *Handshake) age(now time.Time) bool {
	if h.State == golem.AgreementApproving && h.Role == golem.Provider && h.Deadline.Before(now) {
		return h.move(golem.AgreementRevert) == nil
	}
	if h.Telling != "" || !h.ValidTo.Before(now) {
		return false
	}
	if h.State != golem.AgreementProposal && h.State != golem.AgreementPending {
		return false
	}
	return h.move(golem.AgreementExpire) == nil
}

// confirm begins the handshake (Requestor).
func (h *Handshake) confirm(session string) error {
	if h.Telling != "" || h.move(golem.AgreementConfirm) != nil {
		return h.refuse("confirm")
	}
	h.Session = session
	h.tell(TellConfirm, nil)
	return nil
}

// confirmed applies the Provider's answer to the proposal of the Agreement, nil
// if it took it. Any other message of the Provider may have shown before that it did.
func (h *Handshake) confirmed(failure error) error {
	switch {
	case h.Telling != TellConfirm:
		return nil
	case failure == nil:
		h.told()
		return nil
	}
	h.told()
	return h.move(golem.AgreementUnconfirm)
}

// approve agrees (Provider). Each approval is a statement of its own, told from
// others by its time: a commitment to one that was given up must not be taken
// for a commitment to the next.
func (h *Handshake) approve(session string, now, until time.Time) error {
	if h.Telling == TellReject {
		return golem.Errorf(golem.ErrExpired, "Agreement [%s] is being rejected: cannot approve it.", h.ID)
	}
	if h.move(golem.AgreementApprove) != nil {
		return h.refuse("approve")
	}
	if !now.After(h.Approved) {
		now = h.Approved.Add(time.Microsecond)
	}
	h.Approved = now
	h.Session, h.Deadline = session, until
	if h.ValidTo.Before(until) {
		h.Deadline = h.ValidTo
	}
	return nil
}

// revert gives up waiting for the commitment (Provider).
func (h *Handshake) revert() error {
	if h.State != golem.AgreementApproving {
		return nil
	}
	return h.move(golem.AgreementRevert)
}

// approvalRefused adopts the Requestor's refusal of the approval made at a time
// (Provider).
func (h *Handshake) approvalRefused(at time.Time, r *wire.Refusal) error {
	if h.State != golem.AgreementApproving || !h.Approved.Equal(at) {
		return nil
	}
	switch stateOf(r) {
	case golem.AgreementExpired:
		return h.move(golem.AgreementExpire)
	case golem.AgreementCancelled:
		h.report(golem.AgreementCancelledEvent, golem.Requestor, nil)
		return h.move(golem.AgreementCancel)
	}
	return h.move(golem.AgreementRevert)
}

// onApproved takes the Provider's approval (Requestor). A later one replaces one
// that is not committed yet: the Provider has given that up.
func (h *Handshake) onApproved(at time.Time, signature string) (again bool, err error) {
	begun := h.State == golem.AgreementApproving
	switch {
	case h.Telling == TellCancel:
		return false, h.answer(golem.AgreementCancelled)
	case (begun || h.State == golem.AgreementApproved || h.State == golem.AgreementTerminated) && h.Approved.Equal(at):
		return true, nil
	case begun && at.Before(h.Approved), !begun && h.State != golem.AgreementPending:
		return false, h.invalid()
	}
	h.Approved, h.Signatures.Approved = at, signature
	h.tell(TellCommit, nil)
	if begun {
		return false, nil
	}
	return false, h.move(golem.AgreementApprove)
}

// committed adopts the Provider's answer to the commitment to the approval made
// at a time, nil if it took it (Requestor).
func (h *Handshake) committed(at time.Time, r *wire.Refusal) error {
	if h.State != golem.AgreementApproving {
		return nil
	}
	state := stateOf(r)
	if r == nil || state == golem.AgreementApproved || state == golem.AgreementTerminated {
		return h.conclude()
	}
	if h.Telling != TellCommit || !h.Approved.Equal(at) {
		return nil
	}
	h.told()
	switch state {
	case golem.AgreementExpired:
		return h.move(golem.AgreementExpire)
	case golem.AgreementCancelled:
		h.report(golem.AgreementCancelledEvent, golem.Requestor, nil)
		return h.move(golem.AgreementCancel)
	case golem.AgreementRejected:
		h.report(golem.AgreementRejectedEvent, golem.Provider, nil)
		return h.steps(golem.AgreementRevert, golem.AgreementReject)
	}
	return h.move(golem.AgreementRevert)
}

// conclude makes the Agreement approved, whatever was being told.
func (h *Handshake) conclude() error {
	h.told()
	h.report(golem.AgreementApprovedEvent, golem.Provider, nil)
	return h.move(golem.AgreementCommit)
}

// onCommitted takes the Requestor's commitment (Provider). Repeated ones, and
// those that arrive after the end of the Agreement, were right.
func (h *Handshake) onCommitted(signature string) (again bool, err error) {
	switch h.State {
	case golem.AgreementApproved, golem.AgreementTerminated:
		return true, nil
	case golem.AgreementApproving:
		h.Signatures.Committed = signature
		return false, h.conclude()
	case golem.AgreementCancelled:
		return false, &wire.Refusal{Why: wire.WhyCancelled, ID: string(h.ID.For(h.Role.Other()))}
	}
	if h.Telling == TellReject {
		return false, h.answer(golem.AgreementRejected)
	}
	return false, h.invalid()
}

// reject records the intent to reject (Provider).
func (h *Handshake) reject(reason *golem.Reason) error {
	if h.State != golem.AgreementPending || h.Telling != "" {
		return h.refuse("reject")
	}
	h.tell(TellReject, reason)
	return nil
}

// rejected adopts the Requestor's answer to a rejection, nil if it took it
// (Provider).
func (h *Handshake) rejected(r *wire.Refusal) error {
	if h.Telling != TellReject {
		return nil
	}
	if undecided(r) {
		return nil
	}
	reason := h.Reason
	h.told()
	switch stateOf(r) {
	case golem.AgreementExpired:
		return h.move(golem.AgreementExpire)
	case golem.AgreementCancelled:
		h.report(golem.AgreementCancelledEvent, golem.Requestor, nil)
		return h.move(golem.AgreementCancel)
	}
	h.report(golem.AgreementRejectedEvent, golem.Provider, reason)
	return h.move(golem.AgreementReject)
}

// onRejected takes the Provider's rejection (Requestor). A Provider that rejects
// has received the Agreement and does not take a commitment any more.
func (h *Handshake) onRejected(reason *golem.Reason) error {
	steps := []golem.AgreementEvent{golem.AgreementReject}
	switch h.State {
	case golem.AgreementRejected:
		return nil
	case golem.AgreementProposal:
		if h.Signatures.Proposed == "" {
			return h.invalid()
		}
		steps = []golem.AgreementEvent{golem.AgreementConfirm, golem.AgreementReject}
	case golem.AgreementApproving:
		steps = []golem.AgreementEvent{golem.AgreementRevert, golem.AgreementReject}
	case golem.AgreementPending:
	default:
		return h.invalid()
	}
	h.told()
	h.report(golem.AgreementRejectedEvent, golem.Provider, reason)
	return h.steps(steps...)
}

// cancel records the intent to cancel, or cancels what the Provider never heard
// of (Requestor).
func (h *Handshake) cancel(reason *golem.Reason) error {
	switch {
	case h.Telling == TellConfirm:
		return golem.Errorf(golem.ErrConflict, "Agreement [%s] is being confirmed: cannot cancel it yet.", h.ID)
	case h.Telling == TellCancel:
		return golem.Errorf(golem.ErrExpired, "Agreement [%s] is being cancelled already.", h.ID)
	case h.State == golem.AgreementProposal && h.Signatures.Proposed == "":
		h.report(golem.AgreementCancelledEvent, golem.Requestor, reason)
		return h.move(golem.AgreementCancel)
	case h.State == golem.AgreementProposal, h.State == golem.AgreementPending, h.State == golem.AgreementApproving:
		h.tell(TellCancel, reason)
		return nil
	}
	return h.refuse("cancel")
}

// cancelled adopts the Provider's answer to a cancellation, nil if it took it
// (Requestor).
func (h *Handshake) cancelled(r *wire.Refusal) error {
	if h.Telling != TellCancel {
		return nil
	}
	if undecided(r) {
		return nil
	}
	reason := h.Reason
	switch stateOf(r) {
	case golem.AgreementExpired:
		h.told()
		return h.move(golem.AgreementExpire)
	case golem.AgreementRejected:
		return h.onRejected(nil)
	case golem.AgreementApproved, golem.AgreementTerminated:
		if h.State == golem.AgreementApproving {
			return h.conclude()
		}
		h.told()
		return nil
	}
	h.told()
	h.report(golem.AgreementCancelledEvent, golem.Requestor, reason)
	return h.move(golem.AgreementCancel)
}

// onCancelled takes the Requestor's cancellation (Provider).
func (h *Handshake) onCancelled(reason *golem.Reason) error {
	switch {
	case h.State == golem.AgreementCancelled:
		return nil
	case h.Telling == TellReject:
		return h.answer(golem.AgreementRejected)
	case h.State != golem.AgreementPending && h.State != golem.AgreementApproving:
		return h.invalid()
	}
	h.report(golem.AgreementCancelledEvent, golem.Requestor, reason)
	return h.move(golem.AgreementCancel)
}

// terminate ends an approved Agreement.
func (h *Handshake) terminate(reason *golem.Reason) error {
	if h.move(golem.AgreementTerminate) != nil {
		return h.refuse("terminate")
	}
	h.tell(TellTerminate, reason)
	h.report(golem.AgreementTerminatedEvent, h.Role, reason)
	return nil
}

// onTerminated takes the other party's termination. A Provider that terminates
// has taken the commitment, although its answer is still awaited.
func (h *Handshake) onTerminated(reason *golem.Reason) error {
	if h.State == golem.AgreementTerminated {
		h.told() // the other party knows
		return nil
	}
	if h.State == golem.AgreementApproving && h.Role == golem.Requestor {
		if err := h.conclude(); err != nil {
			return err
		}
	}
	if h.State != golem.AgreementApproved {
		return h.invalid()
	}
	h.told()
	h.report(golem.AgreementTerminatedEvent, h.Role.Other(), reason)
	return h.move(golem.AgreementTerminate)
}

// terminated notes that the other party knows.
func (h *Handshake) terminated() error {
	if h.Telling == TellTerminate {
		h.told()
	}
	return nil
}

// undecided reports whether a refusal names a state the other party will leave
// by itself, so that asking again is right.
func undecided(r *wire.Refusal) bool {
	switch stateOf(r) {
	case golem.AgreementProposal, golem.AgreementPending, golem.AgreementApproving:
		return true
	}
	return false
}

// stateOf returns the state a refusal tells of, or "".
func stateOf(r *wire.Refusal) golem.AgreementState {
	switch {
	case r == nil:
		return ""
	case r.Why == wire.WhyExpired:
		return golem.AgreementExpired
	case r.Why == wire.WhyCancelled:
		return golem.AgreementCancelled
	}
	return r.State
}
