package p2ptest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p"
)

// Faults says which calls and broadcasts fail. The zero value of a field means
// none; n means every n-th.
type Faults struct {
	Refuse int           // calls that fail and are not executed
	Forget int           // calls that are executed and fail
	Break  int           // calls that fail after their first reply
	Repeat int           // calls that are executed twice
	Drop   int           // broadcasts that nobody hears
	Delay  time.Duration // that every call takes more
}

// Faulty returns a network that misbehaves by count.
func Faulty(n p2p.Network, f Faults) p2p.Network { return &faulty{Network: n, faults: f} }

type faulty struct {
	p2p.Network
	faults            Faults
	calls, broadcasts atomic.Int64
}

var errFault = golem.Errorf(golem.ErrUnavailable, "lost connection (injected)")

// Call implements [p2p.Network].
func (f *faulty) Call(ctx context.Context, r p2p.Request, w func(p2p.Reply) error) error {
	if f.faults.Delay > 0 && !until(ctx, time.Now().Add(f.faults.Delay)) {
		return context.Cause(ctx)
	}
	n := f.calls.Add(1)
	ignore := func(p2p.Reply) error { return nil }
	if hit(n, f.faults.Repeat) {
		_ = f.Network.Call(ctx, r, ignore)
	}
	switch {
	case hit(n, f.faults.Refuse):
		return errFault
	case hit(n, f.faults.Forget):
		_ = f.Network.Call(ctx, r, ignore)
		return errFault
	case hit(n, f.faults.Break):
		return f.Network.Call(ctx, r, once(w))
	}
	return f.Network.Call(ctx, r, w)
}

// Broadcast implements [p2p.Network].
func (f *faulty) Broadcast(ctx context.Context, from golem.NodeID, topic string, body []byte) error {
	if hit(f.broadcasts.Add(1), f.faults.Drop) {
		return nil
	}
	return f.Network.Broadcast(ctx, from, topic, body)
}

// Subscribe implements [p2p.Subscriber].
func (f *faulty) Subscribe(topic string) (release func()) {
	if s, ok := f.Network.(p2p.Subscriber); ok {
		return s.Subscribe(topic)
	}
	return func() {}
}

func hit(n int64, every int) bool { return every > 0 && n%int64(every) == 0 }

// once passes one reply on, and not as the last one.
func once(w func(p2p.Reply) error) func(p2p.Reply) error {
	return func(r p2p.Reply) error {
		if err := w(p2p.Reply{Body: r.Body}); err != nil {
			return err
		}
		return errFault
	}
}
