package p2ptest

import (
	"context"
	"slices"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
)

// window is how many replies may be on their way before the sender waits.
const window = 16

var (
	errGone  = golem.Errorf(golem.ErrUnavailable, "the caller is gone")
	errNoone = golem.Errorf(golem.ErrUnavailable, "lost connection")
)

// call is a call in flight.
type call struct {
	from, to *Node
	request  p2p.Request
	replies  chan arrival  // on their way to the caller; the sender is the handler
	slots    chan struct{} // one for each reply on its way; buffer window
	gone     chan struct{} // closed when the caller does not wait any more

	// own is by how much later what happens to many calls at once, as when a node
	// dies, happens to this one.
	own time.Duration

	// The handler's.
	lastAt time.Time // of the reply before, which this one must not overtake
	broken bool      // a reply was lost, so the rest goes nowhere
}

// arrival is what the caller will learn at an instant.
type arrival struct {
	at    time.Time
	reply p2p.Reply
	err   error
	lost  bool // the reply or error is lost on the way
	news  bool // err is no message, but what the caller notices
}

// Call implements [p2p.Network].
func (n *Node) Call(ctx context.Context, r p2p.Request, w func(p2p.Reply) error) error {
	if err := n.may(r.From, len(r.Body)); err != nil {
		return err
	}
	r.Body, r.Trust = slices.Clone(r.Body), n.sw.trust()
	r.NoReply = r.NoReply || r.Channel == p2p.Unreliable
	c := &call{
		from: n, to: n.sw.owner(r.To), request: r,
		replies: make(chan arrival, window+2), slots: make(chan struct{}, window), gone: make(chan struct{}),
	}
	d := Delivery{Kind: "request", From: r.From, To: r.To, Channel: r.Channel, Addr: r.Addr, Bytes: len(r.Body)}
	f := n.sw.decide(n, c.to, d, r.Body)
	c.own = f.own
	c.dispatch(d, f)
	if r.NoReply {
		return nil
	}
	n.calls.Add(1)
	defer n.calls.Add(-1)
	return c.collect(ctx, w)
}

// dispatch sends the request on its way, and its duplicate.
func (c *call) dispatch(d Delivery, f fate) {
	if !f.copyAt.IsZero() && c.to != nil {
		again := d
		again.Copy = true
		c.to.start(func(ctx context.Context) { c.deliverCopy(ctx, again, f.copyAt) })
	}
	if c.to == nil || !c.to.start(func(ctx context.Context) { c.deliver(ctx, d, f) }) {
		d.Lost = "down"
		c.from.start(func(ctx context.Context) {
			if until(ctx, f.at) {
				c.from.sw.trace(d)
			}
		})
		c.lose(c.from.sw.config().Latency)
	}
}

// lose makes the caller learn that the request did not arrive.
func (c *call) lose(later time.Duration) {
	c.post(arrival{at: c.from.sw.instant(later + c.own), err: golem.Errorf(golem.ErrUnavailable, "node %s cannot be reached", c.request.To), news: true})
}

// deliver hands the request over at its instant.
func (c *call) deliver(ctx context.Context, d Delivery, f fate) {
	sw := c.from.sw
	if !until(ctx, f.at) {
		c.post(arrival{at: sw.instant(sw.config().Detect + c.own), err: errNoone, news: true})
		return
	}
	d.Lost = sw.obstacle(c.from, c.to)
	switch {
	case f.lost:
		d.Lost = "loss"
	case !c.to.owns(c.request.To):
		d.Lost = "down"
	}
	if d.Lost != "" {
		sw.trace(d)
		c.lose(sw.config().Detect)
		return
	}
	sw.trace(d)
	c.serve(ctx)
}

// deliverCopy hands a duplicate over. What it is answered goes nowhere.
func (c *call) deliverCopy(ctx context.Context, d Delivery, at time.Time) {
	sw := c.from.sw
	if !until(ctx, at) || sw.obstacle(c.from, c.to) != "" || !c.to.owns(c.request.To) || c.to.handler == nil {
		return
	}
	sw.trace(d)
	r := c.request
	r.Body = slices.Clone(r.Body)
	n := 0
	_ = c.to.handler(ctx, r, func(p2p.Reply) error {
		if n++; n > window {
			return errGone
		}
		return nil
	})
}

// serve runs the handler and sends what it yields.
func (c *call) serve(ctx context.Context) {
	handler := c.to.handler
	if c.request.NoReply {
		if handler != nil {
			_ = handler(ctx, c.request, func(p2p.Reply) error { return nil })
		}
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer c.watch(cancel)()
	err := gsb.ErrNoEndpoint
	last := false
	if handler != nil {
		err = handler(ctx, c.request, func(r p2p.Reply) error {
			if last {
				return golem.Errorf(golem.ErrInternal, "reply after the last one")
			}
			err := c.answer(ctx, r)
			last = r.Last && err == nil
			return err
		})
	}
	sw := c.from.sw
	switch {
	case last || context.Cause(ctx) == errGone:
	case ctx.Err() != nil: // this node is going down
		c.post(arrival{at: sw.instant(sw.config().Detect + c.own), err: errNoone, news: true})
	case err != nil:
		_ = c.send(ctx, arrival{err: gsb.PeerError(golem.Public(err))}, []byte(golem.Public(err)))
	default:
		_ = c.answer(ctx, p2p.Reply{Last: true})
	}
}

// watch ends the handler's context when the caller is gone, as long as the news
// takes. It returns what ends the watch.
func (c *call) watch(cancel context.CancelCauseFunc) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
			return
		case <-c.gone:
		}
		timer := time.NewTimer(time.Until(c.from.sw.instant(c.from.sw.config().Latency + c.own)))
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			cancel(errGone)
		}
	}()
	return func() { close(done); <-ended }
}

// answer sends a reply. It waits while too many are on their way.
func (c *call) answer(ctx context.Context, r p2p.Reply) error {
	if len(r.Body) > p2p.MaxBody {
		return golem.Errorf(golem.ErrTooLarge, "reply of %d bytes, at most %d", len(r.Body), p2p.MaxBody)
	}
	r.Body = slices.Clone(r.Body)
	return c.send(ctx, arrival{reply: r}, r.Body)
}

func (c *call) send(ctx context.Context, a arrival, body []byte) error {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.broken {
		<-c.slots
		return nil
	}
	sw := c.from.sw
	f := sw.decide(c.to, c.from, c.delivery(a), body)
	a.lost = f.lost || sw.obstacle(c.to, c.from) != ""
	c.broken = a.lost
	if !f.at.After(c.lastAt) {
		f.at = sw.instant(time.Until(c.lastAt) + 1)
	}
	a.at, c.lastAt = f.at, f.at
	c.post(a)
	return nil
}

// post puts an arrival on its way. There is room for all that slots allows, the
// end of the call, and the failure that may follow.
func (c *call) post(a arrival) {
	select {
	case c.replies <- a:
	case <-c.gone:
	}
}

func (c *call) delivery(a arrival) Delivery {
	return Delivery{Kind: "reply", From: c.request.To, To: c.request.From, Channel: c.request.Channel, Addr: c.request.Addr, Bytes: len(a.reply.Body), Last: a.reply.Last || a.err != nil}
}

// collect passes the replies on as they arrive.
func (c *call) collect(ctx context.Context, w func(p2p.Reply) error) error {
	defer close(c.gone)
	for {
		var a arrival
		select {
		case a = <-c.replies:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !until(ctx, a.at) {
			return context.Cause(ctx)
		}
		if done, err := c.arrive(ctx, a, w); done {
			return err
		}
		<-c.slots
	}
}

// arrive acts on what arrives now.
func (c *call) arrive(ctx context.Context, a arrival, w func(p2p.Reply) error) (done bool, err error) {
	if a.news {
		return true, a.err
	}
	sw, d := c.from.sw, c.delivery(a)
	if d.Lost = sw.obstacle(c.to, c.from); d.Lost == "" && a.lost {
		d.Lost = "loss"
	}
	sw.trace(d)
	switch {
	case d.Lost != "":
		if !until(ctx, sw.instant(sw.config().Detect+c.own)) {
			return true, context.Cause(ctx)
		}
		return true, errNoone
	case a.err != nil:
		return true, a.err
	}
	err = w(a.reply)
	return err != nil || a.reply.Last, err
}
