package activity

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// maxCounters is the most counters an Agreement's usage vector may have here.
const maxCounters = 256

// advance returns u after the given report. No counter decreases: a lower value,
// and one that is no finite number, is ignored. The first report with counters
// settles how many there are; ErrInvalid is returned for one that disagrees.
func advance(u, report golem.Usage) (golem.Usage, error) {
	if report.Timestamp > u.Timestamp {
		u.Timestamp = report.Timestamp
	}
	if len(report.Current) == 0 {
		return u, nil
	}
	if len(report.Current) > maxCounters {
		return u, golem.Errorf(golem.ErrInvalid, "usage has %d counters, at most %d", len(report.Current), maxCounters)
	}
	if len(u.Current) == 0 {
		u.Current = make([]float64, len(report.Current))
	}
	if len(report.Current) != len(u.Current) {
		return u, golem.Errorf(golem.ErrInvalid, "usage has %d counters, had %d before", len(report.Current), len(u.Current))
	}
	u.Current = slices.Clone(u.Current)
	for i, v := range report.Current {
		if v > u.Current[i] && !math.IsInf(v, 1) {
			u.Current[i] = v
		}
	}
	return u, nil
}

// Usage returns what an Activity of who has used so far. A Requestor's is asked
// of the ExeUnit, and of the Provider's node where that does not answer; it is
// the last known one after the Activity has ended.
func (s *Service) Usage(ctx context.Context, who golem.NodeID, id golem.ActivityID, timeout time.Duration) (golem.Usage, error) {
	r, err := s.find(ctx, who, id, golem.Provider, golem.Requestor)
	if err != nil {
		return golem.Usage{}, err
	}
	if r.Role == golem.Provider || r.Ended() {
		return r.Usage, nil
	}
	usage, err := ask(ctx, s, r, timeout, wire.ExeUnitUsage, wire.ActivityUsage)
	if err != nil {
		return golem.Usage{}, err
	}
	return s.learnUsage(ctx, r, usage)
}

// learnUsage keeps what a Provider says about the usage of r.
func (s *Service) learnUsage(ctx context.Context, r *Record, usage golem.Usage) (golem.Usage, error) {
	next, err := advance(r.Usage, usage)
	if err != nil {
		return next, golem.Errorf(golem.ErrUnavailable, "provider %s: %w", r.Peer, err)
	}
	if next.Timestamp == r.Usage.Timestamp && slices.Equal(next.Current, r.Usage.Current) {
		return next, nil
	}
	r, err = s.change(ctx, r.ID, golem.Requestor, func(r *Record) (*golem.ProviderEvent, error) {
		if next, err := advance(r.Usage, usage); err == nil {
			r.Usage = next
		}
		r.Updated = now()
		return nil, nil
	})
	if err != nil {
		return golem.Usage{}, err
	}
	return r.Usage, nil
}
