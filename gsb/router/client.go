package router

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router/gsbpb"
	"github.com/golem-go/golem/p2p"
)

// ClientConfig configures a Client. The zero value of a field but URL stands for
// its default.
type ClientConfig struct {
	// URL is where the router is; see [ParseURL].
	URL string
	// Dial connects to the router in another way than URL says.
	Dial func(ctx context.Context) (net.Conn, error)
	// Joined is called on each new connection, before anything is registered. Its
	// error gives the connection up, to try again later.
	Joined func(ctx context.Context, router Router) error
	// Ready is called on each new connection when everything is registered.
	Ready func()

	Name      string        // in Hello; default "golem"
	Version   string        // in Hello; default "0.0.0"
	Retry     time.Duration // pause before the first reconnection, doubled each time; default 1 s
	RetryMost time.Duration // default 60 s
	Keepalive time.Duration // between signs of life; three missing ones are a loss; default 10 s
	Patience  time.Duration // with a reader of replies who holds up the others; less than the router has; default 45 s
	Limits    Limits        // of what the router may ask of this process
	Rand      *rand.Rand    // for jitter; used by Run only; default seeded by Instance
	Log       *slog.Logger
}

// Router is the other end of a new connection of a Client.
type Router struct {
	gsb.Caller          // calls over this connection
	Instance   [16]byte // the id it gives itself
	Name       string   // as it says
	Version    string   // as it says
	Modern     bool     // it is one of ours: what it says of callers' trust is its own word
}

func (c ClientConfig) withDefaults(seed instance) ClientConfig {
	c.Name = cmp.Or(c.Name, "golem")
	c.Version = cmp.Or(c.Version, "0.0.0")
	c.Retry = cmp.Or(c.Retry, time.Second)
	c.RetryMost = cmp.Or(c.RetryMost, time.Minute)
	c.Keepalive = cmp.Or(c.Keepalive, 10*time.Second)
	c.Patience = cmp.Or(c.Patience, 45*time.Second)
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewChaCha8([32]byte(slices.Concat(seed[:], seed[:]))))
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Client is a process that is connected to a router: it calls the services that
// are registered there, and its own are registered there. It keeps the
// connection, and registers again what is bound after it was lost.
type Client struct {
	cfg      ClientConfig
	instance instance
	services *gsb.Bus // bound by this process
	topics   topics
	dropped  atomic.Uint64

	serving sync.WaitGroup // of calls that are being answered, on any connection
	ownRun  func()         // set by Dial: ends Run and waits for it

	mu      sync.Mutex
	addrs   []string // of services, in the order they were bound
	up      *uplink  // nil while not connected
	first   net.Conn // made by Dial, for Run to begin with
	since   time.Time
	problem error
	refused error         // what the router said last to a service that is bound
	changed chan struct{} // closed when up or problem changes
}

var (
	_ gsb.Caller = (*Client)(nil)
	_ gsb.Binder = (*Client)(nil)
)

// NewClient returns a Client, which connects when Run is called.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Dial == nil {
		network, address, err := ParseURL(cfg.URL)
		if err != nil {
			return nil, err
		}
		cfg.Dial = func(ctx context.Context) (net.Conn, error) { return dial(ctx, network, address) }
	}
	id := newInstance()
	return &Client{
		cfg: cfg.withDefaults(id), instance: id, services: gsb.New(gsb.Config{Hub: true}),
		changed: make(chan struct{}), since: time.Now(),
	}, nil
}

// Dial returns a Client that is connected, and stays so until Close. It returns
// ErrUnavailable where nobody answers.
func Dial(ctx context.Context, cfg ClientConfig) (*Client, error) {
	c, err := NewClient(cfg)
	if err != nil {
		return nil, err
	}
	if c.first, err = c.cfg.Dial(ctx); err != nil {
		return nil, golem.Errorf(golem.ErrUnavailable, "bus at %s: %w", cfg.URL, err)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(run) })
	c.ownRun = func() { cancel(); running.Wait() }
	ready, done := context.WithTimeout(ctx, 2*connectTimeout)
	defer done()
	if err := c.Ready(ready); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close disconnects a Client that was made by [Dial] and waits for what it serves
// to end. What has been sent before is written first.
func (c *Client) Close() error {
	if c.ownRun != nil {
		c.ownRun()
	}
	return nil
}

// Run keeps the process connected until ctx ends and returns nil then. It is
// called once.
func (c *Client) Run(ctx context.Context) error {
	defer c.serving.Wait()
	pause := c.cfg.Retry
	for {
		joined, err := c.connect(ctx)
		if ctx.Err() != nil {
			c.note(nil, errLost)
			return nil
		}
		if joined {
			pause = c.cfg.Retry
		}
		c.note(nil, err)
		jitter := time.Duration(c.cfg.Rand.Int64N(int64(pause)/4 + 1))
		c.cfg.Log.Warn("bus connection lost", "url", c.cfg.URL, "err", err, "retry", pause+jitter)
		wait(ctx, pause+jitter)
		pause = min(2*pause, c.cfg.RetryMost)
	}
}

// connect connects and serves the connection until it is lost. It returns why,
// and whether it was of any use.
func (c *Client) connect(ctx context.Context) (joined bool, err error) {
	nc, err := c.dial(ctx)
	if err != nil {
		return false, err
	}
	up := newUplink(c, nc)
	err = up.run(ctx)
	return up.joined.Load(), err
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	c.mu.Lock()
	nc := c.first
	c.first = nil
	c.mu.Unlock()
	if nc != nil {
		return nc, nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return c.cfg.Dial(ctx)
}

// note records that the client is connected by up, or why it is not.
func (c *Client) note(up *uplink, problem error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if (up == nil) != (c.up == nil) {
		c.since = time.Now()
	}
	c.up, c.problem = up, problem
	close(c.changed)
	c.changed = make(chan struct{})
}

// refuse records what the router said to services, nil for nothing. Log is told
// once of the same.
func (c *Client) refuse(err error) {
	c.mu.Lock()
	news := err != nil && (c.refused == nil || c.refused.Error() != err.Error())
	c.refused = err
	c.mu.Unlock()
	if news {
		c.cfg.Log.Warn("service refused by the bus", "url", c.cfg.URL, "err", err)
	}
}

// link returns the present connection.
func (c *Client) link() (*uplink, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up == nil {
		return nil, c.unavailable()
	}
	return c.up, nil
}

func (c *Client) unavailable() error {
	if c.problem == nil {
		return golem.Errorf(golem.ErrUnavailable, "bus at %s: not connected yet", c.cfg.URL)
	}
	return golem.Errorf(golem.ErrUnavailable, "bus at %s: not connected: %w", c.cfg.URL, c.problem)
}

// Ready returns when the client is connected and its services are registered. It
// returns ErrUnavailable with what keeps it from that when ctx ends first.
func (c *Client) Ready(ctx context.Context) error {
	for {
		c.mu.Lock()
		up, changed, err := c.up, c.changed, c.unavailable()
		c.mu.Unlock()
		if up != nil && up.joined.Load() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return err
		}
	}
}

// Call implements [gsb.Caller]. It returns ErrUnavailable while the client is not
// connected, or when the connection is lost; the call may have been executed then.
func (c *Client) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	up, err := c.link()
	if err != nil {
		return err
	}
	return up.link.Call(ctx, r, w)
}

// TrySend makes a call without a reply if there is room for it in the queue, and
// reports whether there was. It does not wait.
func (c *Client) TrySend(r gsb.Request) bool {
	up, err := c.link()
	if err != nil {
		return false
	}
	r.NoReply = true
	request, err := up.link.request(r)
	if err != nil {
		return false
	}
	return c.offer(up, &gsbpb.Packet{Packet: &gsbpb.Packet_CallRequest{CallRequest: request}})
}

// Broadcast tells the subscribers of a topic, if there is room in the queue. It
// does not wait.
func (c *Client) Broadcast(b Broadcast) error {
	up, err := c.link()
	if err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	c.offer(up, b.packet(p2p.TrustClaim))
	return nil
}

func (c *Client) offer(up *uplink, p *gsbpb.Packet) bool {
	if up.link.out.offer(p, size(p)) {
		return true
	}
	c.dropped.Add(1)
	return false
}

// Bind implements [gsb.Binder]. While the client is not connected it succeeds, and
// the address is registered later; a router that refuses it then is asked again
// every few seconds, and Log told.
func (c *Client) Bind(addr string, h gsb.Handler) (release func(), err error) {
	unbind, err := c.services.Bind(addr, h)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.addrs = append(c.addrs, addr)
	up := c.up
	c.mu.Unlock()
	if up != nil {
		if err := up.register(addr); err != nil && !errors.Is(err, errLost) {
			c.forget(addr)
			unbind()
			return nil, err
		}
	}
	return sync.OnceFunc(func() {
		c.forget(addr)
		unbind()
		if up, err := c.link(); err == nil {
			up.unregister(addr)
		}
	}), nil
}

// Mend asks again, now, for what the router has refused, and returns what it
// refuses still. It does nothing while the client is not connected.
func (c *Client) Mend() error {
	up, err := c.link()
	if err != nil {
		return nil
	}
	return up.mend()
}

func (c *Client) forget(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addrs = slices.DeleteFunc(c.addrs, func(a string) bool { return a == addr })
}

// bound returns the addresses that are bound.
func (c *Client) bound() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.addrs)
}

// Subscribe makes hear receive the broadcasts on a topic until release is
// called, which must not be done from hear. hear must not block.
func (c *Client) Subscribe(topic string, hear func(context.Context, Broadcast)) (release func()) {
	unsubscribe := c.topics.subscribe(topic, hear)
	if up, err := c.link(); err == nil {
		up.follow(topic)
	}
	return sync.OnceFunc(func() {
		unsubscribe()
		if up, err := c.link(); err == nil {
			up.follow(topic)
		}
	})
}
