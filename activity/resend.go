package activity

import (
	"context"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

const (
	resendEvery   = time.Second
	resendTimeout = 10 * time.Second
	resendFirst   = 2 * time.Second // for whoever wants it destroyed to tell; then the pause, doubled by each failure
	resendMost    = 5 * time.Minute
	resendAtOnce  = 8 // providers told at the same time
)

// resend tells Providers to destroy what Requestors do not want any more, until
// they have heard.
func (s *Service) resend(ctx context.Context) {
	tick := time.NewTicker(resendEvery)
	defer tick.Stop()
	q := queue{s: s, tries: map[golem.ActivityID]*try{}, done: make(chan told, resendAtOnce)}
	defer q.telling.Wait()
	for {
		s.round(ctx, loopResend, q.begin)
		select {
		case <-tick.C:
		case t := <-q.done:
			q.finish(t)
		case <-ctx.Done():
			return
		}
	}
}

// queue is what the resending loop remembers between rounds. What is to be sent
// is in the store; here is only when to try next.
type queue struct {
	s       *Service
	tries   map[golem.ActivityID]*try
	busy    int
	done    chan told // holds resendAtOnce, so that nobody waits to say he is done
	telling sync.WaitGroup
}

type try struct {
	busy  bool
	pause time.Duration
	next  time.Time
}

type told struct {
	*try
	err error
}

// begin starts telling about whatever is due.
func (q *queue) begin(ctx context.Context) error {
	rs, err := q.s.store.AliveActivities(ctx, golem.Requestor)
	if err != nil {
		return err
	}
	at := now()
	tries := map[golem.ActivityID]*try{}
	for _, r := range rs {
		if r.Destroying.IsZero() {
			continue
		}
		t := q.tries[r.ID]
		if t == nil {
			t = &try{next: r.Destroying.Add(resendFirst)}
		}
		tries[r.ID] = t
		if t.busy || t.next.After(at) || q.busy == resendAtOnce {
			continue
		}
		t.busy = true
		q.busy++
		q.telling.Go(func() { q.done <- told{t, q.s.retell(ctx, r, at)} })
	}
	q.tries = tries // without those that have ended
	return nil
}

// finish plans the next try where one has failed.
func (q *queue) finish(t told) {
	q.busy--
	t.busy = false
	if t.err != nil {
		t.pause = min(max(resendFirst, 2*t.pause), resendMost)
		t.next = now().Add(t.pause + time.Duration(q.s.rand.Int64N(int64(t.pause)/4)))
	}
}

// retell tells the Provider once more, or gives up when it has been long enough:
// by then the Agreement should have been terminated.
func (s *Service) retell(ctx context.Context, r *Record, at time.Time) error {
	if at.Sub(r.Destroying) >= s.limits.GiveUp {
		_, err := s.end(ctx, r, golem.ActivityStatus{
			State:  golem.StatePair{Current: golem.ActivityTerminated},
			Reason: "the Provider does not answer",
		})
		return err
	}
	err := s.tellDestroy(ctx, r, resendTimeout)
	if err != nil && ctx.Err() == nil {
		s.trace.retry(r, err)
	}
	return err
}

// tellDestroy makes the Provider's node destroy r and, when that says it is
// done, or that it knows of no such Activity, keeps that r has ended.
func (s *Service) tellDestroy(ctx context.Context, r *Record, timeout time.Duration) error {
	call, cancel := context.WithTimeout(ctx, timeout+slack)
	defer cancel()
	_, err := wire.DestroyActivity.Call(call, s.bus, r.Owner, r.Peer, wire.DestroyActivityRequest{
		Agreement: r.Agreement, Activity: r.ID, Timeout: wireSeconds(timeout),
	})
	if err != nil && golem.KindOf(err) != golem.ErrNotFound {
		return err
	}
	_, err = s.end(ctx, r, golem.ActivityStatus{
		State:  golem.StatePair{Current: golem.ActivityTerminated},
		Reason: "destroyed by the Requestor",
	})
	return err
}
