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
	waiting map[K]chan struct{}
}

// Wake wakes all who wait for key.
func (h *Hub[K]) Wake(key K) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ch := h.waiting[key]; ch != nil {
		close(ch)
		delete(h.waiting, key)
	}
}

// listen returns a channel that is closed by the next Wake of key.
func (h *Hub[K]) listen(key K) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting == nil {
		h.waiting = map[K]chan struct{}{}
	}
	ch := h.waiting[key]
	if ch == nil {
		ch = make(chan struct{})
		h.waiting[key] = ch
	}
	return ch
}

// Wait calls look until it finds something or fails, again after each Wake of
// key, and returns what look returned last. When ctx ends first it returns
// found == false and no error. No Wake between a look and the wait is missed.
func Wait[K comparable, T any](ctx context.Context, h *Hub[K], key K, look func(ctx context.Context) (v T, found bool, err error)) (v T, found bool, err error) {
	for {
		woken := h.listen(key)
		if v, found, err = look(ctx); found || err != nil {
			return v, found, err
		}
		select {
		case <-woken:
		case <-ctx.Done():
			return v, false, nil
		}
	}
}
