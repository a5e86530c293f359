package activity

import "github.com/golem-go/golem"

// Trace is told what happens, for logs, metrics and transcripts. Every member
// may be nil. They are called by many goroutines and must not block.
type Trace struct {
	// Created is called when an Activity has come into being.
	Created func(a golem.Activity)
	// Moved is called when the state others see has changed.
	Moved func(a golem.Activity, from golem.StatePair)
	// Destroying is called once when it is settled that an Activity is to end.
	Destroying func(a golem.Activity, why string)
	// Sent is called when a batch was acknowledged, or was given up with err.
	Sent func(a golem.Activity, b golem.BatchID, err error)
	// Retry is called when a Provider could not be told to destroy an
	// Activity; it will be told again.
	Retry func(a golem.Activity, err error)
	// Failed is called when a round of a loop failed; the next one follows.
	Failed func(loop string, err error)
}

func (t *Trace) created(r *Record) {
	if t.Created != nil {
		t.Created(r.shown())
	}
}

func (t *Trace) moved(r *Record, from golem.StatePair) {
	if t.Moved != nil && r.Visible().State != from {
		t.Moved(r.shown(), from)
	}
}

func (t *Trace) destroying(r *Record, why string) {
	if t.Destroying != nil {
		t.Destroying(r.shown(), why)
	}
}

func (t *Trace) sent(r *Record, b golem.BatchID, err error) {
	if t.Sent != nil {
		t.Sent(r.shown(), b, err)
	}
}

func (t *Trace) retry(r *Record, err error) {
	if t.Retry != nil {
		t.Retry(r.shown(), err)
	}
}

func (t *Trace) failed(loop string, err error) {
	if t.Failed != nil {
		t.Failed(loop, err)
	}
}

// shown returns the Activity with the state others see.
func (r *Record) shown() golem.Activity {
	a := r.Activity
	a.Status = r.Visible()
	return a
}
