package payment

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// Send delivers a document to its Requestor and waits up to wait for the
// acknowledgement. A document that is delivered is not sent again. It returns
// ErrNotFound for a document who has not issued, ErrInvalid where the Requestor
// refuses it, ErrUnavailable where the Requestor cannot be reached and
// ErrNoAnswer where it does not answer; in the last two cases it is for the
// caller to send again.
func (s *Service) Send(ctx context.Context, who golem.NodeID, kind DocumentKind, id string, wait time.Duration) error {
	key := DocumentKey{Side{who, golem.Provider}, kind, id}
	d, err := s.load(ctx, key)
	if err != nil || d.Status != golem.DocumentIssued {
		return err
	}
	before, err := s.paidFor(ctx, &d)
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if kind == DebitNote {
		_, err = wire.SendDebitNote.Call(limit, s.cfg.Bus, d.Owner, d.Peer, d.DebitNote())
	} else {
		_, err = wire.SendInvoice.Call(limit, s.cfg.Bus, d.Owner, d.Peer, d.Invoice())
	}
	switch {
	case err == nil:
	case wire.Answered(err):
		return err
	case limit.Err() != nil && ctx.Err() == nil:
		return golem.Errorf(golem.ErrNoAnswer, "%s %s: the requestor does not answer: %w", kind, id, err)
	default:
		return err
	}
	// The Requestor has it: that is not forgotten even if our client has left.
	return s.step(context.WithoutCancel(ctx), func(w *sheet) error {
		d, err := w.document(key)
		if err != nil || d.Status != golem.DocumentIssued {
			return err
		}
		return w.delivered(d, before)
	})
}

// delivered notes that the Requestor has a document. A payment that was booked
// since it was sent, when before had been paid, may have overtaken the
// acknowledgement: the Requestor has settled the Invoice with it.
func (w *sheet) delivered(d *Document, before golem.Amount) error {
	err := w.move(d, golem.DocumentDeliver, golem.ReceivedEvent)
	if err != nil || d.Kind == DebitNote {
		return err
	}
	a, err := w.agreement(AgreementKey{d.Side, d.Agreement})
	if err != nil || a.Paid == before {
		return err
	}
	return w.settleIfCovered(a, d)
}

// paidFor returns what has been paid under the Agreement of a document.
func (s *Service) paidFor(ctx context.Context, d *Document) (paid golem.Amount, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) error {
		a, err := r.Agreement(AgreementKey{d.Side, d.Agreement})
		paid = a.Paid
		return err
	})
	return paid, err
}

// load reads a document.
func (s *Service) load(ctx context.Context, k DocumentKey) (d Document, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		d, err = r.Document(k)
		return err
	})
	return d, noSuchDocument(err, k.Kind, k.ID)
}

// say tells one message to a node by the message's own call.
func (s *Service) say(ctx context.Context, m *Message) (err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PeerTimeout)
	defer cancel()
	switch m.Kind {
	case RequestSyncMessage:
		_, err = wire.RequestPaymentSync.Call(ctx, s.cfg.Bus, m.Owner, m.Peer, gsb.Unit{})
		return err
	case PaymentMessage:
		p, err := s.signedPayment(ctx, m)
		if err != nil {
			return err
		}
		_, err = wire.SendPayment.Call(ctx, s.cfg.Bus, m.Owner, m.Peer, p)
		return err
	}
	key, ok := m.subject()
	if !ok {
		return golem.Errorf(golem.ErrInternal, "message of kind %s", m.Kind)
	}
	d, err := s.load(ctx, key)
	if err != nil {
		return err
	}
	return s.sayDecision(ctx, m.Kind, &d)
}

// sayDecision tells what was decided about a document.
func (s *Service) sayDecision(ctx context.Context, kind MessageKind, d *Document) (err error) {
	note, invoice := golem.DebitNoteID(d.ID), golem.InvoiceID(d.ID)
	switch kind {
	case AcceptNoteMessage:
		_, err = wire.AcceptDebitNote.Call(ctx, s.cfg.Bus, d.Owner, d.Peer, noteAcceptance(d))
	case AcceptInvoiceMessage:
		_, err = wire.AcceptInvoice.Call(ctx, s.cfg.Bus, d.Owner, d.Peer, invoiceAcceptance(d))
	case RejectNoteMessage:
		_, err = wire.RejectDebitNote.Call(ctx, s.cfg.Bus, d.Owner, d.Peer, wire.DebitNoteRejection{ID: note, Rejection: rejection(d), Issuer: d.Peer})
	case RejectInvoiceMessage:
		_, err = wire.RejectInvoice.Call(ctx, s.cfg.Bus, d.Owner, d.Peer, invoiceRejection(d))
	case CancelNoteMessage:
		_, err = wire.CancelDebitNote.Call(ctx, s.cfg.Bus, d.Owner, d.Peer, wire.DebitNoteCancellation{ID: note, Recipient: d.Peer})
	case CancelInvoiceMessage:
		_, err = wire.CancelInvoice.Call(ctx, s.cfg.Bus, d.Owner, d.Peer, wire.InvoiceCancellation{ID: invoice, Recipient: d.Peer})
	}
	return err
}

func noteAcceptance(d *Document) wire.DebitNoteAcceptance {
	return wire.DebitNoteAcceptance{ID: golem.DebitNoteID(d.ID), Acceptance: golem.Acceptance{Amount: d.Amount}, Issuer: d.Peer}
}

func invoiceAcceptance(d *Document) wire.InvoiceAcceptance {
	return wire.InvoiceAcceptance{ID: golem.InvoiceID(d.ID), Acceptance: golem.Acceptance{Amount: d.Amount}, Issuer: d.Peer}
}

func invoiceRejection(d *Document) wire.InvoiceRejection {
	return wire.InvoiceRejection{ID: golem.InvoiceID(d.ID), Rejection: rejection(d), Issuer: d.Peer}
}

func rejection(d *Document) golem.Rejection {
	if d.Rejection == nil {
		return golem.Rejection{Reason: golem.UnsolicitedService}
	}
	return *d.Rejection
}

func (s *Service) signedPayment(ctx context.Context, m *Message) (wire.SignedPayment, error) {
	p, err := s.signed(ctx, PaymentKey{Side{m.Owner, golem.Requestor}, golem.PaymentID(m.Ref)})
	if err != nil {
		return wire.SignedPayment{}, err
	}
	wallet, err := s.signedByWallet(ctx, &p)
	return wire.SignedPayment{Payment: p.Payment.Public(), Signature: p.Signature, SignedBytes: p.SignedBytes, Wallet: wallet}, err
}

// syncs reports whether a message has a place in [wire.PaymentSync].
func (m *Message) syncs() bool {
	switch m.Kind {
	case AcceptNoteMessage, AcceptInvoiceMessage, RejectInvoiceMessage, PaymentMessage:
		return true
	}
	return false
}

// sayTogether tells several messages at once, as upstream repeats what could not
// be delivered.
func (s *Service) sayTogether(ctx context.Context, ms []Message) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PeerTimeout)
	defer cancel()
	sync := wire.PaymentSync{Payments: []wire.SignedPayment{}, InvoiceAccepts: []wire.InvoiceAcceptance{}, InvoiceRejects: []wire.InvoiceRejection{}, NoteAccepts: []wire.DebitNoteAcceptance{}}
	for i := range ms {
		if err := s.join(ctx, &sync, &ms[i]); err != nil {
			return err
		}
	}
	_, err := wire.SyncPayments.Call(ctx, s.cfg.Bus, ms[0].Owner, ms[0].Peer, sync)
	return err
}

func (s *Service) join(ctx context.Context, sync *wire.PaymentSync, m *Message) error {
	if m.Kind == PaymentMessage {
		p, err := s.signedPayment(ctx, m)
		sync.Payments = append(sync.Payments, p)
		return err
	}
	key, _ := m.subject()
	d, err := s.load(ctx, key)
	if err != nil {
		return err
	}
	switch m.Kind {
	case AcceptNoteMessage:
		sync.NoteAccepts = append(sync.NoteAccepts, noteAcceptance(&d))
	case AcceptInvoiceMessage:
		sync.InvoiceAccepts = append(sync.InvoiceAccepts, invoiceAcceptance(&d))
	case RejectInvoiceMessage:
		sync.InvoiceRejects = append(sync.InvoiceRejects, invoiceRejection(&d))
	}
	return nil
}

// notThere reports whether a node does not know a message at all.
func notThere(err error) bool {
	return err != nil && strings.Contains(err.Error(), gsb.ErrNoEndpoint.Error())
}

// unreachable reports whether err says something about the other node, or the way
// there, rather than about a single message.
func unreachable(err error) bool {
	if err == nil || wire.Answered(err) {
		return false
	}
	for _, kind := range []golem.Kind{golem.ErrUnavailable, golem.ErrNoAnswer, golem.ErrTimeout, golem.ErrCancelled} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
