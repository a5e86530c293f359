package activity

import (
	"context"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
)

// gate lets handlers in while Run runs, ends their waiting when it is over, and
// waits until the last one has left. The zero value is open.
type gate struct {
	inside sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.inside.Add(1)
	}
	return !g.closed
}

// close returns when all who entered have left. Nobody can enter any more.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
}

var errStopped = golem.Errorf(golem.ErrUnavailable, "this node is stopping")

// guard returns f as a handler that runs only while run, the context of Run,
// does not end.
func guard[Req, Resp any](run context.Context, g *gate, f func(context.Context, gsb.Peer, Req) (Resp, error)) func(context.Context, gsb.Peer, Req) (Resp, error) {
	return func(ctx context.Context, from gsb.Peer, req Req) (resp Resp, err error) {
		if !g.enter() {
			return resp, errStopped
		}
		defer g.inside.Done()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(run, func() { cancel(errStopped) })()
		return f(ctx, from, req)
	}
}
