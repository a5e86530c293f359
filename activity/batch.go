package activity

import (
	"context"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// Times of sending a batch.
const (
	execAttempt = 2 * time.Second        // for the first acknowledgement, doubled by each attempt: scripts can be large
	execPause   = 250 * time.Millisecond // before sending again what could not be sent
)

// working returns the Activity of the Requestor who, to work with.
func (s *Service) working(ctx context.Context, who golem.NodeID, id golem.ActivityID) (*Record, error) {
	r, err := s.find(ctx, who, id, golem.Requestor)
	if err != nil {
		return nil, err
	}
	if r.Ended() || !r.Destroying.IsZero() {
		return nil, ended(id)
	}
	return r, nil
}

// Exec sends a batch of commands to the ExeUnit and returns its id when the
// ExeUnit has acknowledged it; the commands are executed after that. Within the
// timeout a batch whose acknowledgement is lost is sent again under the same id.
// If Exec returns an error it is not known whether the batch is executed, unless
// the kind of the error says that the ExeUnit has refused it.
func (s *Service) Exec(ctx context.Context, who golem.NodeID, id golem.ActivityID, script []golem.Command, timeout time.Duration) (golem.BatchID, error) {
	r, err := s.working(ctx, who, id)
	if err != nil {
		return "", err
	}
	if err := checkScript(script); err != nil {
		return "", err
	}
	b := Batch{ID: golem.NewBatchID(), Activity: id, Commands: len(script), Created: now()}
	if err := s.store.AddBatch(ctx, b); err != nil {
		return "", err
	}
	err = s.send(ctx, r, timeout, wire.ExecRequest{
		Activity: id, Batch: b.ID, Script: script, Timeout: wireSeconds(timeout),
	})
	s.trace.sent(r, b.ID, err)
	if err != nil {
		return "", s.gone(ctx, r, err)
	}
	return b.ID, nil
}

func checkScript(script []golem.Command) error {
	if len(script) == 0 {
		return golem.Errorf(golem.ErrInvalid, "script: want at least one command")
	}
	for i := range script {
		switch script[i].Name() {
		case "":
			return golem.Errorf(golem.ErrInvalid, "script: command %d is empty", i)
		case "sign":
			return golem.Errorf(golem.ErrUnsupported, "command sign is not implemented by this node")
		}
	}
	return nil
}

// send sends a batch until it is acknowledged or refused, or time is over.
func (s *Service) send(ctx context.Context, r *Record, timeout time.Duration, req wire.ExecRequest) error {
	ctx, cancel := context.WithTimeout(ctx, timeout+slack)
	defer cancel()
	exec := wire.Exec.At(string(r.ID))
	for patience := execAttempt; ; patience *= 2 {
		attempt, done := context.WithTimeout(ctx, patience)
		_, err := exec.Call(attempt, s.bus, r.Owner, r.Peer, req)
		done()
		if patience > execAttempt && alreadyThere(err) {
			return nil
		}
		if !unreachable(err) || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(execPause):
		case <-ctx.Done():
			return err
		}
	}
}

// alreadyThere recognises how upstream's ExeUnits refuse a batch they have; ours
// acknowledge it once more.
func alreadyThere(err error) bool {
	return golem.KindOf(err) == golem.ErrInvalid && strings.Contains(err.Error(), "already exists")
}

// gone returns the error for an ExeUnit of r that could not be used because of
// err: ErrNotFound if the Provider's node says that it has ended.
func (s *Service) gone(ctx context.Context, r *Record, err error) error {
	if golem.KindOf(err) != golem.ErrUnavailable || ctx.Err() != nil {
		return err
	}
	ask, cancel := context.WithTimeout(ctx, slack)
	defer cancel()
	query := wire.ActivityQuery{Activity: r.ID, Timeout: wireSeconds(0)}
	st, askErr := wire.ActivityState.Call(ask, s.bus, r.Owner, r.Peer, query)
	if askErr != nil {
		return err
	}
	if st, askErr = s.learnState(ctx, r, st); askErr == nil && st.State.Current == golem.ActivityTerminated {
		return ended(r.ID)
	}
	return err
}

// batch returns the Activity of the Requestor who that the batch belongs to.
func (s *Service) batch(ctx context.Context, who golem.NodeID, id golem.ActivityID, batch golem.BatchID) (*Record, error) {
	r, err := s.working(ctx, who, id)
	if err != nil {
		return nil, err
	}
	b, err := s.store.Batch(ctx, batch)
	if err == nil && b.Activity != id {
		err = golem.Errorf(golem.ErrNotFound, "batch %s not found", batch)
	}
	return r, err
}

// ResultsQuery selects results of a batch.
type ResultsQuery struct {
	Batch   golem.BatchID
	Index   *int          // wait for this command, and give the output of no other; nil: all
	Timeout time.Duration // how long to wait for the last, or the one selected
}

// Results returns the results of the commands of a batch that have finished, from
// the first on. It waits for the last one of the batch; when that takes longer
// than the timeout it returns those there are, or ErrTimeout if one command was
// asked for.
func (s *Service) Results(ctx context.Context, who golem.NodeID, id golem.ActivityID, q ResultsQuery) ([]golem.CommandResult, error) {
	r, err := s.batch(ctx, who, id, q.Batch)
	if err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(ctx, max(q.Timeout, DefaultTimeout)+slack)
	defer cancel()
	results, err := wire.BatchResults.At(string(id)).Call(call, s.bus, r.Owner, r.Peer, wire.BatchResultsRequest{
		Activity: id, Batch: q.Batch, CommandIndex: q.Index, Timeout: wireSeconds(q.Timeout - way(q.Timeout)),
	})
	if err != nil {
		return nil, s.gone(ctx, r, err)
	}
	return results, nil
}

// way is the part of a timeout that is left for the way to the ExeUnit and back:
// clients give up half a second after it.
func way(timeout time.Duration) time.Duration {
	return min(timeout/10, 250*time.Millisecond)
}

// RunningCommands returns what the ExeUnit is executing; ErrNotFound is nothing.
func (s *Service) RunningCommands(ctx context.Context, who golem.NodeID, id golem.ActivityID, timeout time.Duration) ([]golem.RunningCommand, error) {
	r, err := s.working(ctx, who, id)
	if err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(ctx, timeout+slack)
	defer cancel()
	query := wire.ActivityQuery{Activity: id, Timeout: wireSeconds(timeout)}
	cs, err := wire.RunningCommands.At(string(id)).Call(call, s.bus, r.Owner, r.Peer, query)
	if err != nil {
		return nil, s.gone(ctx, r, err)
	}
	return cs, nil
}
