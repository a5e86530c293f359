package payment

import "github.com/golem-go/golem"

// Trace is told what happens, for logs, metrics and the transcripts of
// simulations. Functions that are nil are not called; none may block.
type Trace struct {
	Allocated func(golem.Allocation)
	Issued    func(Document)               // by a Provider of this node
	Received  func(Document)               // from a Provider
	Accepted  func(Document)               // by a Requestor of this node
	Decided   func(Document)               // by the other party
	Settled   func(OrderRecord)            // by a driver
	Credited  func(Payment)                // proven and booked
	Told      func(Message)                // acknowledged by the other party
	Untold    func(Message, error)         // not acknowledged; it will be told again
	Failed    func(what string, err error) // a loop could not do its work; it tries again
}

func call[T any](f func(T), v T) {
	if f != nil {
		f(v)
	}
}

func (t *Trace) allocated(a golem.Allocation) { call(t.Allocated, a) }
func (t *Trace) issued(d Document)            { call(t.Issued, d) }
func (t *Trace) received(d Document)          { call(t.Received, d) }
func (t *Trace) accepted(d Document)          { call(t.Accepted, d) }
func (t *Trace) decided(d Document)           { call(t.Decided, d) }
func (t *Trace) settled(o OrderRecord)        { call(t.Settled, o) }
func (t *Trace) credited(p Payment)           { call(t.Credited, p) }
func (t *Trace) told(m Message)               { call(t.Told, m) }

func (t *Trace) untold(m Message, err error) {
	if t.Untold != nil {
		t.Untold(m, err)
	}
}

func (t *Trace) failed(what string, err error) {
	if t.Failed != nil {
		t.Failed(what, err)
	}
}
