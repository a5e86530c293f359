package provider

import (
	"context"
	"sync"
	"time"

	"github.com/golem-go/golem"
)

// pauses are those between repetitions: they grow by half each time.
type pauses struct{ first, most time.Duration }

var (
	quickly   = pauses{time.Second, 30 * time.Second}      // of calls of the node
	patiently = pauses{3 * time.Second, 15 * time.Minute}  // of messages to others
	steadily  = pauses{10 * time.Second, 10 * time.Second} // as upstream repeats states
)

func (p *pauses) next() time.Duration {
	d := p.first
	p.first = min(p.first*3/2, p.most)
	return d
}

// pause waits for about d. It reports whether it was not cut short.
func (a *Agent) pause(ctx context.Context, d time.Duration) bool {
	a.mu.Lock()
	d = d*3/4 + time.Duration(a.rand.Int64N(int64(d)/2+1))
	a.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// pauseUnless is pause, cut short also when the Agent is to end.
func (a *Agent) pauseUnless(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		defer cancel()
		select {
		case <-a.stopping:
		case <-ctx.Done():
		}
	})
	a.pause(ctx, d)
	cancel()
}

// retry calls f until it succeeds, fails for good, or ctx ends; it returns the
// last error.
func (a *Agent) retry(ctx context.Context, what string, p pauses, f func(context.Context) error) error {
	for {
		err := f(ctx)
		if err == nil || ctx.Err() != nil || permanent(err) {
			return err
		}
		a.log.Warn("cannot "+what+", trying again", "err", err)
		if !a.pause(ctx, p.next()) {
			return err
		}
	}
}

// permanent reports whether repeating what has failed so cannot help.
func permanent(err error) bool { return err != nil && !golem.KindOf(err).Retryable() }

// follow calls fetch for what is new after a time, again and again, and handle for
// each; handle returns the time to go on from. A node that does not wait for news,
// or tells the same ones again, is given a pause.
func follow[T any](ctx context.Context, a *Agent, what string, fetch func(ctx context.Context, after time.Time) ([]T, error), handle func(T) time.Time) {
	// Events of the minutes before the start come again, in case that the clocks
	// differ; they change nothing.
	after := a.now().Add(-10 * time.Minute)
	p := quickly
	for ctx.Err() == nil {
		begin, from := a.now(), after
		news, err := fetch(ctx, after)
		if ctx.Err() != nil {
			return
		}
		for _, n := range news {
			after = handle(n)
		}
		switch {
		case err != nil:
			a.log.Warn("cannot follow "+what, "err", err)
			a.pause(ctx, p.next())
		case !after.After(from) && a.now().Sub(begin) < quickly.first:
			a.pause(ctx, quickly.first)
		default:
			p = quickly
		}
	}
}
