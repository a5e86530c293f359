package hub

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/p2p"
)

const (
	nodePrefix = "/net/"
	ownPrefix  = "/hub/"
	authPrefix = "/hub/auth/"
)

// member is one connection to the hub and what it may do.
type member struct {
	hub    *Hub
	remote net.Addr
	auth   *gsb.Bus // what only this connection sees

	mu     sync.Mutex
	nonce  []byte    // nil for none
	asked  time.Time // when the nonce was made
	proven map[golem.NodeID]bool
	joined map[golem.NodeID]func() // registered, with what releases them
}

var _ router.Session = (*member)(nil)

func (h *Hub) session(remote net.Addr) router.Session {
	m := &member{hub: h, remote: remote, auth: gsb.New(gsb.Config{}), proven: map[golem.NodeID]bool{}, joined: map[golem.NodeID]func(){}}
	m.serveAuth()
	return m
}

// Call implements [router.Session].
func (m *member) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	if strings.HasPrefix(r.Addr, authPrefix) {
		return m.auth.Call(ctx, r, w)
	}
	return m.hub.bus.Call(ctx, r, w)
}

// Vouch implements [router.Session]. Services of the hub can be called by
// nobody in particular.
func (m *member) Vouch(caller, to string) (golem.NodeID, p2p.Trust, error) {
	id, err := golem.ParseNodeID(caller)
	if err == nil {
		m.mu.Lock()
		proven, joined := m.proven[id], m.joined[id] != nil
		m.mu.Unlock()
		switch {
		case proven:
			return id, p2p.TrustRelay, nil
		case joined:
			return id, p2p.TrustClaim, nil
		}
		err = golem.Errorf(golem.ErrForbidden, "caller %s is not a node of this connection", id)
	} else {
		err = golem.Errorf(golem.ErrInvalid, "caller: %w", err)
	}
	if strings.HasPrefix(to, ownPrefix) {
		return golem.NodeID{}, p2p.TrustClaim, nil
	}
	return golem.NodeID{}, p2p.TrustClaim, err
}

// Bind implements [router.Session]: a node joins.
func (m *member) Bind(addr string, h gsb.Handler) (release func(), err error) {
	id, err := golem.ParseNodeID(strings.TrimPrefix(addr, nodePrefix))
	if err != nil || addr != nodePrefix+id.String() || id.IsZero() {
		return nil, golem.Errorf(golem.ErrInvalid, "a hub registers nodes only: want /net/0x and 40 lower-case digits")
	}
	m.mu.Lock()
	proven := m.proven[id]
	m.mu.Unlock()
	if !proven && !m.hub.cfg.AllowUnproven {
		return nil, golem.Errorf(golem.ErrForbidden, "identity %s is not proven", id)
	}
	unbind, err := m.hub.bus.Bind(addr, h)
	if errors.Is(err, golem.ErrConflict) && proven && m.hub.evictClaimant(id) {
		unbind, err = m.hub.bus.Bind(addr, h)
	}
	if err != nil {
		return nil, err
	}
	release = sync.OnceFunc(func() { m.leave(id, unbind) })
	m.join(id, proven, release)
	return release, nil
}

func (m *member) join(id golem.NodeID, proven bool, release func()) {
	m.mu.Lock()
	m.joined[id] = release
	m.mu.Unlock()
	m.hub.mu.Lock()
	m.hub.nodes[id] = &entry{m, proven, time.Now()}
	m.hub.mu.Unlock()
	m.hub.cfg.Log.Info("node joined", "node", id, "proven", proven, "remote", m.remote)
}

func (m *member) leave(id golem.NodeID, unbind func()) {
	m.mu.Lock()
	delete(m.joined, id)
	m.mu.Unlock()
	m.hub.mu.Lock()
	if e := m.hub.nodes[id]; e != nil && e.member == m {
		delete(m.hub.nodes, id)
	}
	m.hub.mu.Unlock()
	unbind()
	m.hub.cfg.Log.Info("node left", "node", id, "remote", m.remote)
}

// evictClaimant takes an identity from a connection that merely claims it, and
// reports whether there was one.
func (h *Hub) evictClaimant(id golem.NodeID) bool {
	h.mu.Lock()
	e := h.nodes[id]
	h.mu.Unlock()
	if e == nil || e.proven {
		return false
	}
	e.member.mu.Lock()
	release := e.member.joined[id]
	e.member.mu.Unlock()
	if release == nil {
		return false
	}
	h.cfg.Log.Warn("claimed identity was proven by another", "node", id, "remote", e.member.remote)
	release()
	return true
}
