package market

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

const (
	maxErrands = 256                    // looked at in one round
	maxTelling = 64                     // under way at the same time
	maxPerPeer = 16                     // of them to one peer
	firstPause = 500 * time.Millisecond // after the first failure; doubled by each
	lastPause  = 10 * time.Minute
	tellAgain  = time.Second        // between the attempts an agent waits for
	giveUp     = 7 * 24 * time.Hour // for what concerns nobody any more
)

// courier tells peers what they have not acknowledged. What there is to tell is
// in the store; memory holds only what is under way.
type courier struct {
	bell bell

	mu      sync.Mutex
	away    map[errandKey]bool
	perPeer map[golem.NodeID]int
}

type errandKey struct {
	id   string
	role golem.Role
}

func (e *Errand) key() errandKey { return errandKey{string(e.Proposal) + string(e.ID), e.Role} }

// leave notes that an errand is under way, unless it is already or there are
// too many.
func (c *courier) leave(e *Errand) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away[e.key()] || len(c.away) >= maxTelling || c.perPeer[e.Peer] >= maxPerPeer {
		return false
	}
	if c.away == nil {
		c.away, c.perPeer = map[errandKey]bool{}, map[golem.NodeID]int{}
	}
	c.away[e.key()] = true
	c.perPeer[e.Peer]++
	return true
}

// comeBack ends an errand.
func (c *courier) comeBack(e *Errand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.away, e.key())
	if c.perPeer[e.Peer]--; c.perPeer[e.Peer] == 0 {
		delete(c.perPeer, e.Peer)
	}
}

// deliver sends what is due. Sending goes on in goroutines that end with ctx and
// that s.errands counts.
func (s *Service) deliver(ctx context.Context) time.Time {
	now := s.now()
	es, err := s.store.Errands(ctx, now, maxErrands)
	if err != nil {
		s.trace.background("tell", err)
		return time.Time{}
	}
	for i := range es {
		e := &es[i]
		if !s.courier.leave(e) {
			continue
		}
		s.errands.Go(func() {
			err := s.run(ctx, e)
			s.courier.comeBack(e)
			if s.trace.background("tell", err); err == nil {
				s.courier.bell.ring() // what is due next has changed
			}
		})
	}
	if len(es) > 0 {
		return time.Time{} // the goroutines ring
	}
	next, err := s.store.NextErrand(ctx)
	s.trace.background("tell", err)
	return next
}

// run does an errand once: it tells, and applies the answer, or sees to it that
// it is done again.
func (s *Service) run(ctx context.Context, e *Errand) error {
	start := s.now()
	err := s.tell(ctx, e)
	s.trace.told(e, s.now().Sub(start), err)
	switch {
	case errors.Is(err, errMoot):
		return nil
	case err != nil && ctx.Err() != nil:
		return nil // it stays due
	}
	ctx = context.WithoutCancel(ctx)
	if !answered(err) && start.Sub(e.Since) < s.patience(e.Telling) {
		return s.store.Postpone(ctx, []Errand{*e}, s.now().Add(s.backoff(e)))
	}
	return s.apply(ctx, e, err)
}

// patience is how long something is told to a peer that does not answer. A
// commitment is never given up, since the Agreement may be approved over there.
func (s *Service) patience(t Telling) time.Duration {
	switch t {
	case TellCounter, TellConfirm:
		return s.cfg.TellTimeout
	case TellCommit:
		return math.MaxInt64
	}
	return giveUp
}

// errMoot says that there is nothing to tell any more.
var errMoot = errors.New("moot")

// tell sends what the errand is about.
func (s *Service) tell(ctx context.Context, e *Errand) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CallTimeout)
	defer cancel()
	if e.Proposal == "" {
		h, err := s.store.Handshake(ctx, e.Role, e.ID)
		if err != nil {
			return moot(err)
		}
		if h.Telling != e.Telling {
			return errMoot
		}
		e.approved = h.Approved
		return s.sendHandshake(ctx, h)
	}
	x, err := s.store.Proposal(ctx, e.Proposal)
	if err != nil {
		return moot(err)
	}
	if x.Telling != e.Telling {
		return errMoot
	}
	if e.Telling == TellRejection {
		return s.sendRejection(ctx, x)
	}
	prev, err := s.store.Proposal(ctx, x.Prev)
	if err != nil {
		return moot(err)
	}
	return s.sendCounter(ctx, &x.Negotiation, prev, &x.Proposal)
}

// moot turns the absence of what was to be told into errMoot.
func moot(err error) error {
	if errors.Is(err, golem.ErrNotFound) {
		return errMoot
	}
	return err
}

// apply makes the change that the answer to an errand calls for.
func (s *Service) apply(ctx context.Context, e *Errand, answer error) error {
	switch e.Telling {
	case TellRejection:
		return s.store.Told(ctx, e.Proposal, e.Telling)
	case TellCounter:
		err := s.counterTold(ctx, e.Proposal, answer)
		if errors.Is(err, answer) {
			return nil // nobody waits for it any more
		}
		return err
	}
	_, err := s.answer(ctx, e, answer)
	return err
}

// backoff returns the pause after a failed attempt.
func (s *Service) backoff(e *Errand) time.Duration {
	pause := lastPause
	if e.Attempts < 16 {
		pause = min(lastPause, firstPause<<e.Attempts)
	}
	return jitter(s.chance(fmt.Sprint(e.key(), e.Attempts)), pause)
}

// insist calls send until it is answered, for as long as an agent may be kept
// waiting for it.
func (s *Service) insist(ctx context.Context, send func(context.Context) error) error {
	const attempts = 3
	ctx, cancel := context.WithTimeout(ctx, s.cfg.TellTimeout)
	defer cancel()
	for i := 1; ; i++ {
		err := s.once(ctx, send)
		if answered(err) || i == attempts || !pause(ctx, tellAgain) {
			return err
		}
	}
}

// once calls send with the time one call may take.
func (s *Service) once(ctx context.Context, send func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CallTimeout)
	defer cancel()
	return send(ctx)
}

// answered reports whether err, or its absence, is the other party's word, so
// that asking again changes nothing.
func answered(err error) bool { return err == nil || refusal(err) != nil }

// refusal returns the other party's refusal, or nil.
func refusal(err error) *wire.Refusal {
	var r *wire.Refusal
	errors.As(err, &r)
	return r
}
