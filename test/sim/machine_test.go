package sim

import (
	"context"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/node"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/rest/client"
	"github.com/golem-go/golem/sqlite"
)

const appKey = "0123456789abcdef0123456789abcdef"

// machine is a computer with a node. Its disk and its cable outlive the node.
type machine struct {
	w    *world
	name string
	id   golem.NodeID
	disk *sqlite.DB
	port *p2ptest.Node

	mu   sync.Mutex
	life *life // the present one, nil while there is none
}

// life is a process of a node, from its start until it is killed.
type life struct {
	m       *machine
	node    *node.Node
	cable   *cable
	ctx     context.Context
	end     context.CancelFunc
	running sync.WaitGroup

	dead  atomic.Bool
	death chan struct{}
	full  atomic.Bool // nothing can be written down

	mu   sync.Mutex
	doom int  // changes until it is killed, 0 while nobody wants that
	late bool // killed after that change instead of before it
}

var (
	errDead = errors.New("the process was killed")
	errFull = errors.New("database or disk is full")
)

// machine adds a machine with a running node and tokens.
func (w *world) machine(name string) *machine {
	w.t.Helper()
	m := &machine{w: w, name: name, disk: w.db(), port: w.sw.Node()}
	m.boot()
	w.must(m.life.node.Fund(w.ctx))
	w.machines = append(w.machines, m)
	w.closers = append(w.closers, m.kill)
	return m
}

// boot starts the node.
func (m *machine) boot() {
	secret := sha3.Sum256([]byte(m.name))
	l := &life{m: m, cable: &cable{Node: m.port}, death: make(chan struct{})}
	l.ctx, l.end = context.WithCancel(m.w.ctx)
	m.disk.SetTap(l)
	dice := m.w.dice("boot " + m.name)
	var err error
	l.node, err = node.New(m.w.ctx, node.Config{
		DB: m.disk, Network: l.cable, Ledger: m.w.bank, Seed: dice.Uint64() | 1,
		AutoconfSecret: golem.Secret(hex.EncodeToString(secret[:])), AutoconfAppKey: appKey,
		Payment: node.Payment{PayDelay: upTo(dice, 30*time.Second), MaxBackoff: time.Minute},
		Log:     slog.New(&chronicle{w: m.w, who: m.name, dead: &l.dead}),
	})
	m.w.must(err)
	m.id = l.node.ID()
	l.running.Go(func() {
		if err := l.node.Run(l.ctx); err != nil && !l.dead.Load() {
			m.w.t.Errorf("%s: %v", m.name, err)
		}
	})
	m.mu.Lock()
	m.life = l
	m.mu.Unlock()
	m.w.say(m.name, "boots")
}

// kill ends the node as if its power had failed, and returns when nothing of it is
// left.
func (m *machine) kill() {
	m.mu.Lock()
	l := m.life
	m.life = nil
	m.mu.Unlock()
	if l == nil {
		return
	}
	l.die()
	l.end()
	l.running.Wait()
	m.disk.SetTap(nil)
}

// alive returns the present life, nil for none.
func (m *machine) alive() *life {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life == nil || m.life.dead.Load() {
		return nil
	}
	return m.life
}

// client returns a client of the node's API, for all of its lives. Where off is set
// it cannot reach the node.
func (m *machine) client(who string, off *atomic.Bool) *client.Client {
	return client.New("http://node", appKey, &http.Client{Transport: transport{m, who, off}})
}

// enter returns the present life, which goes on for the caller until it calls leave.
func (m *machine) enter() (l *life, leave func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life == nil || m.life.dead.Load() {
		return nil, func() {}
	}
	m.life.running.Add(1)
	return m.life, m.life.running.Done
}

// doomed makes the process die at its n-th change from now on. The channel is
// closed when that has happened.
func (l *life) doomed(n int, late bool) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doom, l.late = n, late
	return l.death
}

// die makes everything that the process does from now on have no effect.
func (l *life) die() {
	if l.dead.CompareAndSwap(false, true) {
		l.cable.cut.Store(true)
		l.m.w.say(l.m.name, "dies")
		close(l.death)
	}
}

// Enter implements [sqlite.Tap].
func (l *life) Enter() error {
	if l.dead.Load() {
		return errDead
	}
	return nil
}

// Committing implements [sqlite.Tap].
func (l *life) Committing() error {
	if l.full.Load() {
		return errFull
	}
	return l.count(false)
}

// Committed implements [sqlite.Tap].
func (l *life) Committed() error { return l.count(true) }

// count counts the changes of a process that is doomed.
func (l *life) count(after bool) error {
	l.mu.Lock()
	if l.doom > 0 && l.late == after {
		if l.doom--; l.doom == 0 {
			l.die()
		}
	}
	l.mu.Unlock()
	return l.Enter()
}

// cable connects a process to the network, until it is cut.
type cable struct {
	*p2ptest.Node
	cut atomic.Bool
}

var errCut = golem.Errorf(golem.ErrUnavailable, "this node is not connected")

// Call implements [p2p.Network].
func (c *cable) Call(ctx context.Context, r p2p.Request, w func(p2p.Reply) error) error {
	if c.cut.Load() {
		return errCut
	}
	return c.Node.Call(ctx, r, func(r p2p.Reply) error {
		if c.cut.Load() {
			return errCut
		}
		return w(r)
	})
}

// Broadcast implements [p2p.Network].
func (c *cable) Broadcast(ctx context.Context, from golem.NodeID, topic string, body []byte) error {
	if c.cut.Load() {
		return errCut
	}
	return c.Node.Broadcast(ctx, from, topic, body)
}

// Serve implements [p2p.Network]. What the dead were asked is never answered.
func (c *cable) Serve(h p2p.Handler, b p2p.BroadcastHandler) {
	silence := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	c.Node.Serve(func(ctx context.Context, r p2p.Request, w func(p2p.Reply) error) error {
		if c.cut.Load() {
			return silence(ctx)
		}
		err := h(ctx, r, func(r p2p.Reply) error {
			if c.cut.Load() {
				return silence(ctx)
			}
			return w(r)
		})
		if c.cut.Load() {
			return silence(ctx)
		}
		return err
	}, func(ctx context.Context, from golem.NodeID, trust p2p.Trust, topic string, body []byte) {
		if !c.cut.Load() {
			b(ctx, from, trust, topic, body)
		}
	})
}
