package requestor

import (
	"context"
	"time"

	"github.com/golem-go/golem"
)

const (
	pollTime  = 20 * time.Second // of a long poll
	pollMost  = 100              // events in an answer
	stuckMost = 10               // attempts at one event before it is left alone
	idleTime  = time.Second      // at least between polls that bring nothing
)

// follower reads a queue of events of our Agreements.
type follower struct {
	r        *Requestor
	name     string
	poll     func(ctx context.Context, after time.Time) ([]happening, error)
	after    time.Time
	failures int // in a row
}

// happening is an event and what is to be done about it. An error means that it
// should be tried again.
type happening struct {
	at     time.Time
	handle func(context.Context) error
}

// followEvents begins to do what Providers' documents and the ends of Agreements
// ask for, until the Requestor is closed.
func (r *Requestor) followEvents() {
	begin := time.Unix(0, 0) // all of the session; without a time the node begins in 2016
	for _, f := range []*follower{
		{r: r, name: "debit notes", poll: r.pollNotes, after: begin},
		{r: r, name: "invoices", poll: r.pollInvoices, after: begin},
		{r: r, name: "agreements", poll: r.pollAgreements, after: begin},
	} {
		r.spawn(f.run)
	}
}

func (f *follower) run() {
	for f.r.ctx.Err() == nil {
		err := f.round(f.r.ctx)
		if err == nil || f.r.ctx.Err() != nil {
			continue
		}
		if f.failures == 0 {
			f.r.log.Warn("trying again", "events", f.name, "err", err)
		}
		f.r.pause(f.r.ctx, f.failures)
		f.failures++
	}
}

// round reads the next events and handles them in order. One that fails for long
// is left to the node's owner, so that it does not hold up the others.
func (f *follower) round(ctx context.Context) error {
	begun, from := time.Now(), f.after
	hs, err := f.poll(ctx, f.after)
	for _, h := range hs {
		if err := h.handle(ctx); err != nil {
			if f.failures < stuckMost || ctx.Err() != nil {
				return err
			}
			f.r.log.Error("event skipped", "events", f.name, "err", err)
		}
		f.after, f.failures = h.at, 0
	}
	if err != nil {
		return err
	}
	f.failures = 0
	if !f.after.After(from) && time.Since(begun) < idleTime {
		sleep(ctx, idleTime) // the node does not wait, or tells the same again
	}
	return nil
}

func (r *Requestor) pollNotes(ctx context.Context, after time.Time) (hs []happening, err error) {
	es, err := r.api.DebitNoteEvents(ctx, r.session, after, pollTime, pollMost)
	for _, e := range es {
		hs = append(hs, happening{e.At, func(ctx context.Context) error {
			if e.Type != golem.ReceivedEvent {
				return nil
			}
			return r.onNote(ctx, e.DebitNote)
		}})
	}
	return hs, err
}

func (r *Requestor) pollInvoices(ctx context.Context, after time.Time) (hs []happening, err error) {
	es, err := r.api.InvoiceEvents(ctx, r.session, after, pollTime, pollMost)
	for _, e := range es {
		hs = append(hs, happening{e.At, func(ctx context.Context) error { return r.onInvoice(ctx, e.Invoice) }})
	}
	return hs, err
}

func (r *Requestor) pollAgreements(ctx context.Context, after time.Time) (hs []happening, err error) {
	es, err := r.api.AgreementChanges(ctx, r.session, after, pollTime, pollMost)
	for _, e := range es {
		hs = append(hs, happening{e.At, func(context.Context) error {
			if e.Type == golem.AgreementTerminatedEvent && e.Terminator == golem.Provider {
				r.onTerminated(e.Agreement, e.Reason)
			}
			return nil
		}})
	}
	return hs, err
}

// onTerminated ends the rental whose Provider has ended the Agreement.
func (r *Requestor) onTerminated(id golem.AgreementID, reason *golem.Reason) {
	why := "it has terminated the agreement"
	if text := reason.Text(); text != "" {
		why += ": " + clip(text)
	}
	r.accuse(id, golem.Errorf(golem.ErrUnavailable, "%s", why))
}
