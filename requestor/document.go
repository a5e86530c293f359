package requestor

import (
	"context"
	"time"

	"github.com/golem-go/golem"
)

// onNote accepts a debit note, or refuses it. Its error is that of a node that
// should be asked again.
func (r *Requestor) onNote(ctx context.Context, id golem.DebitNoteID) error {
	n, err := r.api.DebitNote(ctx, id)
	if err != nil {
		return unlessGone(err)
	}
	var wrong error
	ours := r.purse.update(n.Agreement, func(a *account) { wrong = a.judgeNote(&n, time.Now()) })
	log := r.log.With("agreement", n.Agreement, "debitNote", n.ID, "amount", n.Total)
	switch {
	case !ours:
		log.Debug("debit note of an agreement that is not ours")
		return nil
	case wrong != nil:
		log.Warn("debit note refused", "err", wrong)
		r.accuse(n.Agreement, golem.Errorf(golem.ErrForbidden, "debit note over %s: %w", n.Total, wrong))
		err := r.api.RejectDebitNote(ctx, n.ID, golem.Rejection{Reason: golem.IncorrectAmount, Message: golem.Public(wrong)})
		return unlessRefused(err)
	}
	allocation, _ := r.purse.current()
	err = r.api.AcceptDebitNote(ctx, n.ID, golem.Acceptance{Amount: n.Total, Allocation: allocation})
	if err == nil {
		r.purse.update(n.Agreement, func(a *account) { a.accepted = a.accepted.Max(n.Total) })
		log.Debug("debit note accepted")
		return nil
	}
	return r.cannotPay(n.Agreement, err)
}

// onInvoice accepts an Invoice, or refuses it.
func (r *Requestor) onInvoice(ctx context.Context, id golem.InvoiceID) error {
	i, err := r.api.Invoice(ctx, id)
	if err != nil {
		return unlessGone(err)
	}
	var wrong error
	usage := r.lastUsage(ctx, i.Agreement)
	ours := r.purse.update(i.Agreement, func(a *account) { wrong = a.judgeInvoice(&i, usage, time.Now()) })
	log := r.log.With("agreement", i.Agreement, "invoice", i.ID, "amount", i.Amount)
	switch {
	case !ours:
		log.Debug("invoice of an agreement that is not ours")
		return nil
	case i.Status == golem.DocumentCancelled:
		log.Info("invoice cancelled by the provider")
	case i.Status.Concluded():
	case wrong != nil:
		log.Warn("invoice refused", "err", wrong)
		err := r.api.RejectInvoice(ctx, i.ID, golem.Rejection{Reason: rejection(wrong), Message: golem.Public(wrong)})
		if err := unlessRefused(err); err != nil {
			return err
		}
		r.purse.update(i.Agreement, func(a *account) {
			if a.invoice == nil || a.invoice.ID == i.ID {
				i.Status, a.invoice, a.refused = golem.DocumentRejected, &i, golem.Public(wrong)
			}
		})
		return nil
	default:
		allocation, _ := r.purse.current()
		if err := r.api.AcceptInvoice(ctx, i.ID, golem.Acceptance{Amount: i.Amount, Allocation: allocation}); err != nil {
			if err := r.cannotPay(i.Agreement, err); err != nil {
				return err
			}
			r.purse.update(i.Agreement, func(a *account) { a.invoice, a.refused = &i, golem.Public(err) })
			return nil
		}
		i.Status = golem.DocumentAccepted
		log.Debug("invoice accepted")
	}
	r.purse.update(i.Agreement, func(a *account) { a.invoice = &i })
	return nil
}

// lastUsage returns what our node knows of the use of an Agreement, nil for
// nothing.
func (r *Requestor) lastUsage(ctx context.Context, id golem.AgreementID) []float64 {
	var activity golem.ActivityID
	r.purse.update(id, func(a *account) { activity = a.activity })
	if activity == "" {
		return nil
	}
	usage, err := r.api.ActivityUsage(ctx, activity, callTime)
	if err != nil {
		return nil
	}
	return usage.Current
}

// rejection returns the code for why a document is wrong.
func rejection(wrong error) string {
	switch golem.KindOf(wrong) {
	case golem.ErrForbidden:
		return golem.BadService
	case golem.ErrConflict:
		return golem.UnsolicitedService
	}
	return golem.IncorrectAmount
}

// accuse ends the rental of an Agreement whose Provider is at fault.
func (r *Requestor) accuse(id golem.AgreementID, why error) {
	if rental := r.rental(id); rental != nil {
		rental.fail(rental.blame(why))
	}
}

// cannotPay decides what becomes of a document that is right and cannot be
// accepted: a node that fails is asked again, anything else ends the rental.
func (r *Requestor) cannotPay(id golem.AgreementID, err error) error {
	kind := golem.KindOf(err)
	if kind.Retryable() || r.ctx.Err() != nil {
		return err
	}
	r.log.Error("document cannot be accepted", "agreement", id, "err", err)
	if rental := r.rental(id); rental != nil {
		if kind == golem.ErrExhausted || kind == golem.ErrInvalid {
			err = golem.Errorf(golem.ErrExhausted, "the budget of %s %s is used up: %w", r.cfg.Budget, r.account.Token, err)
		}
		rental.fail(err)
	}
	return nil
}

// unlessGone returns err unless it says that there is nothing to be done.
func unlessGone(err error) error {
	if golem.KindOf(err) == golem.ErrNotFound {
		return nil
	}
	return err
}

// unlessRefused returns err if asking again may help.
func unlessRefused(err error) error {
	if err != nil && golem.KindOf(err).Retryable() {
		return err
	}
	return nil
}
