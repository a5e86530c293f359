// Package longpoll wakes those who wait for something new. It carries no data:
// what is new is in the store, so that nothing is lost when nobody waits.
package longpoll

import (
	"context"
	"sync"
)

// Hub wakes waiters by key. The zero value is ready.
type Hub[K comparable] struct {
	mu      sync.Mutex
	waiting map[K]*bell // those somebody waits for
}

// bell is what those who wait for a key listen to.
type bell struct {
	rung    chan struct{}
	hearers int
}

// Wake wakes all who wait for key.
func (h *Hub[K]) Wake(key K) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := h.waiting[key]; b != nil {
		close(b.rung)
		delete(h.waiting, key)
	}
}

// listen returns a bell that the next Wake of key rings. It is to be left: keys
// may come from strangers, and nothing is to remain of them.
func (h *Hub[K]) listen(key K) *bell {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting == nil {
		h.waiting = map[K]*bell{}
	}
	b := h.waiting[key]
	if b == nil {
		b = &bell{rung: make(chan struct{})}
		h.waiting[key] = b
	}
	b.hearers++
	return b
}

// leave forgets the bell of a key when the last one who listens leaves.
func (h *Hub[K]) leave(key K, b *bell) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b.hearers--; b.hearers == 0 && h.waiting[key] == b {
		delete(h.waiting, key)
	}
}

// Wait calls look until it finds something or fails, again after each Wake of
// key, and returns what look returned last. When ctx ends first it returns
// found == false and no error. No Wake between a look and the wait is missed.
func Wait[K comparable, T any](ctx context.Context, h *Hub[K], key K, look func(ctx context.Context) (v T, found bool, err error)) (v T, found bool, err error) {
	for {
		b := h.listen(key)
		v, found, err = look(ctx)
		again := !found && err == nil && b.wait(ctx)
		h.leave(key, b)
		if !again {
			return v, found, err
		}
	}
}

// wait returns when the bell rings, or false when ctx ends first.
func (b *bell) wait(ctx context.Context) bool {
	select {
	case <-b.rung:
		return true
	case <-ctx.Done():
		return false
	}
}
