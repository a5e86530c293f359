package router

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem/gsb/router/gsbpb"
)

func numbered(n int) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_RegisterReply{RegisterReply: &gsbpb.RegisterReply{Code: gsbpb.RegisterReply_Code(n)}}}
}

func number(p *gsbpb.Packet) int { return int(p.GetRegisterReply().GetCode()) }

func TestQueueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		const n = 3*queueLen + 5
		failed := make(chan error, n)
		for i := range n { // one after the other, so that they wait in order
			go func() { failed <- q.put(t.Context(), numbered(i), 100, time.Minute) }()
			synctest.Wait()
		}
		var got []int
		for len(got) < n {
			items := q.take(t.Context(), nil)
			if len(items) > queueLen {
				t.Fatalf("%d packets queued, at most %d", len(items), queueLen)
			}
			for _, p := range items {
				got = append(got, number(p))
			}
		}
		for i := range n {
			if got[i] != i {
				t.Fatalf("order %v", got)
			}
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestQueueBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		if err := q.put(t.Context(), numbered(1), 2*queueBytes, time.Second); err != nil {
			t.Fatalf("a packet longer than the queue: %v", err)
		}
		if err := q.put(t.Context(), numbered(2), 1, time.Second); !errors.Is(err, errStalled) {
			t.Fatalf("full: %v", err)
		}
		if q.offer(numbered(3), 1) {
			t.Fatal("full, and took an offer")
		}
		q.push(numbered(4), 1)
		if items := q.take(t.Context(), nil); len(items) != 2 || number(items[1]) != 4 {
			t.Fatalf("took %v", items)
		}
		if !q.offer(numbered(3), 1) {
			t.Fatal("empty, and refused an offer")
		}
	})
}

func TestQueueEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.push(numbered(1), queueBytes)
		ctx, cancel := context.WithCancelCause(t.Context())
		gone, closed := make(chan error, 1), make(chan error, 1)
		go func() { gone <- q.put(ctx, numbered(2), 1, time.Minute) }()
		synctest.Wait()
		go func() { closed <- q.put(t.Context(), numbered(3), 1, time.Minute) }()
		synctest.Wait()
		cancel(errCanceled)
		if err := <-gone; !errors.Is(err, errCanceled) {
			t.Fatalf("sender gone: %v", err)
		}
		q.close()
		if err := <-closed; !errors.Is(err, errLost) {
			t.Fatalf("closed: %v", err)
		}
		if err := q.put(t.Context(), numbered(4), 1, time.Minute); !errors.Is(err, errLost) {
			t.Fatalf("put after close: %v", err)
		}
		if items := q.grab(nil); len(items) != 0 {
			t.Fatalf("closed, and holds %v", items)
		}
	})
}
