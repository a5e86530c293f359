package payment

import (
	"context"
	"errors"
	"fmt"

	"github.com/golem-go/golem"
)

// Report is what an audit has found.
type Report struct {
	Agreements  int      `json:"agreements"`  // looked at
	Allocations int      `json:"allocations"` //
	Orders      int      `json:"orders"`      //
	Documents   int      `json:"documents"`   //
	Findings    []string `json:"findings"`    // empty: the books are right
	Remarks     []string `json:"remarks"`     // no fault, but worth a look
}

// auditPage is how many books are read at a time. They are read as a step, so
// that they belong together; few, so that others are not held up.
const auditPage = 20

// Audit adds the books of all identities up from the documents and obligations
// and compares. It repairs nothing.
func (s *Service) Audit(ctx context.Context) (Report, error) {
	rep := Report{Findings: []string{}, Remarks: []string{}}
	err := errors.Join(
		audit(ctx, s.cfg.Store, &rep.Agreements, Reader.AgreementsFrom, (*Agreement).Key, rep.agreement),
		audit(ctx, s.cfg.Store, &rep.Allocations, Reader.AllocationsFrom, allocationID, rep.allocation),
		audit(ctx, s.cfg.Store, &rep.Orders, Reader.OrdersFrom, orderID, rep.order))
	return rep, err
}

func allocationID(al *golem.Allocation) golem.AllocationID { return al.ID }
func orderID(o *OrderRecord) OrderID                       { return o.ID }

// audit goes through a table in the order of its keys.
func audit[K, V any](ctx context.Context, store Store, count *int, read func(r Reader, after K, limit int) ([]V, error), key func(*V) K, look func(Reader, *V) error) error {
	var last K
	for more := true; more; {
		err := store.Step(ctx, func(r Reader) (Change, error) {
			page, err := read(r, last, auditPage)
			more = len(page) == auditPage
			for i := range page {
				*count++
				last = key(&page[i])
				err = errors.Join(err, look(r, &page[i]))
			}
			return Change{}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (rep *Report) find(err error) {
	if err != nil {
		rep.Findings = append(rep.Findings, err.Error())
	}
}

// agreement audits the books of one Agreement.
func (rep *Report) agreement(r Reader, a *Agreement) error {
	w := newSheet(r, a.Updated)
	w.agreements.loaded(a.Key(), *a)
	rep.find(w.checkAgreement(a))
	activities, err := w.activitiesOf(a)
	if err != nil {
		return err
	}
	for _, act := range activities {
		rep.find(checkTotals(act.Role, act.Totals, "activity "+string(act.ID)))
	}
	if err := rep.documents(w, a, activities); err != nil {
		return err
	}
	if a.Role == golem.Provider {
		if a.Due.Less(a.Paid) {
			rep.Remarks = append(rep.Remarks, fmt.Sprintf("agreement %s: %s was paid, %s was due", a.ID, a.Paid, a.Due))
		}
		return nil
	}
	return rep.obligations(r, a, activities)
}

// documents audits that what is due follows from the documents.
func (rep *Report) documents(w *sheet, a *Agreement, activities []*Activity) error {
	docs, err := w.documentsOf(a, w.r.DocumentsOf)
	if err != nil {
		return err
	}
	rep.Documents += len(docs)
	due, invoiced := map[golem.ActivityID]golem.Amount{}, golem.Amount{}
	for _, d := range docs {
		switch {
		case d.Status == golem.DocumentCancelled:
		case d.Kind == Invoice:
			invoiced = invoiced.Max(d.Amount)
		default:
			due[d.Activity] = due[d.Activity].Max(d.Amount)
		}
		if d.Status == golem.DocumentSettled {
			if ok, err := w.covered(a, d); err != nil || !ok {
				rep.find(errors.Join(err, fmt.Errorf("%s %s is settled and not covered by what was paid", d.Kind, d.ID)))
			}
		}
	}
	var sum golem.Amount
	for _, act := range activities {
		sum = sum.Add(act.Due)
		if act.Due != due[act.ID] {
			rep.find(fmt.Errorf("activity %s: due %s, by its debit notes %s", act.ID, act.Due, due[act.ID]))
		}
	}
	if want := sum.Max(invoiced); a.Due != want {
		rep.find(fmt.Errorf("agreement %s: due %s, by its documents %s", a.ID, a.Due, want))
	}
	return nil
}

// obligations audits that a Requestor's totals are the sums of its obligations.
func (rep *Report) obligations(r Reader, a *Agreement, activities []*Activity) error {
	list, err := r.ObligationsUnder(a.Owner, a.ID)
	if err != nil {
		return err
	}
	sums, whole := map[golem.ActivityID]Totals{}, Totals{}
	for _, o := range list {
		t := Totals{Accepted: o.Amount}
		if o.State != ObligationOpen {
			t.Scheduled = o.Amount
		}
		if o.State == ObligationPaid {
			t.Paid = o.Amount
		}
		whole = whole.plus(t)
		sums[o.Activity] = sums[o.Activity].plus(t)
	}
	rep.find(equalTotals(whole, a.Totals, "agreement "+string(a.ID)))
	for _, act := range activities {
		rep.find(equalTotals(sums[act.ID], act.Totals, "activity "+string(act.ID)))
	}
	return nil
}

func equalTotals(want, have Totals, what string) error {
	want.Due = have.Due
	if want == have {
		return nil
	}
	return fmt.Errorf("%s: accepted, scheduled, paid are %s, %s, %s; by its obligations %s, %s, %s", what,
		have.Accepted, have.Scheduled, have.Paid, want.Accepted, want.Scheduled, want.Paid)
}

// order audits that an order is about its obligations.
func (rep *Report) order(r Reader, o *OrderRecord) error {
	list, err := r.ObligationsOf(o.ID)
	if err != nil {
		return err
	}
	var sum golem.Amount
	for _, ob := range list {
		sum = sum.Add(ob.Amount)
		if paid := ob.State == ObligationPaid; paid == o.Settled.IsZero() {
			rep.find(fmt.Errorf("order %s: settled is %t, of its obligation for %s paid is %t", o.ID, !paid, ob.Document.ID, paid))
		}
	}
	if sum != o.Amount {
		rep.find(fmt.Errorf("order %s: is about %s, its obligations about %s", o.ID, o.Amount, sum))
	}
	return nil
}

// allocation audits that an Allocation has spent what was charged to it.
func (rep *Report) allocation(r Reader, al *golem.Allocation) error {
	list, err := r.ObligationsOn(al.ID)
	if err != nil {
		return err
	}
	var sum golem.Amount
	for _, o := range list {
		sum = sum.Add(o.Amount)
	}
	rep.find(checkAllocation(nil, al, sum))
	return nil
}
