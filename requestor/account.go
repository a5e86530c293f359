package requestor

import (
	"encoding/json"
	"math/big"
	"slices"
	"time"

	"github.com/golem-go/golem"
)

// account is what is known about the cost of one rental, and decides which
// documents of its Provider are right. It reads no clock and calls nobody. The
// purse guards it.
type account struct {
	agreement golem.AgreementID
	activity  golem.ActivityID // "" until it is known
	offer     Candidate        // as agreed on
	platform  golem.Platform
	limit     golem.Amount // of the whole rental

	begun  time.Time // when the Activity was asked for; zero: never
	ended  time.Time // when it had ended; zero: it goes on
	faulty bool      // the Provider has let us down

	accepted golem.Amount // by debit notes
	invoice  *golem.Invoice
	refused  string // why the Invoice was rejected
}

const (
	// clockSlack is by how much a slow network may make an Activity look longer
	// to a Provider than to us.
	clockSlack = 5 * time.Second
	// meterSlack is by how much two clocks and meters may differ.
	meterSlack = 0.02
	// reportSlack is how far usage may have grown since it was reported last.
	reportSlack = 10 * time.Second
)

// bound returns the most that can have been used by now.
func (a *account) bound(now time.Time) ([]float64, error) {
	if a.begun.IsZero() {
		return make([]float64, len(a.offer.Counters)), nil
	}
	if !a.ended.IsZero() {
		now = a.ended
	}
	most, err := a.offer.most(max(0, now.Sub(a.begun)) + clockSlack)
	for i := range most {
		most[i] *= 1 + meterSlack
	}
	return most, err
}

// judgeNote returns why a debit note is wrong, or nil.
func (a *account) judgeNote(n *golem.DebitNote, now time.Time) error {
	if err := a.judgeParties(n.Issuer, n.Platform); err != nil {
		return err
	}
	if a.activity != "" && n.Activity != a.activity {
		return golem.Errorf(golem.ErrInvalid, "activity %s is not ours", n.Activity)
	}
	if !a.accepted.Less(n.Total) {
		return nil
	}
	switch {
	case a.faulty:
		return golem.Errorf(golem.ErrForbidden, "the provider has failed; what was accepted before is paid")
	case a.begun.IsZero():
		return golem.Errorf(golem.ErrInvalid, "nothing was used")
	}
	used, err := a.bound(now)
	if err != nil {
		return err
	}
	if len(n.Usage) > 0 && string(n.Usage) != "null" {
		var claimed []float64
		if err := json.Unmarshal(n.Usage, &claimed); err != nil || len(claimed) != len(used) {
			return golem.Errorf(golem.ErrInvalid, "usage %s does not fit the %d counters agreed on", clip(string(n.Usage)), len(used))
		}
		for i, most := range used {
			if claimed[i] > most && a.offer.Pricing.Prices[i] > 0 {
				return golem.Errorf(golem.ErrInvalid, "usage of %v for %s is more than the %v that is possible", claimed[i], a.offer.Counters[i], most)
			}
		}
		used = claimed
	}
	return a.judgeAmount(n.Total, used)
}

// judgeInvoice returns why the Invoice is wrong, or nil. usage is what our node
// knows of the Activity, nil for nothing.
func (a *account) judgeInvoice(i *golem.Invoice, usage []float64, now time.Time) error {
	if err := a.judgeParties(i.Issuer, i.Platform); err != nil {
		return err
	}
	switch {
	case a.invoice != nil && a.invoice.ID != i.ID:
		return golem.Errorf(golem.ErrConflict, "it is the second one; the first is %s", a.invoice.ID)
	case slices.ContainsFunc(i.Activities, func(id golem.ActivityID) bool { return a.activity != "" && id != a.activity }):
		return golem.Errorf(golem.ErrInvalid, "it is for activities that are not ours")
	case !a.accepted.Less(i.Amount):
		return nil
	case a.faulty:
		return golem.Errorf(golem.ErrForbidden, "the provider has failed; %s was accepted before and is paid", a.accepted)
	case a.begun.IsZero():
		return golem.Errorf(golem.ErrInvalid, "nothing was used")
	}
	used, err := a.bound(now)
	if err != nil {
		return err
	}
	if len(usage) == len(used) {
		grown, err := a.offer.most(reportSlack)
		if err != nil {
			return err
		}
		for i := range used {
			used[i] = min(used[i], max(0, usage[i])+grown[i])
		}
	}
	return a.judgeAmount(i.Amount, used)
}

func (a *account) judgeParties(issuer golem.NodeID, platform golem.Platform) error {
	switch {
	case issuer != a.offer.Provider:
		return golem.Errorf(golem.ErrForbidden, "it is of %s, the agreement is with %s", issuer, a.offer.Provider)
	case platform != a.platform:
		return golem.Errorf(golem.ErrInvalid, "it is to be paid on %s, %s was agreed on", platform, a.platform)
	}
	return nil
}

// judgeAmount compares an amount with the price of what was used.
func (a *account) judgeAmount(amount golem.Amount, used []float64) error {
	if a.limit.Less(amount) {
		return golem.Errorf(golem.ErrExhausted, "%s is more than the %s a rental may cost", amount, a.limit)
	}
	expected, err := a.offer.Pricing.Cost(used)
	if err != nil {
		return err
	}
	if roundedUp(expected).Less(amount) {
		return golem.Errorf(golem.ErrInvalid, "%s is more than the %s that the use of it costs at most", amount, expected)
	}
	return nil
}

// roundedUp adds what Providers that compute with binary fractions may be off by.
func roundedUp(a golem.Amount) golem.Amount {
	n := a.Big()
	n.Add(n, new(big.Int).Quo(n, big.NewInt(1000)))
	sum, err := golem.AmountOf(n.Add(n, big.NewInt(1e6)))
	if err != nil {
		return a
	}
	return sum
}

// cost returns what is to be paid, as far as it is known.
func (a *account) cost() golem.Amount {
	if a.invoice != nil && a.invoice.Status.Concluded() {
		return a.invoice.Amount
	}
	return a.accepted
}
