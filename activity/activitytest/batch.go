package activitytest

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/internal/longpoll"
	"github.com/golem-go/golem/wire"
)

// batch is a batch being, or having been, executed. Its ExeUnit's mu guards it.
type batch struct {
	id      golem.BatchID
	script  []golem.Command
	text    string // of the script, to know it again
	events  []golem.RuntimeEvent
	results []golem.CommandResult
	printed golem.Printed // by that command
	running int           // index of the command being executed, -1 for none
	done    bool
}

func (u *ExeUnit) onExec(_ context.Context, _ gsb.Peer, req wire.ExecRequest) (golem.BatchID, error) {
	text, err := json.Marshal(req.Script)
	if err != nil {
		return "", golem.Errorf(golem.ErrInvalid, "script: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch known := u.batches[req.Batch]; {
	case u.ctx == nil:
		return "", golem.Errorf(golem.ErrConflict, "the ExeUnit is stopping")
	case known != nil && known.text == string(text):
		return req.Batch, nil
	case known != nil:
		return "", golem.Errorf(golem.ErrInvalid, "Batch %s already exists", req.Batch)
	}
	b := &batch{id: req.Batch, script: req.Script, text: string(text), running: -1}
	u.batches[b.id] = b
	u.order = append(u.order, b)
	ctx := u.ctx
	u.running.Go(func() { u.execute(ctx, b) })
	return b.id, nil
}

// execute executes the commands of b until one fails.
func (u *ExeUnit) execute(ctx context.Context, b *batch) {
	for i, c := range b.script {
		code, message := u.command(ctx, b, i, c)
		u.finish(b, i, code, message)
		if code != 0 {
			return
		}
	}
}

// command executes one command, if the state allows it. The state is the one it
// leads to afterwards also when it has failed, as upstream has it.
func (u *ExeUnit) command(ctx context.Context, b *batch, i int, c golem.Command) (code int, message string) {
	u.mu.Lock()
	next, err := follow(u.state.State, c)
	if err == nil {
		u.state.State.Pending = next
		u.executed = append(u.executed, describe(c))
	}
	b.running, b.printed = i, golem.Printed{}
	u.mu.Unlock()
	u.emit(b, i, golem.RuntimeEventKind{Started: &golem.CommandStarted{Command: c}})
	if err != nil {
		return -1, err.Error()
	}
	u.tellState(ctx)
	code, message = u.cfg.Runtime(ctx, c, func(k golem.RuntimeEventKind) { u.emit(b, i, k) })
	u.mu.Lock()
	if u.state.State.Pending != golem.ActivityTerminated {
		u.state = status(next, "")
	}
	u.mu.Unlock()
	u.tellState(ctx)
	return code, message
}

// follow returns the state that c leads to.
func follow(st golem.StatePair, c golem.Command) (golem.ActivityState, error) {
	event := golem.ActivityRun
	switch {
	case c.Terminate != nil:
		return golem.ActivityInitialized, nil
	case st.Pending != "":
		return "", golem.Errorf(golem.ErrConflict, "Busy: %v", st)
	case c.Deploy != nil:
		event = golem.ActivityDeploy
	case c.Start != nil:
		event = golem.ActivityStart
	}
	return st.Current.Next(event)
}

func describe(c golem.Command) string {
	if c.Run == nil {
		return c.Name()
	}
	return strings.Join(append([]string{c.Run.EntryPoint}, c.Run.Args...), " ")
}

// emit adds an event of command i.
func (u *ExeUnit) emit(b *batch, i int, k golem.RuntimeEventKind) {
	u.mu.Lock()
	ev := golem.RuntimeEvent{Batch: b.id, Index: i, Timestamp: golem.NaiveTime{Time: time.Now().UTC()}, Kind: k}
	if k.Stdout != nil || k.Stderr != nil || k.Finished != nil {
		ev.Printed = new(b.printed)
	}
	b.events = append(b.events, ev)
	b.printed.Stdout += length(k.Stdout)
	b.printed.Stderr += length(k.Stderr)
	u.mu.Unlock()
	u.changed.Wake(b.id)
}

// length returns how much output an event carries, in bytes.
func length(o *golem.Output) uint64 {
	if o == nil {
		return 0
	}
	return uint64(len(o.Text) + len(o.Bytes))
}

// finish adds the result of command i.
func (u *ExeUnit) finish(b *batch, i, code int, message string) {
	u.mu.Lock()
	r := golem.CommandResult{Index: i, EventDate: time.Now().UTC(), Result: golem.ResultOk, Stdout: b.output(i), Printed: new(b.printed)}
	if code != 0 {
		r.Result, r.Message = golem.ResultError, &message
	}
	r.IsBatchFinished = code != 0 || i == len(b.script)-1
	b.results, b.done, b.running = append(b.results, r), r.IsBatchFinished, -1
	u.mu.Unlock()
	u.emit(b, i, golem.RuntimeEventKind{Finished: &golem.CommandFinished{ReturnCode: code, Message: r.Message}})
}

// output returns what command i has printed.
func (b *batch) output(i int) (out golem.Output) {
	for _, ev := range b.events {
		if ev.Index == i && ev.Kind.Stdout != nil {
			out.Text += ev.Kind.Stdout.Text
		}
	}
	return out
}

// find returns a batch.
func (u *ExeUnit) find(id golem.BatchID) (*batch, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if b := u.batches[id]; b != nil {
		return b, nil
	}
	return nil, golem.Errorf(golem.ErrNotFound, "batch_id = %s", id)
}

func (u *ExeUnit) onResults(ctx context.Context, _ gsb.Peer, req wire.BatchResultsRequest) ([]golem.CommandResult, error) {
	b, err := u.find(req.Batch)
	if err != nil {
		return nil, err
	}
	var timeout time.Duration
	if req.Timeout != nil {
		timeout = time.Duration(float64(*req.Timeout) * float64(time.Second))
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	results, complete, err := longpoll.Wait(ctx, &u.changed, b.id, func(context.Context) ([]golem.CommandResult, bool, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		if req.CommandIndex == nil {
			return b.results, b.done, nil
		}
		n := min(max(*req.CommandIndex, 0)+1, len(b.results))
		return b.results[:n], b.done || *req.CommandIndex < len(b.results), nil
	})
	if err == nil && !complete && req.CommandIndex != nil {
		err = golem.Errorf(golem.ErrTimeout, "timeout")
	}
	return results, err
}

func (u *ExeUnit) onStream(ctx context.Context, _ gsb.Peer, req wire.StreamBatchRequest, send func(golem.RuntimeEvent) error) error {
	b, err := u.find(req.Batch)
	for sent := 0; err == nil; {
		var evs []golem.RuntimeEvent
		evs, _, err = longpoll.Wait(ctx, &u.changed, b.id, func(context.Context) ([]golem.RuntimeEvent, bool, error) {
			u.mu.Lock()
			defer u.mu.Unlock()
			return b.events[sent:], len(b.events) > sent, nil
		})
		if len(evs) == 0 {
			return err
		}
		for _, ev := range evs {
			if u.cfg.Loses == nil || !u.cfg.Loses(ev) {
				if err := send(ev); err != nil {
					return err
				}
			}
			sent++
			if end := ev.Kind.Finished; end != nil && (end.ReturnCode != 0 || ev.Index == len(b.script)-1) {
				return nil
			}
		}
	}
	return err
}

func (u *ExeUnit) onRunning(context.Context, gsb.Peer, wire.ActivityQuery) ([]golem.RunningCommand, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var cs []golem.RunningCommand
	for _, b := range u.order {
		if b.running < 0 {
			continue
		}
		c := b.script[b.running]
		rc := golem.RunningCommand{Command: c.Name()}
		if c.Run != nil {
			rc.Params = append([]string{c.Run.EntryPoint}, c.Run.Args...)
		}
		cs = append(cs, rc)
	}
	if len(cs) == 0 {
		return nil, golem.Errorf(golem.ErrNotFound, "no running command")
	}
	return cs, nil
}
