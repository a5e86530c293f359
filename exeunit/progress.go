package exeunit

import (
	"strings"
	"time"

	"github.com/golem-go/golem"
)

// minProgressPeriod keeps a Requestor from being told more than it can read.
const minProgressPeriod = 100 * time.Millisecond

// progress tells a Requestor how far a command is. A nil progress tells nothing.
type progress struct {
	emit        func(golem.CommandProgress)
	every       time.Duration
	last        time.Time
	done, total int64 // as told last
}

// newProgress returns the progress that a command asks for, nil for none.
func newProgress(args *golem.ProgressArgs, emit func(golem.CommandProgress)) *progress {
	if args == nil {
		return nil
	}
	every, err := time.ParseDuration(strings.ReplaceAll(args.UpdateInterval, " ", ""))
	if err != nil {
		every = time.Second
	}
	return &progress{emit: emit, every: max(every, minProgressPeriod), total: -1}
}

// update tells how many bytes of how many are done, -1 for unknown, unless it
// was told just now.
func (p *progress) update(done, total int64) {
	if p == nil || time.Since(p.last) < p.every {
		return
	}
	p.last = time.Now()
	p.send(nil, done, total)
}

// finish tells that all is done.
func (p *progress) finish(done int64) {
	if p != nil {
		p.send(nil, done, done)
	}
}

// message tells something worth knowing.
func (p *progress) message(text string) {
	if p != nil {
		p.send(&text, p.done, p.total)
	}
}

func (p *progress) send(message *string, done, total int64) {
	p.done, p.total = done, total
	e := golem.CommandProgress{Step: [2]uint64{0, 1}, Message: message, Unit: new("Bytes")}
	e.Progress[0] = new(uint64(done))
	if total >= 0 {
		e.Progress[1] = new(uint64(total))
	}
	p.emit(e)
}
