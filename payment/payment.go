package payment

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// Payment is a Payment in the books of one side.
type Payment struct {
	golem.Payment
	Side
	Recorded    time.Time // unique and increasing on a node
	Order       OrderID   // on the Requestor's side
	Ref         string    // of the transfer
	Signature   []byte    // of the payer; nil until it is sent, or from old nodes
	SignedBytes []byte
}

// PaymentKey names a Payment in the books of one side.
type PaymentKey struct {
	Side
	ID golem.PaymentID
}

// Key returns the name of the Payment.
func (p *Payment) Key() PaymentKey { return PaymentKey{p.Side, p.ID} }

// PaymentQuery says which payments somebody wants to see.
type PaymentQuery struct {
	Owner   golem.NodeID
	Session string // that of one of the Agreements paid; "" for all
	Driver  string // "" for all
	Network string // "" for all
	Page
}

// maxLines bounds the parts of a Payment of another node.
const maxLines = 5000

// Payments returns the payments recorded after q.After, waiting up to wait for
// the first.
func (s *Service) Payments(ctx context.Context, q PaymentQuery, wait time.Duration) ([]Payment, error) {
	return await(ctx, s, wait, paymentsOf(q.Owner), func(r Reader) ([]Payment, error) { return r.Payments(q) })
}

// Payment returns a Payment that who has made or received.
func (s *Service) Payment(ctx context.Context, who golem.NodeID, id golem.PaymentID) (p Payment, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		p, err = r.Payment(PaymentKey{Side{who, golem.Requestor}, id})
		if errors.Is(err, golem.ErrNotFound) {
			p, err = r.Payment(PaymentKey{Side{who, golem.Provider}, id})
		}
		return err
	})
	if errors.Is(err, golem.ErrNotFound) {
		err = golem.Errorf(golem.ErrNotFound, "payment %s not found", id)
	}
	return p, err
}

// signed returns a Payment of this node with its signature. What is signed is
// kept, so that a repeated message is the same to the byte.
func (s *Service) signed(ctx context.Context, k PaymentKey) (p Payment, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		p, err = r.Payment(k)
		return err
	})
	if err != nil || p.Signature != nil {
		return p, err
	}
	if p.SignedBytes, err = canonical(&p.Payment); err != nil {
		return p, err
	}
	sig, err := s.cfg.Signer.Sign(ctx, p.Owner, digest(p.SignedBytes))
	if err != nil {
		return p, fmt.Errorf("payment %s: %w", p.ID, err)
	}
	p.Signature = sig[:]
	return p, s.step(ctx, func(w *sheet) error {
		w.payments = append(w.payments, p)
		return nil
	})
}

// signedByWallet returns the signature by which the address a Payment came from
// says that the payer speaks for it; nil where that is the payer's own.
func (s *Service) signedByWallet(ctx context.Context, p *Payment) ([]byte, error) {
	if p.PayerAddr == p.Owner.Address() {
		return nil, nil
	}
	sig, err := s.cfg.Signer.Sign(ctx, golem.NodeID(p.PayerAddr), digest(p.SignedBytes))
	if err != nil {
		return nil, fmt.Errorf("payment %s: %w", p.ID, err)
	}
	return sig[:], nil
}

// receive books a Payment of another node for one of ours. The signature is nil
// for nodes that cannot sign; the driver's proof is required of all.
func (s *Service) receive(ctx context.Context, from golem.NodeID, m wire.SignedPayment) error {
	in, sig, signed := m.Payment, m.Signature, m.SignedBytes
	if err := s.plausible(from, &in); err != nil {
		return err
	}
	if known, err := s.received(ctx, &in); known || err != nil {
		return err
	}
	if sig != nil {
		if err := attested(s.cfg.Verifier, &in, sig, signed); err != nil {
			return err
		}
	} else if s.cfg.RefuseUnsigned {
		return golem.Errorf(golem.ErrInvalid, "Invalid payment signature: this node wants signed payments")
	}
	if err := ownsWallet(s.cfg.Verifier, &m); err != nil {
		return err
	}
	transfer, err := s.proven(ctx, &in)
	if err != nil {
		return err
	}
	p := Payment{Payment: in.Public(), Side: Side{in.Payee, golem.Provider}, Ref: transfer.Ref, Signature: sig, SignedBytes: signed}
	err = s.step(ctx, func(w *sheet) error { return w.credit(p, transfer) })
	if err == nil {
		s.trace.credited(p)
	}
	return err
}

// plausible checks a Payment by itself.
func (s *Service) plausible(from golem.NodeID, p *golem.Payment) error {
	switch {
	case p.Payer != from:
		return golem.Errorf(golem.ErrInvalid, "Invalid payer ID: payment of %s sent by %s", p.Payer, from)
	case len(p.Details) > maxProof:
		return golem.Errorf(golem.ErrInvalid, "details of the payment have %d characters, at most %d", len(p.Details), maxProof)
	case len(p.Agreements)+len(p.Activities) > maxLines:
		return golem.Errorf(golem.ErrInvalid, "payment of %d parts, at most %d", len(p.Agreements)+len(p.Activities), maxLines)
	case p.Amount.Less(p.Sum()):
		return golem.Errorf(golem.ErrInvalid, "payment of %s, but its parts add up to %s", p.Amount, p.Sum())
	case s.drivers[p.Platform] == nil:
		return golem.Errorf(golem.ErrInvalid, "payment platform %s is not known to this node", p.Platform)
	}
	for _, l := range p.Agreements {
		if l.Amount.IsZero() {
			return golem.Errorf(golem.ErrInvalid, "payment for agreement %s is zero", l.Agreement)
		}
	}
	for _, l := range p.Activities {
		if l.Amount.IsZero() {
			return golem.Errorf(golem.ErrInvalid, "payment for activity %s is zero", l.Activity)
		}
	}
	if err := errors.Join(named(string(p.ID)), dated(p.Timestamp)); err != nil {
		return err
	}
	return sane(p.Amount)
}

// received reports whether the same Payment is booked already.
func (s *Service) received(ctx context.Context, in *golem.Payment) (known bool, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		known, err = booked(r, in)
		return err
	})
	return known, err
}

func booked(r Reader, in *golem.Payment) (bool, error) {
	p, err := r.Payment(PaymentKey{Side{in.Payee, golem.Provider}, in.ID})
	switch {
	case errors.Is(err, golem.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case !samePayment(&p.Payment, in):
		return false, golem.Errorf(golem.ErrInvalid, "payment %s is known with other contents", in.ID)
	}
	return true, nil
}

// proven asks the driver for the transfer behind a Payment and compares.
func (s *Service) proven(ctx context.Context, p *golem.Payment) (Transfer, error) {
	proof, err := base64.StdEncoding.DecodeString(p.Details)
	if err != nil {
		return Transfer{}, golem.Errorf(golem.ErrInvalid, "details of the payment are not base64: %w", err)
	}
	t, err := s.drivers[p.Platform].Confirm(ctx, p.Platform, proof)
	switch {
	case errors.Is(err, golem.ErrNotFound): // it may show up here later
		return t, golem.Errorf(golem.ErrUnavailable, "payment %s: %w", p.ID, err)
	case err != nil:
		return t, fmt.Errorf("payment %s: %w", p.ID, err)
	case t.Payee != p.PayeeAddr:
		return t, golem.Errorf(golem.ErrInvalid, "Invalid recipient: the transfer went to %s, the payment is to %s", t.Payee, p.PayeeAddr)
	case t.Payer != p.PayerAddr:
		return t, golem.Errorf(golem.ErrInvalid, "Invalid sender: the transfer came from %s, the payment is from %s", t.Payer, p.PayerAddr)
	case t.Amount.Less(p.Amount):
		return t, golem.Errorf(golem.ErrInvalid, "Invalid amount: %s were transferred, the payment is of %s", t.Amount, p.Amount)
	case t.Ref == "":
		return t, golem.Errorf(golem.ErrInternal, "driver confirms a transfer without a name")
	}
	return t, nil
}

// credit books a proven Payment on the Provider's side. A transfer pays for no
// more than it has moved, whichever identities of this node the parts are for.
func (w *sheet) credit(p Payment, t Transfer) error {
	if known, err := booked(w.r, &p.Payment); known || err != nil {
		return err
	}
	claimed, err := w.r.Claimed(p.Platform, t.Ref)
	if err != nil {
		return err
	}
	if t.Amount.Less(claimed.Add(p.Sum())) {
		return golem.Errorf(golem.ErrInvalid, "Transaction for %s used for multiple payments amounting to %s", t.Amount, claimed.Add(p.Sum()))
	}
	w.payments = append(w.payments, p)
	var touched []*Agreement
	for _, l := range p.Agreements {
		a, err := w.creditable(&p, l.Agreement)
		if err != nil {
			return err
		}
		addPaid(&a.Totals, l.Amount)
		touched = include(touched, a)
	}
	for _, l := range p.Activities {
		act, err := w.activities.get(ActivityKey{p.Side, l.Activity}, w.r.Activity)
		if errors.Is(err, golem.ErrNotFound) {
			return golem.Errorf(golem.ErrInvalid, "payment for activity %s, which has no debit note", l.Activity)
		}
		if err != nil {
			return err
		}
		a, err := w.creditable(&p, act.Agreement)
		if err != nil {
			return err
		}
		addPaid(&act.Totals, l.Amount)
		addPaid(&a.Totals, l.Amount)
		act.Updated = w.now
		touched = include(touched, a)
	}
	for _, a := range touched {
		a.Updated = w.now
		if err := w.acceptedAtLeast(a, golem.Amount{}); err != nil {
			return err
		}
		if err := w.settleDocuments(a); err != nil {
			return err
		}
	}
	return nil
}

// include adds a unless it is there: a Payment with a thousand parts for one
// Agreement is to be no more work than one with a single part.
func include(as []*Agreement, a *Agreement) []*Agreement {
	if slices.Contains(as, a) {
		return as
	}
	return append(as, a)
}

// addPaid adds a payment on the Provider's side. Who pays has accepted, even if
// the acceptance itself has not arrived yet.
func addPaid(t *Totals, amount golem.Amount) {
	t.Paid = t.Paid.Add(amount)
	covered := t.Paid
	if t.Due.Less(covered) {
		covered = t.Due
	}
	t.Accepted = t.Accepted.Max(covered)
}

// creditable returns the books of an Agreement that the Payment may be for.
func (w *sheet) creditable(p *Payment, id golem.AgreementID) (*Agreement, error) {
	a, err := w.agreement(AgreementKey{p.Side, id})
	switch {
	case errors.Is(err, golem.ErrNotFound):
		return nil, golem.Errorf(golem.ErrInvalid, "payment for agreement %s, which has no bill", id)
	case err != nil:
		return nil, err
	case a.Peer != p.Payer:
		return nil, golem.Errorf(golem.ErrInvalid, "payment for agreement %s by %s, who is no party of it", id, p.Payer)
	case a.Platform != p.Platform, a.Payee != p.PayeeAddr, a.Payer != p.PayerAddr:
		return nil, golem.Errorf(golem.ErrInvalid, "payment for agreement %s: platform or addresses are not those agreed on", id)
	}
	return a, nil
}
