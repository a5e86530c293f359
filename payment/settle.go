package payment

import (
	"context"
	"crypto/sha3"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

// OrderRecord is an Order in the books.
type OrderRecord struct {
	Order
	Owner   golem.NodeID
	Created time.Time
	Settled time.Time // zero: not yet
	Proof   []byte
	Ref     string // of the transfer
}

// payTime says when what is accepted now is to be paid at the latest.
type payTime func(now time.Time) time.Time

// payAt returns when a document is to be paid: after the delay that lets it be
// paid together with others, but before it is due.
func (s *Service) payAt(d *Document) payTime {
	delay := s.cfg.PayDelay
	if b, ok := s.drivers[d.Platform].(Batcher); ok {
		delay = b.PayDelay(d.Platform)
	}
	return func(now time.Time) time.Time {
		t := now.Add(delay)
		if last := d.Due.Add(-s.cfg.DueMargin); !d.Due.IsZero() && last.Before(t) {
			t = last
		}
		if t.Before(now) {
			return now
		}
		return t
	}
}

// gatherLimit bounds how many obligations one step puts into orders.
const gatherLimit = 2000

// gather puts obligations whose time has come into orders, together with all
// others of the same purse, and returns when it should be called again. A purse
// whose books cannot be written keeps no other one from paying.
func (s *Service) gather(ctx context.Context) (next time.Time, err error) {
	for more := true; more; {
		purses, err := s.payable(ctx)
		if err != nil {
			return next, err
		}
		var errs []error
		for _, p := range purses {
			errs = append(errs, s.step(ctx, func(w *sheet) error { return w.gather(p) }))
		}
		if err := errors.Join(errs...); err != nil {
			return next, err
		}
		more = len(purses) > 0
	}
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		next, err = r.NextPayable()
		return err
	})
	return next, err
}

func (s *Service) payable(ctx context.Context) (purses []Purse, err error) {
	now := s.now()
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		purses, err = r.Payable(now)
		return err
	})
	return purses, err
}

// gather puts the open obligations of a purse into one order for each address
// they are to be paid to, and deposit they are to be paid from.
func (w *sheet) gather(p Purse) error {
	open, err := w.r.OpenObligations(p, gatherLimit)
	if err != nil {
		return err
	}
	type part struct {
		payee   golem.Address
		deposit string
	}
	orders := map[part]*OrderRecord{}
	for _, v := range open {
		o := w.obligations.loaded(v.Document, v)
		deposit, err := w.depositOf(o)
		if err != nil {
			return err
		}
		k := part{payee: o.Payee}
		if deposit != nil {
			k.deposit = deposit.Contract + "/" + deposit.ID
		}
		if orders[k] == nil {
			orders[k] = w.begin(p, o, deposit)
		}
		if err := w.order(orders[k], o); err != nil {
			return err
		}
	}
	return nil
}

// begin makes an order with an obligation to begin with. No obligation is ever
// part of two orders, so the document behind it gives the order its name.
func (w *sheet) begin(p Purse, o *Obligation, deposit *golem.Deposit) *OrderRecord {
	id := OrderID(nameOf("order", o.Document.Owner.String(), string(o.Agreement), string(o.Document.Kind), o.Document.ID))
	w.tell(p.Owner, golem.NodeID{}, OrderMessage, string(id))
	return w.orders.add(id, OrderRecord{
		Order: Order{ID: id, Platform: o.Platform, Payer: o.Payer, Payee: o.Payee, Deposit: deposit},
		Owner: p.Owner, Created: w.now,
	})
}

// nameOf returns an id that follows from what it names: 32 hex digits. Working a
// step out again then gives the same ids.
func nameOf(what string, parts ...string) string {
	sum := sha3.Sum256([]byte("golem payment " + what + "\n" + strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:16])
}

func (w *sheet) depositOf(o *Obligation) (*golem.Deposit, error) {
	al, err := w.allocations.get(o.Allocation, w.r.Allocation)
	if err != nil {
		return nil, fmt.Errorf("allocation %s: %w", o.Allocation, err)
	}
	return al.Deposit, nil
}

// order makes an obligation part of an order.
func (w *sheet) order(order *OrderRecord, o *Obligation) error {
	o.State, o.Order = ObligationOrdered, order.ID
	order.Amount = order.Amount.Add(o.Amount)
	if !o.Due.IsZero() && (order.Due.IsZero() || o.Due.Before(order.Due)) {
		order.Due = o.Due
	}
	return w.both(o, func(t *Totals) { t.Scheduled = t.Scheduled.Add(o.Amount) })
}

// both changes the totals of the Agreement of an obligation, and of the Activity
// where it has one.
func (w *sheet) both(o *Obligation, f func(*Totals)) error {
	a, err := w.agreement(AgreementKey{o.Document.Side, o.Agreement})
	if err != nil {
		return err
	}
	f(&a.Totals)
	a.Updated = w.now
	if o.Activity == "" {
		return nil
	}
	act, err := w.activity(a, o.Activity)
	if err == nil {
		f(&act.Totals)
		act.Updated = w.now
	}
	return err
}

// Settled books that a driver has carried out an order: obligations are paid,
// documents settled, and a Payment for each Provider is written down to be sent.
// Being told again is no error. It returns ErrNotFound for an order that is not
// of this node, ErrInvalid where another amount was moved than ordered, and
// ErrConflict where the order was settled by another transfer.
func (s *Service) Settled(ctx context.Context, st Settlement) error {
	var settled *OrderRecord
	err := s.step(ctx, func(w *sheet) error {
		settled = nil
		o, err := w.orders.get(st.Order, w.r.Order)
		if err != nil {
			return fmt.Errorf("order %s: %w", st.Order, err)
		}
		if err := st.check(o); err != nil || !o.Settled.IsZero() {
			return err
		}
		settled = o
		return w.settle(o, st)
	})
	if err == nil && settled != nil {
		s.trace.settled(*settled)
	}
	return err
}

// check compares what a driver reports with what it was told to do.
func (st *Settlement) check(o *OrderRecord) error {
	switch {
	case len(st.Proof) == 0 || st.Ref == "":
		return golem.Errorf(golem.ErrInvalid, "order %s: settled without a proof", o.ID)
	case st.Amount != o.Amount:
		return golem.Errorf(golem.ErrInvalid, "order %s: %s were moved, ordered were %s", o.ID, st.Amount, o.Amount)
	case !o.Settled.IsZero() && st.Ref != o.Ref:
		return golem.Errorf(golem.ErrConflict, "order %s: settled by transfer %s already, now by %s", o.ID, o.Ref, st.Ref)
	}
	return nil
}

func (w *sheet) settle(o *OrderRecord, st Settlement) error {
	o.Settled, o.Proof, o.Ref = w.now, st.Proof, st.Ref
	list, err := w.r.ObligationsOf(o.ID)
	if err != nil {
		return err
	}
	var touched []*Agreement
	for _, v := range list {
		ob := w.obligations.loaded(v.Document, v)
		ob.State = ObligationPaid
		if err := w.both(ob, func(t *Totals) { t.Paid = t.Paid.Add(ob.Amount) }); err != nil {
			return err
		}
		a, err := w.agreement(AgreementKey{ob.Document.Side, ob.Agreement})
		if err != nil {
			return err
		}
		touched = include(touched, a)
	}
	for _, a := range touched {
		if err := w.settleDocuments(a); err != nil {
			return err
		}
	}
	w.confirm(o, list)
	return w.forget(o.Owner, golem.NodeID{}, OrderMessage, string(o.ID))
}

// settleDocuments settles every document of an Agreement that is covered by what
// was paid: invoices first, since they include the notes. An Invoice that is not
// delivered stays open: the Requestor is still to get it.
func (w *sheet) settleDocuments(a *Agreement) error {
	open, err := w.documentsOf(a, w.r.OpenDocumentsOf)
	if err != nil {
		return err
	}
	slices.SortStableFunc(open, func(x, y *Document) int { return rank(x) - rank(y) })
	for _, d := range open {
		if d.Status == golem.DocumentSettled || d.Status == golem.DocumentCancelled || undelivered(d) {
			continue
		}
		if err := w.settleIfCovered(a, d); err != nil {
			return err
		}
		if d.Status == golem.DocumentSettled {
			if err := w.dropWishes(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropWishes forgets what was to be told about a document that is settled, and so
// can be neither cancelled nor rejected any more.
func (w *sheet) dropWishes(d *Document) error {
	for _, e := range []golem.DocumentEvent{golem.DocumentCancel, golem.DocumentReject} {
		if err := w.forget(d.Owner, d.Peer, messagesAbout[d.Kind][e], d.ID); err != nil {
			return err
		}
	}
	return nil
}

func undelivered(d *Document) bool { return d.Kind == Invoice && d.Status == golem.DocumentIssued }

func rank(d *Document) int {
	if d.Kind == Invoice {
		return 0
	}
	return 1
}

// confirm writes a Payment down for each Provider an order has paid.
func (w *sheet) confirm(o *OrderRecord, obligations []Obligation) {
	var peers []golem.NodeID
	parts := map[golem.NodeID]*Payment{}
	for _, ob := range obligations {
		p := parts[ob.Peer]
		if p == nil {
			p = &Payment{
				Payment: golem.Payment{
					ID: golem.PaymentID(nameOf("payment", string(o.ID), ob.Peer.String())), Payer: o.Owner, Payee: ob.Peer,
					PayerAddr: o.Payer, PayeeAddr: o.Payee, Platform: o.Platform, Timestamp: w.now,
					Agreements: []golem.AgreementPayment{}, Activities: []golem.ActivityPayment{},
					Details: base64.StdEncoding.EncodeToString(o.Proof),
				},
				Side: Side{o.Owner, golem.Requestor}, Order: o.ID, Ref: o.Ref,
			}
			parts[ob.Peer] = p
			peers = append(peers, ob.Peer)
		}
		p.include(&ob)
	}
	for _, peer := range peers {
		w.payments = append(w.payments, *parts[peer])
		w.tell(o.Owner, peer, PaymentMessage, string(parts[peer].ID))
	}
}

// include adds what pays an obligation: one line for each Agreement or Activity.
func (p *Payment) include(ob *Obligation) {
	p.Amount = p.Amount.Add(ob.Amount)
	if ob.Activity != "" {
		for i := range p.Activities {
			if line := &p.Activities[i]; line.Activity == ob.Activity {
				line.Amount = line.Amount.Add(ob.Amount)
				line.Allocation = common(line.Allocation, ob.Allocation)
				return
			}
		}
		p.Activities = append(p.Activities, golem.ActivityPayment{Activity: ob.Activity, Amount: ob.Amount, Allocation: ob.Allocation})
		return
	}
	for i := range p.Agreements {
		if line := &p.Agreements[i]; line.Agreement == ob.Agreement {
			line.Amount = line.Amount.Add(ob.Amount)
			line.Allocation = common(line.Allocation, ob.Allocation)
			return
		}
	}
	p.Agreements = append(p.Agreements, golem.AgreementPayment{Agreement: ob.Agreement, Amount: ob.Amount, Allocation: ob.Allocation})
}

// common returns the Allocation of a line that may be paid from several.
func common(a, b golem.AllocationID) golem.AllocationID {
	if a == b {
		return a
	}
	return ""
}

var errNoDriver = golem.Errorf(golem.ErrUnsupported, "no driver of this node pays on the platform")

// pay hands an order over to its driver.
func (s *Service) pay(ctx context.Context, id OrderID) error {
	var o OrderRecord
	err := s.cfg.Store.View(ctx, func(r Reader) (err error) {
		o, err = r.Order(id)
		return err
	})
	if err != nil || !o.Settled.IsZero() {
		return err
	}
	driver := s.drivers[o.Platform]
	if driver == nil {
		return fmt.Errorf("%s: %w", o.Platform, errNoDriver)
	}
	if err := driver.Pay(ctx, o.Order); err != nil {
		return fmt.Errorf("order %s: %w", id, err)
	}
	return nil
}

// releaseDeposit gives the rest of a deposit back once nothing is to be paid
// from it any more; until then it returns errNotYet.
func (s *Service) releaseDeposit(ctx context.Context, id golem.AllocationID) error {
	var al golem.Allocation
	err := s.cfg.Store.View(ctx, func(r Reader) (err error) {
		if al, err = r.Allocation(id); err != nil {
			return err
		}
		obligations, err := r.ObligationsOn(id)
		for _, o := range obligations {
			if o.State != ObligationPaid {
				return errNotYet
			}
		}
		return err
	})
	if err != nil || al.Deposit == nil {
		return err
	}
	d, ok := s.drivers[al.Platform].(Depositor)
	if !ok {
		return fmt.Errorf("deposits on %s: %w", al.Platform, errNoDriver)
	}
	return d.ReleaseDeposit(ctx, al.Platform, al.Address, *al.Deposit)
}

var errNotYet = errors.New("there is still something to be paid from it")
