package central

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/p2p"
)

// Config configures a Network.
type Config struct {
	// Hub is the address of the hub: [sha224hex@]host[:port], or unix:/path. The
	// default port is [router.DefaultPort].
	Hub string
	// Dial connects to the hub in another way than Hub says.
	Dial func(ctx context.Context) (net.Conn, error)
	// Signer proves the node's identities to the hub.
	Signer golem.Signer

	Rand *rand.Rand // for jitter; used by Run only; default seeded at random
	Log  *slog.Logger
}

// Network is the overlay.
type Network struct {
	cfg       Config
	pin       []byte
	client    *router.Client
	handler   p2p.Handler
	broadcast p2p.BroadcastHandler

	setting sync.Mutex // held by SetIdentities, one at a time

	mu     sync.Mutex
	ids    []golem.NodeID
	bound  map[golem.NodeID]func() // what unregisters them
	hub    router.Router           // of the last connection
	proven map[golem.NodeID]bool   // on that connection
	topics map[string]*following
}

var (
	_ p2p.Network    = (*Network)(nil)
	_ p2p.Subscriber = (*Network)(nil)
)

// New returns a Network, which connects when Run is called. It returns
// ErrInvalid where cfg is wrong.
func New(cfg Config) (*Network, error) {
	if cfg.Signer == nil {
		return nil, golem.Errorf(golem.ErrInvalid, "central network: no Signer in its configuration")
	}
	n := &Network{cfg: cfg, bound: map[golem.NodeID]func(){}, topics: map[string]*following{}}
	if n.cfg.Log == nil {
		n.cfg.Log = slog.New(slog.DiscardHandler)
	}
	dial := cfg.Dial
	if dial == nil {
		p, err := parsePlace(cfg.Hub)
		if err != nil {
			return nil, err
		}
		n.pin, dial = p.pin, p.dial
	}
	var err error
	n.client, err = router.NewClient(router.ClientConfig{
		URL: cfg.Hub, Dial: dial, Joined: n.join, Ready: n.greet,
		Keepalive: 15 * time.Second, Patience: 20 * time.Second, Rand: cfg.Rand, Log: n.cfg.Log,
	})
	return n, err
}

// Serve implements [p2p.Network].
func (n *Network) Serve(h p2p.Handler, b p2p.BroadcastHandler) { n.handler, n.broadcast = h, b }

// Run implements [p2p.Network]. It connects again after 1, 2, 4 … 60 s.
func (n *Network) Run(ctx context.Context) error { return n.client.Run(ctx) }

// Call implements [p2p.Network]. Datagrams that find the queue full are dropped.
func (n *Network) Call(ctx context.Context, r p2p.Request, w func(p2p.Reply) error) error {
	if len(r.Body) > p2p.MaxBody {
		return golem.Errorf(golem.ErrTooLarge, "request of %d bytes, at most %d", len(r.Body), p2p.MaxBody)
	}
	if err := n.own(r.From); err != nil {
		return err
	}
	request := gsb.Request{Caller: r.From, Addr: address(r.To) + "/" + r.Addr, NoReply: r.NoReply, Body: r.Body}
	if r.Channel != p2p.Unreliable {
		return n.client.Call(ctx, request, w)
	}
	if !n.client.TrySend(request) && !n.client.Status().Connected {
		return golem.Errorf(golem.ErrUnavailable, "hub %s: not connected", n.cfg.Hub)
	}
	return nil
}

// own returns ErrForbidden where id is not an identity of this node.
func (n *Network) own(id golem.NodeID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(n.ids, id) {
		return golem.Errorf(golem.ErrForbidden, "%s is not an identity of this node", id)
	}
	return nil
}

// address is where a node is on the hub.
func address(id golem.NodeID) string { return "/net/" + id.String() }

// serve returns the handler of what arrives for id.
func (n *Network) serve(id golem.NodeID) gsb.Handler {
	prefix := address(id) + "/"
	return func(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
		path, ok := strings.CutPrefix(r.Addr, prefix)
		if !ok || path == "" || n.handler == nil {
			return gsb.ErrNoEndpoint
		}
		if r.Caller.IsZero() {
			return golem.Errorf(golem.ErrInvalid, "the caller is not a node")
		}
		return n.handler(ctx, p2p.Request{
			From: r.Caller, To: id, Addr: path, NoReply: r.NoReply, Trust: worth(r.Trust), Body: r.Body,
		}, w)
	}
}

// worth is what the word of a hub makes of a level of trust.
func worth(t p2p.Trust) p2p.Trust { return min(t, p2p.TrustRelay) }

// HubCaller returns what calls services of the hub itself, below /hub. Calls are
// made in the name of the default identity unless they name another one.
func (n *Network) HubCaller() gsb.Caller { return hubCaller{n} }

type hubCaller struct{ n *Network }

func (c hubCaller) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	if !strings.HasPrefix(r.Addr, "/hub/") {
		return golem.Errorf(golem.ErrInvalid, "bus address %q is not one of the hub: want /hub/…", r.Addr)
	}
	if !r.Caller.IsZero() {
		if err := c.n.own(r.Caller); err != nil {
			return err
		}
	} else if ids := c.n.identities(); len(ids) > 0 {
		r.Caller = ids[0]
	}
	return c.n.client.Call(ctx, r, w)
}

// Status implements [p2p.Network].
func (n *Network) Status() p2p.Status {
	s := n.client.Status()
	status := p2p.Status{
		Overlay: "central", Connected: s.Connected, Since: s.Since, IDs: n.identities(),
		Calls: s.Calls, Dropped: s.Dropped, LastHeard: s.Heard, RTT: s.RTT,
	}
	if s.Connected {
		status.Peers = 1
	}
	if s.Problem != nil {
		status.Problem = s.Problem.Error()
	}
	return status
}
