package payment

import (
	"context"
	"errors"

	"github.com/golem-go/golem"
)

// Accept promises to pay a document in full, against an Allocation. What it adds
// to what was accepted before is charged to the Allocation at once. Accepting
// again is no error and changes nothing.
//
// It returns ErrNotFound for a document that who has not received, ErrInvalid for
// another amount than the document's or an Allocation that does not fit,
// ErrExpired for one that has ended, and ErrExhausted where it does not suffice.
func (s *Service) Accept(ctx context.Context, who golem.NodeID, kind DocumentKind, id string, acc golem.Acceptance) error {
	key := DocumentKey{Side{who, golem.Requestor}, kind, id}
	var accepted *Document
	err := s.step(ctx, func(w *sheet) error {
		accepted = nil
		d, err := w.document(key)
		if err != nil {
			return noSuchDocument(err, kind, id)
		}
		if acc.Amount != d.Amount {
			return golem.Errorf(golem.ErrInvalid, "Invalid amount accepted")
		}
		if d.Status.Concluded() {
			return nil
		}
		if _, err := d.Status.Next(golem.DocumentAccept); err != nil {
			return golem.Errorf(golem.ErrInvalid, "%s %s: %w", kind, id, err)
		}
		accepted = d
		return w.accept(d, acc.Allocation, s.payAt)
	})
	if err == nil && accepted != nil {
		s.trace.accepted(*accepted)
	}
	return err
}

func noSuchDocument(err error, kind DocumentKind, id string) error {
	if errors.Is(err, golem.ErrNotFound) {
		return golem.Errorf(golem.ErrNotFound, "%s %s not found", kind, id)
	}
	return err
}

// accept books the acceptance of a document by its Requestor.
func (w *sheet) accept(d *Document, id golem.AllocationID, payAt func(*Document) payTime) error {
	a, err := w.agreement(AgreementKey{d.Side, d.Agreement})
	if err != nil {
		return err
	}
	owed, err := w.promise(a, d)
	if err != nil {
		return err
	}
	if !owed.IsZero() {
		if err := w.charge(d, id, owed); err != nil {
			return err
		}
		w.oblige(d, id, owed, payAt(d))
	}
	if err := w.move(d, golem.DocumentAccept, golem.AcceptedEvent); err != nil {
		return err
	}
	about := messagesAbout[d.Kind]
	if err := w.forget(d.Owner, d.Peer, about[golem.DocumentReject], d.ID); err != nil {
		return err
	}
	w.tell(d.Owner, d.Peer, about[golem.DocumentAccept], d.ID)
	return w.settleIfCovered(a, d)
}

// promise raises what is accepted by d and returns by how much.
func (w *sheet) promise(a *Agreement, d *Document) (owed golem.Amount, err error) {
	if d.Kind == Invoice {
		if d.Amount.Less(a.Accepted) {
			return owed, golem.Errorf(golem.ErrInvalid, "Invoice is smaller than agreement.total_amount_accepted: %s is accepted already", a.Accepted)
		}
		owed = d.Amount.Excess(a.Accepted)
	} else if owed, err = w.promiseNote(a, d); err != nil {
		return owed, err
	}
	if !owed.IsZero() {
		a.Accepted, a.Updated = a.Accepted.Add(owed), w.now
	}
	return owed, nil
}

// promiseNote raises what is accepted of an Activity. An accepted Invoice includes
// all notes of its Agreement already.
func (w *sheet) promiseNote(a *Agreement, d *Document) (owed golem.Amount, err error) {
	invoices, err := w.invoices(a)
	if err != nil {
		return owed, err
	}
	for _, i := range invoices {
		if i.Status.Concluded() {
			return owed, nil
		}
	}
	act, err := w.activity(a, d.Activity)
	if err != nil {
		return owed, err
	}
	if owed = d.Amount.Excess(act.Accepted); !owed.IsZero() {
		act.Accepted, act.Updated = act.Accepted.Add(owed), w.now
	}
	return owed, nil
}

// charge takes amount from an Allocation, which must be the owner's and for the
// very account the document is to be paid from.
func (w *sheet) charge(d *Document, id golem.AllocationID, amount golem.Amount) error {
	al, err := w.allocations.get(id, w.r.Allocation)
	if errors.Is(err, golem.ErrNotFound) || err == nil && al.Owner != d.Owner {
		return golem.Errorf(golem.ErrInvalid, "Allocation %s not found", id)
	}
	switch {
	case err != nil:
		return err
	case al.Platform != d.Platform:
		return golem.Errorf(golem.ErrInvalid, "Allocation %s is for platform %s, the document for %s", id, al.Platform, d.Platform)
	case al.Address != d.Payer:
		return golem.Errorf(golem.ErrInvalid, "Allocation %s is for address %s, the document is to be paid from %s", id, al.Address, d.Payer)
	case !al.Timeout.After(w.now):
		return golem.Errorf(golem.ErrExpired, "Allocation %s has timed out", id)
	}
	spent, err := al.Spend(amount, w.now)
	if err == nil {
		*al = spent
	}
	return err
}

// oblige writes down that amount must be paid.
func (w *sheet) oblige(d *Document, id golem.AllocationID, amount golem.Amount, t payTime) {
	w.obligations.add(d.Key(), Obligation{
		Document: d.Key(), Agreement: d.Agreement, Activity: d.Activity, Allocation: id, Peer: d.Peer,
		Payer: d.Payer, Payee: d.Payee, Platform: d.Platform, Amount: amount, Due: d.Due,
		PayAt: t(w.now), State: ObligationOpen,
	})
}

// accepted books, on the Provider's side, that a document was accepted. Both
// sides' totals come out the same in whatever order acceptances arrive.
func (w *sheet) accepted(d *Document) error {
	a, err := w.agreement(AgreementKey{d.Side, d.Agreement})
	if err != nil {
		return err
	}
	least := golem.Amount{}
	if d.Kind == DebitNote {
		act, err := w.activity(a, d.Activity)
		if err != nil {
			return err
		}
		act.Accepted, act.Updated = act.Accepted.Max(d.Amount), w.now
	} else {
		least = d.Amount
	}
	if err := w.acceptedAtLeast(a, least); err != nil {
		return err
	}
	if err := w.move(d, golem.DocumentAccept, golem.AcceptedEvent); err != nil {
		return err
	}
	if err := w.forget(d.Owner, d.Peer, messagesAbout[d.Kind][golem.DocumentCancel], d.ID); err != nil {
		return err
	}
	return w.settleIfCovered(a, d)
}

// acceptedAtLeast raises what a Provider's Agreement has accepted to at least the
// given amount and the sum of its Activities.
func (w *sheet) acceptedAtLeast(a *Agreement, least golem.Amount) error {
	activities, err := w.activitiesOf(a)
	if err != nil {
		return err
	}
	a.Accepted, a.Updated = a.Accepted.Max(least).Max(sumOf(activities).Accepted), w.now
	return nil
}

// settleIfCovered settles a document if it is paid already, such as one about
// nothing, and with an Invoice the debit notes it includes.
func (w *sheet) settleIfCovered(a *Agreement, d *Document) error {
	covered, err := w.covered(a, d)
	if err != nil || !covered {
		return err
	}
	if err := w.move(d, golem.DocumentSettle, golem.SettledEvent); err != nil || d.Kind == DebitNote {
		return err
	}
	return w.settleDocuments(a)
}

// covered reports whether what was paid covers a document.
func (w *sheet) covered(a *Agreement, d *Document) (bool, error) {
	if d.Kind == Invoice {
		return !a.Paid.Less(d.Amount), nil
	}
	act, err := w.activity(a, d.Activity)
	if err != nil {
		return false, err
	}
	if !act.Paid.Less(d.Amount) {
		return true, nil
	}
	invoices, err := w.invoices(a)
	for _, i := range invoices {
		if i.Status == golem.DocumentSettled {
			return true, err
		}
	}
	return false, err
}
