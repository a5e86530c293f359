package payment

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// bind makes the service answer other nodes. The returned functions undo it.
func (s *Service) bind(b gsb.Binder) (releases []func(), err error) {
	var errs []error
	add := func(release func(), err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		releases = append(releases, release)
	}
	add(wire.SendDebitNote.Handle(b, s.onDebitNote))
	add(wire.SendInvoice.Handle(b, s.onInvoice))
	add(wire.AcceptDebitNote.Handle(b, s.onAcceptDebitNote))
	add(wire.AcceptInvoice.Handle(b, s.onAcceptInvoice))
	add(wire.RejectDebitNote.Handle(b, s.onRejectDebitNote))
	add(wire.RejectInvoice.Handle(b, s.onRejectInvoice))
	add(wire.CancelDebitNote.Handle(b, s.onCancelDebitNote))
	add(wire.CancelInvoice.Handle(b, s.onCancelInvoice))
	add(wire.SendPayment.Handle(b, s.onPayment))
	add(wire.SendPaymentV1.Handle(b, s.onPaymentV1))
	add(wire.SyncPayments.Handle(b, s.onSync))
	add(wire.SyncPaymentsV1.Handle(b, s.onSyncV1))
	add(wire.RequestPaymentSync.Handle(b, s.onRequestSync))
	return releases, errors.Join(errs...)
}

var ack = wire.PaymentAck{}

func (s *Service) onDebitNote(ctx context.Context, from gsb.Peer, n golem.DebitNote) (wire.PaymentAck, error) {
	if n.Activity == "" {
		return ack, golem.Errorf(golem.ErrInvalid, "debit note without an activity")
	}
	return ack, s.take(ctx, from, receivedNote(n), n.Activity)
}

func (s *Service) onInvoice(ctx context.Context, from gsb.Peer, i golem.Invoice) (wire.PaymentAck, error) {
	return ack, s.take(ctx, from, receivedInvoice(i), i.Activities...)
}

// take books a document another node bills one of ours with.
func (s *Service) take(ctx context.Context, from gsb.Peer, d Document, activities ...golem.ActivityID) error {
	if d.Peer != from.Node {
		return golem.Errorf(golem.ErrInvalid, "%s of %s sent by %s", d.Kind, d.Peer, from.Node)
	}
	if err := d.validate(); err != nil {
		return err
	}
	terms, err := s.terms(ctx, d.Side, d.Agreement)
	if err != nil {
		return strangers(err, d.Agreement)
	}
	if terms.Peer != from.Node {
		return golem.Errorf(golem.ErrInvalid, "Agreement %s not found", d.Agreement)
	}
	if err := terms.matches(&d); err != nil {
		return err
	}
	if err := s.belongs(ctx, d.Owner, d.Agreement, activities...); err != nil {
		return err
	}
	fresh := false
	err = s.step(ctx, func(w *sheet) (err error) {
		fresh, err = w.take(terms, d)
		return err
	})
	if err == nil && fresh {
		s.trace.received(d)
	}
	return err
}

// strangers hides from other nodes why they have nothing to do with an Agreement.
func strangers(err error, id golem.AgreementID) error {
	if errors.Is(err, golem.ErrNotFound) || errors.Is(err, golem.ErrUnauthorized) {
		return golem.Errorf(golem.ErrInvalid, "Agreement %s not found", id)
	}
	return err
}

// take books a received document unless it is known.
func (w *sheet) take(terms Agreement, d Document) (fresh bool, err error) {
	known, err := w.document(d.Key())
	if err == nil {
		if !known.same(&d) {
			return false, golem.Errorf(golem.ErrInvalid, "%s %s is known with other contents", d.Kind, d.ID)
		}
		if known.Status == golem.DocumentSettled { // nobody has told its Provider, who did not know that it is here
			w.tell(known.Owner, known.Peer, messagesAbout[known.Kind][golem.DocumentAccept], known.ID)
		}
		return false, nil
	}
	if !errors.Is(err, golem.ErrNotFound) {
		return false, err
	}
	a, err := w.open(terms)
	if err != nil {
		return false, err
	}
	if err := w.bill(a, d); err != nil {
		return false, err
	}
	return true, w.event(&d, golem.ReceivedEvent)
}

func (s *Service) onAcceptDebitNote(ctx context.Context, from gsb.Peer, m wire.DebitNoteAcceptance) (wire.PaymentAck, error) {
	return ack, s.onAccepted(ctx, from, DocumentKey{Side{m.Issuer, golem.Provider}, DebitNote, string(m.ID)}, m.Acceptance.Amount)
}

func (s *Service) onAcceptInvoice(ctx context.Context, from gsb.Peer, m wire.InvoiceAcceptance) (wire.PaymentAck, error) {
	return ack, s.onAccepted(ctx, from, DocumentKey{Side{m.Issuer, golem.Provider}, Invoice, string(m.ID)}, m.Acceptance.Amount)
}

func (s *Service) onAccepted(ctx context.Context, from gsb.Peer, k DocumentKey, amount golem.Amount) error {
	return s.onDecision(ctx, from, k, func(w *sheet, d *Document) error {
		switch {
		case amount != d.Amount:
			return golem.Errorf(golem.ErrInvalid, "Invalid amount accepted. Expected: %s Received: %s", d.Amount, amount)
		case d.Status.Concluded():
			return nil
		}
		if err := w.accepted(d); err != nil {
			return golem.Errorf(golem.ErrInvalid, "%w", err)
		}
		return nil
	})
}

func (s *Service) onRejectDebitNote(ctx context.Context, from gsb.Peer, m wire.DebitNoteRejection) (wire.PaymentAck, error) {
	return ack, s.onRejected(ctx, from, DocumentKey{Side{m.Issuer, golem.Provider}, DebitNote, string(m.ID)}, m.Rejection)
}

func (s *Service) onRejectInvoice(ctx context.Context, from gsb.Peer, m wire.InvoiceRejection) (wire.PaymentAck, error) {
	return ack, s.onRejected(ctx, from, DocumentKey{Side{m.Issuer, golem.Provider}, Invoice, string(m.ID)}, m.Rejection)
}

func (s *Service) onRejected(ctx context.Context, from gsb.Peer, k DocumentKey, r golem.Rejection) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if len(r.Message) > maxMessage {
		return golem.Errorf(golem.ErrInvalid, "message of %d bytes, at most %d", len(r.Message), maxMessage)
	}
	return s.onDecision(ctx, from, k, func(w *sheet, d *Document) error {
		if d.Status == golem.DocumentRejected || d.Status == golem.DocumentCancelled {
			return nil
		}
		d.Rejection = &r
		if err := w.move(d, golem.DocumentReject, golem.RejectedEvent); err != nil {
			return golem.Errorf(golem.ErrInvalid, "%w", err)
		}
		return nil
	})
}

func (s *Service) onCancelDebitNote(ctx context.Context, from gsb.Peer, m wire.DebitNoteCancellation) (wire.PaymentAck, error) {
	return ack, s.onCancelled(ctx, from, DocumentKey{Side{m.Recipient, golem.Requestor}, DebitNote, string(m.ID)})
}

func (s *Service) onCancelInvoice(ctx context.Context, from gsb.Peer, m wire.InvoiceCancellation) (wire.PaymentAck, error) {
	return ack, s.onCancelled(ctx, from, DocumentKey{Side{m.Recipient, golem.Requestor}, Invoice, string(m.ID)})
}

func (s *Service) onCancelled(ctx context.Context, from gsb.Peer, k DocumentKey) error {
	return s.onDecision(ctx, from, k, func(w *sheet, d *Document) error {
		if d.Status == golem.DocumentCancelled {
			return nil
		}
		return w.cancel(d)
	})
}

// onDecision books what the other party of a document has decided about it.
func (s *Service) onDecision(ctx context.Context, from gsb.Peer, k DocumentKey, decide func(*sheet, *Document) error) error {
	var changed *Document
	err := s.step(ctx, func(w *sheet) error {
		changed = nil
		d, err := w.document(k)
		if err != nil {
			return noSuchDocument(err, k.Kind, k.ID)
		}
		if d.Peer != from.Node {
			return golem.Errorf(golem.ErrForbidden, "%s %s is not with %s", k.Kind, k.ID, from.Node)
		}
		before := d.Status
		if err := decide(w, d); err != nil {
			return err
		}
		if d.Status != before {
			changed = d
		}
		return nil
	})
	if err == nil && changed != nil {
		s.trace.decided(*changed)
	}
	return err
}

func (s *Service) onPayment(ctx context.Context, from gsb.Peer, m wire.SignedPayment) (wire.PaymentAck, error) {
	if m.Signature == nil {
		m.Signature = []byte{} // which no signature is
	}
	return ack, s.receive(ctx, from.Node, m)
}

func (s *Service) onPaymentV1(ctx context.Context, from gsb.Peer, m wire.PaymentV1) (wire.PaymentAck, error) {
	return ack, s.receive(ctx, from.Node, wire.SignedPayment{Payment: m.Payment})
}

// onSync takes each part by itself: one that is refused does not spoil the
// others. Acceptances come first, since payments follow from them.
func (s *Service) onSync(ctx context.Context, from gsb.Peer, m wire.PaymentSync) (wire.PaymentAck, error) {
	failed := s.onSyncDocuments(ctx, from, m.InvoiceAccepts, m.InvoiceRejects, m.NoteAccepts)
	failed.Payments = parts(m.Payments, func(p wire.SignedPayment) error {
		_, err := s.onPayment(ctx, from, p)
		return err
	})
	return ack, orNil(failed)
}

func (s *Service) onSyncV1(ctx context.Context, from gsb.Peer, m wire.PaymentSyncV1) (wire.PaymentAck, error) {
	failed := s.onSyncDocuments(ctx, from, m.InvoiceAccepts, m.InvoiceRejects, m.NoteAccepts)
	failed.Payments = parts(m.Payments, func(p wire.PaymentV1) error {
		_, err := s.onPaymentV1(ctx, from, p)
		return err
	})
	return ack, orNil(failed)
}

func (s *Service) onSyncDocuments(ctx context.Context, from gsb.Peer, invoices []wire.InvoiceAcceptance, rejects []wire.InvoiceRejection, notes []wire.DebitNoteAcceptance) *wire.SyncError {
	failed := parts(notes, func(m wire.DebitNoteAcceptance) error {
		_, err := s.onAcceptDebitNote(ctx, from, m)
		return err
	})
	failed = append(failed, parts(invoices, func(m wire.InvoiceAcceptance) error {
		_, err := s.onAcceptInvoice(ctx, from, m)
		return err
	})...)
	failed = append(failed, parts(rejects, func(m wire.InvoiceRejection) error {
		_, err := s.onRejectInvoice(ctx, from, m)
		return err
	})...)
	return &wire.SyncError{Acceptances: failed}
}

// atOnce is how many parts of a long message are taken at once, so that they
// share commits. Those of a short one are taken in their order.
const atOnce = 16

// parts takes the parts of a message and returns what went wrong.
func parts[T any](ps []T, take func(T) error) (failed []error) {
	errs := make([]error, len(ps))
	if len(ps) <= few {
		for i, p := range ps {
			errs[i] = take(p)
		}
	} else {
		var all sync.WaitGroup
		var next atomic.Int64
		for range atOnce {
			all.Go(func() {
				for i := int(next.Add(1)) - 1; i < len(ps); i = int(next.Add(1)) - 1 {
					errs[i] = take(ps[i])
				}
			})
		}
		all.Wait()
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func orNil(e *wire.SyncError) error {
	if len(e.Payments)+len(e.Acceptances) == 0 {
		return nil
	}
	return e
}

// onRequestSync brings forward all that waits to be told to the caller.
func (s *Service) onRequestSync(ctx context.Context, from gsb.Peer, _ gsb.Unit) (wire.PaymentAck, error) {
	return ack, s.hasten(ctx, from.Node)
}
