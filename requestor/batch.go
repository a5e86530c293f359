package requestor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

// execTime bounds handing over a batch.
const execTime = 30 * time.Second

// execute sends a script to the ExeUnit, after what makes it ready if it is not,
// and follows it to its end.
func (r *Rental) execute(ctx context.Context, s *script) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.ctx, func() { cancel(r.Err()) })()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !r.ready {
		s.prepend(r.order.setup())
	}
	if len(s.steps) == 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	commands := make([]golem.Command, len(s.steps))
	for i := range s.steps {
		commands[i] = s.steps[i].command
	}
	id, err := r.r.api.Exec(ctx, r.Activity, commands, execTime)
	if err != nil {
		return r.notSent(ctx, err)
	}
	r.ready = true
	b := &batch{rental: r, id: id, steps: s.steps, known: make([][2]uint64, len(s.steps))}
	if err := b.follow(ctx); err != nil {
		return b.incomplete(err)
	}
	if file := s.missing(); file != "" {
		return r.blame(golem.Errorf(golem.ErrUnavailable, "it says that it has sent %s, which has not arrived", file))
	}
	return b.incomplete(nil)
}

// notSent returns what it means that a batch could not be handed over. Unless
// the ExeUnit has refused it nobody knows whether it is executed, and the rental
// is of no use any more.
func (r *Rental) notSent(ctx context.Context, err error) error {
	switch kind := golem.KindOf(err); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case kind == golem.ErrInvalid, kind == golem.ErrForbidden, kind == golem.ErrTooLarge:
		return err
	}
	err = r.blame(err)
	r.fail(err)
	return r.Err()
}

// batch is a script that is being executed, and how much of it we know.
type batch struct {
	rental *Rental
	id     golem.BatchID
	steps  []step

	known    [][2]uint64 // bytes of stdout and stderr that were written or are lost, by step
	lost     uint64      // bytes that were to be written
	finished int         // steps
	over     bool
	outcome  error

	last    time.Time // of the latest event
	atLast  int       // events that had that time
	heard   time.Time // when something new was told last
	pollNow bool      // streams of this ExeUnit are of no use
}

// errNoReplay says that a stream has left out what happened before it was opened.
var errNoReplay = errors.New("the stream does not begin at the beginning")

// follow returns when the batch has ended. Events come as a stream; whenever that
// breaks the results are asked for, and a new stream is begun. An ExeUnit whose
// streams are of no use is asked for results only.
func (b *batch) follow(ctx context.Context) error {
	b.heard = time.Now()
	for attempt := 0; ; attempt++ {
		before := b.heard
		err := b.round(ctx, attempt)
		switch {
		case b.over:
			return b.conclude(ctx)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Since(b.heard) >= b.rental.order.Silence:
			b.rental.fail(b.rental.blame(golem.Errorf(golem.ErrUnavailable, "it does not tell what becomes of the program: %w", err)))
			return b.rental.Err()
		case b.heard.After(before):
			attempt = 0
		}
		b.rental.r.pause(ctx, attempt)
	}
}

// conclude returns how the batch has ended. A program that was stopped may have
// been so because everything is, which the events do not say.
func (b *batch) conclude(ctx context.Context) error {
	exit, ok := errors.AsType[*ExitError](b.outcome)
	if ok && exit.Code < 0 && !strings.Contains(exit.Message, overLimit) && b.rental.doubt(ctx) {
		return b.rental.Err()
	}
	return b.outcome
}

// round follows the stream until it breaks, and asks for the results then.
// attempt counts the rounds before it that brought nothing.
func (b *batch) round(ctx context.Context, attempt int) error {
	const long = 10 * time.Second // a stream that was open for so long has worked
	err := errNoReplay
	if !b.pollNow {
		opened := time.Now()
		err = b.stream(ctx)
		if time.Since(opened) >= long {
			b.heard = time.Now()
		}
	}
	if b.over || ctx.Err() != nil {
		return err
	}
	b.rental.r.log.Debug("no stream, asking for results", "activity", b.rental.Activity, "batch", b.id, "err", err)
	if err := b.poll(ctx); err != nil {
		return err
	}
	if b.pollNow = b.pollNow || attempt >= 2; b.pollNow {
		b.heard = time.Now()
	}
	return err
}

// stream takes the events of the batch until it is over or the stream breaks.
// One that is opened again begins anew: what is known already is skipped.
func (b *batch) stream(ctx context.Context) error {
	known, ties := b.last, b.atLast
	first := true
	for ev, err := range b.rental.r.api.StreamBatch(ctx, b.rental.Activity, b.id) {
		if err != nil {
			return err
		}
		if first && (ev.Index != 0 || ev.Kind.Started == nil) {
			b.pollNow = true
			return errNoReplay
		}
		first = false
		at := ev.Timestamp.Time
		switch {
		case counted(&ev): // known by its place, also where others before it are missing
		case at.Before(known):
			continue
		case at.Equal(known) && ties > 0:
			ties--
			continue
		default:
			b.note(at)
		}
		if err := b.happened(&ev); err != nil {
			return err
		}
		if b.over {
			return nil
		}
	}
	return io.ErrUnexpectedEOF
}

// counted reports whether an event says where its output belongs.
func counted(ev *golem.RuntimeEvent) bool {
	return ev.Printed != nil && (ev.Kind.Stdout != nil || ev.Kind.Stderr != nil)
}

// note remembers the time of an event, by which it is known again.
func (b *batch) note(at time.Time) {
	b.heard = time.Now()
	switch {
	case at.Equal(b.last):
		b.atLast++
	case at.After(b.last):
		b.last, b.atLast = at, 1
	}
}

// happened takes one event. Only writers make it fail, and that ends the batch
// for us.
func (b *batch) happened(ev *golem.RuntimeEvent) error {
	i := ev.Index
	if i < 0 || i >= len(b.steps) || i < b.finished {
		return nil
	}
	s := &b.steps[i]
	switch k := ev.Kind; {
	case k.Started != nil:
		b.tell(s, Progress{Text: s.what})
	case k.Stdout != nil:
		return b.write(i, 0, b.place(i, 0, ev.Printed), *k.Stdout)
	case k.Stderr != nil:
		return b.write(i, 1, b.place(i, 1, ev.Printed), *k.Stderr)
	case k.Progress != nil:
		b.progress(s, k.Progress)
	case k.Finished != nil:
		b.miss(i, ev.Printed)
		b.finish(i, k.Finished.ReturnCode, k.Finished.Message)
	}
	return nil
}

// place returns where in a stream of step i, 0 for stdout and 1 for stderr, output
// begins before which so much was printed: where what is known ends, if nobody
// says.
func (b *batch) place(i, stream int, before *golem.Printed) uint64 {
	switch {
	case before == nil:
		return b.known[i][stream]
	case stream == 0:
		return before.Stdout
	}
	return before.Stderr
}

// miss notes that what was printed and is not known will not come any more.
func (b *batch) miss(i int, printed *golem.Printed) {
	for stream := range b.known[i] {
		b.skip(i, stream, b.place(i, stream, printed))
	}
}

// skip takes what of a stream is not known before the given place for lost.
func (b *batch) skip(i, stream int, to uint64) {
	known := &b.known[i][stream]
	if to <= *known {
		return
	}
	if b.writer(i, stream) != nil {
		b.lost += to - *known
	}
	*known = to
}

// writer returns what takes a stream of a step, nil for nothing.
func (b *batch) writer(i, stream int) io.Writer {
	if stream == 0 {
		return b.steps[i].stdout
	}
	return b.steps[i].stderr
}

// write gives output that begins at the given place of its stream to the writer
// of a step, without what that has had already.
func (b *batch) write(i, stream int, at uint64, out golem.Output) error {
	b.skip(i, stream, at)
	data, known := contents(out), &b.known[i][stream]
	if *known-at >= uint64(len(data)) {
		return nil
	}
	data = data[*known-at:]
	*known += uint64(len(data))
	b.heard = time.Now()
	w := b.writer(i, stream)
	if w == nil {
		return nil
	}
	if _, err := w.Write(data); err != nil {
		b.over, b.outcome = true, err
		return err
	}
	return nil
}

// contents returns output as bytes.
func contents(out golem.Output) []byte {
	if out.Bytes != nil {
		return out.Bytes
	}
	return []byte(out.Text)
}

// incomplete returns how the batch has ended, err, with what is missing of the
// output: where the program has ended by itself that is otherwise not seen.
func (b *batch) incomplete(err error) error {
	exit, exited := errors.AsType[*ExitError](err)
	if b.lost == 0 || err != nil && !exited {
		return err
	}
	lost := golem.Errorf(golem.ErrTooLarge, "output incomplete: %d bytes of what the program printed were lost; write large results to a file and fetch it with Outputs", b.lost)
	if exited {
		return fmt.Errorf("%w; %w", exit, lost)
	}
	return lost
}

func (b *batch) tell(s *step, p Progress) {
	p.Stage, p.Provider = s.stage, b.rental.Offer.name()
	b.rental.order.tell(p)
}

func (b *batch) progress(s *step, p *golem.CommandProgress) {
	told := Progress{Text: s.what}
	if p.Message != nil {
		told.Text = clip(*p.Message)
	}
	if done := p.Progress[0]; done != nil {
		told.Done = int64(min(*done, 1<<62))
	}
	if total := p.Progress[1]; total != nil {
		told.Total = int64(min(*total, 1<<62))
	}
	b.tell(s, told)
}

// finish notes that step i has ended, and with it the batch if it was the last
// or has failed.
func (b *batch) finish(i, code int, message *string) {
	b.finished = i + 1
	if code == 0 {
		b.over = b.finished == len(b.steps)
		return
	}
	b.over = true
	text := ""
	if message != nil {
		text = clip(*message)
	}
	b.outcome = b.failure(&b.steps[i], code, text)
}

// failure returns what the failure of a step means: the Provider's fault, unless
// it is the program's or this machine's. What cannot be deployed ends the rental.
func (b *batch) failure(s *step, code int, text string) error {
	if s.stage == Running {
		return &ExitError{code, text}
	}
	if s.trouble != nil {
		if err := s.trouble(); err != nil {
			return err
		}
	}
	err := b.rental.blame(golem.Errorf(golem.ErrUnavailable, "%s %s: %s", s.stage, s.what, text))
	if s.stage == Deploying || s.stage == Starting {
		b.rental.fail(b.rental.blame(golem.Errorf(golem.ErrUnavailable, "%s: %s", s.stage, text)))
		return b.rental.Err()
	}
	return err
}

// poll asks for the results so far, waiting a while for the last one where there
// is no stream, and writes what was not streamed. Results have a part of the output
// only; while there is a stream to come it is left to that to bring the rest.
func (b *batch) poll(ctx context.Context) error {
	var wait time.Duration
	if b.pollNow {
		wait = pollTime
	}
	results, err := b.rental.r.api.BatchResults(ctx, b.rental.Activity, b.id, wait)
	if err != nil {
		return err
	}
	for i, result := range results {
		if i < b.finished || i >= len(b.steps) || b.over {
			continue
		}
		for stream, out := range []golem.Output{result.Stdout, result.Stderr} {
			if err := b.write(i, stream, 0, out); err != nil {
				return nil // the batch is over for us
			}
		}
		if !b.pollNow && b.behind(i, result.Printed) {
			return nil
		}
		b.miss(i, result.Printed)
		code := 0
		if result.Result != golem.ResultOk {
			code = exitCode(result.Message)
		}
		b.finish(i, code, result.Message)
	}
	return nil
}

// behind reports whether more of what is wanted of step i was printed than is known.
func (b *batch) behind(i int, printed *golem.Printed) bool {
	for stream, known := range b.known[i] {
		if b.writer(i, stream) != nil && b.place(i, stream, printed) > known {
			return true
		}
	}
	return false
}

// exitCode returns the code of a program from the message of a result, which has
// no other place for it (spec exeunit.md §7.2).
func exitCode(message *string) int {
	code := -1
	if message != nil {
		if _, err := fmt.Sscanf(*message, "ExeScript command exited with code %d", &code); err != nil || code == 0 {
			return -1 // it has failed, whatever the code
		}
	}
	return code
}
