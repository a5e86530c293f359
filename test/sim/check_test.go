package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/payment"
)

// findings are sentences about what is wrong.
type findings []string

func (f *findings) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// violations returns what must not be so at any time, whatever goes wrong.
func (s *state) violations() (f findings) {
	for _, d := range s.disks {
		s.checkApproved(d, &f)
		s.checkActivities(d, &f)
		d.checkCapacity(&f)
		d.checkBudget(&f)
		s.checkPaid(d, &f)
	}
	return f
}

// checkApproved wants nobody to believe in an Agreement that the Provider has not
// concluded.
func (s *state) checkApproved(d *disk, f *findings) {
	for _, h := range d.handshakes {
		if h.Role != golem.Requestor || !concluded(h) {
			continue
		}
		if other := s.disk(h.Provider()).handshake(golem.Provider, h.ID); other == nil || !concluded(other) {
			f.add("agreement %.8s: is %s at %s, but not with the provider", h.ID, h.State, d.name)
		}
	}
}

// concluded reports whether an Agreement is, or was, in force.
func concluded(h *market.Handshake) bool {
	return h.State == golem.AgreementApproved || h.State == golem.AgreementTerminated
}

// checkActivities wants an Agreement that is in force for each Activity that begins.
func (s *state) checkActivities(d *disk, f *findings) {
	for _, a := range d.activities {
		h := d.handshake(a.Role, a.Agreement)
		switch {
		case h == nil || !concluded(h):
			f.add("activity %.8s: %s has no approved agreement", a.ID, d.name)
		case a.Role == golem.Provider && a.Created.Before(h.Approved):
			f.add("activity %.8s: %s has made it before the agreement was approved", a.ID, d.name)
		case a.Role == golem.Provider && h.State == golem.AgreementTerminated && a.Created.After(d.ended(h.ID)):
			f.add("activity %.8s: %s has made it after the agreement had ended", a.ID, d.name)
		}
	}
}

// checkCapacity wants no more to be sold at a time than there is.
func (d *disk) checkCapacity(f *findings) {
	if d.most > d.slots {
		f.add("%s runs %d agreements at a time, it has room for %d", d.name, d.most, d.slots)
	}
	type step struct {
		at   time.Time
		what int
	}
	var steps []step
	for _, h := range d.handshakes {
		if h.Role != golem.Provider || !concluded(h) {
			continue
		}
		steps = append(steps, step{h.Approved, 1})
		if end := d.ended(h.ID); !end.IsZero() {
			steps = append(steps, step{end, -1})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(a.at.Compare(b.at), a.what-b.what) })
	open := 0
	for _, x := range steps {
		if open += x.what; open > d.slots {
			f.add("%s has %d agreements in force at %s, it has room for %d", d.name, open, x.at.Format(time.TimeOnly), d.slots)
		}
	}
}

// checkBudget wants paid ≤ accepted ≤ allocated.
func (d *disk) checkBudget(f *findings) {
	var accepted, paid, spent, total golem.Amount
	for _, b := range d.books {
		if b.Role == golem.Requestor {
			accepted, paid = accepted.Add(b.Accepted), paid.Add(b.Paid)
			if b.Accepted.Less(b.Paid) {
				f.add("%s has paid %s for agreement %.8s and accepted %s", d.name, b.Paid, b.ID, b.Accepted)
			}
		}
	}
	for _, al := range d.allocations {
		spent, total = spent.Add(al.Spent), total.Add(al.Total)
		if al.Total.Less(al.Spent) {
			f.add("%s has spent %s of an allocation of %s", d.name, al.Spent, al.Total)
		}
	}
	if accepted != spent || total.Less(accepted) || accepted.Less(paid) {
		f.add("%s has paid %s, accepted %s, spent %s, allocated %s", d.name, paid, accepted, spent, total)
	}
}

// checkPaid wants nothing to be paid that was not accepted, nothing to be paid twice,
// and nobody to book what nobody has paid.
func (s *state) checkPaid(d *disk, f *findings) {
	accepted, paid, moved := map[golem.Address]golem.Amount{}, map[golem.Address]golem.Amount{}, map[golem.Address]golem.Amount{}
	for _, b := range d.books {
		if b.Role == golem.Requestor {
			accepted[b.Payee] = accepted[b.Payee].Add(b.Accepted)
			paid[b.Payee] = paid[b.Payee].Add(b.Paid)
			continue
		}
		for _, other := range s.disk(b.Peer).books {
			if other.Role == golem.Requestor && other.ID == b.ID && other.Paid.Less(b.Paid) {
				f.add("%s was paid %s for agreement %.8s, which %s has not paid", d.name, b.Paid, b.ID, s.disk(b.Peer).name)
			}
		}
	}
	for _, e := range s.entries {
		if e.Payer == d.id.Address() {
			moved[e.Payee] = moved[e.Payee].Add(e.Amount)
		}
	}
	for payee, sum := range moved {
		if accepted[payee].Less(sum) {
			f.add("%s has sent %s to %s and accepted %s only", d.name, sum, payee, accepted[payee])
		}
	}
	for payee, sum := range paid {
		if moved[payee].Less(sum) {
			f.add("%s has booked %s as paid to %s and sent %s", d.name, sum, payee, moved[payee])
		}
	}
	slices.Sort(*f)
}

// unsettled returns what must not be so when everybody has had time.
func (s *state) unsettled() (f findings) {
	for _, d := range s.disks {
		s.checkStates(d, &f)
		s.checkEnded(d, &f)
		s.checkDocuments(d, &f)
		s.checkBooks(d, &f)
		d.checkQueues(&f)
	}
	return f
}

// checkStates wants both parties to agree on each Agreement. One that was never
// proposed to the Provider is known to the Requestor alone.
func (s *state) checkStates(d *disk, f *findings) {
	for _, h := range d.handshakes {
		other := s.disk(h.Peer()).handshake(h.Role.Other(), h.ID)
		var theirs golem.AgreementState
		if other != nil {
			theirs = other.State
		}
		switch {
		case h.State == theirs && (h.State == golem.AgreementTerminated || dead(h.State)):
		case h.Role == golem.Requestor && dead(h.State) && dead(theirs):
		case h.Role == golem.Provider && dead(h.State) && dead(theirs) && theirs != "":
		default:
			f.add("agreement %.8s: %s at %s, %q with the other party", h.ID, h.State, d.name, theirs)
		}
		if h.Telling != "" {
			f.add("agreement %.8s: %s still tells %s after %d attempts", h.ID, d.name, h.Telling, h.Attempts)
		}
		d.checkNews(h, f)
	}
}

// checkNews wants the agent to have been told once what its Agreement became.
func (d *disk) checkNews(h *market.Handshake, f *findings) {
	want := map[golem.AgreementEventType]int{}
	switch h.State {
	case golem.AgreementApproved:
		want[golem.AgreementApprovedEvent] = 1
	case golem.AgreementTerminated:
		want[golem.AgreementApprovedEvent], want[golem.AgreementTerminatedEvent] = 1, 1
	case golem.AgreementRejected:
		want[golem.AgreementRejectedEvent] = 1
	case golem.AgreementCancelled:
		want[golem.AgreementCancelledEvent] = 1
	}
	for _, t := range []golem.AgreementEventType{
		golem.AgreementApprovedEvent, golem.AgreementRejectedEvent, golem.AgreementCancelledEvent, golem.AgreementTerminatedEvent,
	} {
		if n := d.told(h.ID, t); n != want[t] {
			f.add("agreement %.8s is %s at %s, whose agent was told %s %d times", h.ID, h.State, d.name, t, n)
		}
	}
}

// dead reports whether an Agreement never came, and never will come, into force.
func dead(s golem.AgreementState) bool {
	switch s {
	case golem.AgreementExpired, golem.AgreementCancelled, golem.AgreementRejected, "":
		return true
	}
	return false
}

// checkEnded wants all Activities to have ended, for both parties.
func (s *state) checkEnded(d *disk, f *findings) {
	for _, a := range d.activities {
		if !a.Ended() {
			f.add("activity %.8s: %v at %s, as %s", a.ID, a.Status.State, d.name, a.Role)
		}
		other := s.disk(a.Peer).activity(a.ID, a.Role.Other())
		if other == nil && a.Role == golem.Requestor && a.Confirmed {
			f.add("activity %.8s: %s has it, the provider does not", a.ID, d.name)
		}
	}
}

func (d *disk) activity(id golem.ActivityID, role golem.Role) *activity.Record {
	for _, a := range d.activities {
		if a.ID == id && a.Role == role {
			return a
		}
	}
	return nil
}

// checkDocuments wants both parties to agree on each bill. A debit note that was not
// sent is known to the Provider alone, also when what it says was paid for another.
func (s *state) checkDocuments(d *disk, f *findings) {
	for i := range d.documents {
		doc := &d.documents[i]
		other := s.disk(doc.Peer).document(doc)
		switch {
		case other == nil && doc.Role == golem.Requestor:
			f.add("%s %.8s: %s has it, the provider does not", doc.Kind, doc.ID, d.name)
		case other == nil && doc.Kind == payment.Invoice:
			f.add("%s %.8s: %s at %s, the requestor does not know it", doc.Kind, doc.ID, doc.Status, d.name)
		case other == nil:
		case doc.Role == golem.Provider && settling(doc.Status) && other.Status == golem.DocumentReceived:
		case doc.Role == golem.Requestor && doc.Status == golem.DocumentReceived && settling(other.Status):
		case other.Status != doc.Status || other.Amount != doc.Amount:
			f.add("%s %.8s: %s %s at %s, %s %s at %s", doc.Kind, doc.ID, doc.Status, doc.Amount, d.name, other.Status, other.Amount, s.disk(doc.Peer).name)
		case doc.Status == golem.DocumentAccepted:
			f.add("%s %.8s: is accepted and not paid at %s", doc.Kind, doc.ID, d.name)
		}
	}
}

// settling reports whether a Provider may be content with a bill that its Requestor
// has received and never answered: it was not acknowledged, or what it is about is
// paid already.
func settling(s golem.DocumentStatus) bool {
	return s == golem.DocumentIssued || s == golem.DocumentSettled
}

func (d *disk) document(like *payment.Document) *payment.Document {
	for i := range d.documents {
		doc := &d.documents[i]
		if doc.Kind == like.Kind && doc.ID == like.ID && doc.Role == like.Role.Other() {
			return doc
		}
	}
	return nil
}

// checkBooks wants everything accepted to be paid, and everything paid to be booked
// by both.
func (s *state) checkBooks(d *disk, f *findings) {
	var accepted, moved golem.Amount
	for _, b := range d.books {
		if b.Role != golem.Requestor {
			continue
		}
		accepted = accepted.Add(b.Accepted)
		var theirs payment.Agreement
		for _, other := range s.disk(b.Peer).books {
			if other.Role == golem.Provider && other.ID == b.ID {
				theirs = other
			}
		}
		if b.Accepted != b.Paid || b.Paid != theirs.Paid || b.Accepted != theirs.Accepted {
			f.add("agreement %.8s: %s has accepted %s and paid %s; %s knows of %s and %s", b.ID, d.name, b.Accepted, b.Paid, s.disk(b.Peer).name, theirs.Accepted, theirs.Paid)
		}
	}
	for _, e := range s.entries {
		if e.Payer == d.id.Address() {
			moved = moved.Add(e.Amount)
		}
	}
	if accepted != moved {
		f.add("%s has accepted %s and sent %s", d.name, accepted, moved)
	}
}

// checkQueues wants nothing to wait for anything.
func (d *disk) checkQueues(f *findings) {
	if !d.errand.IsZero() {
		f.add("%s has something to tell about proposals or agreements at %s", d.name, d.errand.Format(time.TimeOnly))
	}
	if d.untold > 0 {
		f.add("%s has %d messages about payments to tell", d.name, d.untold)
	}
	for _, o := range d.orders {
		if o.Settled.IsZero() {
			f.add("%s: order %.8s is not settled", d.name, o.ID)
		}
	}
}
