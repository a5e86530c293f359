package provider

import (
	"context"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/rest/client"
)

const mostEvents = 100 // at a time

// followAgreements hears of Agreements that were terminated.
func (a *Agent) followAgreements(ctx context.Context) {
	follow(ctx, a, "agreements", func(ctx context.Context, after time.Time) ([]client.AgreementChange, error) {
		return a.node.AgreementChanges(ctx, a.session, after, a.cfg.Poll, mostEvents)
	}, func(e client.AgreementChange) time.Time {
		if d := a.dealOf(e.Agreement); d != nil && e.Type == golem.AgreementTerminatedEvent {
			d.mail.put(func() { d.onTerminated(e.Terminator, e.Reason) })
		}
		return e.At
	})
}

// followActivities hears of Activities to start and to stop.
func (a *Agent) followActivities(ctx context.Context) {
	follow(ctx, a, "activities", func(ctx context.Context, after time.Time) ([]golem.ProviderEvent, error) {
		return a.node.ActivityEvents(ctx, a.session, after, mostEvents, a.cfg.Poll)
	}, func(e golem.ProviderEvent) time.Time {
		d := a.dealOf(e.Agreement)
		switch {
		case d == nil:
			a.log.Debug("event about an activity of an agreement that is over", "agreement", e.Agreement, "activity", e.Activity)
		case e.Type.Create != nil:
			d.mail.put(func() { d.onCreate(e.Activity, e.Type.Create.PublicKey) })
		case e.Type.Destroy != nil:
			d.mail.put(func() { d.onDestroy(e.Activity) })
		}
		return e.Date
	})
}

// expect makes a deal hear of what becomes of a debit note.
func (a *Agent) expect(id golem.DebitNoteID, d *deal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notes[id] = d
}

// followNotes hears of what becomes of debit notes.
func (a *Agent) followNotes(ctx context.Context) {
	follow(ctx, a, "debit notes", func(ctx context.Context, after time.Time) ([]client.DebitNoteEvent, error) {
		return a.node.DebitNoteEvents(ctx, a.session, after, a.cfg.Poll, mostEvents)
	}, func(e client.DebitNoteEvent) time.Time {
		a.mu.Lock()
		d := a.notes[e.DebitNote]
		a.mu.Unlock()
		if d != nil {
			d.mail.put(func() { d.onNote(e.DebitNote, e.Type, e.Rejection) })
		}
		return e.At
	})
}

// followInvoices hears of what becomes of invoices.
func (a *Agent) followInvoices(ctx context.Context) {
	follow(ctx, a, "invoices", func(ctx context.Context, after time.Time) ([]client.InvoiceEvent, error) {
		return a.node.InvoiceEvents(ctx, a.session, after, a.cfg.Poll, mostEvents)
	}, func(e client.InvoiceEvent) time.Time {
		a.onInvoice(e.Invoice, e.Type, e.Rejection)
		return e.At
	})
}
