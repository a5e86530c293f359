package router

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router/gsbpb"
)

// extensions is the level of extensions of the protocol that this program
// understands (gsb.proto).
const extensions = 1

// conn is the server's end of a connection.
type conn struct {
	server   *Server
	link     *link
	session  Session
	cancel   context.CancelCauseFunc
	serving  sync.WaitGroup
	talk     *rate.Limiter // of broadcasts; nil for no limit
	instance instance      // guarded by server.mu
	greeted  bool          // the reader's

	mu     sync.Mutex
	closed bool
	bound  map[string]func()
	subs   map[string]func()
}

func newConn(s *Server, nc net.Conn, cancel context.CancelCauseFunc) *conn {
	c := &conn{server: s, cancel: cancel, talk: limiter(s.cfg.Limits.Broadcasts), bound: map[string]func(){}, subs: map[string]func(){}}
	c.link = newLink(nc, c, &c.serving, s.cfg.Limits)
	c.link.vouches = true
	c.link.patience, c.link.readers = s.cfg.ForwardTimeout, s.cfg.ForwardTimeout
	c.session = s.cfg.Session(nc.RemoteAddr())
	return c
}

func (c *conn) run(ctx context.Context) error {
	s := c.server
	c.push(&gsbpb.Packet{Packet: &gsbpb.Packet_Hello{Hello: &gsbpb.Hello{
		Name: s.cfg.Name, Version: s.cfg.Version, InstanceId: s.instance[:], Extensions: extensions,
	}}})
	return c.link.run(ctx)
}

// push queues a packet without waiting.
func (c *conn) push(p *gsbpb.Packet) { c.link.out.push(p, size(p)) }

// close ends the connection and releases what it has bound.
func (c *conn) close(cause error) {
	c.cancel(cause)
	c.mu.Lock()
	c.closed = true
	bound, subs := c.bound, c.subs
	c.bound, c.subs = nil, nil
	c.mu.Unlock()
	for addr, release := range bound {
		c.release(addr, release)
	}
	for _, release := range subs {
		release()
	}
}

// admit implements end.
func (c *conn) admit(r *gsbpb.CallRequest) (gsb.Request, error) {
	caller, trust, err := c.session.Vouch(r.Caller, r.Address)
	return gsb.Request{Caller: caller, Trust: trust, Addr: r.Address, NoReply: r.NoReply, Body: r.Data}, err
}

// Call implements end: it is the other side's call to the bus.
func (c *conn) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	return c.session.Call(ctx, r, w)
}

// keep implements end.
func (c *conn) keep(ctx context.Context) error {
	tick := time.NewTicker(c.server.cfg.PingInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		silence := c.link.silence()
		if silence > c.server.cfg.PingTimeout {
			return golem.Errorf(golem.ErrTimeout, "nothing heard for %v", silence)
		}
		if silence > c.server.cfg.PingInterval/2 || c.link.held.Load() {
			c.ping()
		}
	}
}

func (c *conn) ping() { c.push(&gsbpb.Packet{Packet: &gsbpb.Packet_Ping{Ping: &gsbpb.Ping{}}}) }

// handle implements end. Packets that only a router sends are ignored.
func (c *conn) handle(ctx context.Context, p *gsbpb.Packet) error {
	switch m := p.Packet.(type) {
	case *gsbpb.Packet_Hello:
		return c.greet(m.Hello)
	case *gsbpb.Packet_RegisterRequest:
		return c.link.send(ctx, c.register(ctx, m.RegisterRequest.ServiceId))
	case *gsbpb.Packet_UnregisterRequest:
		return c.link.send(ctx, c.unregister(m.UnregisterRequest.ServiceId))
	case *gsbpb.Packet_SubscribeRequest:
		return c.link.send(ctx, c.subscribe(m.SubscribeRequest.Topic))
	case *gsbpb.Packet_UnsubscribeRequest:
		return c.link.send(ctx, c.unsubscribe(m.UnsubscribeRequest.Topic))
	case *gsbpb.Packet_BroadcastRequest:
		return c.link.send(ctx, c.broadcast(ctx, m.BroadcastRequest))
	case *gsbpb.Packet_Ping:
		c.link.heed(&gsbpb.Packet{Packet: &gsbpb.Packet_Ping{Ping: &gsbpb.Ping{}}}) // as upstream's router
	}
	return nil
}

func (c *conn) greet(h *gsbpb.Hello) error {
	if c.greeted {
		return golem.Errorf(golem.ErrInvalid, "second Hello")
	}
	if len(h.InstanceId) != len(instance{}) {
		return golem.Errorf(golem.ErrInvalid, "Hello: instance id of %d bytes, want %d", len(h.InstanceId), len(instance{}))
	}
	c.greeted = true
	c.link.modern.Store(h.Extensions > 0)
	c.server.introduce(c, instance(h.InstanceId))
	return nil
}

// probePatience is how long the holder of an address may take to show that it is
// alive when another connection wants the address.
const probePatience = 3 * time.Second

func (c *conn) register(ctx context.Context, addr string) *gsbpb.Packet {
	err := c.bind(addr)
	if errors.Is(err, golem.ErrConflict) && c.server.evict(ctx, c, addr) {
		err = c.bind(addr)
	}
	reply := &gsbpb.RegisterReply{}
	switch {
	case errors.Is(err, golem.ErrConflict):
		reply.Code, reply.Message = gsbpb.RegisterReply_CONFLICT, golem.Public(err)
	case err != nil:
		reply.Code, reply.Message = gsbpb.RegisterReply_BAD_REQUEST, golem.Public(err)
	}
	return &gsbpb.Packet{Packet: &gsbpb.Packet_RegisterReply{RegisterReply: reply}}
}

func (c *conn) bind(addr string) error {
	c.mu.Lock()
	full := len(c.bound) >= c.server.cfg.Limits.Services
	c.mu.Unlock()
	if full {
		return golem.Errorf(golem.ErrExhausted, "more than %d services on one connection", c.server.cfg.Limits.Services)
	}
	release, err := c.session.Bind(addr, c.link.Call)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		release()
		return errLost
	}
	c.bound[addr] = release
	c.mu.Unlock()
	c.server.hold(addr, c)
	return nil
}

func (c *conn) unregister(addr string) *gsbpb.Packet {
	c.mu.Lock()
	release := c.bound[addr]
	delete(c.bound, addr)
	c.mu.Unlock()
	reply := &gsbpb.UnregisterReply{Code: gsbpb.UnregisterReply_NOT_REGISTERED}
	if release != nil {
		c.release(addr, release)
		reply.Code = gsbpb.UnregisterReply_OK
	}
	return &gsbpb.Packet{Packet: &gsbpb.Packet_UnregisterReply{UnregisterReply: reply}}
}

func (c *conn) release(addr string, release func()) {
	c.server.unhold(addr, c)
	release()
}

func (c *conn) subscribe(topic string) *gsbpb.Packet {
	reply := &gsbpb.SubscribeReply{}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.subs[topic] != nil: // upstream answers OK to a repetition
	case len(c.subs) >= c.server.cfg.Limits.Topics:
		reply.Code, reply.Message = gsbpb.SubscribeReply_BAD_REQUEST, "too many topics"
	default:
		c.subs[topic] = c.server.topics.subscribe(topic, c.hear)
	}
	return &gsbpb.Packet{Packet: &gsbpb.Packet_SubscribeReply{SubscribeReply: reply}}
}

func (c *conn) unsubscribe(topic string) *gsbpb.Packet {
	c.mu.Lock()
	release := c.subs[topic]
	delete(c.subs, topic)
	c.mu.Unlock()
	reply := &gsbpb.UnsubscribeReply{Code: gsbpb.UnsubscribeReply_NOT_SUBSCRIBED}
	if release != nil {
		release()
		reply.Code = gsbpb.UnsubscribeReply_OK
	}
	return &gsbpb.Packet{Packet: &gsbpb.Packet_UnsubscribeReply{UnsubscribeReply: reply}}
}

// broadcast passes a broadcast of the other side on.
func (c *conn) broadcast(ctx context.Context, r *gsbpb.BroadcastRequest) *gsbpb.Packet {
	reply := &gsbpb.BroadcastReply{}
	if err := c.publish(ctx, r); err != nil {
		reply.Code, reply.Message = gsbpb.BroadcastReply_BAD_REQUEST, golem.Public(err)
	}
	return &gsbpb.Packet{Packet: &gsbpb.Packet_BroadcastReply{BroadcastReply: reply}}
}

func (c *conn) publish(ctx context.Context, r *gsbpb.BroadcastRequest) error {
	from, trust, err := c.session.Vouch(r.Caller, r.Topic)
	if err != nil {
		return err
	}
	b := Broadcast{From: from, Trust: trust, Topic: r.Topic, Body: r.Data}
	if err := b.check(); err != nil {
		return err
	}
	if c.talk != nil && !c.talk.Allow() {
		return golem.Errorf(golem.ErrExhausted, "too many broadcasts")
	}
	c.server.topics.publish(ctx, b)
	return nil
}

// hear tells the other side a broadcast, or loses it where too much is waiting.
func (c *conn) hear(_ context.Context, b Broadcast) {
	p := b.packet(b.Trust)
	c.link.out.offer(p, size(p))
}
