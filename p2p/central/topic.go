package central

import (
	"context"
	"slices"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/wire"
)

// following is a topic that is subscribed to on the hub, once for all who want it.
type following struct {
	wanted      int
	unsubscribe func()
}

// Subscribe implements [p2p.Subscriber].
func (n *Network) Subscribe(topic string) (release func()) {
	n.mu.Lock()
	f := n.topics[topic]
	if f == nil {
		f = &following{}
		n.topics[topic] = f
	}
	f.wanted++
	first := f.wanted == 1
	n.mu.Unlock()
	if first {
		unsubscribe := n.client.Subscribe(topic, n.hear)
		n.mu.Lock()
		f.unsubscribe = unsubscribe
		n.mu.Unlock()
	}
	return sync.OnceFunc(func() { n.unfollow(topic, f) })
}

func (n *Network) unfollow(topic string, f *following) {
	n.mu.Lock()
	f.wanted--
	last := f.wanted == 0
	if last {
		delete(n.topics, topic)
	}
	unsubscribe := f.unsubscribe
	n.mu.Unlock()
	if last {
		unsubscribe()
	}
}

// Broadcast implements [p2p.Network].
func (n *Network) Broadcast(_ context.Context, from golem.NodeID, topic string, body []byte) error {
	if err := n.own(from); err != nil {
		return err
	}
	return n.client.Broadcast(router.Broadcast{From: from, Topic: topic, Body: body})
}

// hear passes on what others broadcast; a hub also returns one's own.
func (n *Network) hear(ctx context.Context, b router.Broadcast) {
	if n.broadcast == nil || b.From.IsZero() || slices.Contains(n.identities(), b.From) {
		return
	}
	n.broadcast(ctx, b.From, worth(b.Trust), b.Topic, b.Body)
}

// greet tells the neighbours that this node has joined.
func (n *Network) greet() {
	ids := n.identities()
	if len(ids) == 0 {
		return
	}
	body, err := wire.NewNeighbour.Encode(gsb.Unit{})
	if err == nil {
		err = n.client.Broadcast(router.Broadcast{From: ids[0], Topic: wire.NewNeighbour.Name, Body: body})
	}
	if err != nil {
		n.cfg.Log.Debug("neighbours not greeted", "err", err)
	}
}
