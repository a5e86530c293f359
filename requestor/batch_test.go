package requestor

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/golem-go/golem"
)

// newTestBatch returns a batch of one program and where its output goes.
func newTestBatch() (*batch, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return &batch{steps: []step{{stage: Running, stdout: out}}, known: make([][2]uint64, 1)}, out
}

// play has a batch take events: numbers of bytes printed before, and text; one
// without text is the end.
func (b *batch) play(t *testing.T, events ...any) {
	t.Helper()
	for i := 0; i < len(events); i += 2 {
		e := golem.RuntimeEvent{Printed: &golem.Printed{Stdout: uint64(events[i].(int))}}
		if code, end := events[i+1].(int); end {
			e.Kind.Finished = &golem.CommandFinished{ReturnCode: code}
		} else {
			e.Kind.Stdout = &golem.Output{Text: events[i+1].(string)}
		}
		if err := b.happened(&e); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplay has streams begin anew, also where they have lost the beginning, or
// cut output in other places.
func TestReplay(t *testing.T) {
	tests := []struct {
		name   string
		events []any
		want   string
		lost   uint64
	}{
		{"once", []any{0, "ab", 2, "cd", 4, 0}, "abcd", 0},
		{"again", []any{0, "ab", 2, "cd", 0, "ab", 2, "cd", 4, "ef", 6, 0}, "abcdef", 0},
		{"otherwise cut", []any{0, "ab", 0, "abc", 2, "cdef", 6, 0}, "abcdef", 0},
		{"known is gone", []any{0, "abc", 2, "cd", 4, 0}, "abcd", 0},
		{"more is gone", []any{0, "abc", 5, "fg", 5, "fg", 7, 0}, "abcfg", 2},
		{"end is gone", []any{0, "abc", 7, 0}, "abc", 4},
		{"all is gone", []any{7, 0}, "", 7},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, out := newTestBatch()
			b.play(t, test.events...)
			if out.String() != test.want || b.lost != test.lost || !b.over {
				t.Errorf("got %q, lost %d, over %t", out, b.lost, b.over)
			}
		})
	}
}

// TestIncompleteFailure has a program fail whose output is incomplete.
func TestIncompleteFailure(t *testing.T) {
	b, _ := newTestBatch()
	b.play(t, 0, "ab", 9, 3)
	err := b.incomplete(b.outcome)
	if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Code != 3 || !strings.Contains(err.Error(), "7 bytes") {
		t.Errorf("got %v", err)
	}
	other := golem.Errorf(golem.ErrUnavailable, "gone")
	if err := b.incomplete(other); err != other {
		t.Errorf("got %v", err)
	}
}
