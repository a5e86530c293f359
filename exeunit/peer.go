package exeunit

import (
	"context"
	"math"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

const (
	maxCommands = 10_000    // of a script
	maxBatches  = 100_000   // of an Activity
	maxKept     = 64 << 20  // bytes of all batches; then the oldest are forgotten
	maxWait     = time.Hour // for results
)

// serve binds what the Requestor's node calls.
func (s *Supervisor) serve() (release func(), err error) {
	var releases []func()
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	if s.cfg.Bus == nil {
		return release, nil
	}
	id := string(s.cfg.Activity)
	bus := s.cfg.Bus
	bind := func(r func(), e error) {
		if r != nil {
			releases = append(releases, r)
		}
		if err == nil {
			err = e
		}
	}
	bind(wire.Exec.At(id).Handle(bus, s.onExec))
	bind(wire.BatchResults.At(id).Handle(bus, s.onResults))
	streams := s.cfg.Streams
	if streams == nil {
		streams = bus
	}
	bind(wire.StreamBatch.At(id).Handle(streams, s.onStream))
	bind(wire.RunningCommands.At(id).Handle(bus, s.onRunning))
	bind(wire.ExeUnitState.At(id).Handle(bus, s.onState))
	bind(wire.ExeUnitUsage.At(id).Handle(bus, s.onUsage))
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// admit refuses everybody but the Requestor of the Agreement and our own node.
func (s *Supervisor) admit(from gsb.Peer, activity golem.ActivityID) error {
	switch {
	case activity != s.cfg.Activity:
		return golem.Errorf(golem.ErrForbidden, "Forbidden! Invalid activity id: %s", clip(string(activity)))
	case from.Local() && (from.Node.IsZero() || from.Node == s.cfg.Agreement.Provider):
		return nil
	case from.Node.IsZero() || from.Node != s.cfg.Agreement.Requestor:
		return golem.Errorf(golem.ErrForbidden, "activity %s belongs to another requestor", s.cfg.Activity)
	}
	return nil
}

func (s *Supervisor) onExec(_ context.Context, from gsb.Peer, r wire.ExecRequest) (golem.BatchID, error) {
	if err := s.admit(from, r.Activity); err != nil {
		return "", err
	}
	return r.Batch, s.exec(r.Batch, r.Script)
}

// exec starts a batch. One that is known, with the same script, is left alone:
// the sender missed the answer.
func (s *Supervisor) exec(id golem.BatchID, script []golem.Command) error {
	if id == "" || len(id) > 128 {
		return golem.Errorf(golem.ErrInvalid, "batch id %q is not one", clip(string(id)))
	}
	if len(script) > maxCommands {
		return golem.Errorf(golem.ErrTooLarge, "script of %d commands, at most %d", len(script), maxCommands)
	}
	b, err := newBatch(id, script, &s.hub)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.work == nil || s.work.Err() != nil {
		return golem.Errorf(golem.ErrUnavailable, "activity %s is ending", s.cfg.Activity)
	}
	if fresh, err := s.register(b); !fresh {
		return err
	}
	ctx, cancel := context.WithCancelCause(s.work)
	b.cancel = cancel
	s.running.Go(func() {
		defer cancel(nil)
		s.execute(ctx, b)
		s.forget(b)
	})
	return nil
}

// register adds a batch, unless it is there already. The lock is held.
func (s *Supervisor) register(b *batch) (fresh bool, err error) {
	if old := s.batches[b.id]; old != nil {
		if old.digest != b.digest {
			return false, golem.Errorf(golem.ErrInvalid, "Batch %s already exists", b.id)
		}
		return false, nil
	}
	if len(s.order) >= maxBatches {
		return false, golem.Errorf(golem.ErrExhausted, "the activity has had %d batches; create another one", maxBatches)
	}
	s.batches[b.id] = b
	s.order = append(s.order, b)
	return true, nil
}

// forget drops the output of the oldest batches when there is too much of it,
// now that b has ended.
func (s *Supervisor) forget(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = append(s.finished, b)
	s.kept += b.kept()
	for s.kept > maxKept && len(s.finished) > 1 {
		oldest := s.finished[0]
		s.finished = s.finished[1:]
		s.kept -= oldest.kept()
		oldest.forget()
	}
}

// batch returns a batch the Requestor asks for.
func (s *Supervisor) batch(from gsb.Peer, activity golem.ActivityID, id golem.BatchID, unknown golem.Kind) (*batch, error) {
	if err := s.admit(from, activity); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.batches[id]
	if b == nil {
		return nil, golem.Errorf(unknown, "batch_id = %s", clip(string(id)))
	}
	return b, nil
}

func (s *Supervisor) onResults(ctx context.Context, from gsb.Peer, r wire.BatchResultsRequest) ([]golem.CommandResult, error) {
	b, err := s.batch(from, r.Activity, r.Batch, golem.ErrNotFound)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, seconds(r.Timeout))
	defer cancel()
	return b.wait(ctx, r.CommandIndex)
}

// seconds returns a timeout that a peer asks for; without one nothing is waited
// for.
func seconds(t *float32) time.Duration {
	s := float64(or(t, 0))
	if math.IsNaN(s) || s < 0 {
		return 0
	}
	return time.Duration(min(s, maxWait.Seconds()) * float64(time.Second))
}

func (s *Supervisor) onStream(ctx context.Context, from gsb.Peer, r wire.StreamBatchRequest, send func(golem.RuntimeEvent) error) error {
	b, err := s.batch(from, r.Activity, r.Batch, golem.ErrInvalid)
	if err != nil {
		return err
	}
	return b.follow(ctx, send)
}

func (s *Supervisor) onRunning(_ context.Context, from gsb.Peer, r wire.ActivityQuery) ([]golem.RunningCommand, error) {
	if err := s.admit(from, r.Activity); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var running []golem.RunningCommand
	for _, b := range s.order {
		if c, ok := b.state(); ok {
			running = append(running, c)
		}
	}
	if running == nil {
		return nil, golem.Errorf(golem.ErrNotFound, "No running command")
	}
	return running, nil
}

func (s *Supervisor) onState(_ context.Context, from gsb.Peer, r wire.ActivityQuery) (golem.ActivityStatus, error) {
	if err := s.admit(from, r.Activity); err != nil {
		return golem.ActivityStatus{}, err
	}
	return s.machine.now(), nil
}

func (s *Supervisor) onUsage(_ context.Context, from gsb.Peer, r wire.ActivityQuery) (golem.Usage, error) {
	if err := s.admit(from, r.Activity); err != nil {
		return golem.Usage{}, err
	}
	return s.counters.usage(), nil
}
