package p2ptest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p"
)

// Node is a node on a Switch.
type Node struct {
	sw        *Switch
	index     int // in sw.nodes
	handler   p2p.Handler
	broadcast p2p.BroadcastHandler
	calls     atomic.Int64

	// Guarded by sw.mu.
	ids   []golem.NodeID
	up    bool
	since time.Time
	ctx   context.Context // of the handlers while up
	tasks *sync.WaitGroup // deliveries to this node while up
}

var _ p2p.Network = (*Node)(nil)

// number returns a number for n, also where it is nobody.
func (n *Node) number() int {
	if n == nil {
		return -1
	}
	return n.index
}

// Run implements [p2p.Network]. When ctx ends the node is gone as if it had been
// killed: its handlers' contexts end, its peers' calls fail, its identities are
// free for another node.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tasks := new(sync.WaitGroup)
	n.set(ctx, tasks)
	<-ctx.Done()
	n.set(ctx, nil)
	tasks.Wait()
	return nil
}

// set makes the node up, or down where tasks is nil.
func (n *Node) set(ctx context.Context, tasks *sync.WaitGroup) {
	n.sw.mu.Lock()
	defer n.sw.mu.Unlock()
	n.ctx, n.tasks, n.up, n.since = ctx, tasks, tasks != nil, time.Now()
	if !n.up {
		n.own(nil)
	}
}

// Serve implements [p2p.Network].
func (n *Node) Serve(h p2p.Handler, b p2p.BroadcastHandler) { n.handler, n.broadcast = h, b }

// SetIdentities implements [p2p.Network]. It returns ErrConflict where an
// identity is that of another node.
func (n *Node) SetIdentities(_ context.Context, ids []golem.NodeID) error {
	n.sw.mu.Lock()
	defer n.sw.mu.Unlock()
	for _, id := range ids {
		if o := n.sw.owners[id]; o != nil && o != n {
			return golem.Errorf(golem.ErrConflict, "%s is an identity of another node", id)
		}
	}
	n.own(ids)
	return nil
}

// own is called with sw.mu held.
func (n *Node) own(ids []golem.NodeID) {
	for _, id := range n.ids {
		delete(n.sw.owners, id)
	}
	n.ids = slices.Clone(ids)
	for _, id := range n.ids {
		n.sw.owners[id] = n
	}
}

// Status implements [p2p.Network].
func (n *Node) Status() p2p.Status {
	n.sw.mu.Lock()
	defer n.sw.mu.Unlock()
	return p2p.Status{
		Overlay: "switch", Connected: n.up, Since: n.since, IDs: slices.Clone(n.ids),
		Peers: len(n.sw.nodes) - 1, Calls: int(n.calls.Load()),
	}
}

// start runs a delivery to n as one of its tasks. It reports false when n is down.
func (n *Node) start(f func(ctx context.Context)) bool {
	n.sw.mu.Lock()
	defer n.sw.mu.Unlock()
	if !n.up {
		return false
	}
	ctx := n.ctx
	n.tasks.Go(func() { f(ctx) })
	return true
}

// owns reports whether the node is up and has an identity.
func (n *Node) owns(id golem.NodeID) bool {
	n.sw.mu.Lock()
	defer n.sw.mu.Unlock()
	return n.up && n.sw.owners[id] == n
}

// may returns why n cannot send a message of a size in the name of from.
func (n *Node) may(from golem.NodeID, size int) error {
	n.sw.mu.Lock()
	defer n.sw.mu.Unlock()
	switch {
	case size > p2p.MaxBody:
		return golem.Errorf(golem.ErrTooLarge, "request of %d bytes, at most %d", size, p2p.MaxBody)
	case !n.up:
		return golem.Errorf(golem.ErrUnavailable, "this node is not connected")
	case n.sw.owners[from] != n:
		return golem.Errorf(golem.ErrForbidden, "%s is not an identity of this node", from)
	}
	return nil
}

// Broadcast implements [p2p.Network].
func (n *Node) Broadcast(_ context.Context, from golem.NodeID, topic string, body []byte) error {
	if err := n.may(from, len(body)); err != nil {
		return err
	}
	for _, o := range n.sw.others(n) {
		d := Delivery{Kind: "broadcast", From: from, Addr: topic, Channel: p2p.Unreliable, Bytes: len(body)}
		if ids := o.Status().IDs; len(ids) > 0 {
			d.To = ids[0]
		}
		f := n.sw.decide(n, o, d, body)
		n.tell(o, d, f, slices.Clone(body))
		if !f.copyAt.IsZero() {
			d.Copy = true
			n.tell(o, d, fate{at: f.copyAt}, slices.Clone(body))
		}
	}
	return nil
}

// tell delivers a broadcast.
func (n *Node) tell(to *Node, d Delivery, f fate, body []byte) {
	to.start(func(ctx context.Context) {
		if !until(ctx, f.at) {
			return
		}
		d.Lost = n.sw.obstacle(n, to)
		if f.lost {
			d.Lost = "loss"
		}
		n.sw.trace(d)
		if d.Lost == "" && to.broadcast != nil {
			to.broadcast(ctx, d.From, n.sw.trust(), d.Addr, body)
		}
	})
}

// until waits for an instant and reports false when ctx ends first.
func until(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
