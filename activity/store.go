package activity

import (
	"context"
	"time"

	"github.com/golem-go/golem"
)

// Record is an Activity as one of its parties keeps it.
type Record struct {
	golem.Activity
	Session    string    // the Provider's appSessionId of the Agreement, "" for none
	Confirmed  bool      // the Provider has it; false while a Requestor waits for the answer
	Reported   time.Time // when the ExeUnit was heard of last
	Lost       time.Time // since when the ExeUnit is taken for unresponsive; zero for not
	Destroying time.Time // since when it is to end; zero for not
}

// Ended reports whether the Activity is over for good.
func (r *Record) Ended() bool { return r.Status.State.Current == golem.ActivityTerminated }

// Visible returns the state others are shown: while the ExeUnit is lost it
// stands in front of what was reported last.
func (r *Record) Visible() golem.ActivityStatus {
	if r.Lost.IsZero() || r.Ended() {
		return r.Status
	}
	return golem.ActivityStatus{
		State:  golem.StatePair{Current: golem.ActivityUnresponsive},
		Reason: "the ExeUnit does not report since " + r.Reported.Format(time.RFC3339),
	}
}

// Batch is a batch of commands a Requestor has sent, or was about to send.
type Batch struct {
	ID       golem.BatchID
	Activity golem.ActivityID
	Commands int
	Created  time.Time
}

// EventQuery selects events for an agent.
type EventQuery struct {
	Owner   golem.NodeID
	Session string    // "" for all
	After   time.Time // strictly
	Most    int
}

// Store keeps what a node must not forget about activities. Each method is one
// atomic step. What is not there is golem.ErrNotFound.
type Store interface {
	// AddActivity adds r, and ev where it is not nil. It returns
	// golem.ErrConflict if r.Role has an Activity of that id, and
	// golem.ErrExhausted if r.Role has most alive ones of the Agreement.
	AddActivity(ctx context.Context, r *Record, most int, ev *golem.ProviderEvent) error

	// Activity returns the Activity of the given id that this node is part of
	// in the given role.
	Activity(ctx context.Context, id golem.ActivityID, role golem.Role) (*Record, error)

	// OwnedActivities returns those of owner, in any role, oldest first;
	// agreement "" is all.
	OwnedActivities(ctx context.Context, owner golem.NodeID, agreement golem.AgreementID) ([]*Record, error)

	// AliveActivities returns those that have not ended, oldest first.
	AliveActivities(ctx context.Context, role golem.Role) ([]*Record, error)

	// ChangeActivity replaces an Activity by what change, which must be pure,
	// makes of it, and adds the event change returns, if any. Nothing happens
	// to the Activity in between, so that nobody can be faster. An error of
	// change is returned and changes nothing. The id may change too, to one
	// that is free, else golem.ErrConflict.
	ChangeActivity(ctx context.Context, id golem.ActivityID, role golem.Role, change func(r *Record) (*golem.ProviderEvent, error)) error

	// Events returns the events that q selects, oldest first. The date of an
	// event is the one it was added with, moved behind all of its owner's.
	Events(ctx context.Context, q EventQuery) ([]golem.ProviderEvent, error)

	// AddBatch adds a batch of an Activity the node is the Requestor of.
	AddBatch(ctx context.Context, b Batch) error

	// Batch returns a batch.
	Batch(ctx context.Context, id golem.BatchID) (Batch, error)

	// ForgetActivities deletes what ended before the given time, with all
	// events and batches.
	ForgetActivities(ctx context.Context, before time.Time) error
}
