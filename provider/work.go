package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/rest/client"
)

// work is one Activity of a deal. Its goroutine, run, lets the ExeUnit run and
// sends debit notes until it has ended. The deal reads the results when that has
// said so.
type work struct {
	d        *deal
	id       golem.ActivityID
	key      string // of the Requestor, for ExeUnits in enclaves
	stop     func() // ends the ExeUnit
	schedule schedule

	notStarted bool
	total      golem.Amount      // billed so far
	used       bool              // the node knows of usage
	final      golem.DebitNoteID // "" where none could be made
	delivered  bool              // the final one, or there is none
	refused    bool              // it, for good
}

func newWork(d *deal, id golem.ActivityID, key string) *work {
	return &work{d: d, id: id, key: key, stop: func() {}, schedule: newSchedule(d.agreed)}
}

// run lets the ExeUnit run until unit ends, bills what it uses meanwhile, and what
// it has used in the end. serving ends with the deal, ctx when nothing may be done
// any more.
func (w *work) run(ctx, serving, unit context.Context) {
	alive, dead := context.WithCancel(ctx)
	defer dead()
	var running sync.WaitGroup
	var exit error
	running.Go(func() {
		defer dead()
		exit = w.d.a.cfg.Launcher.Run(unit, Task{w.id, w.d.agreement, *w.d.runtime, w.key})
	})
	running.Go(func() { w.watch(alive) })
	w.bill(ctx, alive)
	running.Wait()
	w.notStarted = errors.Is(exit, ErrNotStarted)
	w.d.log.Info("ExeUnit process exited", "activity", w.id, "asked", unit.Err() != nil, "err", exit)
	w.d.mail.put(func() { w.d.onStopped(w) })
	w.tellEnd(ctx, howEnded(exit))
	w.close(ctx)
	if w.d.multi {
		w.deliver(serving)
	}
}

// howEnded is what the Requestor is told about how an ExeUnit has ended.
func howEnded(exit error) string {
	switch {
	case exit == nil:
		return "exit code 0"
	case errors.Is(exit, ErrNotStarted):
		return ErrNotStarted.Error() // the rest is about this machine
	}
	return golem.Public(exit)
}

// watch logs when the ExeUnit is ready for commands.
func (w *work) watch(ctx context.Context) {
	const often, seldom = 750 * time.Millisecond, 5 * time.Second
	for p := (pauses{often, seldom}); w.d.a.pause(ctx, p.next()); {
		st, err := w.d.a.node.ActivityState(ctx, w.id, seldom)
		if err == nil && st.State.Current != golem.ActivityNew {
			w.d.log.Info("ExeUnit initialized", "activity", w.id, "state", st.State.Current)
			return
		}
	}
}

// tellEnd tells the node that the ExeUnit has ended, until it has heard.
func (w *work) tellEnd(ctx context.Context, why string) {
	st := golem.ActivityStatus{State: golem.StatePair{Current: golem.ActivityTerminated}, Reason: why}
	err := w.d.a.retry(ctx, "tell the end of an ExeUnit", steadily, func(ctx context.Context) error {
		return w.d.a.node.SetActivityState(ctx, w.id, st)
	})
	if err != nil && !errors.Is(err, golem.ErrNotFound) && ctx.Err() == nil {
		w.d.log.Warn("the node does not take the end of an ExeUnit", "activity", w.id, "err", err)
	}
}

// bill sends a debit note at each time of the schedule until alive ends.
func (w *work) bill(ctx, alive context.Context) {
	for {
		timer := time.NewTimer(w.schedule.next(w.d.a.now()).Sub(w.d.a.now()))
		select {
		case <-timer.C:
		case <-alive.Done():
			timer.Stop()
			return
		}
		id, due, err := w.issue(ctx, false)
		switch {
		case permanent(err):
			w.d.log.Error("debit notes are refused by the node, no more are made", "activity", w.id, "err", err)
			<-alive.Done()
			return
		case err != nil:
			w.d.log.Warn("cannot make a debit note", "activity", w.id, "err", err)
		case id != "":
			w.sendUntilNext(alive, id, due)
		}
	}
}

// issue makes a debit note about everything up to now. It returns "" where there
// is nothing to bill, since the node knows of no usage.
func (w *work) issue(ctx context.Context, final bool) (id golem.DebitNoteID, due time.Time, err error) {
	usage, err := w.d.a.node.ActivityUsage(ctx, w.id, usageTimeout)
	if err != nil || len(usage.Current) == 0 {
		return "", due, err
	}
	cost, err := w.d.pricing.Cost(usage.Current)
	if err != nil {
		return "", due, err
	}
	counters, err := json.Marshal(usage.Current)
	if err != nil {
		return "", due, err
	}
	w.used, w.total = true, w.total.Max(cost)
	due = w.schedule.due(w.d.a.now(), final)
	n := client.NewDebitNote{Activity: w.id, Total: w.total, Usage: counters}
	if !due.IsZero() {
		n.Due = &due
	}
	note, err := w.d.a.node.IssueDebitNote(ctx, n)
	if err != nil {
		return "", due, err
	}
	w.d.mail.put(func() { w.d.ledger.made(note.ID, w.id, due) })
	w.d.a.expect(note.ID, w.d)
	return note.ID, due, nil
}

// usageTimeout is how long the node may take to find out what was used.
const usageTimeout = 5 * time.Second

// sendUntilNext sends a debit note until the Requestor has it, or the next one is
// due, which covers it.
func (w *work) sendUntilNext(alive context.Context, id golem.DebitNoteID, due time.Time) {
	ctx, cancel := context.WithDeadline(alive, w.schedule.next(w.d.a.now()))
	defer cancel()
	p := patiently
	for {
		err := w.send(ctx, id, due)
		if err == nil || alive.Err() != nil || ctx.Err() != nil {
			return
		}
		if permanent(err) || !w.d.a.pause(ctx, p.next()) {
			return
		}
	}
}

// send sends a debit note once.
func (w *work) send(ctx context.Context, id golem.DebitNoteID, due time.Time) error {
	d, at := w.d, w.d.a.now()
	err := d.a.node.SendDebitNote(ctx, id, d.a.cfg.Send)
	if errors.Is(err, context.Canceled) {
		return err // the activity is over, and the final one covers it
	}
	if err != nil {
		d.log.Warn("cannot send a debit note", "activity", w.id, "note", id, "err", err)
		d.mail.put(func() { d.ledger.failed(at) })
		return err
	}
	w.schedule.sent(at, due)
	d.mail.put(func() { d.ledger.arrived(id, at) })
	d.log.Info(fmt.Sprintf("Debit note %s sent", id), "activity", w.id, "total", w.total)
	return nil
}

// closing is how long the node may take to let an Activity be billed.
const closing = time.Minute

// close makes the final debit note. Where that cannot be, the invoice covers it.
func (w *work) close(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, closing)
	defer cancel()
	err := w.d.a.retry(limit, "make a final debit note", quickly, func(ctx context.Context) (err error) {
		w.final, _, err = w.issue(ctx, true)
		return err
	})
	if err != nil {
		w.d.log.Error("there is no final debit note", "activity", w.id, "err", err)
	}
	w.delivered = w.final == ""
}

// deliver sends the final debit note until the Requestor has it or ctx ends.
func (w *work) deliver(ctx context.Context) {
	for p := patiently; !w.delivered && !w.refused && ctx.Err() == nil; {
		if w.sendFinal(ctx) != nil && !w.refused {
			w.d.a.pause(ctx, p.next())
		}
	}
}

// sendFinal sends the final debit note once.
func (w *work) sendFinal(ctx context.Context) error {
	err := w.send(ctx, w.final, time.Time{})
	w.delivered, w.refused = err == nil, permanent(err)
	return err
}
