package provider

import (
	"fmt"
	"testing"
	"time"

	"github.com/golem-go/golem"
)

func TestLedger(t *testing.T) {
	const accept = 2 * time.Minute
	tests := map[string]struct {
		happens func(l *ledger)
		want    string // code and time after noon of the first breach
	}{
		"nothing": {func(*ledger) {}, ""},
		"made, not sent": {func(l *ledger) {
			l.made("a", "x", after(time.Minute))
		}, ""},
		"sent": {func(l *ledger) {
			l.made("a", "x", time.Time{})
			l.arrived("a", noon)
		}, "DebitNotesDeadline 2m0s"},
		"accepted": {func(l *ledger) {
			l.made("a", "x", time.Time{})
			l.arrived("a", noon)
			l.accepted("a")
		}, ""},
		"accepted before the answer to sending it": {func(l *ledger) {
			l.made("a", "x", time.Time{})
			l.accepted("a")
			l.arrived("a", noon)
		}, ""},
		"accepted, to be paid": {func(l *ledger) {
			l.made("a", "x", after(5*time.Minute))
			l.arrived("a", noon)
			l.accepted("a")
		}, "DebitNoteNotPaid 5m0s"},
		"to be paid before it is to be accepted": {func(l *ledger) {
			l.made("a", "x", after(time.Minute))
			l.arrived("a", noon)
		}, "DebitNoteNotPaid 1m0s"},
		"paid": {func(l *ledger) {
			l.made("a", "x", after(5*time.Minute))
			l.arrived("a", noon)
			l.settled("a")
		}, ""},
		"the second accepted": {func(l *ledger) {
			l.made("a", "x", time.Time{})
			l.arrived("a", noon)
			l.made("b", "x", time.Time{})
			l.arrived("b", after(time.Minute))
			l.accepted("b")
		}, ""},
		"the first accepted": {func(l *ledger) {
			l.made("a", "x", time.Time{})
			l.arrived("a", noon)
			l.made("b", "x", time.Time{})
			l.arrived("b", after(time.Minute))
			l.accepted("a")
		}, "DebitNotesDeadline 3m0s"},
		"that of another activity accepted": {func(l *ledger) {
			l.made("a", "x", time.Time{})
			l.arrived("a", noon)
			l.made("b", "y", time.Time{})
			l.arrived("b", after(time.Minute))
			l.accepted("b")
		}, "DebitNotesDeadline 2m0s"},
		"the first did not arrive": {func(l *ledger) {
			l.made("a", "x", after(time.Minute))
			l.failed(noon)
			l.made("b", "x", time.Time{})
			l.arrived("b", after(time.Minute))
			l.accepted("b")
		}, ""},
		"unreachable": {func(l *ledger) {
			l.made("a", "x", time.Time{})
			l.failed(after(time.Minute))
			l.failed(after(90 * time.Second))
		}, "RequestorUnreachable 3m0s"},
		"reachable again": {func(l *ledger) {
			l.made("a", "x", time.Time{})
			l.failed(after(time.Minute))
			l.arrived("a", after(2*time.Minute))
		}, "DebitNotesDeadline 4m0s"},
		"a stranger's note": {func(l *ledger) {
			l.accepted("z")
			l.settled("z")
		}, ""},
	}
	for name, tt := range tests {
		l := ledger{accept: accept}
		tt.happens(&l)
		got := ""
		if b := l.first(); b != nil {
			got = fmt.Sprintf("%s %v", b.code, b.at.Sub(noon))
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// TestLedgerWithoutDeadline checks that without an agreed time nobody is late.
func TestLedgerWithoutDeadline(t *testing.T) {
	var l ledger
	l.made("a", "x", time.Time{})
	l.failed(noon)
	l.arrived("a", noon)
	l.failed(noon)
	if b := l.first(); b != nil {
		t.Errorf("got %+v", b)
	}
}

// TestLedgerForgets checks that a deal of many notes does not remember them all.
func TestLedgerForgets(t *testing.T) {
	l := ledger{accept: time.Minute}
	for i := range 1000 {
		id := golem.DebitNoteID(fmt.Sprint(i))
		l.made(id, "x", time.Time{})
		if i%3 == 0 {
			l.failed(noon)
			continue
		}
		l.arrived(id, noon)
		l.accepted(id)
	}
	if n := len(l.notes); n > 1 {
		t.Errorf("%d notes are left", n)
	}
}
