package router

import (
	"context"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/router/gsbpb"
	"github.com/golem-go/golem/p2p"
)

// Broadcast is a message to whoever subscribed to its topic.
type Broadcast struct {
	From  golem.NodeID
	Trust p2p.Trust // how well From is established
	Topic string
	Body  []byte
}

// check returns why b cannot be sent.
func (b Broadcast) check() error {
	switch {
	case len(b.Body) > p2p.MaxBody:
		return golem.Errorf(golem.ErrTooLarge, "broadcast of %d bytes, at most %d", len(b.Body), p2p.MaxBody)
	case b.Topic == "" || !utf8.ValidString(b.Topic):
		return golem.Errorf(golem.ErrInvalid, "topic %q is not text", b.Topic)
	}
	return nil
}

func (b Broadcast) packet(trust p2p.Trust) *gsbpb.Packet {
	request := &gsbpb.BroadcastRequest{Data: b.Body, Topic: b.Topic, Trust: uint32(trust)}
	if !b.From.IsZero() {
		request.Caller = b.From.String()
	}
	return &gsbpb.Packet{Packet: &gsbpb.Packet_BroadcastRequest{BroadcastRequest: request}}
}

// topics tells broadcasts to their subscribers.
type topics struct {
	mu   sync.Mutex
	subs map[string][]*subscriber
}

// subscriber receives broadcasts; it must not block.
type subscriber struct {
	hear func(context.Context, Broadcast)
}

// subscribe adds a subscriber until release is called.
func (t *topics) subscribe(topic string, hear func(context.Context, Broadcast)) (release func()) {
	s := &subscriber{hear}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.subs == nil {
		t.subs = map[string][]*subscriber{}
	}
	t.subs[topic] = append(slices.Clip(t.subs[topic]), s)
	return func() { t.unsubscribe(topic, s) }
}

func (t *topics) unsubscribe(topic string, s *subscriber) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(t.subs[topic]), func(one *subscriber) bool { return one == s })
	if len(rest) == 0 {
		delete(t.subs, topic)
		return
	}
	t.subs[topic] = rest
}

// publish tells b to the subscribers of its topic.
func (t *topics) publish(ctx context.Context, b Broadcast) {
	t.mu.Lock()
	subs := t.subs[b.Topic]
	t.mu.Unlock()
	for _, s := range subs {
		s.hear(ctx, b)
	}
}

// wanted returns the topics that have subscribers, in order.
func (t *topics) wanted() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for name := range t.subs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// has reports whether a topic has subscribers.
func (t *topics) has(topic string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.subs[topic]) > 0
}
