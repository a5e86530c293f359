package exeunit

import (
	"context"
	"math"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/longpoll"
)

const (
	// followerStall is how long a follower may take for one event before output
	// does not wait for it any more.
	followerStall = 30 * time.Second

	// followerAbsence is how long output waits for somebody who follows, where
	// nobody has done so yet or the last one has left: a stream that breaks is
	// opened again.
	followerAbsence = 10 * time.Second

	// roomPeriod is how often output that waits looks at the time.
	roomPeriod = time.Second
)

// readers are those who follow a batch. What it prints waits for them, so that
// its program is slowed down and nothing it prints is lost.
type readers struct {
	all  map[*follower]struct{}
	left time.Time // when the last one left, or the batch came
}

// follower is one of them.
type follower struct {
	next int       // number of the event it takes, or waits for
	busy time.Time // since when it has been taking it; zero: it waits
}

// needed returns the number of the first event that somebody may still take.
func (r *readers) needed(now time.Time) int {
	if len(r.all) == 0 && now.Sub(r.left) < followerAbsence {
		return 0
	}
	least := math.MaxInt
	for f := range r.all {
		if f.busy.IsZero() || now.Sub(f.busy) < followerStall {
			least = min(least, f.next)
		}
	}
	return least
}

// follow sends the events of the batch, from the first that is still there, until
// its end or that of ctx.
func (b *batch) follow(ctx context.Context, send func(golem.RuntimeEvent) error) error {
	f := &follower{}
	b.join(f)
	defer b.leave(f)
	for {
		e, found, err := b.event(ctx, f)
		if err != nil || !found {
			return err
		}
		if err := send(e); err != nil {
			return err
		}
		b.taken(f)
	}
}

func (b *batch) join(f *follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers.all == nil {
		b.readers.all = map[*follower]struct{}{}
	}
	b.readers.all[f] = struct{}{}
}

func (b *batch) leave(f *follower) {
	b.mu.Lock()
	delete(b.readers.all, f)
	b.readers.left = now()
	b.mu.Unlock()
	b.room.Wake(struct{}{})
}

// event waits for the event a follower is at, or the next that is still there.
// It returns found == false when the batch has ended without one.
func (b *batch) event(ctx context.Context, f *follower) (e golem.RuntimeEvent, found bool, err error) {
	_, _, err = longpoll.Wait(ctx, b.hub, b.id, func(context.Context) (struct{}, bool, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		var at int
		if e, at, found = b.log.from(f.next); found {
			f.next, f.busy = at, now()
		}
		return struct{}{}, found || b.done, nil
	})
	return e, found, err
}

// taken notes that a follower has got its event.
func (b *batch) taken(f *follower) {
	b.mu.Lock()
	f.next, f.busy = f.next+1, time.Time{}
	b.mu.Unlock()
	b.room.Wake(struct{}{})
}

// print notes output of command i. Where that does not fit it waits for those who
// follow; when there is nobody to wait for, or ctx ends, the oldest output is
// dropped, which who follows sees from the count that comes with later events.
func (b *batch) print(ctx context.Context, i int, kind golem.RuntimeEventKind) {
	for !b.tryPrint(i, kind, ctx.Err() != nil) {
		b.awaitRoom(ctx, kind)
	}
	b.hub.Wake(b.id)
}

// tryPrint adds output if it fits or must.
func (b *batch) tryPrint(i int, kind golem.RuntimeEventKind, must bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !must && !b.fits(kind) {
		return false
	}
	b.add(i, stamp(), outputSize(kind.Stdout)+outputSize(kind.Stderr), kind)
	b.printed.Stdout += uint64(outputSize(kind.Stdout))
	b.printed.Stderr += uint64(outputSize(kind.Stderr))
	return true
}

// awaitRoom waits until output fits, but no longer than until the time is to be
// looked at.
func (b *batch) awaitRoom(ctx context.Context, kind golem.RuntimeEventKind) {
	ctx, cancel := context.WithTimeout(ctx, roomPeriod)
	defer cancel()
	longpoll.Wait(ctx, &b.room, struct{}{}, func(context.Context) (struct{}, bool, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return struct{}{}, b.fits(kind), nil
	})
}

// fits reports whether output can be added without dropping what is needed. The
// lock is held.
func (b *batch) fits(kind golem.RuntimeEventKind) bool {
	return b.log.fits(outputSize(kind.Stdout)+outputSize(kind.Stderr), b.readers.needed(now()))
}

// outputSize returns how much output an event carries, in bytes.
func outputSize(o *golem.Output) int {
	if o == nil {
		return 0
	}
	return len(o.Text) + len(o.Bytes)
}
