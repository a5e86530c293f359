package activity

import (
	"context"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// slack is what another node gets to answer on top of the time it is to wait.
const slack = time.Second

// maxText is the most bytes of a foreign explanation that are kept.
const maxText = 4096

// clip shortens foreign text to most bytes of valid UTF-8.
func clip(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

// checkStatus returns what an ExeUnit, an agent or a Provider says about a state
// in the form it is kept in. Unresponsive is no state that anybody is in by his
// own account, except that a Provider's node may say so.
func checkStatus(st golem.ActivityStatus) (golem.ActivityStatus, error) {
	if _, err := golem.ParseActivityState(string(st.State.Current)); err != nil {
		return st, err
	}
	if st.State.Current == golem.ActivityTerminated {
		st.State.Pending = ""
	}
	st.Reason, st.ErrorMessage = clip(st.Reason, maxText), clip(st.ErrorMessage, maxText)
	return st, nil
}

// report returns the change that an account of its own state by an ExeUnit, or
// by its agent, makes. Any state but Terminated may be followed by any other:
// the ExeUnit keeps to the table of states, but not every report arrives.
func report(st golem.ActivityStatus, at time.Time) (func(*Record) (*golem.ProviderEvent, error), error) {
	st, err := checkStatus(st)
	if err != nil {
		return nil, err
	}
	if st.State.Current == golem.ActivityUnresponsive || st.State.Pending == golem.ActivityUnresponsive {
		return nil, golem.Errorf(golem.ErrInvalid, "activity state Unresponsive cannot be set, it is observed")
	}
	return func(r *Record) (*golem.ProviderEvent, error) {
		if r.Ended() {
			return nil, ended(r.ID)
		}
		r.Status, r.Updated, r.Reported, r.Lost = st, at, at, time.Time{}
		return nil, nil
	}, nil
}

// State returns the state of an Activity of who. A Requestor's is asked of the
// ExeUnit, and of the Provider's node where that does not answer; once it has
// ended nobody is asked.
func (s *Service) State(ctx context.Context, who golem.NodeID, id golem.ActivityID, timeout time.Duration) (golem.ActivityStatus, error) {
	r, err := s.find(ctx, who, id, golem.Provider, golem.Requestor)
	if err != nil {
		return golem.ActivityStatus{}, err
	}
	if r.Role == golem.Provider || r.Ended() {
		return r.Visible(), nil
	}
	st, err := ask(ctx, s, r, timeout, wire.ExeUnitState, wire.ActivityState)
	if err != nil {
		return st, err
	}
	return s.learnState(ctx, r, st)
}

// SetState is how the Provider's agent says what became of an ExeUnit, mostly
// that it has ended. Saying so again changes nothing; ErrConflict is returned
// for any other state after that.
func (s *Service) SetState(ctx context.Context, who golem.NodeID, id golem.ActivityID, st golem.ActivityStatus) error {
	r, err := s.find(ctx, who, id, golem.Provider)
	if err != nil {
		return err
	}
	set, err := report(st, now())
	if err != nil {
		return err
	}
	if r.Ended() {
		if st.State.Current == golem.ActivityTerminated {
			return nil
		}
		return golem.Errorf(golem.ErrConflict, "activity %s has ended, it cannot be %s", id, st.State.Current)
	}
	_, err = s.change(ctx, id, golem.Provider, set)
	if golem.KindOf(err) == golem.ErrNotFound && st.State.Current == golem.ActivityTerminated {
		return nil // it ended in between
	}
	return err
}

// ask asks the ExeUnit of r, and if that cannot be reached within half of the
// time the Provider's node.
func ask[T any](ctx context.Context, s *Service, r *Record, timeout time.Duration, unit, node gsb.Method[wire.ActivityQuery, T]) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout+slack)
	defer cancel()
	first, done := context.WithTimeout(ctx, (timeout+slack)/2)
	defer done()
	query := wire.ActivityQuery{Activity: r.ID, Timeout: wireSeconds(timeout)}
	v, err := unit.At(string(r.ID)).Call(first, s.bus, r.Owner, r.Peer, query)
	if !unreachable(err) || ctx.Err() != nil {
		return v, err
	}
	return node.Call(ctx, s.bus, r.Owner, r.Peer, query)
}

// unreachable reports whether err says that nobody has answered.
func unreachable(err error) bool {
	switch golem.KindOf(err) {
	case golem.ErrUnavailable, golem.ErrNoAnswer, golem.ErrTimeout:
		return true
	}
	return false
}

// learnState keeps what a Provider says about the state of r.
func (s *Service) learnState(ctx context.Context, r *Record, st golem.ActivityStatus) (golem.ActivityStatus, error) {
	st, err := checkStatus(st)
	switch {
	case err != nil:
		return st, golem.Errorf(golem.ErrUnavailable, "provider %s: %w", r.Peer, err)
	case st.State.Current == golem.ActivityTerminated:
		r, err = s.end(ctx, r, st)
	case st != r.Status:
		r, err = s.change(ctx, r.ID, golem.Requestor, func(r *Record) (*golem.ProviderEvent, error) {
			if !r.Ended() {
				r.Status, r.Updated = st, now()
			}
			return nil, nil
		})
	}
	if err != nil {
		return st, err
	}
	return r.Status, nil
}

// end keeps that a Requestor's Activity has ended, with its final usage if the
// Provider's node tells.
func (s *Service) end(ctx context.Context, r *Record, st golem.ActivityStatus) (*Record, error) {
	final, err := s.finalUsage(ctx, r)
	if err != nil {
		final = r.Usage
	}
	return s.change(context.WithoutCancel(ctx), r.ID, golem.Requestor, func(r *Record) (*golem.ProviderEvent, error) {
		if r.Ended() {
			return nil, nil
		}
		if next, err := advance(r.Usage, final); err == nil {
			r.Usage = next
		}
		r.Status, r.Updated = st, now()
		return nil, nil
	})
}

func (s *Service) finalUsage(ctx context.Context, r *Record) (golem.Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, slack)
	defer cancel()
	query := wire.ActivityQuery{Activity: r.ID, Timeout: wireSeconds(0)}
	return wire.ActivityUsage.Call(ctx, s.bus, r.Owner, r.Peer, query)
}

// wireSeconds is the form of durations in messages.
func wireSeconds(d time.Duration) *float32 { return new(float32(d.Seconds())) }
