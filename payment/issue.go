package payment

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/golem-go/golem"
)

// NewDebitNote is what a Provider's agent bills for an Activity.
type NewDebitNote struct {
	Activity golem.ActivityID
	Total    golem.Amount // since the Activity began
	Usage    json.RawMessage
	Due      time.Time // zero: the note is information only
}

// NewInvoice is what a Provider's agent bills for an Agreement.
type NewInvoice struct {
	Agreement  golem.AgreementID
	Activities []golem.ActivityID
	Amount     golem.Amount // with all that debit notes have billed
	Due        time.Time
}

// IssueDebitNote writes a DebitNote down without sending it. It returns
// ErrInvalid where the Activity is unknown, and ErrUnauthorized where who does
// not sell it.
func (s *Service) IssueDebitNote(ctx context.Context, who golem.NodeID, n NewDebitNote) (golem.DebitNote, error) {
	agreement, err := s.cfg.Activities.AgreementOf(ctx, who, n.Activity)
	if errors.Is(err, golem.ErrNotFound) {
		return golem.DebitNote{}, golem.Errorf(golem.ErrInvalid, "Activity not found: %s", n.Activity)
	}
	if err != nil {
		return golem.DebitNote{}, err
	}
	d, err := s.issue(ctx, who, Document{
		Kind: DebitNote, ID: string(golem.NewDebitNoteID()),
		Agreement: agreement, Activity: n.Activity, Amount: n.Total, Usage: n.Usage, Due: n.Due,
	})
	return d.DebitNote(), err
}

// IssueInvoice writes an Invoice down without sending it. It returns ErrInvalid
// where the Agreement is unknown, an Activity does not belong to it, or less is
// asked for than is due already; and ErrUnauthorized where who does not sell.
func (s *Service) IssueInvoice(ctx context.Context, who golem.NodeID, n NewInvoice) (golem.Invoice, error) {
	if err := s.belongs(ctx, who, n.Agreement, n.Activities...); err != nil {
		return golem.Invoice{}, err
	}
	d, err := s.issue(ctx, who, Document{
		Kind: Invoice, ID: string(golem.NewInvoiceID()),
		Agreement: n.Agreement, Activities: n.Activities, Amount: n.Amount, Due: n.Due,
	})
	return d.Invoice(), err
}

func (s *Service) issue(ctx context.Context, who golem.NodeID, d Document) (Document, error) {
	d.Side = Side{who, golem.Provider}
	terms, err := s.terms(ctx, d.Side, d.Agreement)
	if errors.Is(err, golem.ErrNotFound) {
		err = golem.Errorf(golem.ErrInvalid, "Agreement not found: %s", d.Agreement)
	}
	if err != nil {
		return d, err
	}
	d.Peer, d.Payee, d.Payer, d.Platform = terms.Peer, terms.Payee, terms.Payer, terms.Platform
	d.Status, d.Timestamp = golem.DocumentIssued, s.now()
	d.Due = d.Due.UTC().Truncate(time.Microsecond) // as the books and the other party have it
	if string(d.Usage) == "null" {
		d.Usage = nil
	}
	if err := d.validate(); err != nil {
		return d, err
	}
	err = s.step(ctx, func(w *sheet) error {
		return w.issue(terms, &d)
	})
	if err == nil {
		s.trace.issued(d)
	}
	return d, err
}

// issue books a new document of a Provider.
func (w *sheet) issue(terms Agreement, d *Document) error {
	a, err := w.open(terms)
	if err != nil {
		return err
	}
	if d.Kind == DebitNote {
		last, err := w.r.LastNote(ActivityKey{d.Side, d.Activity})
		if err != nil && !errors.Is(err, golem.ErrNotFound) {
			return err
		}
		d.Previous = golem.DebitNoteID(last.ID)
	}
	return w.bill(a, *d)
}

// bill books a document that is new to its side, and raises what is due.
func (w *sheet) bill(a *Agreement, d Document) error {
	if d.Kind == Invoice && d.Amount.Less(a.Due) {
		return golem.Errorf(golem.ErrInvalid, "Requested amount for agreement cannot be lowered: %s is due already, the invoice is about %s", a.Due, d.Amount)
	}
	if d.Kind == Invoice {
		others, err := w.invoices(a)
		if err != nil {
			return err
		}
		if len(others) >= maxInvoices {
			return golem.Errorf(golem.ErrInvalid, "agreement %s has %d invoices already, which is the most", a.ID, len(others))
		}
	}
	d.Updated = w.now
	w.documents.add(d.Key(), d)
	for _, id := range d.Activities {
		if _, err := w.activity(a, id); err != nil {
			return err
		}
	}
	if d.Kind == DebitNote {
		act, err := w.activity(a, d.Activity)
		if err != nil {
			return err
		}
		if act.Due.Less(d.Amount) {
			act.Due, act.Updated = d.Amount, w.now
		}
	}
	return w.reckon(a, &d)
}

// reckon brings what is due of an Agreement up to date. An Invoice has the last
// word: a note that would exceed it is refused.
func (w *sheet) reckon(a *Agreement, added *Document) error {
	invoiced, err := w.invoiced(a)
	if err != nil {
		return err
	}
	activities, err := w.activitiesOf(a)
	if err != nil {
		return err
	}
	sum := sumOf(activities).Due
	if added != nil && added.Kind == DebitNote && invoiced != nil && invoiced.Less(sum) {
		return golem.Errorf(golem.ErrInvalid, "debit note of %s: with it %s would be due, but the agreement's invoice is about %s", added.Amount, sum, *invoiced)
	}
	due := sum
	if invoiced != nil {
		due = due.Max(*invoiced)
	}
	if due != a.Due {
		a.Due, a.Updated = due, w.now
	}
	return nil
}

// invoiced returns the largest amount among the invoices of an Agreement that are
// not cancelled, nil without any.
func (w *sheet) invoiced(a *Agreement) (*golem.Amount, error) {
	invoices, err := w.invoices(a)
	if err != nil {
		return nil, err
	}
	var most *golem.Amount
	for _, i := range invoices {
		if i.Status != golem.DocumentCancelled && (most == nil || most.Less(i.Amount)) {
			most = &i.Amount
		}
	}
	return most, nil
}

func (w *sheet) invoices(a *Agreement) (is []*Document, err error) {
	ds, err := w.documentsOf(a, w.r.InvoicesOf)
	for _, d := range ds {
		if d.Kind == Invoice {
			is = append(is, d)
		}
	}
	return is, err
}
