package router

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem/gsb/router/gsbpb"
)

const (
	// queueLen is the high mark at which senders wait; upstream's.
	queueLen = 16
	// queueBytes is the same in bytes. One packet may exceed it.
	queueBytes = 1 << 20
	// newsLen is the number of queued packets from which on broadcasts are lost.
	newsLen = 64
)

// queue is what waits to be written to a connection. It is bounded by count and
// by bytes; senders wait their turn in the order they came.
type queue struct {
	ready chan struct{} // holds a token when items is not empty, or closed is set

	mu      sync.Mutex
	items   []*gsbpb.Packet
	bytes   int
	waiting []*waiter
	closed  bool
}

// waiter is a sender that found the queue full.
type waiter struct {
	packet *gsbpb.Packet
	size   int
	done   chan error // gets nil when the packet has been queued; buffer 1
}

func newQueue() *queue {
	return &queue{ready: make(chan struct{}, 1)}
}

// put queues p. It waits while the queue is full, at most for patience, and
// returns errStalled then, errLost when the queue is closed, or the cause of ctx.
func (q *queue) put(ctx context.Context, p *gsbpb.Packet, size int, patience time.Duration) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return errLost
	}
	if len(q.waiting) == 0 && q.fits(size) {
		q.add(p, size)
		q.mu.Unlock()
		return nil
	}
	w := &waiter{p, size, make(chan error, 1)}
	q.waiting = append(q.waiting, w)
	q.mu.Unlock()
	return q.await(ctx, w, patience)
}

func (q *queue) await(ctx context.Context, w *waiter, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var err error
	select {
	case err := <-w.done:
		return err
	case <-timer.C:
		err = errStalled
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return err
	}
	return <-w.done
}

// offer queues p unless too much is waiting, and reports whether it did.
func (q *queue) offer(p *gsbpb.Packet, size int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.items) >= newsLen || q.bytes+size > queueBytes {
		return false
	}
	q.add(p, size)
	return true
}

// push queues p whatever is waiting: for what is small and must not be lost.
func (q *queue) push(p *gsbpb.Packet, size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.add(p, size)
	}
}

// take returns all that is queued and lets those who wait queue theirs. It waits
// until there is something. It returns nothing when ctx has ended.
func (q *queue) take(ctx context.Context, spare []*gsbpb.Packet) []*gsbpb.Packet {
	select {
	case <-q.ready:
		return q.grab(spare)
	case <-ctx.Done():
		return nil
	}
}

// grab is take without waiting. spare becomes the memory of the queue.
func (q *queue) grab(spare []*gsbpb.Packet) []*gsbpb.Packet {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items, q.bytes = spare[:0], 0
	admitted := 0
	for _, w := range q.waiting {
		if !q.fits(w.size) {
			break
		}
		q.add(w.packet, w.size)
		w.done <- nil
		admitted++
	}
	q.waiting = slices.Delete(q.waiting, 0, admitted)
	return items
}

// close makes all senders fail.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, w := range q.waiting {
		w.done <- errLost
	}
	q.waiting, q.items = nil, nil
}

func (q *queue) fits(size int) bool {
	return len(q.items) < queueLen && (q.bytes+size <= queueBytes || q.bytes == 0)
}

func (q *queue) add(p *gsbpb.Packet, size int) {
	q.items, q.bytes = append(q.items, p), q.bytes+size
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
