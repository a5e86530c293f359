package router

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router/gsbpb"
	"github.com/golem-go/golem/p2p"
)

const (
	// askPatience is how long the router may take to answer a registration. One
	// that takes longer is as good as dead; it may have to probe for three seconds.
	askPatience = 10 * time.Second
	// clientPatience is how long a packet may wait for the router: longer than the
	// router waits for others, so that theirs is the connection that is given up.
	clientPatience = 90 * time.Second
	// mendInterval is how often registrations that were refused are repeated.
	mendInterval = 5 * time.Second
)

// uplink is the client's end of one connection.
type uplink struct {
	client *Client
	link   *link
	cancel context.CancelCauseFunc
	hello  chan Router // gets the router's Hello; buffer 1
	joined atomic.Bool // services are registered
	pinged atomic.Int64
	rtt    atomic.Int64

	// Replies to registrations carry no id: they are matched by asking one thing
	// at a time.
	turn    sync.Mutex
	answer  chan *gsbpb.Packet // buffer 1
	known   map[string]bool    // addresses registered
	follows map[string]bool    // topics subscribed to
	greeted bool               // the reader's
}

func newUplink(c *Client, nc net.Conn) *uplink {
	up := &uplink{client: c, hello: make(chan Router, 1), answer: make(chan *gsbpb.Packet, 1), known: map[string]bool{}, follows: map[string]bool{}}
	up.link = newLink(nc, up, &c.serving, c.cfg.Limits)
	up.link.patience, up.link.readers = clientPatience, c.cfg.Patience
	return up
}

// run serves the connection until it is lost or ctx ends.
func (up *uplink) run(ctx context.Context) error {
	c := up.client
	up.push(&gsbpb.Packet{Packet: &gsbpb.Packet_Hello{Hello: &gsbpb.Hello{
		Name: c.cfg.Name, Version: c.cfg.Version, InstanceId: c.instance[:], Extensions: extensions,
	}}})
	ctx, up.cancel = context.WithCancelCause(ctx)
	defer up.cancel(nil)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return up.link.run(ctx) })
	g.Go(func() error { return up.join(ctx) })
	err := g.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

func (up *uplink) push(p *gsbpb.Packet) { up.link.out.push(p, size(p)) }

// join makes the connection useful and keeps it so.
func (up *uplink) join(ctx context.Context) error {
	c := up.client
	router, err := up.meet(ctx)
	if err != nil {
		return err
	}
	if c.cfg.Joined != nil {
		if err := c.cfg.Joined(ctx, router); err != nil {
			return err
		}
	}
	c.note(up, nil)
	_ = up.mend()
	up.joined.Store(true)
	c.note(up, nil)
	c.cfg.Log.Info("bus connected", "url", c.cfg.URL, "router", router.Name)
	if c.cfg.Ready != nil {
		c.cfg.Ready()
	}
	tick := time.NewTicker(mendInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			_ = up.mend()
		}
	}
}

// meet waits for the router's Hello.
func (up *uplink) meet(ctx context.Context) (Router, error) {
	timer := time.NewTimer(connectTimeout)
	defer timer.Stop()
	select {
	case r := <-up.hello:
		return r, nil
	case <-timer.C:
		return Router{}, golem.Errorf(golem.ErrUnavailable, "no Hello within %v; is this a bus?", connectTimeout)
	case <-ctx.Done():
		return Router{}, context.Cause(ctx)
	}
}

// mend registers and subscribes what is not yet. It returns what the router
// refused last.
func (up *uplink) mend() error {
	var refused error
	for _, addr := range up.client.bound() {
		if err := up.register(addr); err != nil && !errors.Is(err, errLost) {
			refused = err
		}
	}
	up.client.refuse(refused)
	for _, topic := range up.client.topics.wanted() {
		up.follow(topic)
	}
	return refused
}

// ask sends a request that is answered without an id and returns the answer. It
// is called with turn held.
func (up *uplink) ask(p *gsbpb.Packet) (*gsbpb.Packet, error) {
	up.push(p)
	timer := time.NewTimer(askPatience)
	defer timer.Stop()
	select {
	case answer := <-up.answer:
		return answer, nil
	case <-up.link.lost:
		return nil, errLost
	case <-timer.C:
		up.cancel(golem.Errorf(golem.ErrTimeout, "the bus did not answer a registration within %v", askPatience))
		return nil, errLost
	}
}

// register registers an address unless it is already.
func (up *uplink) register(addr string) error {
	up.turn.Lock()
	defer up.turn.Unlock()
	if up.known[addr] {
		return nil
	}
	answer, err := up.ask(&gsbpb.Packet{Packet: &gsbpb.Packet_RegisterRequest{RegisterRequest: &gsbpb.RegisterRequest{ServiceId: addr}}})
	if err != nil {
		return err
	}
	switch reply := answer.GetRegisterReply(); {
	case reply == nil:
		return golem.Errorf(golem.ErrUnavailable, "bus address %s: the bus answers something else", addr)
	case reply.Code == gsbpb.RegisterReply_OK:
		up.known[addr] = true
		return nil
	case reply.Code == gsbpb.RegisterReply_CONFLICT:
		return golem.Errorf(golem.ErrConflict, "bus address %s is registered already: %s", addr, reply.GetMessage())
	default:
		return golem.Errorf(golem.ErrInvalid, "bus address %s: %s", addr, reply.GetMessage())
	}
}

func (up *uplink) unregister(addr string) {
	up.turn.Lock()
	defer up.turn.Unlock()
	if !up.known[addr] {
		return
	}
	delete(up.known, addr)
	_, _ = up.ask(&gsbpb.Packet{Packet: &gsbpb.Packet_UnregisterRequest{UnregisterRequest: &gsbpb.UnregisterRequest{ServiceId: addr}}})
}

// follow subscribes to a topic that is wanted, and unsubscribes from one that is not.
func (up *uplink) follow(topic string) {
	up.turn.Lock()
	defer up.turn.Unlock()
	wanted := up.client.topics.has(topic)
	if up.follows[topic] == wanted {
		return
	}
	if !wanted {
		delete(up.follows, topic)
		_, _ = up.ask(&gsbpb.Packet{Packet: &gsbpb.Packet_UnsubscribeRequest{UnsubscribeRequest: &gsbpb.UnsubscribeRequest{Topic: topic}}})
		return
	}
	answer, err := up.ask(&gsbpb.Packet{Packet: &gsbpb.Packet_SubscribeRequest{SubscribeRequest: &gsbpb.SubscribeRequest{Topic: topic}}})
	reply := answer.GetSubscribeReply()
	up.follows[topic] = err == nil && reply != nil && reply.Code == gsbpb.SubscribeReply_OK
}

// handle implements end.
func (up *uplink) handle(ctx context.Context, p *gsbpb.Packet) error {
	switch m := p.Packet.(type) {
	case *gsbpb.Packet_Hello:
		return up.greet(m.Hello)
	case *gsbpb.Packet_Ping:
		up.link.heed(&gsbpb.Packet{Packet: &gsbpb.Packet_Pong{Pong: &gsbpb.Pong{}}})
		if at := up.pinged.Swap(0); at != 0 {
			up.rtt.Store(time.Now().UnixNano() - at)
		}
	case *gsbpb.Packet_BroadcastRequest:
		up.hear(ctx, m.BroadcastRequest)
	case *gsbpb.Packet_RegisterReply, *gsbpb.Packet_UnregisterReply, *gsbpb.Packet_SubscribeReply, *gsbpb.Packet_UnsubscribeReply:
		select {
		case up.answer <- p:
		default:
			return golem.Errorf(golem.ErrInvalid, "the bus answers what was not asked")
		}
	}
	return nil
}

func (up *uplink) greet(h *gsbpb.Hello) error {
	if up.greeted {
		return golem.Errorf(golem.ErrInvalid, "second Hello")
	}
	up.greeted = true
	modern := h.Extensions > 0
	up.link.modern.Store(modern)
	r := Router{Caller: up.link, Name: h.Name, Version: h.Version, Modern: modern}
	copy(r.Instance[:], h.InstanceId)
	up.hello <- r
	return nil
}

// trust returns what the word of the router is worth.
func (up *uplink) trust(level uint32) p2p.Trust {
	if !up.link.modern.Load() {
		return p2p.TrustClaim
	}
	return p2p.Trust(min(level, uint32(p2p.TrustLocal)))
}

// hear hands a broadcast to its subscribers. Upstream does not answer these.
func (up *uplink) hear(ctx context.Context, b *gsbpb.BroadcastRequest) {
	from, _ := golem.ParseNodeID(b.Caller) // zero: nobody in particular
	up.client.topics.publish(ctx, Broadcast{From: from, Trust: up.trust(b.Trust), Topic: b.Topic, Body: b.Data})
}

// admit implements end.
func (up *uplink) admit(r *gsbpb.CallRequest) (gsb.Request, error) {
	caller, _ := golem.ParseNodeID(r.Caller) // zero: nobody in particular
	return gsb.Request{Caller: caller, Trust: up.trust(r.Trust), Addr: r.Address, NoReply: r.NoReply, Body: r.Data}, nil
}

// Call implements end: it is the router's call to a service of this process.
func (up *uplink) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	return up.client.services.Call(ctx, r, w)
}

// keep implements end: it gives signs of life, also while the reader waits for
// somebody slow, and looks for the router's.
func (up *uplink) keep(ctx context.Context) error {
	every := up.client.cfg.Keepalive
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if silence := up.link.silence(); silence > 3*every {
			return golem.Errorf(golem.ErrTimeout, "nothing heard for %v", silence)
		}
		up.pinged.Store(time.Now().UnixNano())
		up.push(&gsbpb.Packet{Packet: &gsbpb.Packet_Ping{Ping: &gsbpb.Ping{}}})
	}
}
