package exeunit

import (
	"context"
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

const (
	usagePeriod   = time.Second      // of reports; the node takes 5 s of silence for trouble
	reportTimeout = 3 * time.Second  // of one report
	reportRetry   = time.Second      // before a state is told again
	farewell      = 10 * time.Second // for telling the node about the end
)

// reportUsage tells the node every second what has been used, which is also how
// it knows that we live.
func (s *Supervisor) reportUsage(ctx context.Context) {
	tick := time.NewTicker(usagePeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.sendUsage(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// sendUsage tells the node once what has been used.
func (s *Supervisor) sendUsage(ctx context.Context) {
	if !s.cfg.Report {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	r := wire.SetActivityUsageRequest{Activity: s.cfg.Activity, Usage: s.counters.usage()}
	_, err := wire.SetActivityUsage.Call(ctx, s.cfg.Bus, golem.NodeID{}, golem.NodeID{}, r)
	s.heardFromNode(err)
}

// reportStates tells the node the state, whenever it changes, until the Activity
// has ended. Where the node is slow it is told the latest.
func (s *Supervisor) reportStates(ctx context.Context) {
	var told golem.ActivityStatus
	var retry <-chan time.Time
	var deadline <-chan time.Time
	for {
		select {
		case <-s.changed:
		case <-retry:
		case <-deadline:
			s.log.Warn("the node could not be told about the end", "activity", s.cfg.Activity)
			return
		}
		status := s.machine.now()
		ended := status.State.Current == golem.ActivityTerminated
		retry = nil
		if status != told && s.sendState(ctx, status) {
			told = status
		}
		switch {
		case status != told && s.cfg.Report:
			retry = time.After(reportRetry)
		case ended:
			return
		}
		if ended && deadline == nil {
			deadline = time.After(farewell)
		}
	}
}

// sendState tells the node a state and reports whether it need not be told again.
func (s *Supervisor) sendState(ctx context.Context, status golem.ActivityStatus) bool {
	if !s.cfg.Report {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	r := wire.SetActivityStateRequest{Activity: s.cfg.Activity, State: status}
	_, err := wire.SetActivityState.Call(ctx, s.cfg.Bus, golem.NodeID{}, golem.NodeID{}, r)
	s.heardFromNode(err)
	return err == nil || errors.Is(err, golem.ErrNotFound)
}

// heardFromNode stops the work when the node does not know the Activity, or has
// not answered for too long.
func (s *Supervisor) heardFromNode(err error) {
	s.mu.Lock()
	if err == nil {
		s.heard = now()
	}
	silent := now().Sub(s.heard)
	s.mu.Unlock()
	switch {
	case errors.Is(err, golem.ErrNotFound):
		s.stop(golem.Errorf(golem.ErrNotFound, "the node does not know the activity any more"))
	case err != nil && silent > s.patience():
		s.stop(golem.Errorf(golem.ErrUnavailable, "the node has not taken a report for %v: %w", s.patience(), err))
	case err != nil:
		s.log.Debug("report was not taken", "activity", s.cfg.Activity, "err", err)
	}
}
