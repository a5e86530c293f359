package requestor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golem-go/golem"
)

// Rental is a Provider's machine that is rented: an approved Agreement and an
// Activity in it. Its methods may be called by many goroutines; programs and
// copies are done one after the other.
type Rental struct {
	Agreement golem.AgreementID
	Activity  golem.ActivityID
	Offer     Candidate // as agreed on

	r     *Requestor
	order *Order
	begun time.Time

	ctx    context.Context // ends with the rental, its cause is why
	cancel context.CancelCauseFunc
	turn   chan struct{} // held by whoever sends commands
	ready  bool          // deployed and started, or about to be; guarded by turn

	releasing atomic.Bool
	released  chan struct{} // closed when it is done
	shutdown  error         // of release; read after released is closed
	unpublish func()        // the image

	settling atomic.Bool
	settled  chan struct{} // closed when it is done
	bill     Bill          // read after settled is closed
	billErr  error
}

const (
	callTime    = 5 * time.Second  // for one call that goes to another node
	releaseTime = 10 * time.Second // for ending a rental
	watchPeriod = 5 * time.Second  // between looks at an Activity, at most
)

// errReleased is the cause of the end of a rental that was closed.
var errReleased = golem.Errorf(golem.ErrCancelled, "the rental is closed")

// newRental returns a Rental and begins to watch it. It returns an error, and
// does nothing, if the Requestor has been closed.
func (r *Requestor) newRental(o *Order, offer Candidate, agreement golem.AgreementID, activity golem.ActivityID, begun time.Time, unpublish func()) (*Rental, error) {
	rental := &Rental{
		Agreement: agreement, Activity: activity, Offer: offer, r: r, order: o, begun: begun,
		turn: make(chan struct{}, 1), released: make(chan struct{}), settled: make(chan struct{}), unpublish: unpublish,
	}
	rental.ctx, rental.cancel = context.WithCancelCause(r.ctx)
	r.mu.Lock()
	ended := r.ended
	if !ended {
		r.rentals[agreement] = rental
	}
	r.mu.Unlock()
	if ended || !r.spawn(rental.watch) {
		return nil, errClosed
	}
	return rental, nil
}

// rental returns an open rental by its Agreement, or nil.
func (r *Requestor) rental(id golem.AgreementID) *Rental {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rentals[id]
}

// Done returns a channel that is closed when the rental has ended, for whatever
// reason; see [Rental.Err].
func (r *Rental) Done() <-chan struct{} { return r.ctx.Done() }

// Err returns why the rental has ended: a *[ProviderError] where that is the
// Provider's doing, ErrTimeout after the Order's Timeout, ErrExhausted when the
// budget, or what the Agreement allows to be used, is used up, ErrCancelled after
// Close. It is nil while it goes on.
func (r *Rental) Err() error {
	if r.ctx.Err() == nil {
		return nil
	}
	return context.Cause(r.ctx)
}

// blame returns err as the Provider's fault.
func (r *Rental) blame(err error) error {
	return &ProviderError{r.Offer.Provider, r.Offer.Name, err}
}

// fail ends the rental because of err, unless it has ended before.
func (r *Rental) fail(err error) {
	r.cancel(err)
	if !errors.Is(r.Err(), err) {
		return // something else was first
	}
	if _, fault := errors.AsType[*ProviderError](err); fault {
		r.fault()
	}
	r.r.log.Warn("rental ended", "agreement", r.Agreement, "peer", r.Offer.Provider, "err", err)
	r.r.spawn(func() { r.release(r.r.ctx) })
}

// fault notes that the Provider has failed: it is not paid beyond what is
// accepted, and not asked again for a while.
func (r *Rental) fault() {
	r.r.purse.update(r.Agreement, func(a *account) { a.faulty = true })
	r.r.resent(r.Offer.Provider)
}

// watch ends the rental when its time is over, or the Provider is not there any
// more.
func (r *Rental) watch() {
	over := time.NewTimer(time.Until(r.begun.Add(r.order.Timeout)))
	defer over.Stop()
	look := time.NewTicker(min(watchPeriod, r.order.Silence/3+1))
	defer look.Stop()
	seen := time.Now()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-over.C:
			r.fail(golem.Errorf(golem.ErrTimeout, "the %v of the rental are over; ask for more time", r.order.Timeout))
			return
		case <-look.C:
		}
		st, err := r.r.api.ActivityState(r.ctx, r.Activity, callTime)
		switch {
		case r.ctx.Err() != nil:
			return
		case isOver(&st, err):
			r.fail(r.ended(&st))
		case err == nil && st.State.Current != golem.ActivityUnresponsive:
			seen = time.Now()
		case time.Since(seen) >= r.order.Silence:
			r.fail(r.blame(golem.Errorf(golem.ErrUnavailable, "it has not answered for %v", time.Since(seen).Round(time.Second))))
		}
	}
}

// isOver reports whether an answer to the question for its state says that an
// Activity has ended.
func isOver(st *golem.ActivityStatus, err error) bool {
	return err == nil && st.State.Current == golem.ActivityTerminated || golem.KindOf(err) == golem.ErrNotFound
}

// overLimit is what ExeUnits say of an Activity that has used more than its
// Agreement allows.
const overLimit = "Usage limit exceeded"

// ended returns what it means that the Activity has ended without us: that is
// the Provider's fault, unless a program used more than was agreed on.
func (r *Rental) ended(st *golem.ActivityStatus) error {
	why := "the activity has ended"
	for _, text := range []string{st.Reason, st.ErrorMessage} {
		if text != "" {
			why += ": " + clip(text)
		}
	}
	if strings.Contains(why, overLimit) {
		return golem.Errorf(golem.ErrExhausted, "%s", why)
	}
	return r.blame(golem.Errorf(golem.ErrUnavailable, "%s", why))
}

// doubtTime is how long it may take to see that an Activity is over whose
// program was stopped.
const doubtTime = time.Second

// doubt finds out whether a program was stopped because the rental is over, and
// waits for that to be known. It reports false if the rental goes on.
func (r *Rental) doubt(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, doubtTime)
	defer cancel()
	stop := context.AfterFunc(r.ctx, cancel)
	defer stop()
	for ctx.Err() == nil {
		st, err := r.r.api.ActivityState(ctx, r.Activity, callTime)
		if isOver(&st, err) {
			r.fail(r.ended(&st))
			break
		}
		sleep(ctx, doubtTime/8)
	}
	return r.Err() != nil
}

// release ends Activity and Agreement, once, and returns when that is done. It
// also works when ctx has ended.
func (r *Rental) release(ctx context.Context) {
	if r.releasing.CompareAndSwap(false, true) {
		r.cancel(errReleased)
		r.endBoth(ctx)
		close(r.released)
	}
	<-r.released
}

// endBoth ends Activity and Agreement and forgets the rental.
func (r *Rental) endBoth(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	r.order.tell(Progress{Stage: Ending, Provider: r.Offer.name(), Text: "ending the rental"})
	if r.Err() == errReleased {
		r.r.forgive(r.Offer.Provider)
		// Asked now, the node knows it for the Bill; later nobody can tell.
		_, _ = r.r.api.ActivityUsage(ctx, r.Activity, callTime)
	}
	r.shutdown = r.r.endRental(ctx, r.Agreement, r.Activity, r.Err())
	r.unpublish()
	r.r.mu.Lock()
	defer r.r.mu.Unlock()
	delete(r.r.rentals, r.Agreement)
}

// endRental destroys an Activity, if there is one, and terminates its Agreement.
func (r *Requestor) endRental(ctx context.Context, agreement golem.AgreementID, activity golem.ActivityID, why error) error {
	if activity != "" {
		err := r.api.DestroyActivity(ctx, activity, callTime)
		if err != nil && golem.KindOf(err) != golem.ErrNotFound {
			r.log.Debug("activity is not destroyed yet; the node goes on trying", "activity", activity, "err", err)
		}
		r.purse.update(agreement, func(a *account) { a.ended = time.Now() })
	}
	reason := terminationReason(why)
	for attempt := 0; ; attempt++ {
		err := r.api.TerminateAgreement(ctx, agreement, reason)
		switch golem.KindOf(err) {
		case "", golem.ErrExpired, golem.ErrNotFound:
			return nil
		}
		if !golem.KindOf(err).Retryable() || !r.pause(ctx, attempt) {
			return err
		}
	}
}

// terminationReason tells the Provider why, in the words upstream's SDKs use.
func terminationReason(why error) *golem.Reason {
	_, fault := errors.AsType[*ProviderError](why)
	switch {
	case why == nil, errors.Is(why, errReleased):
		return golem.NewReason("Finished", golem.ReasonRequestorCode, "Success")
	case fault:
		return golem.NewReason(clip(golem.Public(why)), golem.ReasonRequestorCode, "ProviderFailed")
	}
	return golem.NewReason(clip(golem.Public(why)), golem.ReasonRequestorCode, "Cancelled")
}

// Bill is what a rental has cost.
type Bill struct {
	Agreement golem.AgreementID
	Provider  golem.NodeID
	Name      string             // of the Provider
	Usage     map[string]float64 // by counter, as the node knows it
	Cost      golem.Amount       // accepted, to be paid or paid
	Platform  golem.Platform
	Invoice   golem.InvoiceID      // "" while there is none
	Status    golem.DocumentStatus // of the Invoice
	Refused   string               // why the Invoice was rejected
}

// Close ends the rental: it destroys the Activity, terminates the Agreement,
// waits for the Invoice as long as Config says, accepts it if it is right, and
// says what that was. Activity and Agreement are ended also when ctx is; it
// bounds the waiting only.
//
// Close returns ErrTimeout where the Invoice has not come in time; the rest of
// the Bill is true then. While the Requestor is open the Invoice is still dealt
// with; after that it waits in the node. Closing again returns the same.
func (r *Rental) Close(ctx context.Context) (Bill, error) {
	r.release(ctx)
	if r.settling.CompareAndSwap(false, true) {
		r.bill, r.billErr = r.settle(ctx)
		close(r.settled)
	}
	<-r.settled
	return r.bill, errors.Join(r.shutdown, r.billErr)
}

// settle waits for the Invoice and writes the Bill.
func (r *Rental) settle(ctx context.Context) (Bill, error) {
	r.order.tell(Progress{Stage: Paying, Provider: r.Offer.name(), Text: "waiting for the invoice"})
	patience := r.r.cfg.InvoicePatience
	if _, fault := errors.AsType[*ProviderError](r.Err()); fault {
		patience = 0 // it may never come, and is paid only if accepted before
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stop := context.AfterFunc(r.r.ctx, cancel) // nobody deals with it any more
	defer stop()
	a, billed := r.r.purse.awaitBill(wait, r.Agreement)
	b := r.newBill(ctx, &a)
	if !billed && patience > 0 {
		return b, golem.Errorf(golem.ErrTimeout, "agreement %s: no invoice within %v", r.Agreement, patience)
	}
	if b.Status == golem.DocumentAccepted && r.r.cfg.SettlePatience > 0 {
		return b, r.awaitPayment(ctx, &b)
	}
	return b, nil
}

func (r *Rental) newBill(ctx context.Context, a *account) Bill {
	b := Bill{
		Agreement: r.Agreement, Provider: r.Offer.Provider, Name: r.Offer.Name, Usage: map[string]float64{},
		Cost: a.cost(), Platform: r.r.account.Platform, Refused: a.refused,
	}
	if a.invoice != nil {
		b.Invoice, b.Status = a.invoice.ID, a.invoice.Status
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	if usage, err := r.r.api.ActivityUsage(ctx, r.Activity, callTime); err == nil {
		for i, counter := range r.Offer.Counters[:min(len(r.Offer.Counters), len(usage.Current))] {
			b.Usage[counter] = usage.Current[i]
		}
	}
	return b
}

// awaitPayment waits until the Invoice is paid.
func (r *Rental) awaitPayment(ctx context.Context, b *Bill) error {
	r.order.tell(Progress{Stage: Paying, Provider: r.Offer.name(), Text: "waiting for the payment"})
	wait, cancel := context.WithTimeout(ctx, r.r.cfg.SettlePatience)
	defer cancel()
	for attempt := 0; ; attempt++ {
		i, err := r.r.api.Invoice(wait, b.Invoice)
		if err == nil {
			b.Status = i.Status
		}
		if b.Status != golem.DocumentAccepted {
			return nil
		}
		if !r.r.pause(wait, attempt) {
			return golem.Errorf(golem.ErrTimeout, "agreement %s: invoice %s is accepted and not paid within %v; the node goes on", r.Agreement, b.Invoice, r.r.cfg.SettlePatience)
		}
	}
}

// Counters returns the names of the counters of the Bill, in alphabetic order.
func (b *Bill) Counters() []string { return slices.Sorted(maps.Keys(b.Usage)) }

// Usage returns what the rental has used so far, by counter.
func (r *Rental) Usage(ctx context.Context) (map[string]float64, error) {
	usage, err := r.r.api.ActivityUsage(ctx, r.Activity, callTime)
	if err != nil {
		return nil, err
	}
	by := map[string]float64{}
	for i, counter := range r.Offer.Counters[:min(len(r.Offer.Counters), len(usage.Current))] {
		by[counter] = usage.Current[i]
	}
	return by, nil
}
