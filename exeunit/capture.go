package exeunit

import (
	"math"
	"slices"
	"sync/atomic"
	"unicode/utf8"

	"github.com/golem-go/golem"
)

// maxBatchOutput is how much output of one batch is kept for its results, in
// bytes of the answer: a byte of text counts once, one of format bin four times,
// which is what it takes on the bus. An answer must fit p2p.MaxBody. As many bytes
// again are kept of the batch's events.
const maxBatchOutput = 6 << 20

// budget is what the commands of a batch may still keep.
type budget struct{ left atomic.Int64 }

// take returns how many of n bytes, of the given cost each, may be kept.
func (b *budget) take(n, cost int) int {
	for {
		left := b.left.Load()
		n = int(min(int64(n), left/int64(cost)))
		if b.left.CompareAndSwap(left, left-int64(n*cost)) {
			return n
		}
	}
}

// capture takes one stream of output of a command. It is written to by one
// goroutine and read by another after that has ended.
type capture struct {
	head, tail uint64             // bytes to keep; MaxUint64: everything
	cost       int                // of a byte
	stream     func(golem.Output) // nil if output is not streamed
	budget     *budget

	kept    []byte // of the head
	ring    []byte // of the tail
	at      int    // the oldest byte of a full ring
	seen    uint64 // bytes written
	missed  uint64 // bytes that would have been kept with a larger budget
	pending []byte // an incomplete character that was not streamed yet
}

// newCapture returns a capture of the given mode; nil discards.
func newCapture(mode *golem.CaptureMode, b *budget, stream func(golem.Output)) (*capture, error) {
	c := &capture{budget: b, cost: 1}
	var format string
	switch {
	case mode == nil:
	case mode.AtEnd != nil && mode.Stream != nil:
		return nil, golem.Errorf(golem.ErrInvalid, "capture: atEnd and stream exclude each other")
	case mode.AtEnd != nil:
		format = mode.AtEnd.Format
		if err := c.setPart(mode.AtEnd); err != nil {
			return nil, err
		}
	case mode.Stream != nil:
		format = mode.Stream.Format
		c.stream = stream
		c.head = or(mode.Stream.Limit, math.MaxUint64)
	}
	switch format {
	case "", "str", "string":
	case "bin", "binary":
		c.cost = 4
	default:
		return nil, golem.Errorf(golem.ErrInvalid, "capture: format %q is unknown", clip(format))
	}
	return c, nil
}

// captureAll keeps and streams everything, which is how all commands but run
// are captured.
func captureAll(b *budget, stream func(golem.Output)) *capture {
	return &capture{head: math.MaxUint64, cost: 1, budget: b, stream: stream}
}

// setPart sets what of the output is kept (spec exeunit.md §8.1).
func (c *capture) setPart(m *golem.CaptureAtEnd) error {
	parts := 0
	for _, p := range []*uint64{m.Head, m.Tail, m.HeadTail} {
		if p != nil {
			parts++
		}
	}
	switch {
	case parts > 1:
		return golem.Errorf(golem.ErrInvalid, "capture: head, tail and headTail exclude each other")
	case m.Head != nil:
		c.head = *m.Head
	case m.Tail != nil:
		c.tail = *m.Tail
	case m.HeadTail != nil:
		c.tail = *m.HeadTail / 2
		c.head = *m.HeadTail - c.tail
	default:
		c.head = math.MaxUint64
	}
	return nil
}

// Write implements io.Writer. It never fails. Where output is streamed it waits
// for those who follow.
func (c *capture) Write(b []byte) (int, error) {
	n := len(b)
	if c.stream != nil {
		for piece := range slices.Chunk(b[:min(uint64(n), c.head-min(c.seen, c.head))], copyBuffer) {
			c.send(piece)
		}
	}
	for c.seen += uint64(n); len(b) > 0; {
		m := c.keep(b)
		if m == 0 {
			break
		}
		b = b[m:]
	}
	return n, nil
}

// keep stores a part of b and returns how much it dealt with.
func (c *capture) keep(b []byte) int {
	if room := c.head - uint64(len(c.kept)) - c.missed; room > 0 {
		b = b[:min(uint64(len(b)), room)]
		m := c.budget.take(len(b), c.cost)
		c.kept = append(c.kept, b[:m]...)
		c.missed += uint64(len(b) - m)
		return len(b)
	}
	if c.tail == 0 {
		return 0
	}
	if uint64(len(c.ring)) < c.tail {
		m := c.budget.take(int(min(uint64(len(b)), c.tail-uint64(len(c.ring)))), c.cost)
		c.ring = append(c.ring, b[:m]...)
		if m > 0 {
			return m
		}
	}
	return c.turn(b)
}

// turn overwrites the oldest bytes of a ring that cannot grow.
func (c *capture) turn(b []byte) int {
	if len(c.ring) == 0 {
		return 0
	}
	m := copy(c.ring[c.at:], b)
	c.at = (c.at + m) % len(c.ring)
	return m
}

// send streams b as text, holding back a character that is cut at its end.
func (c *capture) send(b []byte) {
	if c.cost > 1 {
		c.stream(golem.Output{Bytes: append([]byte(nil), b...)})
		return
	}
	if len(c.pending) > 0 {
		b = append(c.pending, b...)
	}
	cut := len(b) - incomplete(b)
	c.sendText(b[:cut])
	c.pending = append([]byte(nil), b[cut:]...)
}

func (c *capture) sendText(text []byte) {
	if len(text) > 0 {
		c.stream(golem.Output{Text: validText(text)})
	}
}

// finish streams what was held back and returns what was kept, and how much the
// budget did not allow to keep.
func (c *capture) finish() (out golem.Output, missed uint64) {
	if c.stream != nil {
		c.sendText(c.pending)
		c.pending = nil
	}
	b := append(c.kept, c.ring[c.at:]...)
	b = append(b, c.ring[:c.at]...)
	missed = c.missed
	if c.tail > 0 && uint64(len(c.ring)) < c.tail && c.seen > c.head {
		missed += min(c.seen-c.head, c.tail) - uint64(len(c.ring))
	}
	switch {
	case len(b) == 0:
		return golem.Output{}, missed
	case c.cost > 1:
		return golem.Output{Bytes: b}, missed
	case utf8.Valid(b):
		return golem.Output{Text: string(b)}, missed
	}
	return golem.Output{Text: latin1(b, len(b)+c.budget.take(len(b), 1))}, missed
}

// incomplete returns the length of the unfinished character at the end of b.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if utf8.FullRune(b[len(b)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}

// validText replaces what is not UTF-8.
func validText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return string([]rune(string(b)))
}

// latin1 maps bytes to the characters of the same number, as upstream does with
// output that is not text, and cuts the text to most bytes.
func latin1(b []byte, most int) string {
	text := make([]byte, 0, most)
	for _, c := range b {
		if len(text)+2 > most {
			break
		}
		text = utf8.AppendRune(text, rune(c))
	}
	return string(text)
}

// or returns *p, or otherwise where p is nil.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
