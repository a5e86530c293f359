package provider

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/golem-go/golem"
)

// deal is an Agreement being served. One goroutine owns it, run; what others have
// to say to it they put into its mailbox.
type deal struct {
	*agreed
	a       *Agent
	id      golem.AgreementID
	runtime *Descriptor // nil for one of a former process
	log     *slog.Logger
	mail    *mailbox
	running sync.WaitGroup            // what works for it
	enough  func()                    // ends serving
	start   func(w *work)             // lets an Activity run
	refuse  func(w *work, why string) // ends one that never ran

	state  dealState
	end    ending // once the state has ended
	ledger ledger
	idleAt time.Time // when it has been idle for too long, zero while it is not
	works  []*work   // of all its Activities, in their order

	former golem.InvoiceID // made by a former process, "" for none
}

func newDeal(a *Agent, t *agreed, r *Descriptor) *deal {
	return &deal{
		agreed: t, a: a, id: t.agreement.ID, runtime: r, state: dealNew, mail: newMailbox(),
		log: a.log.With("agreement", t.agreement.ID), ledger: ledger{accept: t.acceptTimeout},
	}
}

// run approves the Agreement, serves it until it ends, and bills it.
func (d *deal) run(ctx context.Context) {
	if !d.approve(ctx) {
		return
	}
	d.prepare(ctx)
	d.serve(ctx)
	d.finish(ctx)
}

// prepare settles for how long what it begins goes on: ExeUnits until the deal has
// ended, what has to be told and billed after that until ctx ends.
func (d *deal) prepare(ctx context.Context) {
	serving, enough := context.WithCancel(ctx)
	d.enough = enough
	d.start = func(w *work) {
		unit, stop := context.WithCancel(serving)
		w.stop = stop
		d.running.Go(func() { defer stop(); w.run(ctx, serving, unit) })
	}
	d.refuse = func(w *work, why string) { d.running.Go(func() { w.tellEnd(ctx, why) }) }
}

// approvals is how often a Requestor that does not confirm an approval in time is
// given another chance.
const approvals = 3

// approve approves the Agreement, and reports whether there is one afterwards. What
// the call returns is not relied upon: the node knows the state.
func (d *deal) approve(ctx context.Context) bool {
	for range approvals {
		err := d.a.node.ApproveAgreement(ctx, d.id, d.a.session, d.a.cfg.Approve)
		ag, readErr := d.read(ctx)
		if readErr != nil {
			d.log.Error("cannot learn whether an agreement is approved", "err", readErr)
			return false
		}
		switch {
		case ag.State == golem.AgreementApproved, ag.State == golem.AgreementTerminated && err == nil:
			return d.begin(ag)
		case ag.State == golem.AgreementPending:
			d.log.Warn("approval was not confirmed", "err", err)
			if !d.a.pause(ctx, quickly.first) {
				return false
			}
		default:
			d.log.Info("agreement was not approved", "state", ag.State)
			return false
		}
	}
	reason := golem.NewReason("The approval was not confirmed.", golem.ReasonIsFinal, false)
	if err := d.a.node.RejectAgreement(ctx, d.id, reason); err != nil {
		d.log.Warn("cannot reject an agreement", "err", err)
	}
	return false
}

// read returns the Agreement as the node has it.
func (d *deal) read(ctx context.Context) (ag *golem.Agreement, err error) {
	err = d.a.retry(ctx, "read an agreement", quickly, func(ctx context.Context) (err error) {
		ag, err = d.a.node.Agreement(ctx, d.id)
		return err
	})
	return ag, err
}

// begin notes that the Agreement is approved.
func (d *deal) begin(ag *golem.Agreement) bool {
	t, err := readAgreed(ag, d.a.cfg.Terms.NoteInterval)
	if err != nil {
		d.log.Error("agreement has changed", "err", err)
		return false
	}
	d.agreed = t
	d.move(dealStart)
	d.idleAt = d.a.now().Add(d.a.cfg.Idle)
	d.log.Info("agreement approved", "requestor", ag.Requestor(), "expires", t.expiration)
	if ag.State == golem.AgreementTerminated {
		d.onTerminated(golem.Requestor, nil) // as soon as it was approved
	}
	return true
}

// move makes an event happen, and reports whether it can.
func (d *deal) move(e dealEvent) bool {
	next, err := d.state.next(e)
	if err == nil {
		d.log.Debug("deal moves", "from", d.state, "to", next)
		d.state = next
	}
	return err == nil
}

// serve does what happens until the deal has ended or ctx ends.
func (d *deal) serve(ctx context.Context) {
	for ctx.Err() == nil {
		d.mail.empty()
		d.tick(d.a.now())
		if d.state.ended() {
			return
		}
		timer := time.NewTimer(d.next().Sub(d.a.now()))
		select {
		case <-d.mail.bell:
		case <-timer.C:
		case <-d.a.stopping:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// tick does what time asks for.
func (d *deal) tick(now time.Time) {
	late := d.ledger.first()
	switch {
	case d.state.ended():
	case ended(d.a.stopping):
		d.breakOff(codeShutdown, "Provider is shutting down.")
	case !now.Before(d.expiration):
		d.breakOff(codeExpired, "Agreement expired.")
	case !d.idleAt.IsZero() && !now.Before(d.idleAt):
		d.breakOff(codeNoActivity, fmt.Sprintf("No activity created within %v.", d.a.cfg.Idle))
	case late != nil && !now.Before(late.at):
		d.breakOff(late.code, late.message)
	}
}

// next returns when tick has something to do at the latest.
func (d *deal) next() time.Time {
	next := d.expiration
	if !d.idleAt.IsZero() && d.idleAt.Before(next) {
		next = d.idleAt
	}
	if late := d.ledger.first(); late != nil && late.at.Before(next) {
		next = late.at
	}
	return next
}

func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// breakOff ends the deal for a reason that the Requestor is told.
func (d *deal) breakOff(c code, message string) {
	if d.move(dealBreak) {
		d.end = ending{code: c, message: message}
		d.log.Info(fmt.Sprintf("Breaking agreement %s, reason: %s", d.id, c), "message", message)
	}
}

// onTerminated hears that the Agreement was terminated, by whomever.
func (d *deal) onTerminated(by golem.Role, r *golem.Reason) {
	d.end.theirs = true
	if d.move(dealClose) {
		d.log.Info(fmt.Sprintf("Agreement [%s] terminated by %s", d.id, by), "reason", r.Text(), "code", r.Code())
	}
}

// onCreate hears that the Requestor wants an Activity.
func (d *deal) onCreate(id golem.ActivityID, key string) {
	if d.work(id) != nil {
		return // told twice
	}
	w := newWork(d, id, key)
	if !d.move(dealCompute) {
		why := "Only single Activity allowed"
		if d.state.ended() {
			why = "Agreement has ended"
		}
		d.log.Info("activity refused", "activity", id, "reason", why)
		d.refuse(w, why)
		return
	}
	d.idleAt = time.Time{}
	d.works = append(d.works, w)
	d.start(w)
}

// onDestroy hears that an Activity is to end.
func (d *deal) onDestroy(id golem.ActivityID) {
	if w := d.work(id); w != nil {
		w.stop()
		return
	}
	d.refuse(newWork(d, id, ""), "there is no such ExeUnit")
}

// onStopped hears that the ExeUnit of an Activity is no more.
func (d *deal) onStopped(w *work) {
	if !d.move(dealRest) {
		return
	}
	d.idleAt = d.a.now().Add(d.a.cfg.Idle)
	switch {
	case w.notStarted && !d.multi:
		d.breakOff(codeInitializationError, "ExeUnit could not be started.")
	case !d.multi:
		d.move(dealClose)
		d.end = ending{code: codeSuccess, message: "Finished with success."}
	}
}

func (d *deal) work(id golem.ActivityID) *work {
	for _, w := range d.works {
		if w.id == id {
			return w
		}
	}
	return nil
}

// onNote hears what became of a debit note.
func (d *deal) onNote(id golem.DebitNoteID, e golem.DocumentEventType, r *golem.Rejection) {
	switch e {
	case golem.AcceptedEvent:
		d.ledger.accepted(id)
	case golem.SettledEvent:
		d.ledger.settled(id)
	case golem.RejectedEvent:
		message := "Debit note " + string(id) + " rejected."
		if r != nil {
			message = fmt.Sprintf("Debit note %s rejected: %s %s", id, r.Reason, r.Message)
		}
		d.breakOff(codeDebitNoteRejected, message)
	case golem.CancelledEvent:
		d.breakOff(codeDebitNoteCancelled, "Debit note "+string(id)+" cancelled.")
	}
}
