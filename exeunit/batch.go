package exeunit

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/longpoll"
)

// batch is a script that was handed over, with everything that happens to it.
type batch struct {
	id     golem.BatchID
	length int      // commands
	digest [32]byte // of the script
	budget budget
	cancel context.CancelCauseFunc // set before the batch begins
	over   chan struct{}           // closed at the end
	hub    *longpoll.Hub[golem.BatchID]
	room   longpoll.Hub[struct{}] // wakes output that waits for followers

	mu       sync.Mutex
	script   []golem.Command // nil when forgotten
	size     int             // of the script, bytes
	log      eventLog
	readers  readers
	results  []golem.CommandResult
	running  bool
	printed  golem.Printed // by the running command, in events
	progress string        // of the running command, for people
	done     bool
}

// newBatch returns a batch that has not begun.
func newBatch(id golem.BatchID, script []golem.Command, hub *longpoll.Hub[golem.BatchID]) (*batch, error) {
	text, err := json.Marshal(script)
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "batch %s: %w", id, err)
	}
	b := &batch{
		id: id, script: script, length: len(script), size: len(text), digest: sha256.Sum256(text),
		over: make(chan struct{}), hub: hub,
	}
	b.budget.left.Store(maxBatchOutput)
	b.readers.left = now()
	return b, nil
}

// started notes that command i has begun.
func (b *batch) started(i int, now time.Time) {
	b.mu.Lock()
	b.running, b.progress, b.printed = true, "", golem.Printed{}
	b.add(i, now, -1, golem.RuntimeEventKind{Started: &golem.CommandStarted{Command: b.script[i]}})
	b.mu.Unlock()
	b.hub.Wake(b.id)
}

// finished notes the result of command i.
func (b *batch) finished(i int, now time.Time, r golem.CommandResult, code int) {
	b.mu.Lock()
	r.Index, r.EventDate = i, now
	if b.printed != (golem.Printed{}) {
		r.Printed = new(b.printed)
	}
	b.results = append(b.results, r)
	b.running = false
	b.add(i, now, -1, golem.RuntimeEventKind{Finished: &golem.CommandFinished{ReturnCode: code, Message: r.Message}})
	b.mu.Unlock()
	b.hub.Wake(b.id)
}

// end notes that nothing more happens.
func (b *batch) end() {
	b.mu.Lock()
	b.done = true
	b.mu.Unlock()
	close(b.over)
	b.hub.Wake(b.id)
}

// ended waits for the end of the batch, and reports whether it came before that
// of ctx.
func (b *batch) ended(ctx context.Context) bool {
	select {
	case <-b.over:
		return true
	case <-ctx.Done():
		return false
	}
}

// progressed notes progress of command i. Where it does not fit nobody is told.
func (b *batch) progressed(i int, now time.Time, p golem.CommandProgress) {
	b.mu.Lock()
	b.progress = progressText(&p)
	if b.log.fits(0, b.readers.needed(now)) {
		b.add(i, now, 0, golem.RuntimeEventKind{Progress: &p})
	}
	b.mu.Unlock()
	b.hub.Wake(b.id)
}

// add appends an event. The lock is held.
func (b *batch) add(i int, now time.Time, size int, kind golem.RuntimeEventKind) {
	e := golem.RuntimeEvent{Batch: b.id, Index: i, Timestamp: golem.NaiveTime{Time: now}, Kind: kind}
	if kind.Started == nil && kind.Progress == nil {
		e.Printed = new(b.printed)
	}
	b.log.add(e, size)
}

// wait returns the results so far, after the one with index, or the last one if
// index is nil, or after the end of the batch. It returns ErrTimeout when ctx
// ends before the one with index is there.
func (b *batch) wait(ctx context.Context, index *int) ([]golem.CommandResult, error) {
	if b.length == 0 {
		return []golem.CommandResult{}, nil
	}
	last := or(index, b.length-1)
	if last < 0 || last >= b.length {
		return nil, golem.Errorf(golem.ErrInvalid, "command index %d: batch %s has %d commands", last, b.id, b.length)
	}
	_, found, _ := longpoll.Wait(ctx, b.hub, b.id, func(context.Context) (struct{}, bool, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return struct{}{}, len(b.results) > last || b.done, nil
	})
	if !found && index != nil {
		return nil, golem.Errorf(golem.ErrTimeout, "command %d of batch %s is not finished", last, b.id)
	}
	return b.collect(index, last), nil
}

// collect returns the results up to last; with an index given, only that one
// has output.
func (b *batch) collect(index *int, last int) []golem.CommandResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	results := make([]golem.CommandResult, 0, len(b.results))
	for i, r := range b.results[:min(len(b.results), last+1)] {
		r.IsBatchFinished = r.Result == golem.ResultError || i == last
		if index != nil && i != *index {
			r.Stdout, r.Stderr = golem.Output{}, golem.Output{}
		}
		results = append(results, r)
	}
	return results
}

// state describes the running command, if there is one.
func (b *batch) state() (golem.RunningCommand, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running {
		return golem.RunningCommand{}, false
	}
	c := &b.script[len(b.results)]
	name := c.Name()
	s := golem.RunningCommand{Command: string(name[0]-'a'+'A') + name[1:], Progress: b.progress}
	switch {
	case c.Run != nil:
		s.Params = append([]string{c.Run.EntryPoint}, c.Run.Args...)
	case c.Start != nil:
		s.Params = c.Start.Args
	case c.Transfer != nil:
		s.Params = []string{c.Transfer.From, c.Transfer.To}
	}
	return s, true
}

// kept returns how much memory the batch takes, in bytes.
func (b *batch) kept() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size + b.log.held + int(maxBatchOutput-b.budget.left.Load())
}

// forget drops the script and the output of a batch that has ended.
func (b *batch) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log.clear()
	for i := range b.results {
		r := &b.results[i]
		if !r.Stdout.IsZero() || !r.Stderr.IsZero() {
			r.Stdout, r.Stderr = golem.Output{}, golem.Output{}
			r.Message = new("the output is not kept any more")
		}
	}
	b.script, b.size = nil, 0
	b.budget.left.Store(maxBatchOutput)
}

// counts returns how many commands have finished, and how many have not.
func (b *batch) counts() (finished, pending int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.results), b.length - len(b.results)
}

func progressText(p *golem.CommandProgress) string {
	text := ""
	if p.Message != nil {
		text = *p.Message
	}
	if done := p.Progress[0]; done != nil {
		text = fmt.Sprintf("%s %d", text, *done)
		if total := p.Progress[1]; total != nil {
			text = fmt.Sprintf("%s of %d", text, *total)
		}
	}
	return text
}
