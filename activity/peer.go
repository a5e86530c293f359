package activity

import (
	"context"
	"encoding/hex"
	"math"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// Bounds of what other nodes may ask for.
const (
	maxPeerWait  = 10 * time.Minute
	maxPublicKey = 1024 // bytes
)

// bind makes the Service answer on the bus until release is called.
func (s *Service) bind(ctx context.Context) (release func(), err error) {
	var releases []func()
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	bound := func(r func(), e error) {
		if e != nil {
			err = e
			return
		}
		releases = append(releases, r)
	}
	bound(wire.CreateActivity.Handle(s.bus, guard(ctx, &s.gate, s.onCreate)))
	bound(wire.DestroyActivity.Handle(s.bus, guard(ctx, &s.gate, s.onDestroy)))
	bound(wire.ActivityState.Handle(s.bus, guard(ctx, &s.gate, s.onState)))
	bound(wire.ActivityUsage.Handle(s.bus, guard(ctx, &s.gate, s.onUsage)))
	bound(wire.SetActivityState.Handle(s.bus, guard(ctx, &s.gate, s.onSetState)))
	bound(wire.SetActivityUsage.Handle(s.bus, guard(ctx, &s.gate, s.onSetUsage)))
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// duration reads a number of seconds that another node has sent.
func duration(secs *float32, def time.Duration) time.Duration {
	if secs == nil || math.IsNaN(float64(*secs)) {
		return def
	}
	return time.Duration(max(0, min(float64(*secs), maxPeerWait.Seconds())) * float64(time.Second))
}

// onCreate answers a Requestor's wire.CreateActivity.
func (s *Service) onCreate(ctx context.Context, from gsb.Peer, req wire.CreateActivityRequest) (reply wire.CreateActivityReply, err error) {
	a, err := s.granted(ctx, from.Node, req)
	if err != nil {
		return reply, err
	}
	r, err := s.admit(ctx, a, req)
	if err != nil {
		return reply, err
	}
	if err := s.awaitUnit(ctx, r.ID, duration(req.Timeout, DefaultTimeout)); err != nil {
		if _, orderErr := s.order(context.WithoutCancel(ctx), r, "it was not initialized in time"); orderErr != nil {
			s.trace.failed("create", orderErr)
		}
		return reply, err
	}
	return wire.CreateActivityReply{Activity: r.ID}, nil
}

// awaitUnit returns when the ExeUnit of a new Activity is initialized.
func (s *Service) awaitUnit(ctx context.Context, id golem.ActivityID, timeout time.Duration) error {
	r, begun, err := s.await(ctx, id, golem.Provider, timeout, func(r *Record) bool {
		return r.Status.State.Current != golem.ActivityNew
	})
	switch {
	case err != nil:
		return err
	case !begun:
		return golem.Errorf(golem.ErrTimeout, "activity was not initialized in time")
	case r.Ended():
		return golem.Errorf(golem.ErrUnavailable, "activity ended before it was initialized: %s", r.Status.Reason)
	}
	return nil
}

// granted returns the Agreement under which req is made. To those who are not
// its parties it does not exist.
func (s *Service) granted(ctx context.Context, caller golem.NodeID, req wire.CreateActivityRequest) (*golem.Agreement, error) {
	id, err := golem.ParseAgreementID(string(req.Agreement))
	if err != nil {
		return nil, err
	}
	a, err := s.agreements.Agreement(ctx, req.Provider, id)
	if err != nil {
		return nil, err
	}
	role, err := a.RoleOf(caller)
	switch {
	case err != nil:
		return nil, err
	case a.Provider() != req.Provider:
		return nil, golem.Errorf(golem.ErrNotFound, "agreement %s not found", id)
	case role != golem.Requestor:
		return nil, golem.Errorf(golem.ErrForbidden, "only the Requestor of an Agreement creates activities")
	case a.State != golem.AgreementApproved:
		return nil, golem.Errorf(golem.ErrForbidden, "agreement %s is %s, it must be Approved", id, a.State.Public())
	case req.Proposed != "" && !wellFormed(req.Proposed):
		return nil, golem.Errorf(golem.ErrInvalid, "activity id is malformed")
	case len(req.PublicKey) > maxPublicKey:
		return nil, golem.Errorf(golem.ErrTooLarge, "public key of %d bytes, at most %d", len(req.PublicKey), maxPublicKey)
	}
	return a, nil
}

// admit adds the Activity and the event for the agent, or finds that the same
// request has been here before.
func (s *Service) admit(ctx context.Context, a *golem.Agreement, req wire.CreateActivityRequest) (*Record, error) {
	id := req.Proposed
	if id == "" {
		id = golem.NewActivityID()
	}
	r := newRecord(id, a, golem.Provider, now())
	create := &golem.CreateActivityEvent{PublicKey: hex.EncodeToString(req.PublicKey)}
	ev := &golem.ProviderEvent{Type: golem.ProviderEventType{Create: create}, Date: r.Created}
	err := s.store.AddActivity(ctx, r, s.limits.PerAgreement, ev)
	if golem.KindOf(err) == golem.ErrConflict || golem.KindOf(err) == golem.ErrExhausted {
		known, knownErr := s.store.Activity(ctx, id, golem.Provider)
		if knownErr != nil || known.Agreement != a.ID {
			return nil, err
		}
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	s.happened.Wake(r.Owner)
	s.trace.created(r)
	return r, nil
}

// served returns the Provider's Activity that a Requestor asks about.
func (s *Service) served(ctx context.Context, from gsb.Peer, id golem.ActivityID) (*Record, error) {
	r, err := s.store.Activity(ctx, id, golem.Provider)
	if err != nil {
		return nil, err
	}
	if from.Node != r.Peer && from.Node != r.Owner {
		return nil, unknown(id)
	}
	return r, nil
}

// onDestroy answers a Requestor's wire.DestroyActivity.
func (s *Service) onDestroy(ctx context.Context, from gsb.Peer, req wire.DestroyActivityRequest) (unit gsb.Unit, err error) {
	id, err := golem.ParseAgreementID(string(req.Agreement))
	if err != nil {
		return unit, err
	}
	r, err := s.served(ctx, from, req.Activity)
	if err != nil {
		return unit, err
	}
	if r.Agreement != id || from.Node != r.Peer {
		return unit, unknown(req.Activity)
	}
	if r, err = s.order(ctx, r, "the Requestor has destroyed it"); err != nil {
		return unit, err
	}
	_, done, err := s.await(ctx, r.ID, golem.Provider, duration(req.Timeout, DefaultTimeout), (*Record).Ended)
	if err == nil && !done {
		err = golem.Errorf(golem.ErrTimeout, "activity has not ended in time")
	}
	return unit, err
}

// onState answers a Requestor's wire.ActivityState.
func (s *Service) onState(ctx context.Context, from gsb.Peer, q wire.ActivityQuery) (golem.ActivityStatus, error) {
	r, err := s.served(ctx, from, q.Activity)
	if err != nil {
		return golem.ActivityStatus{}, err
	}
	return r.Visible(), nil
}

// onUsage answers a Requestor's wire.ActivityUsage.
func (s *Service) onUsage(ctx context.Context, from gsb.Peer, q wire.ActivityQuery) (golem.Usage, error) {
	r, err := s.served(ctx, from, q.Activity)
	if err != nil {
		return golem.Usage{}, err
	}
	return r.Usage, nil
}

var errNotLocal = golem.Errorf(golem.ErrForbidden, "only ExeUnits of this node report to it")

// onSetState answers an ExeUnit's wire.SetActivityState.
func (s *Service) onSetState(ctx context.Context, from gsb.Peer, req wire.SetActivityStateRequest) (unit gsb.Unit, err error) {
	if !from.Local() {
		return unit, errNotLocal
	}
	set, err := report(req.State, now())
	if err == nil {
		_, err = s.change(ctx, req.Activity, golem.Provider, set)
	}
	return unit, err
}

// onSetUsage answers an ExeUnit's wire.SetActivityUsage.
func (s *Service) onSetUsage(ctx context.Context, from gsb.Peer, req wire.SetActivityUsageRequest) (unit gsb.Unit, err error) {
	if !from.Local() {
		return unit, errNotLocal
	}
	at := now()
	_, err = s.change(ctx, req.Activity, golem.Provider, func(r *Record) (*golem.ProviderEvent, error) {
		if r.Ended() {
			return nil, ended(r.ID)
		}
		next, err := advance(r.Usage, req.Usage)
		if err != nil {
			return nil, err
		}
		r.Usage, r.Reported, r.Lost = next, at, time.Time{}
		return nil, nil
	})
	return unit, err
}
