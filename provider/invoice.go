package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/rest/client"
)

// invoiceTerm is by when an Invoice is to be paid, where the Agreement says nothing.
const invoiceTerm = 24 * time.Hour

// bill is the Invoice of a deal being made and sent.
type bill struct {
	d       *deal
	id      golem.InvoiceID // "" before it is made
	refused bool            // it cannot be made
	unsure  bool            // whether the node has made it: there was no answer
}

// amount returns what all Activities of the deal have cost.
func (d *deal) amount() (total golem.Amount) {
	for _, w := range d.works {
		total = total.Add(w.total)
	}
	return total
}

// make makes the Invoice, once it is known which Activities the Requestor knows.
func (b *bill) make(ctx context.Context) error {
	if b.id != "" {
		return nil
	}
	for _, w := range b.d.works {
		if !w.delivered && !w.refused {
			return golem.Errorf(golem.ErrUnavailable, "the final debit note of activity %s is not delivered yet", w.id)
		}
	}
	if b.unsure {
		if err := b.find(ctx); err != nil || b.id != "" {
			return err
		}
	}
	d, term := b.d, b.d.paymentTimeout
	if term == 0 {
		term = invoiceTerm
	}
	n := client.NewInvoice{Agreement: d.id, Amount: d.amount(), Due: d.a.now().Add(term), Activities: []golem.ActivityID{}}
	for _, w := range d.works {
		// An Activity that never ran, or whose creation the Requestor has not heard
		// of, is unknown to it, and would make it refuse the whole Invoice.
		if w.used && !w.refused {
			n.Activities = append(n.Activities, w.id)
		}
	}
	i, err := d.a.node.IssueInvoice(ctx, n)
	if b.refused, b.unsure = permanent(err), err != nil; err != nil {
		return err
	}
	b.id = i.ID
	d.a.awaitPayment(i)
	d.log.Info(fmt.Sprintf("Invoice %s issued", i.ID), "amount", i.Amount, "activities", len(n.Activities))
	return nil
}

// find looks for the Invoice among those the node has made.
func (b *bill) find(ctx context.Context) error {
	made, err := b.d.a.formerBills(ctx, b.d.agreement.Provider())
	if i, ok := made[b.d.id]; ok {
		b.id = i.ID
		b.d.a.awaitPayment(i)
	}
	return err
}

// send sends the Invoice.
func (b *bill) send(ctx context.Context) error {
	switch {
	case b.refused:
		return nil
	case b.id == "":
		return golem.Errorf(golem.ErrUnavailable, "the invoice is not made yet")
	}
	err := b.d.a.node.SendInvoice(ctx, b.id, b.d.a.cfg.Send)
	if err == nil {
		b.d.log.Info(fmt.Sprintf("Invoice %s sent", b.id))
	}
	return err
}

// openInvoice is an Invoice that is not paid yet, as far as the Agent has heard.
type openInvoice struct {
	agreement golem.AgreementID
	amount    golem.Amount
	due       time.Time
}

// overdue is how long after its due date an Invoice is taken for lost.
const overdue = 24 * time.Hour

// awaitPayment remembers an Invoice, to log what becomes of it. Those that are
// long overdue are forgotten: the Agent can do nothing about them.
func (a *Agent) awaitPayment(i golem.Invoice) {
	now := a.now()
	a.mu.Lock()
	lost := map[golem.InvoiceID]openInvoice{}
	for id, o := range a.invoices {
		if now.Sub(o.due) > overdue {
			lost[id] = o
			delete(a.invoices, id)
		}
	}
	a.invoices[i.ID] = openInvoice{i.Agreement, i.Amount, i.Due}
	a.mu.Unlock()
	for id, o := range lost {
		a.log.Warn("invoice was not paid", "invoice", id, "agreement", o.agreement, "amount", o.amount, "due", o.due)
	}
}

// onInvoice hears what became of an Invoice.
func (a *Agent) onInvoice(id golem.InvoiceID, e golem.DocumentEventType, r *golem.Rejection) {
	a.mu.Lock()
	o, ok := a.invoices[id]
	if ok && e != golem.AcceptedEvent {
		delete(a.invoices, id)
	}
	a.mu.Unlock()
	if !ok {
		return // not of this Agent
	}
	switch e {
	case golem.AcceptedEvent:
		a.log.Info(fmt.Sprintf("Invoice %s for agreement %s was accepted", id, o.agreement), "amount", o.amount)
	case golem.SettledEvent:
		a.log.Info(fmt.Sprintf("Invoice %s for agreement %s was paid", id, o.agreement), "amount", o.amount)
	case golem.RejectedEvent:
		if r == nil {
			r = &golem.Rejection{}
		}
		a.log.Error("invoice was rejected, giving up", "invoice", id, "agreement", o.agreement, "amount", o.amount, "reason", r.Reason, "message", r.Message)
	default:
		a.log.Warn("invoice is not to be paid any more", "invoice", id, "agreement", o.agreement, "event", e)
	}
}
