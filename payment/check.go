package payment

import (
	"errors"
	"fmt"

	"github.com/golem-go/golem"
)

// check asserts the rules of the books over everything the sheet has touched.
// Sums over long histories are checked by what they grow by; [Service.Audit] adds
// them up from the start.
func (w *sheet) check() error {
	grown := w.growth()
	var failed error
	fail := func(err error) {
		if failed != nil || err == nil {
			return
		}
		if failed = err; !errors.Is(err, golem.ErrInvalid) { // what is too large to be booked is its sender's fault
			failed = golem.Errorf(golem.ErrInternal, "books: %w", err)
		}
	}
	w.agreements.each(func(was, is *Agreement) {
		fail(w.checkAgreement(is))
		fail(checkGrowth(is.Role, total(was), is.Totals, grown.agreements[is.Key()], "agreement "+string(is.ID)))
	})
	w.activities.each(func(was, is *Activity) {
		var before Totals
		if was != nil {
			before = was.Totals
		}
		fail(checkTotals(is.Role, is.Totals, "activity "+string(is.ID)))
		fail(checkGrowth(is.Role, before, is.Totals, grown.activities[is.Key()], "activity "+string(is.ID)))
	})
	w.allocations.each(func(was, is *golem.Allocation) { fail(checkAllocation(was, is, grown.spent[is.ID])) })
	w.orders.each(func(was, is *OrderRecord) {
		if was == nil && is.Amount != grown.ordered[is.ID] {
			fail(fmt.Errorf("order %s: is about %s, its obligations about %s", is.ID, is.Amount, grown.ordered[is.ID]))
		}
		if was != nil && was.Settled.IsZero() && !is.Settled.IsZero() && is.Amount != grown.paid[is.ID] {
			fail(fmt.Errorf("order %s: settles %s, its obligations %s", is.ID, is.Amount, grown.paid[is.ID]))
		}
	})
	return failed
}

func total(a *Agreement) Totals {
	if a == nil {
		return Totals{}
	}
	return a.Totals
}

// growth is what the obligations of a sheet add to the books.
type growth struct {
	agreements map[AgreementKey]Totals
	activities map[ActivityKey]Totals
	spent      map[golem.AllocationID]golem.Amount
	ordered    map[OrderID]golem.Amount
	paid       map[OrderID]golem.Amount
}

func (w *sheet) growth() growth {
	g := growth{
		map[AgreementKey]Totals{}, map[ActivityKey]Totals{},
		map[golem.AllocationID]golem.Amount{}, map[OrderID]golem.Amount{}, map[OrderID]golem.Amount{},
	}
	w.obligations.each(func(was, is *Obligation) {
		t := Totals{}
		if was == nil {
			t.Accepted = is.Amount
			g.spent[is.Allocation] = g.spent[is.Allocation].Add(is.Amount)
		}
		if (was == nil || was.State == ObligationOpen) && is.State != ObligationOpen {
			t.Scheduled = is.Amount
			g.ordered[is.Order] = g.ordered[is.Order].Add(is.Amount)
		}
		if (was == nil || was.State != ObligationPaid) && is.State == ObligationPaid {
			t.Paid = is.Amount
			g.paid[is.Order] = g.paid[is.Order].Add(is.Amount)
		}
		k := AgreementKey{is.Document.Side, is.Agreement}
		g.agreements[k] = g.agreements[k].plus(t)
		if is.Activity != "" {
			k := ActivityKey{is.Document.Side, is.Activity}
			g.activities[k] = g.activities[k].plus(t)
		}
	})
	return g
}

// plus adds all but what is due, which obligations do not change.
func (t Totals) plus(o Totals) Totals {
	t.Accepted = t.Accepted.Add(o.Accepted)
	t.Scheduled = t.Scheduled.Add(o.Scheduled)
	t.Paid = t.Paid.Add(o.Paid)
	return t
}

// checkTotals asserts the order of the four totals.
func checkTotals(role golem.Role, t Totals, what string) error {
	most := sane(t.Due.Max(t.Accepted).Max(t.Paid))
	switch {
	case most != nil:
		return golem.Errorf(golem.ErrInvalid, "%s: %w", what, most)
	case t.Due.Less(t.Accepted):
		return fmt.Errorf("%s: accepted %s is more than due %s", what, t.Accepted, t.Due)
	case role == golem.Provider:
		return nil
	case t.Accepted.Less(t.Scheduled):
		return fmt.Errorf("%s: scheduled %s is more than accepted %s", what, t.Scheduled, t.Accepted)
	case t.Scheduled.Less(t.Paid):
		return fmt.Errorf("%s: paid %s is more than scheduled %s", what, t.Paid, t.Scheduled)
	}
	return nil
}

// checkAgreement asserts the totals of an Agreement and that those of its
// Activities are not above them.
func (w *sheet) checkAgreement(a *Agreement) error {
	what := "agreement " + string(a.ID)
	if err := checkTotals(a.Role, a.Totals, what); err != nil {
		return err
	}
	activities, err := w.activitiesOf(a)
	if err != nil {
		return err
	}
	sum := sumOf(activities)
	return checkParts(a.Totals, sum, what)
}

func sumOf(activities []*Activity) (sum Totals) {
	for _, act := range activities {
		sum = sum.plus(act.Totals)
		sum.Due = sum.Due.Add(act.Due)
	}
	return sum
}

// checkParts asserts that the Activities do not add up to more than the whole.
func checkParts(whole, parts Totals, what string) error {
	for _, t := range []struct {
		name        string
		whole, part golem.Amount
	}{
		{"due", whole.Due, parts.Due}, {"accepted", whole.Accepted, parts.Accepted},
		{"scheduled", whole.Scheduled, parts.Scheduled}, {"paid", whole.Paid, parts.Paid},
	} {
		if t.whole.Less(t.part) {
			return fmt.Errorf("%s: its activities have %s %s, itself only %s", what, t.name, t.part, t.whole)
		}
	}
	return nil
}

// checkGrowth asserts that the totals of a Requestor have grown by exactly what
// the obligations behind them have, and that no total of either side shrinks.
func checkGrowth(role golem.Role, was, is, by Totals, what string) error {
	for _, t := range []struct {
		name        string
		was, is, by golem.Amount
	}{
		{"accepted", was.Accepted, is.Accepted, by.Accepted},
		{"scheduled", was.Scheduled, is.Scheduled, by.Scheduled},
		{"paid", was.Paid, is.Paid, by.Paid},
	} {
		if t.is.Less(t.was) {
			return fmt.Errorf("%s: %s falls from %s to %s", what, t.name, t.was, t.is)
		}
		if role == golem.Requestor && t.is != t.was.Add(t.by) {
			return fmt.Errorf("%s: %s grows from %s to %s, its obligations by %s", what, t.name, t.was, t.is, t.by)
		}
	}
	return nil
}

// checkAllocation asserts that an Allocation is not overspent and was charged
// what the new obligations amount to.
func checkAllocation(was, is *golem.Allocation, by golem.Amount) error {
	var before golem.Amount
	if was != nil {
		before = was.Spent
	}
	switch {
	case is.Total.Less(is.Spent):
		return fmt.Errorf("allocation %s: spent %s is more than its total %s", is.ID, is.Spent, is.Total)
	case is.Spent != before.Add(by):
		return fmt.Errorf("allocation %s: spent grows from %s to %s, its obligations by %s", is.ID, before, is.Spent, by)
	}
	return nil
}
