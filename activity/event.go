package activity

import (
	"context"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/longpoll"
)

// Events returns what the Provider's agent is to do, oldest first, as soon as
// there is something, and nothing when the timeout is over first. Reading does
// not use events up: the agent goes on after the date of the last one it has.
func (s *Service) Events(ctx context.Context, q EventQuery, timeout time.Duration) ([]golem.ProviderEvent, error) {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	evs, _, err := longpoll.Wait(waiting, &s.happened, q.Owner, func(context.Context) ([]golem.ProviderEvent, bool, error) {
		evs, err := s.store.Events(ctx, q)
		return evs, len(evs) > 0, err
	})
	return evs, err
}

// await returns the Activity as soon as done reports true of it, and otherwise
// as it is when the timeout is over.
func (s *Service) await(ctx context.Context, id golem.ActivityID, role golem.Role, timeout time.Duration, done func(*Record) bool) (*Record, bool, error) {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, found, err := longpoll.Wait(waiting, &s.moved, id, func(context.Context) (*Record, bool, error) {
		r, err := s.store.Activity(ctx, id, role)
		return r, err == nil && done(r), err
	})
	if err == nil && !found && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r, found, err
}
