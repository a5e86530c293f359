package requestor

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/rest/client"
)

// tender is an Order on the market, from which any number of rentals are awarded.
// It keeps one Demand published, a new one from time to time.
type tender struct {
	r     *Requestor
	order Order // with defaults
	image *shared

	ctx    context.Context // ends with the tender
	cancel context.CancelCauseFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}              // closed when anything below has changed
	listing *listing                   // nil while there is none
	failed  error                      // why there is none
	wanted  int                        // awards that wait
	taken   map[golem.NodeID]int       // Providers that are rented from, or about to be
	seen    map[golem.NodeID]Candidate // the last word on each Provider
}

const (
	leastReach = 6 * time.Minute // no Provider agrees on less than five
	eventTime  = 5 * time.Second // of a poll for events
)

// newTender puts an Order on the market.
func (r *Requestor) newTender(ctx context.Context, o Order) (*tender, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	o.tell(Progress{Stage: Searching, Text: "looking for providers"})
	url, release, err := r.publish(ctx, o.Image)
	if err != nil {
		return nil, err
	}
	t := &tender{
		r: r, order: o, image: &shared{url: url, users: 1, release: release}, changed: make(chan struct{}),
		taken: map[golem.NodeID]int{}, seen: map[golem.NodeID]Candidate{},
	}
	t.ctx, t.cancel = context.WithCancelCause(r.ctx)
	t.work.Go(t.run)
	return t, nil
}

// close takes the Demand off the market; rentals stay. It returns when nothing of
// the tender is under way.
func (t *tender) close() {
	t.cancel(errClosed)
	t.work.Wait()
	t.image.drop()
}

// set changes what mu guards and wakes who waits for that.
func (t *tender) set(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
	close(t.changed)
	t.changed = make(chan struct{})
}

// window is for how long a Demand is on the market before a new one replaces it,
// so that rentals that are awarded late have their whole time too.
func (o *Order) window() time.Duration {
	return min(max(o.Timeout/2, 2*time.Minute), 20*time.Minute)
}

// reach is for how long after its publication an Agreement under a Demand may last.
func (o *Order) reach() time.Duration { return max(o.Timeout, leastReach) + o.window() }

// run keeps a Demand on the market.
func (t *tender) run() {
	for failures := 0; t.ctx.Err() == nil; {
		l, err := t.publish()
		if err != nil {
			t.set(func() { t.failed = err })
			if !golem.KindOf(err).Retryable() {
				return
			}
			t.r.pause(t.ctx, failures)
			failures++
			continue
		}
		failures = 0
		t.set(func() { t.listing, t.failed = l, nil })
		t.serve(l)
		t.set(func() { t.listing = nil })
		l.cancel()
		l.asking.Wait()
		t.withdraw(l)
	}
}

func (t *tender) publish() (*listing, error) {
	l := newListing(t.ctx, time.Now(), &t.order)
	l.properties, l.constraint = t.order.demand(terms{
		subnet: t.r.cfg.Subnet, platform: t.r.account.Platform, payer: t.r.account.Address, image: t.image.url, expires: l.expires,
	})
	p, err := publication(l.properties, l.constraint)
	if err != nil {
		return nil, err
	}
	ctx, cancel := whole(t.ctx)
	defer cancel()
	l.demand, err = t.r.api.Publish(ctx, golem.Requestor, p, t.order.window()+time.Minute)
	return l, err
}

// withdraw takes a Demand off the market, also when the tender has ended.
func (t *tender) withdraw(l *listing) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), callTime)
	defer cancel()
	err := t.r.api.Withdraw(ctx, golem.Requestor, l.demand)
	switch golem.KindOf(err) {
	case "", golem.ErrNotFound, golem.ErrExpired:
	default:
		t.r.log.Warn("demand stays on the market until it expires", "err", err)
	}
}

// serve reads the events of a Demand until it should be replaced, or is gone.
func (t *tender) serve(l *listing) {
	for failures := 0; t.ctx.Err() == nil && !t.stale(l); {
		begun := time.Now()
		events, err := t.r.api.MarketEvents(t.ctx, golem.Requestor, l.demand, eventTime, pollMost)
		switch kind := golem.KindOf(err); {
		case kind == golem.ErrNotFound, kind == golem.ErrExpired:
			return
		case err != nil:
			t.r.pause(t.ctx, failures)
			failures++
			continue
		}
		failures = 0
		if len(events) == 0 && time.Since(begun) < idleTime {
			sleep(t.ctx, idleTime) // the node does not wait
		}
		judged := make([]news, len(events))
		for i := range events {
			judged[i] = t.judge(&events[i])
		}
		t.set(func() {
			for i := range judged {
				t.happened(l, &judged[i])
			}
			t.pump(l)
		})
	}
}

// starved is for how long nobody may be left to ask before Providers that have
// failed are asked anew, by a new Demand.
const starved = 5 * time.Second

// stale reports whether a Demand should be replaced.
func (t *tender) stale(l *listing) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if now.Sub(l.opened) >= t.order.window() {
		return true
	}
	idle := now.Sub(cmp.Or(l.spent, now))
	return t.wanted > 0 && !l.pending(now) && len(l.drafts) == 0 && idle >= starved
}

// news is an event of a Demand, and what we think of the Candidate in it.
type news struct {
	event     client.MarketEvent
	candidate Candidate
	err       error // why it will not do
}

// judge reads an event. It is called without mu, since it asks the caller's
// Filter and Score.
func (t *tender) judge(ev *client.MarketEvent) news {
	n := news{event: *ev}
	if ev.Proposal == nil {
		t.r.log.Debug("proposal rejected", "proposal", ev.Rejected, "reason", ev.Reason.Text())
		return n
	}
	c, err := read(ev.Proposal.Issuer, ev.Proposal.Properties)
	if err == nil {
		err = t.order.judge(&c, t.r.allowed(&t.order))
	}
	if c.tie = t.r.random(); err != nil {
		c.Reason, c.lasting = clip(err.Error()), true
		t.r.log.Debug("offer refused", "peer", c.Provider, "err", err)
	} else {
		c.Reason = "it has not answered yet"
	}
	n.candidate, n.err = c, err
	return n
}

// happened takes an event of a Demand. It is called with mu held.
func (t *tender) happened(l *listing, n *news) {
	p := n.event.Proposal
	switch {
	case n.event.Type == client.ProposalRejectedEvent:
		if x := l.known(n.event.Rejected, n); x != nil {
			x.answered = true
			t.refused(x, "it has refused: "+cmp.Or(clip(n.event.Reason.Text()), "no reason given"), n.event.Reason.IsFinal())
		}
	case p == nil:
	case p.State == golem.ProposalInitial && p.Prev == "":
		t.seen[p.Issuer] = n.candidate
		if n.err == nil {
			l.initials = append(l.initials, &lead{Candidate: n.candidate, proposal: p.ID})
		}
	default:
		if x := l.known(p.Prev, n); x != nil {
			t.answered(l, x, n)
		}
	}
}

// refused notes why a lead leads nowhere. It is called with mu held.
func (t *tender) refused(x *lead, why string, lasting bool) {
	c := x.Candidate
	c.Reason, c.lasting = why, lasting
	t.seen[c.Provider] = c
}

// answered takes the Provider's answer to our counter-proposal. It is called with
// mu held.
func (t *tender) answered(l *listing, x *lead, n *news) {
	x.answered = true
	t.seen[x.Provider] = n.candidate
	if n.err != nil {
		return
	}
	x.Candidate, x.proposal = n.candidate, n.event.Proposal.ID
	settled, err := x.agreesWith(x.Properties)
	switch {
	case err != nil:
		t.refused(x, clip(err.Error()), true)
	case !settled:
		x.answered = false
		t.ask(l, x)
	default:
		if len(l.drafts) == 0 {
			l.first = time.Now()
		}
		l.drafts = append(l.drafts, x)
	}
}

// allowed returns the most a rental of an Order may cost now.
func (r *Requestor) allowed(o *Order) golem.Amount {
	left := r.cfg.Budget.Excess(r.purse.spent())
	if r.cfg.Budget.IsZero() {
		left = golem.Tokens(math.MaxUint64) // of a survey, which costs nothing
	}
	if o.MaxPrice.IsZero() || left.Less(o.MaxPrice) {
		return left
	}
	return o.MaxPrice
}

// pump asks the best offers, as many as it takes. It is called with mu held.
func (t *tender) pump(l *listing) {
	const ahead = 5 // more than there are awards, for those that come to nothing
	if l.ctx.Err() != nil {
		return
	}
	now := time.Now()
	slices.SortStableFunc(l.initials, func(a, b *lead) int { return better(&a.Candidate, &b.Candidate) })
	for len(l.initials) > 0 && l.underWay < askAtOnce && len(l.drafts)+l.awaited(now) < max(1, t.wanted)+ahead {
		x := l.initials[0]
		l.initials = l.initials[1:]
		t.ask(l, x)
	}
}

// ask counters the last Proposal of a lead, in the background.
func (t *tender) ask(l *listing, x *lead) {
	x.since = time.Now()
	l.underWay++
	l.unknown = append(l.unknown, x)
	l.asking.Go(func() {
		id, err := t.counter(l, x)
		if err != nil {
			t.r.log.Debug("counter-proposal refused", "peer", x.Provider, "err", err)
		}
		t.set(func() { t.asked(l, x, id, err) })
	})
}

// asked notes that a counter-proposal has arrived, or could not. It is called
// with mu held.
func (t *tender) asked(l *listing, x *lead, id golem.ProposalID, err error) {
	l.underWay--
	l.unknown = slices.DeleteFunc(l.unknown, func(y *lead) bool { return y == x })
	switch n, answered := l.early[id]; {
	case err != nil && l.ctx.Err() == nil:
		x.answered = true
		t.refused(x, clip(err.Error()), false)
		l.spent = time.Now()
	case err == nil:
		l.asked[id] = x
		if answered {
			t.happened(l, &n)
		}
	}
	if l.underWay == 0 {
		clear(l.early)
	}
	t.pump(l)
}

// counter answers a Proposal with the Demand, in the form that suits it.
func (t *tender) counter(l *listing, x *lead) (golem.ProposalID, error) {
	ctx, cancel := context.WithTimeout(l.ctx, counterTime)
	defer cancel()
	p, err := publication(x.counter(l.properties, t.r.account.Platform), l.constraint)
	if err != nil {
		return "", err
	}
	return t.r.api.Counter(ctx, golem.Requestor, l.demand, x.proposal, p)
}

// take returns the best draft of a Provider nobody else has taken, or how long to
// wait for one; 0 is until something changes.
func (t *tender) take() (*lead, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, now := t.listing, time.Now()
	if l == nil || len(l.drafts) == 0 {
		return nil, 0
	}
	if gathered := now.Sub(l.first); gathered < gatherTime && l.pending(now) {
		return nil, gatherTime - gathered
	}
	var best *lead
	var wait time.Duration
	for _, x := range l.drafts {
		if t.taken[x.Provider] > 0 {
			continue
		}
		if until := t.r.avoided(x.Provider).Sub(now); until > 0 {
			wait = cmp.Or(min(wait, until), until)
			continue
		}
		if best == nil || better(&x.Candidate, &best.Candidate) < 0 {
			best = x
		}
	}
	if best == nil {
		return nil, wait
	}
	l.drafts = slices.DeleteFunc(l.drafts, func(x *lead) bool { return x == best })
	t.taken[best.Provider]++
	return best, 0
}

// give lets others have a Provider again.
func (t *tender) give(id golem.NodeID) {
	t.set(func() {
		if t.taken[id]--; t.taken[id] == 0 {
			delete(t.taken, id)
		}
	})
}

// want changes the number of awards that wait.
func (t *tender) want(n int) {
	t.set(func() {
		t.wanted += n
		if t.listing != nil {
			t.pump(t.listing)
		}
	})
}

// shared is a published image with several users.
type shared struct {
	url     string
	release func()

	mu    sync.Mutex
	users int
}

func (s *shared) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
}

// drop ends one use; the last one withdraws the image.
func (s *shared) drop() {
	s.mu.Lock()
	s.users--
	last := s.users == 0
	s.mu.Unlock()
	if last {
		s.release()
	}
}
