package activity

import (
	"context"
	"errors"
	"time"

	"github.com/golem-go/golem"
)

// Names of the loops, as told to Config.Alive.
const (
	loopWatch  = "activity watch"
	loopResend = "activity resend"
)

const (
	watchEvery  = time.Second
	sweepEvery  = time.Minute
	forgetEvery = time.Hour
)

// watch looks after the Provider's activities, and now and then after what a
// crash or a race may have left behind.
func (s *Service) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var swept, forgot time.Time
	for {
		s.round(ctx, loopWatch, s.watchAll)
		if at := now(); at.Sub(swept) >= sweepEvery {
			s.round(ctx, loopWatch, s.sweep)
			swept = at
		}
		if at := now(); at.Sub(forgot) >= forgetEvery {
			s.round(ctx, loopWatch, s.forget)
			forgot = at
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// verdict is what is to be done about an ExeUnit.
type verdict int

const (
	leave   verdict = iota
	lose            // it is not responding
	stop            // its agent shall stop it
	abandon         // its agent has not stopped it: it counts as ended
)

// judge decides about the ExeUnit of r. Time before started, when this node was
// not there to hear anything, is held against nobody.
func (l *Limits) judge(r *Record, started, at time.Time) verdict {
	silent := at.Sub(later(r.Reported, started))
	switch {
	case r.Ended():
		return leave
	case !r.Destroying.IsZero() && at.Sub(later(r.Destroying, started)) >= l.Abandon:
		return abandon
	case r.Status.State.Current == golem.ActivityNew:
		if r.Destroying.IsZero() && silent >= l.Start {
			return stop
		}
		return leave
	case r.Destroying.IsZero() && silent >= l.Inactive:
		return stop
	case r.Lost.IsZero() && silent >= l.Unresponsive:
		return lose
	}
	return leave
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *Service) watchAll(ctx context.Context) error {
	rs, err := s.store.AliveActivities(ctx, golem.Provider)
	var errs []error
	for _, r := range rs {
		errs = append(errs, s.attend(ctx, r))
	}
	return errors.Join(append(errs, err)...)
}

// attend does what is to be done about the ExeUnit of r.
func (s *Service) attend(ctx context.Context, r *Record) error {
	at := now()
	verdict := s.limits.judge(r, s.started, at)
	if verdict == leave {
		return nil
	}
	if verdict == stop {
		_, err := s.order(ctx, r, "the ExeUnit does not report")
		return err
	}
	_, err := s.change(ctx, r.ID, r.Role, func(r *Record) (*golem.ProviderEvent, error) {
		switch s.limits.judge(r, s.started, at) { // it may have reported since
		case lose:
			r.Lost, r.Updated = at, at
		case abandon:
			r.Status = golem.ActivityStatus{
				State:  golem.StatePair{Current: golem.ActivityTerminated},
				Reason: "nobody has confirmed that the ExeUnit was stopped",
			}
			r.Updated = at
		}
		return nil, nil
	})
	return err
}

// sweep destroys activities whose Agreement has ended without this package
// having been told, and those that a former process was about to create.
func (s *Service) sweep(ctx context.Context) error {
	var errs []error
	for _, role := range []golem.Role{golem.Provider, golem.Requestor} {
		rs, err := s.store.AliveActivities(ctx, role)
		errs = append(errs, err)
		for _, r := range rs {
			if !r.Destroying.IsZero() {
				continue
			}
			why, err := s.orphaned(ctx, r)
			if err == nil && why != "" {
				_, err = s.order(ctx, r, why)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// orphaned returns why r should not exist, "" if it should.
func (s *Service) orphaned(ctx context.Context, r *Record) (string, error) {
	if !r.Confirmed && r.Created.Before(s.started) {
		return "the node stopped before its creation was acknowledged", nil
	}
	a, err := s.agreements.Agreement(ctx, r.Owner, r.Agreement)
	switch {
	case golem.KindOf(err) == golem.ErrNotFound:
		return "the Agreement is not known any more", nil
	case err == nil && a.State != golem.AgreementApproved:
		return "the Agreement has ended", nil
	}
	return "", err
}

func (s *Service) forget(ctx context.Context) error {
	return s.store.ForgetActivities(ctx, now().Add(-s.limits.Keep))
}
