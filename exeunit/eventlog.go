package exeunit

import (
	"slices"

	"github.com/golem-go/golem"
)

// eventLog holds the events of a batch for whoever follows it, now or later.
// That commands started and finished is kept for ever; of output and progress
// the latest maxBatchOutput bytes. Who adds output asks first whether it fits
// without dropping what somebody still needs.
type eventLog struct {
	entries []entry
	next    int // number of the next event
	held    int // cost of all entries
	oldest  int // entries before this index cost nothing
	gone    int // entries that were dropped and are still in the list
}

type entry struct {
	number int
	event  golem.RuntimeEvent
	cost   int // 0: not to be dropped
	gone   bool
}

// entryCost is what an event takes apart from its output, in bytes.
const entryCost = 256

// add appends an event whose output has the given size in bytes, or one that
// must be kept, for size < 0.
func (l *eventLog) add(e golem.RuntimeEvent, size int) {
	cost := 0
	if size >= 0 {
		cost = size + entryCost
	}
	l.entries = append(l.entries, entry{number: l.next, event: e, cost: cost})
	l.next++
	l.held += cost
	for l.held > maxBatchOutput && l.oldest < len(l.entries)-1 {
		l.drop(l.oldest)
		l.oldest++
	}
	if l.gone > len(l.entries)/2+16 {
		l.compact()
	}
}

// fits reports whether an event whose output has the given size can be added
// without dropping one with the number needed or a greater one.
func (l *eventLog) fits(size, needed int) bool {
	held := l.held + size + entryCost
	for i := l.oldest; held > maxBatchOutput && i < len(l.entries) && l.entries[i].number < needed; i++ {
		held -= l.entries[i].cost
	}
	return held <= maxBatchOutput
}

// drop forgets entry i, if it may.
func (l *eventLog) drop(i int) {
	e := &l.entries[i]
	if e.cost == 0 {
		return
	}
	l.held -= e.cost
	l.gone++
	*e = entry{number: e.number, gone: true}
}

// clear forgets everything but that commands finished.
func (l *eventLog) clear() {
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.event.Kind.Finished == nil })
	l.gone, l.oldest, l.held = 0, 0, 0
}

func (l *eventLog) compact() {
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.gone })
	l.gone, l.oldest = 0, 0
}

// from returns the first event with at least the given number that is still
// there, and its number.
func (l *eventLog) from(number int) (golem.RuntimeEvent, int, bool) {
	i, _ := slices.BinarySearchFunc(l.entries, number, func(e entry, n int) int { return e.number - n })
	for ; i < len(l.entries); i++ {
		if e := l.entries[i]; !e.gone {
			return e.event, e.number, true
		}
	}
	return golem.RuntimeEvent{}, 0, false
}
