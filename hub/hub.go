package hub

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
)

// Config configures a Hub. The zero value of a field but Verifier stands for its
// default.
type Config struct {
	// Verifier checks the proofs of identities.
	Verifier golem.Verifier
	// AllowUnproven admits nodes that prove nothing, as upstream's do.
	AllowUnproven bool
	// Certificate makes the hub speak TLS. Nodes pin it by [Hub.Pin].
	Certificate *tls.Certificate

	PingInterval   time.Duration // default 2 min, as upstream
	PingTimeout    time.Duration // default 5 min, as upstream
	ForwardTimeout time.Duration // default 30 s, as upstream
	Limits         router.Limits // of one connection; the default bounds its rate too, and goes as a whole
	Connections    int           // default 10,000
	Log            *slog.Logger
}

// defaultLimits let a node do its work, and keep it from being all that a hub does.
var defaultLimits = router.Limits{
	Calls:      4096,
	CallBytes:  16 << 20,
	Services:   64,
	Topics:     64,
	Messages:   20_000,
	Bytes:      64 << 20,
	Broadcasts: 50,
}

func (c Config) withDefaults() Config {
	c.PingInterval = cmp.Or(c.PingInterval, 2*time.Minute)
	c.PingTimeout = cmp.Or(c.PingTimeout, 5*time.Minute)
	c.ForwardTimeout = cmp.Or(c.ForwardTimeout, 30*time.Second)
	c.Limits = cmp.Or(c.Limits, defaultLimits)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Hub connects nodes.
type Hub struct {
	cfg    Config
	bus    *gsb.Bus
	router *router.Server
	pin    []byte

	mu    sync.Mutex
	nodes map[golem.NodeID]*entry
}

// entry is a node that has joined.
type entry struct {
	member *member
	proven bool
	since  time.Time
}

// New returns a Hub. It returns ErrInvalid where cfg is incomplete.
func New(cfg Config) (*Hub, error) {
	if cfg.Verifier == nil {
		return nil, golem.Errorf(golem.ErrInvalid, "hub: no Verifier in its configuration")
	}
	h := &Hub{cfg: cfg.withDefaults(), bus: gsb.New(gsb.Config{Hub: true}), nodes: map[golem.NodeID]*entry{}}
	if c := cfg.Certificate; c != nil {
		if len(c.Certificate) == 0 {
			return nil, golem.Errorf(golem.ErrInvalid, "hub: the certificate is empty")
		}
		sum := sha256.Sum224(c.Certificate[0])
		h.pin = sum[:]
	}
	var err error
	h.router, err = router.NewServer(router.Config{
		Session: h.session, Name: "golem-hub",
		PingInterval: h.cfg.PingInterval, PingTimeout: h.cfg.PingTimeout, ForwardTimeout: h.cfg.ForwardTimeout,
		Limits: h.cfg.Limits, Connections: h.cfg.Connections, Log: h.cfg.Log,
	})
	return h, err
}

// Bus returns the bus of the hub, for services of its own below /hub.
func (h *Hub) Bus() *gsb.Bus { return h.bus }

// Pin returns the SHA-224 of the certificate in hex, what nodes put before the
// @ of the hub's address; "" without TLS.
func (h *Hub) Pin() string { return hex.EncodeToString(h.pin) }

// Serve accepts nodes from l until ctx ends, and returns nil then. See
// [router.Listen].
func (h *Hub) Serve(ctx context.Context, l net.Listener) error {
	if h.cfg.Certificate != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*h.cfg.Certificate}, MinVersion: tls.VersionTLS12})
	}
	return h.router.Serve(ctx, l)
}

// Node is a node that has joined.
type Node struct {
	ID     golem.NodeID `json:"nodeId"`
	Proven bool         `json:"proven"`
	Addr   string       `json:"address"` // where it connects from
	Since  time.Time    `json:"since"`
}

// Nodes returns the nodes that have joined, by id.
func (h *Hub) Nodes() []Node {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []Node
	for id, e := range h.nodes {
		list = append(list, Node{ID: id, Proven: e.proven, Addr: e.member.remote.String(), Since: e.since})
	}
	slices.SortFunc(list, func(a, b Node) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return list
}
