package requestor

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/golem-go/golem"
)

// mostTries is how many Providers a task is given to, one after the other.
const mostTries = 3

// Each gives every task to do, which has it executed on a rental of the Order.
// Up to workers Providers work at once, each on one task at a time; a rental is
// kept as long as there are tasks.
//
// A task whose Provider fails, be it that do returns a *[ProviderError] or an
// error marked by [Elsewhere], or that the rental ends meanwhile, is given to
// another one, three times at most; the one that failed is not paid beyond what
// is accepted already. Any other error of do ends everything and is returned. do
// is called by several goroutines; the ctx it gets ends when the others' work is
// of no use any more, and with the rental.
//
// Each returns when all rentals are closed, with their Bills, also when it
// fails.
func Each[T any](ctx context.Context, r *Requestor, o Order, tasks []T, workers int, do func(ctx context.Context, rental *Rental, task T) error) ([]Bill, error) {
	leave, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if len(tasks) == 0 {
		return nil, nil
	}
	t, err := r.newTender(ctx, o)
	if err != nil {
		return nil, err
	}
	defer t.close()
	p := &pool{t: t, queue: newQueue(len(tasks)), do: func(ctx context.Context, rental *Rental, i int) error { return do(ctx, rental, tasks[i]) }}
	err = p.run(ctx, min(max(1, workers), len(tasks)))
	return p.bills, err
}

// pool is the workers of an Each.
type pool struct {
	t     *tender
	queue *queue
	do    func(ctx context.Context, rental *Rental, task int) error

	closing sync.WaitGroup

	mu      sync.Mutex
	rentals int // that work
	bills   []Bill
}

func (p *pool) run(ctx context.Context, workers int) error {
	defer p.closing.Wait()
	g, working := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error { return p.work(working, ctx) })
	}
	return g.Wait()
}

// work rents and works off tasks until there are none. A worker that finds no
// Provider leaves them to the others, as long as there are some. Rentals are
// closed under the second context.
func (p *pool) work(ctx, closing context.Context) error {
	for p.queue.wait(ctx) {
		rental, err := p.rent(ctx)
		if err != nil {
			return err
		}
		if rental == nil {
			continue
		}
		p.count(1)
		err = p.serve(ctx, rental)
		p.count(-1)
		p.closing.Go(func() { p.close(closing, rental) })
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// rent awards a rental, nil where none is needed: no task waits any more, or
// others are at work.
func (p *pool) rent(ctx context.Context) (*Rental, error) {
	needed, stop := p.queue.whileWaiting(ctx)
	defer stop()
	rental, err := p.t.award(needed)
	_, nobody := errors.AsType[*NoProviderError](err)
	switch {
	case err == nil:
		return rental, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case needed.Err() != nil, nobody && p.count(0) > 0:
		return nil, nil
	}
	return nil, err
}

// serve works off tasks on a rental until there are none, or the rental fails.
func (p *pool) serve(ctx context.Context, rental *Rental) error {
	for {
		task, ok := p.queue.next()
		if !ok {
			return nil
		}
		err := p.try(ctx, rental, task)
		switch {
		case err == nil:
			p.queue.finish()
			continue
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !blamed(err) && rental.Err() == nil:
			return err
		}
		if rental.Err() == nil {
			rental.fault()
		}
		p.t.r.log.Info("task is given to another provider", "peer", rental.Offer.Provider, "err", err)
		if tries := p.queue.putBack(task); tries >= mostTries {
			return fmt.Errorf("task failed on %d providers, the last time: %w", tries, err)
		}
		if errors.Is(rental.Err(), golem.ErrExhausted) {
			return rental.Err() // there is no money for another one
		}
		return nil
	}
}

// try does one task, in a context that ends with the rental.
func (p *pool) try(ctx context.Context, rental *Rental, task int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(rental.ctx, func() { cancel(rental.Err()) })()
	return p.do(ctx, rental, task)
}

func (p *pool) close(ctx context.Context, rental *Rental) {
	bill, err := rental.Close(ctx)
	if err != nil {
		p.t.r.log.Warn("rental not closed in order", "agreement", rental.Agreement, "err", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bills = append(p.bills, bill)
}

// count adds to the number of rentals that work and returns it.
func (p *pool) count(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rentals += n
	return p.rentals
}

// queue is the tasks of an Each, by their numbers.
type queue struct {
	mu      sync.Mutex
	waiting []int
	tries   []int
	left    int           // not finished
	changed chan struct{} // closed when anything of this changes
}

func newQueue(n int) *queue {
	q := &queue{tries: make([]int, n), left: n, changed: make(chan struct{})}
	for i := range n {
		q.waiting = append(q.waiting, i)
	}
	return q
}

// wait returns when a task waits. It reports false when all are finished or ctx
// ends.
func (q *queue) wait(ctx context.Context) bool {
	for {
		q.mu.Lock()
		waiting, left, changed := len(q.waiting), q.left, q.changed
		q.mu.Unlock()
		if waiting > 0 && ctx.Err() == nil {
			return true
		}
		if left == 0 {
			return false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// next returns a task, if one waits.
func (q *queue) next() (task int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return 0, false
	}
	task, q.waiting = q.waiting[0], q.waiting[1:]
	q.wake()
	return task, true
}

// finish notes that a task is finished.
func (q *queue) finish() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.left--
	q.wake()
}

// putBack makes a task wait again and returns how often that has happened.
func (q *queue) putBack(task int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append([]int{task}, q.waiting...)
	q.tries[task]++
	q.wake()
	return q.tries[task]
}

// whileWaiting returns a context that ends when no task waits any more.
func (q *queue) whileWaiting(ctx context.Context) (waiting context.Context, stop func()) {
	waiting, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		defer cancel()
		for {
			q.mu.Lock()
			n, changed := len(q.waiting), q.changed
			q.mu.Unlock()
			if n == 0 {
				return
			}
			select {
			case <-changed:
			case <-waiting.Done():
				return
			}
		}
	})
	return waiting, func() { cancel(); watch.Wait() }
}

func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}
