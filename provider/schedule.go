package provider

import "time"

// schedule says when debit notes are due, and which of them are to be paid.
type schedule struct {
	from     time.Time     // the approval
	interval time.Duration // between notes
	timeout  time.Duration // for paying a note, 0 for none
	payable  time.Time     // of the last note to be paid
}

func newSchedule(t *agreed) schedule {
	at := t.approvedAt()
	return schedule{from: at, interval: t.interval, timeout: t.paymentTimeout, payable: at}
}

// next returns when the first note after now is due. What has been missed is not
// made up for: totals are cumulative.
func (s *schedule) next(now time.Time) time.Time {
	if now.Before(s.from) {
		return s.from.Add(s.interval)
	}
	return s.from.Add((now.Sub(s.from)/s.interval + 1) * s.interval)
}

// due returns by when a note made now is to be paid, zero if it need not be. A
// final note is always to be paid, where anything is before the invoice.
func (s *schedule) due(now time.Time, final bool) time.Time {
	if s.timeout == 0 || !final && now.Before(s.payable.Add(s.timeout)) {
		return time.Time{}
	}
	return now.Add(s.timeout)
}

// sent tells the schedule that a note with the given due date has arrived.
func (s *schedule) sent(made, due time.Time) {
	if !due.IsZero() && made.After(s.payable) {
		s.payable = made
	}
}
