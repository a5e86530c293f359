package provider

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return noon.Add(d) }

func TestScheduleNext(t *testing.T) {
	s := schedule{from: noon, interval: 2 * time.Minute}
	tests := map[string]struct{ now, want time.Time }{
		"before the approval": {after(-time.Second), after(2 * time.Minute)},
		"at the approval":     {noon, after(2 * time.Minute)},
		"between":             {after(3 * time.Minute), after(4 * time.Minute)},
		"at a note":           {after(4 * time.Minute), after(6 * time.Minute)},
		"just before a note":  {after(4*time.Minute - 1), after(4 * time.Minute)},
		"much later":          {after(time.Hour + time.Second), after(62 * time.Minute)},
	}
	for name, tt := range tests {
		if got := s.next(tt.now); !got.Equal(tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestScheduleDue(t *testing.T) {
	const timeout = 5 * time.Minute
	s := schedule{from: noon, interval: 2 * time.Minute, timeout: timeout, payable: noon}
	var made []time.Time
	for now := s.next(noon); now.Before(after(20 * time.Minute)); now = s.next(now) {
		due := s.due(now, false)
		if !due.IsZero() {
			made = append(made, now)
			if !due.Equal(now.Add(timeout)) {
				t.Errorf("note of %v is due %v", now, due)
			}
		}
		s.sent(now, due)
	}
	if len(made) != 3 || !made[0].Equal(after(6*time.Minute)) || !made[1].Equal(after(12*time.Minute)) || !made[2].Equal(after(18*time.Minute)) {
		t.Errorf("to be paid are the notes of %v", made)
	}
	if due := s.due(after(19*time.Minute), true); !due.Equal(after(24 * time.Minute)) {
		t.Errorf("final note is due %v", due)
	}
	never := schedule{from: noon, interval: time.Minute}
	if due := never.due(after(24*time.Hour), true); !due.IsZero() {
		t.Errorf("without a timeout the final note is due %v", due)
	}
}

// TestScheduleUndelivered checks that a note to be paid that did not arrive is
// followed by another one.
func TestScheduleUndelivered(t *testing.T) {
	s := schedule{from: noon, interval: time.Minute, timeout: time.Minute, payable: noon}
	if s.due(after(time.Minute), false).IsZero() || s.due(after(2*time.Minute), false).IsZero() {
		t.Error("the note after one that was not sent need not be paid")
	}
}
