package requestor

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/golem-go/golem"
)

const (
	approveTime = 30 * time.Second        // that a Provider has to agree
	overlapTime = 1500 * time.Millisecond // after which another one is asked beside it
	mostAtOnce  = 3                       // Providers asked to agree
	createTime  = 30 * time.Second        // for an ExeUnit to be there
	hopeless    = 5 * time.Second         // after which only refusals that last end the search
)

// Rent looks for a Provider that suits the Order, agrees with it and creates an
// Activity there. It tries one after the other, beginning with the one the Order
// prefers; one that does not answer soon does not hold it up. The image is
// deployed with the first thing the rental is asked to do.
//
// Rent returns a *[NoProviderError] where nobody was found, ErrExhausted or
// ErrInvalid where the budget cannot be set aside, and what ctx says when it
// ends. Nothing but the budget, which is given back by [Requestor.Close], stays
// reserved then. The rental must be closed; Requestor.Close does so too.
func (r *Requestor) Rent(ctx context.Context, o Order) (*Rental, error) {
	leave, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	t, err := r.newTender(ctx, o)
	if err != nil {
		return nil, err
	}
	defer t.close()
	return t.award(ctx)
}

// award returns a rental from the tender.
func (t *tender) award(ctx context.Context) (*Rental, error) {
	t.want(1)
	defer t.want(-1)
	if err := t.r.allocate(ctx, time.Now().Add(t.order.reach())); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })()
	for begun := time.Now(); ; {
		won, err := t.search(ctx, begun)
		if err != nil {
			return nil, err
		}
		rental, err := t.begin(ctx, won)
		if err == nil || ctx.Err() != nil {
			return rental, err
		}
	}
}

// attempt is a try to agree with a Provider.
type attempt struct {
	*lead
	agreement golem.AgreementID
	err       error
}

// search is the way to one Agreement: Providers are asked to agree, another one
// beside them when they take long, until the first does.
type search struct {
	t        *tender
	ctx      context.Context
	begun    time.Time
	latest   time.Time // when somebody was asked last
	attempts int       // under way
	results  chan attempt
	won      atomic.Bool // an attempt has succeeded, or none may any more
}

// search returns an Agreement. Others that were asked are told that they are not
// needed; that goes on in the background.
func (t *tender) search(ctx context.Context, begun time.Time) (attempt, error) {
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &search{t: t, ctx: ctx, begun: begun, results: make(chan attempt, mostAtOnce)}
	for {
		changed := t.change()
		wait, err := s.step(asking)
		if err != nil && s.won.CompareAndSwap(false, true) {
			return attempt{}, err
		}
		timer := time.NewTimer(wait)
		select {
		case a := <-s.results:
			if s.attempts--; a.err == nil {
				timer.Stop()
				return a, nil
			}
			t.lost(a)
		case <-changed:
		case <-timer.C:
		case <-s.done():
		}
		timer.Stop()
	}
}

// done is closed when the search is to end, unless an attempt has succeeded: its
// result is about to come.
func (s *search) done() <-chan struct{} {
	if s.won.Load() {
		return nil
	}
	return s.ctx.Done()
}

func (t *tender) change() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// step asks another Provider if it is time to, and returns how long to wait
// before the next look.
func (s *search) step(ctx context.Context) (wait time.Duration, err error) {
	if s.won.Load() {
		return time.Hour, nil // the result is about to come
	}
	if s.ctx.Err() != nil {
		return 0, s.t.interrupted(s.ctx, time.Since(s.begun))
	}
	wait = s.t.order.Patience
	if s.attempts > 0 {
		wait = max(0, overlapTime-time.Since(s.latest))
	}
	if s.attempts == 0 || wait == 0 && s.attempts < mostAtOnce {
		x, soon := s.t.take()
		if x != nil {
			s.begin(ctx, x)
			return 0, nil
		}
		wait = cmp.Or(soon, s.t.order.Patience)
	} else if s.attempts == mostAtOnce {
		wait = s.t.order.Patience
	}
	if s.attempts > 0 {
		return wait, nil
	}
	return s.patience(wait)
}

// patience returns an error when the search should be given up, or how long to
// wait at most.
func (s *search) patience(wait time.Duration) (time.Duration, error) {
	waited := time.Since(s.begun)
	if err := s.t.broken(); err != nil {
		return 0, err
	}
	if waited >= s.t.order.Patience || waited >= hopeless && s.t.hopeless() {
		return 0, s.t.nobody(s.ctx, waited)
	}
	left := s.t.order.Patience - waited
	if waited < hopeless {
		left = min(left, hopeless-waited)
	}
	return min(wait, left), nil
}

// begin asks a Provider to agree.
func (s *search) begin(ctx context.Context, x *lead) {
	t := s.t
	t.order.tell(Progress{Stage: Agreeing, Provider: x.name(), Text: "agreeing with " + x.name()})
	s.attempts++
	s.latest = time.Now()
	begun := s.latest
	ask := func() {
		id, err := t.agree(ctx, x)
		if err == nil && !s.won.CompareAndSwap(false, true) {
			err = context.Canceled // somebody else was faster
			t.r.takeBack(ctx, id, err)
		}
		if err != nil {
			t.give(x.Provider)
		}
		if errors.Is(err, context.Canceled) && time.Since(begun) >= overlapTime {
			t.r.resent(x.Provider)
		}
		s.results <- attempt{x, id, err} // there is room
	}
	if !t.r.spawn(ask) {
		t.give(x.Provider)
		s.results <- attempt{x, "", errClosed}
	}
}

// agree makes an Agreement of a draft. If it fails there is none, or soon will
// not be any more; that is seen to before agree returns.
func (t *tender) agree(ctx context.Context, x *lead) (golem.AgreementID, error) {
	begun := time.Now()
	id, err := t.propose(ctx, x)
	if err != nil {
		return "", err
	}
	offer := x.Candidate
	offer.Properties = nil // accounts are kept until the end
	t.r.purse.open(&account{agreement: id, offer: offer, platform: t.r.account.Platform, limit: t.r.allowed(&t.order)})
	if err = t.r.api.ConfirmAgreement(ctx, id, t.r.session); err == nil {
		err = t.r.api.WaitForApproval(ctx, id, approveTime)
	}
	if err == nil {
		return id, nil
	}
	t.r.takeBack(ctx, id, err)
	switch golem.KindOf(err) {
	case golem.ErrTimeout:
		err = golem.Errorf(golem.ErrTimeout, "it has not approved the agreement within %v", approveTime)
	case golem.ErrExpired:
		err = t.r.renounced(ctx, id, begun, err)
	}
	return id, err
}

func (t *tender) propose(ctx context.Context, x *lead) (golem.AgreementID, error) {
	ctx, cancel := whole(ctx)
	defer cancel()
	return t.r.api.ProposeAgreement(ctx, x.proposal, time.Now().Add(2*approveTime))
}

// renounced returns what the Provider says of an Agreement that it does not want,
// after err that does not tell.
func (r *Requestor) renounced(ctx context.Context, id golem.AgreementID, begun time.Time, err error) error {
	const early = time.Minute // that the clock of our node may be late
	changes, e := r.api.AgreementChanges(ctx, r.session, begun.Add(-early), 0, pollMost)
	if e != nil {
		return err
	}
	for _, c := range changes {
		if text := c.Reason.Text(); c.Agreement == id && c.Type == golem.AgreementRejectedEvent && text != "" {
			return golem.Errorf(golem.ErrExpired, "it has rejected the agreement: %s", clip(text))
		}
	}
	return golem.Errorf(golem.ErrExpired, "the agreement has not come about: %w", err)
}

// takeBack ends an Agreement that is not wanted, in whatever state it is.
func (r *Requestor) takeBack(ctx context.Context, id golem.AgreementID, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	reason := golem.NewReason("not needed any more", golem.ReasonRequestorCode, "Cancelled")
	if errors.Is(why, golem.ErrTimeout) {
		reason = golem.NewReason("not approved in time", golem.ReasonRequestorCode, "Cancelled")
	}
	for attempt := 0; ; attempt++ {
		err := r.api.CancelAgreement(ctx, id, reason)
		switch golem.KindOf(err) {
		case "", golem.ErrNotFound:
			return
		case golem.ErrExpired, golem.ErrInvalid:
			if err := r.endRental(ctx, id, "", nil); err != nil && ctx.Err() == nil {
				r.log.Debug("agreement ended already", "agreement", id, "err", err)
			}
			return
		case golem.ErrConflict:
		default:
			r.log.Debug("the node goes on cancelling", "agreement", id, "err", err)
			return
		}
		if !r.pause(ctx, attempt) {
			r.log.Warn("agreement is not cancelled", "agreement", id, "err", err)
			return
		}
	}
}

// begin creates an Activity under an Agreement. The Agreement is ended if there
// is none.
func (t *tender) begin(ctx context.Context, a attempt) (*Rental, error) {
	t.order.tell(Progress{Stage: Creating, Provider: a.name(), Text: "agreed with " + a.name()})
	begun := time.Now()
	t.r.purse.update(a.agreement, func(ac *account) { ac.begun = begun })
	activity, err := t.r.api.CreateActivity(ctx, a.agreement, nil, createTime)
	var rental *Rental
	if err == nil {
		t.r.purse.update(a.agreement, func(ac *account) { ac.activity = activity })
		t.image.keep()
		rental, err = t.r.newRental(&t.order, a.Candidate, a.agreement, activity, begun, func() {
			t.image.drop()
			t.give(a.Provider)
		})
		if err != nil {
			t.image.drop()
		}
	}
	if err == nil {
		return rental, nil
	}
	t.give(a.Provider)
	t.r.purse.update(a.agreement, func(ac *account) { ac.faulty = true })
	end := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		if err := t.r.endRental(ctx, a.agreement, activity, err); err != nil {
			t.r.log.Warn("agreement is not terminated", "agreement", a.agreement, "err", err)
		}
	}
	if !t.r.spawn(end) {
		end()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	a.err = err
	if golem.KindOf(err) == golem.ErrTimeout {
		a.err = golem.Errorf(golem.ErrTimeout, "it has not created an activity within %v", createTime)
	}
	t.lost(a)
	return nil, a.err
}

// lost notes that a Provider did not do what it had offered.
func (t *tender) lost(a attempt) {
	if errors.Is(a.err, context.Canceled) {
		return
	}
	t.r.resent(a.Provider)
	t.set(func() {
		t.refused(a.lead, clip(a.err.Error()), false)
		if t.listing != nil {
			t.listing.spent = time.Now()
		}
	})
}

// broken returns why there cannot be a Demand.
func (t *tender) broken() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil && !golem.KindOf(t.failed).Retryable() {
		return t.failed
	}
	return nil
}

// hopeless reports whether everybody who is known will not do, and nothing that
// happens by itself changes that.
func (t *tender) hopeless() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listing == nil || t.listing.pending(time.Now()) || len(t.listing.drafts) > 0 || len(t.seen) == 0 {
		return false
	}
	for _, c := range t.seen {
		if !c.lasting {
			return false
		}
	}
	return true
}

// interrupted returns what the end of ctx means: a caller that has set a deadline
// wants to know why it has passed.
func (t *tender) interrupted(ctx context.Context, waited time.Duration) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return t.nobody(ctx, waited)
}

// nobody returns the error that says why nobody was found, by what is known of
// each offer: of those that never became leads the node knows why.
func (t *tender) nobody(ctx context.Context, waited time.Duration) error {
	e := &NoProviderError{Allowed: t.r.allowed(&t.order), Timeout: t.order.Timeout, Waited: waited.Round(time.Millisecond), Token: t.r.account.Token}
	t.mu.Lock()
	seen, failed := maps.Clone(t.seen), t.failed
	t.mu.Unlock()
	if failed != nil {
		return failed
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	if offers, err := t.r.survey(asking, &t.order, t.image.url); err == nil {
		for _, c := range offers {
			if _, ok := seen[c.Provider]; !ok && c.Reason != "" {
				seen[c.Provider] = c
			}
		}
	}
	for _, c := range slices.SortedFunc(maps.Values(seen), func(a, b Candidate) int { return cmp.Compare(a.Provider.String(), b.Provider.String()) }) {
		e.Offers = append(e.Offers, c)
		if c.expensive && (e.Lowest.IsZero() || c.Estimate.Less(e.Lowest)) {
			e.Lowest = c.Estimate
		}
	}
	return e
}
