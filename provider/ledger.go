package provider

import (
	"time"

	"github.com/golem-go/golem"
)

// ledger is what a deal waits for from its Requestor. It is plain data: the deal
// tells it what happens, and asks it whether the Requestor is late.
type ledger struct {
	accept  time.Duration // 0: notes need not be accepted
	notes   []openNote    // in the order they were made
	failing time.Time     // since when nothing arrives, zero if it does
}

// openNote is a debit note that is not settled.
type openNote struct {
	id       golem.DebitNoteID
	activity golem.ActivityID
	due      time.Time // to be paid by then, zero for never
	sent     bool
	acceptBy time.Time // once sent; zero for never
	accepted bool
}

// made adds a note before it is sent, since its acceptance may be heard of first.
func (l *ledger) made(id golem.DebitNoteID, activity golem.ActivityID, due time.Time) {
	l.notes = append(l.notes, openNote{id: id, activity: activity, due: due})
}

func (l *ledger) find(id golem.DebitNoteID) *openNote {
	for i := range l.notes {
		if l.notes[i].id == id {
			return &l.notes[i]
		}
	}
	return nil
}

// arrived notes that the Requestor has a note that was sent at a time. Earlier
// ones of the Activity that did not arrive are not needed any more.
func (l *ledger) arrived(id golem.DebitNoteID, at time.Time) {
	l.failing = time.Time{}
	n := l.find(id)
	if n == nil {
		return // nothing is waited for already
	}
	n.sent = true
	if l.accept > 0 {
		n.acceptBy = at.Add(l.accept)
	}
	l.covering(id, func(n *openNote) bool { return n.sent })
}

// failed notes that the Requestor could not be reached.
func (l *ledger) failed(at time.Time) {
	if l.failing.IsZero() {
		l.failing = at
	}
}

// accepted notes that the Requestor will pay a note.
func (l *ledger) accepted(id golem.DebitNoteID) {
	l.covering(id, func(n *openNote) bool {
		n.accepted = true
		return !n.due.IsZero()
	})
}

// settled notes that a note is paid.
func (l *ledger) settled(id golem.DebitNoteID) {
	l.covering(id, func(*openNote) bool { return false })
}

// covering calls keep for a note and the earlier ones of its Activity, which it
// covers since totals are cumulative, and drops those that are not to be kept.
func (l *ledger) covering(id golem.DebitNoteID, keep func(*openNote) bool) {
	last := l.find(id)
	if last == nil {
		return
	}
	activity, passed := last.activity, false
	kept := l.notes[:0]
	for _, n := range l.notes {
		covered := !passed && n.activity == activity
		passed = passed || n.id == id
		if !covered || keep(&n) {
			kept = append(kept, n)
		}
	}
	l.notes = kept
}

// breach is a time by which the Requestor must have done something, and what it
// means if it has not.
type breach struct {
	at time.Time
	ending
}

// first returns the first breach to come, nil if there is none.
func (l *ledger) first() *breach {
	var first *breach
	consider := func(at time.Time, c code, message string) {
		if !at.IsZero() && (first == nil || at.Before(first.at)) {
			first = &breach{at, ending{code: c, message: message}}
		}
	}
	if l.accept > 0 && !l.failing.IsZero() {
		consider(l.failing.Add(l.accept), codeRequestorUnreachable, "Requestor is unreachable more than "+l.accept.String())
	}
	for _, n := range l.notes {
		if !n.sent {
			continue
		}
		if !n.accepted {
			consider(n.acceptBy, codeDebitNotesDeadline, "Requestor did not accept debit note "+string(n.id)+" in time")
		}
		consider(n.due, codeDebitNoteNotPaid, "Requestor did not pay debit note "+string(n.id)+" in time")
	}
	return first
}
