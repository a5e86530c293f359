package payment

import (
	"errors"
	"time"

	"github.com/golem-go/golem"
)

// sheet is one step of bookkeeping being worked out. Its methods read rows and
// change working copies of them; nothing is written before the sheet is right as
// a whole. It decides; it does no I/O beyond reading through r.
type sheet struct {
	r   Reader
	now time.Time

	agreements  rows[AgreementKey, Agreement]
	activities  rows[ActivityKey, Activity]
	documents   rows[DocumentKey, Document]
	allocations rows[golem.AllocationID, golem.Allocation]
	obligations rows[DocumentKey, Obligation]
	orders      rows[OrderID, OrderRecord]

	payments []Payment
	events   []Event
	messages []Message
	done     []int64
}

func newSheet(r Reader, now time.Time) *sheet {
	return &sheet{
		r: r, now: now,
		agreements:  newRows[AgreementKey, Agreement](),
		activities:  newRows[ActivityKey, Activity](),
		documents:   newRows[DocumentKey, Document](),
		allocations: newRows[golem.AllocationID, golem.Allocation](),
		obligations: newRows[DocumentKey, Obligation](),
		orders:      newRows[OrderID, OrderRecord](),
	}
}

func (w *sheet) agreement(k AgreementKey) (*Agreement, error) {
	return w.agreements.get(k, w.r.Agreement)
}

func (w *sheet) document(k DocumentKey) (*Document, error) {
	return w.documents.get(k, w.r.Document)
}

// activitiesOf returns all Activities of an Agreement, new ones included.
func (w *sheet) activitiesOf(a *Agreement) (as []*Activity, err error) {
	list, err := w.r.ActivitiesOf(a.Key())
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		w.activities.loaded(v.Key(), v)
	}
	w.activities.each(func(_, is *Activity) {
		if is.Side == a.Side && is.Agreement == a.ID {
			as = append(as, is)
		}
	})
	return as, nil
}

// documentsOf returns documents of an Agreement, read by list, new ones included.
func (w *sheet) documentsOf(a *Agreement, list func(AgreementKey) ([]Document, error)) (ds []*Document, err error) {
	docs, err := list(a.Key())
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		ds = append(ds, w.documents.loaded(d.Key(), d))
	}
	w.documents.each(func(was, is *Document) {
		if was == nil && is.Side == a.Side && is.Agreement == a.ID {
			ds = append(ds, is)
		}
	})
	return ds, nil
}

// activity returns the books of an Activity of a, opening them where needed.
func (w *sheet) activity(a *Agreement, id golem.ActivityID) (*Activity, error) {
	k := ActivityKey{a.Side, id}
	act, err := w.activities.get(k, w.r.Activity)
	if errors.Is(err, golem.ErrNotFound) {
		return w.activities.add(k, Activity{Side: a.Side, ID: id, Agreement: a.ID, Created: w.now, Updated: w.now}), nil
	}
	if err == nil && act.Agreement != a.ID {
		return nil, golem.Errorf(golem.ErrInvalid, "activity %s does not belong to agreement %s", id, a.ID)
	}
	return act, err
}

// open returns the books of an Agreement, opening them where needed.
func (w *sheet) open(terms Agreement) (*Agreement, error) {
	a, err := w.agreement(terms.Key())
	if errors.Is(err, golem.ErrNotFound) {
		terms.Created, terms.Updated = w.now, w.now
		return w.agreements.add(terms.Key(), terms), nil
	}
	return a, err
}

// move changes the status of a document and lets agents know.
func (w *sheet) move(d *Document, e golem.DocumentEvent, tell golem.DocumentEventType) error {
	next, err := d.Status.Next(e)
	if err != nil {
		return err
	}
	d.Status, d.Updated = next, w.now
	return w.event(d, tell)
}

// event notes a change of d for agents.
func (w *sheet) event(d *Document, t golem.DocumentEventType) error {
	a, err := w.agreement(AgreementKey{d.Side, d.Agreement})
	if err != nil {
		return err
	}
	e := Event{Side: d.Side, Kind: d.Kind, Document: d.ID, Type: t, Session: a.Session}
	if t == golem.RejectedEvent {
		e.Rejection = d.Rejection
	}
	w.events = append(w.events, e)
	return nil
}

// tell notes something that must be told.
func (w *sheet) tell(owner, peer golem.NodeID, kind MessageKind, ref string) {
	w.messages = append(w.messages, Message{Owner: owner, Peer: peer, Kind: kind, Ref: ref, Next: w.now, Created: w.now})
}

// forget takes back what has not been told yet and need not be any more.
func (w *sheet) forget(owner, peer golem.NodeID, kind MessageKind, ref string) error {
	m, err := w.r.MessageFor(Correspondent{owner, peer}, kind, ref)
	if errors.Is(err, golem.ErrNotFound) {
		return nil
	}
	if err == nil {
		w.done = append(w.done, m.Seq)
	}
	return err
}

// change returns what is to be written, after checking that the books are right.
func (w *sheet) change() (Change, error) {
	if err := w.check(); err != nil {
		return Change{}, err
	}
	if err := w.stamp(); err != nil {
		return Change{}, err
	}
	return Change{
		Agreements:  w.agreements.changed(),
		Activities:  w.activities.changed(),
		Documents:   w.documents.changed(),
		Allocations: w.allocations.changed(),
		Obligations: w.obligations.changed(),
		Orders:      w.orders.changed(),
		Payments:    w.payments,
		Events:      w.events,
		Messages:    w.messages,
		Done:        w.done,
	}, nil
}

// stamp gives events, payments, and what else is listed by time and made several
// at a time, times that are unique and increasing, by which agents ask for what
// comes after.
func (w *sheet) stamp() error {
	if len(w.events) > 0 {
		last, err := w.r.LastEvent()
		if err != nil {
			return err
		}
		for i := range w.events {
			last = after(last, w.now)
			w.events[i].Time = last
		}
	}
	if len(w.payments) > 0 {
		last, err := w.r.LastPayment()
		if err != nil {
			return err
		}
		for i := range w.payments {
			if w.payments[i].Recorded.IsZero() {
				last = after(last, w.now)
				w.payments[i].Recorded = last
			}
		}
	}
	if err := stampRows(&w.orders, w.r.LastOrder, func(o *OrderRecord) (golem.NodeID, *time.Time) { return o.Owner, &o.Created }); err != nil {
		return err
	}
	return stampRows(&w.activities, w.r.LastActivity, func(a *Activity) (golem.NodeID, *time.Time) { return a.Owner, &a.Created })
}

// stampRows gives the new rows of a table times that are unique among those of
// their owner. One step makes several, and a list that is read in pages by time
// would lose some of those made at once.
func stampRows[K comparable, V any](t *rows[K, V], latest func(golem.NodeID) (time.Time, error), of func(*V) (golem.NodeID, *time.Time)) (failed error) {
	last := map[golem.NodeID]time.Time{}
	t.each(func(was, is *V) {
		if was != nil || failed != nil {
			return
		}
		owner, created := of(is)
		if _, known := last[owner]; !known {
			last[owner], failed = latest(owner)
		}
		last[owner] = after(last[owner], *created)
		*created = last[owner]
	})
	return failed
}

// after returns now, or the first microsecond after last.
func after(last, now time.Time) time.Time {
	if now.After(last) {
		return now
	}
	return last.Add(time.Microsecond)
}
