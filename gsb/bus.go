package gsb

import (
	"context"
	"strings"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p"
)

// ErrNoEndpoint says that nothing is bound at an address. Its text is upstream's
// and load-bearing: peers and SDKs look for it in what they get back.
var ErrNoEndpoint = golem.Errorf(golem.ErrUnavailable, "endpoint address not found")

// Request is a call as the bus carries it.
type Request struct {
	Caller  golem.NodeID
	Trust   p2p.Trust // how well Caller is established
	Addr    string
	NoReply bool
	Body    []byte
}

// Reply is one answer to a Request; see [p2p.Reply].
type Reply = p2p.Reply

// Handler answers raw requests. It may call w any number of times, not
// concurrently, the last time with Last set, and returns when it is done.
type Handler func(ctx context.Context, r Request, w func(Reply) error) error

// Caller is whatever can carry a call: a Bus, or a connection to one.
type Caller interface {
	// Call sends r and passes each reply to w, in order, until the last one.
	Call(ctx context.Context, r Request, w func(Reply) error) error
}

// Binder is whatever services can be bound to: a Bus, or a connection to one.
type Binder interface {
	// Bind makes h answer everything at and below addr, until release is
	// called. It returns ErrConflict where addr is bound already.
	Bind(addr string, h Handler) (release func(), err error)
}

// Config says what a Bus is connected to. The zero value is a bus for one
// process alone.
type Config struct {
	// Network carries calls to other nodes; nil for none.
	Network p2p.Network
	// Identities returns this node's identities, the default one first.
	Identities func() []golem.NodeID
	// Hub makes the addresses of nodes ordinary ones: on the bus of a hub the
	// nodes themselves are bound, at /net/<node>.
	Hub bool
}

// Bus routes calls to the services of this process and, through the network, of
// other nodes. It is safe for concurrent use.
type Bus struct {
	cfg Config

	mu     sync.RWMutex
	bound  map[string]*binding
	topics map[string][]*subscription
}

type binding struct{ h Handler }

// New returns a Bus and makes it answer what cfg.Network receives.
func New(cfg Config) *Bus {
	if cfg.Identities == nil {
		cfg.Identities = func() []golem.NodeID { return nil }
	}
	b := &Bus{cfg: cfg, bound: map[string]*binding{}, topics: map[string][]*subscription{}}
	if cfg.Network != nil {
		cfg.Network.Serve(b.serve, b.deliver)
	}
	return b
}

// Bind implements [Binder].
func (b *Bus) Bind(addr string, h Handler) (release func(), err error) {
	if !strings.HasPrefix(addr, "/") || strings.HasSuffix(addr, "/") {
		return nil, golem.Errorf(golem.ErrInvalid, "bus address %q: want /a/b/c", addr)
	}
	if _, remote := parseRemote(addr); remote && !b.cfg.Hub {
		return nil, golem.Errorf(golem.ErrForbidden, "bus address %q belongs to the network", addr)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bound[addr] != nil {
		return nil, golem.Errorf(golem.ErrConflict, "bus address %q is bound already", addr)
	}
	own := &binding{h}
	b.bound[addr] = own
	return func() { b.unbind(addr, own) }, nil
}

func (b *Bus) unbind(addr string, own *binding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bound[addr] == own {
		delete(b.bound, addr)
	}
}

// lookup returns what is bound at the longest prefix of addr.
func (b *Bus) lookup(addr string) *binding {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for addr != "" {
		if bound := b.bound[addr]; bound != nil {
			return bound
		}
		addr = addr[:strings.LastIndexByte(addr, '/')]
	}
	return nil
}

// Call implements [Caller]. The caller of a request to another node must be one
// of this node's identities; a zero Caller stands for the default one.
func (b *Bus) Call(ctx context.Context, r Request, w func(Reply) error) error {
	if !strings.HasPrefix(r.Addr, "/") {
		return golem.Errorf(golem.ErrInvalid, "bus address %q: want /a/b/c", r.Addr)
	}
	if to, remote := parseRemote(r.Addr); remote && !b.cfg.Hub {
		return b.callNode(ctx, to, r, w)
	}
	bound := b.lookup(r.Addr)
	if bound == nil {
		return ErrNoEndpoint
	}
	return bound.h(ctx, r, w)
}

// callNode sends r to another node, or back to this one.
func (b *Bus) callNode(ctx context.Context, to remote, r Request, w func(Reply) error) error {
	from, err := b.speaker(to, r.Caller)
	if err != nil {
		return err
	}
	if b.Owns(to.node) {
		r.Caller, r.Trust, r.Addr = from, p2p.TrustLocal, "/public/"+to.path
		return b.Call(ctx, r, w)
	}
	if b.cfg.Network == nil {
		return golem.Errorf(golem.ErrUnavailable, "node %s: this process has no network", to.node)
	}
	return b.cfg.Network.Call(ctx, p2p.Request{
		From: from, To: to.node, Addr: to.path, Channel: to.channel, NoReply: r.NoReply, Body: r.Body,
	}, w)
}

// speaker returns which of this node's identities a call is made by.
func (b *Bus) speaker(to remote, caller golem.NodeID) (golem.NodeID, error) {
	if !to.from.IsZero() {
		caller = to.from
	}
	ids := b.cfg.Identities()
	if len(ids) == 0 {
		return golem.NodeID{}, golem.Errorf(golem.ErrUnavailable, "this process has no identity to call other nodes with")
	}
	if caller.IsZero() {
		return ids[0], nil
	}
	if !b.Owns(caller) {
		return golem.NodeID{}, golem.Errorf(golem.ErrForbidden, "%s is not an identity of this node", caller)
	}
	return caller, nil
}

// Owns reports whether id is an identity of this node.
func (b *Bus) Owns(id golem.NodeID) bool {
	for _, own := range b.cfg.Identities() {
		if own == id {
			return true
		}
	}
	return false
}

// serve answers a request of another node. What is not below /public does not
// exist for it.
func (b *Bus) serve(ctx context.Context, r p2p.Request, w func(Reply) error) error {
	bound := b.lookup("/public/" + r.Addr)
	if bound == nil {
		return ErrNoEndpoint
	}
	return bound.h(ctx, Request{Caller: r.From, Trust: r.Trust, Addr: "/public/" + r.Addr, NoReply: r.NoReply, Body: r.Body}, w)
}
