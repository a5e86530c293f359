package gsb

import (
	"context"
	"slices"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/p2p"
)

// Topic is a broadcast to other nodes, delivered on a best-effort basis.
type Topic[T any] struct{ Name string }

// envelope is how upstream wraps broadcasts (spec net.md §3.4).
type envelope[T any] struct {
	ID    *string `flex:"id"`
	Topic string  `flex:"topic"`
	Body  T       `flex:"body"`
}

// Publish broadcasts v in the name of from.
func (t Topic[T]) Publish(ctx context.Context, b *Bus, from golem.NodeID, v T) error {
	data, err := t.Encode(v)
	if err != nil {
		return err
	}
	if b.cfg.Network == nil {
		return golem.Errorf(golem.ErrUnavailable, "topic %s: this process has no network", t.Name)
	}
	return b.cfg.Network.Broadcast(ctx, from, t.Name, data)
}

// Encode returns what is broadcast to say v.
func (t Topic[T]) Encode(v T) ([]byte, error) {
	data, err := flexbuffers.Marshal(envelope[T]{Topic: t.Name, Body: v})
	if err != nil {
		return nil, golem.Errorf(golem.ErrInternal, "topic %s: %w", t.Name, err)
	}
	return data, nil
}

// Subscribe makes f receive what others broadcast, until release is called.
// Malformed broadcasts are dropped. f must not block.
func (t Topic[T]) Subscribe(b *Bus, f func(ctx context.Context, from Peer, v T)) (release func()) {
	sub := &subscription{func(ctx context.Context, from Peer, data []byte) {
		if m, err := decodeBody[envelope[T]](data); err == nil {
			f(ctx, from, m.Body)
		}
	}}
	b.mu.Lock()
	b.topics[t.Name] = append(slices.Clip(b.topics[t.Name]), sub)
	b.mu.Unlock()
	ignore := func() {}
	if n, ok := b.cfg.Network.(p2p.Subscriber); ok {
		ignore = n.Subscribe(t.Name)
	}
	return sync.OnceFunc(func() {
		ignore()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.topics[t.Name] = slices.DeleteFunc(slices.Clone(b.topics[t.Name]), func(s *subscription) bool { return s == sub })
	})
}

type subscription struct {
	deliver func(ctx context.Context, from Peer, data []byte)
}

// deliver hands a broadcast to its subscribers.
func (b *Bus) deliver(ctx context.Context, from golem.NodeID, trust p2p.Trust, topic string, body []byte) {
	b.mu.RLock()
	subs := b.topics[topic]
	b.mu.RUnlock()
	for _, s := range subs {
		s.deliver(ctx, Peer{from, trust}, body)
	}
}
