package provider

import (
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

// agreed is what the parties of an Agreement have agreed on, as far as it concerns
// the Agent.
type agreed struct {
	agreement  *golem.Agreement
	runtime    string
	expiration time.Time
	multi      bool // several Activities, one after the other
	need       Hardware
	pricing    golem.LinearPricing

	acceptTimeout  time.Duration // 0: notes need not be accepted
	paymentTimeout time.Duration // 0: nothing is paid before the end
	interval       time.Duration
}

// readAgreed reads an Agreement. What is negotiable counts where both sides say
// the same; interval is the one of notes where they do not.
func readAgreed(a *golem.Agreement, interval time.Duration) (*agreed, error) {
	demand, err := property.ParseSet(a.Demand.Properties)
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "agreement %s: demand: %w", a.ID, err)
	}
	offer, err := property.ParseSet(a.Offer.Properties)
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "agreement %s: offer: %w", a.ID, err)
	}
	t := &agreed{agreement: a, need: hardwareOf(offer)}
	if t.expiration, err = expirationOf(demand); err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "agreement %s: %w", a.ID, err)
	}
	t.runtime, _ = offer.String(propRuntimeName)
	t.multi, _ = demand.Bool(propMultiActivity)
	coeffs, _ := offer.Floats(golem.PropCoefficients)
	vector, _ := offer.Strings(golem.PropUsageVector)
	if t.pricing, err = golem.ParseCoefficients(coeffs, len(vector)); err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "agreement %s: %w", a.ID, err)
	}
	if err := t.need.check(); err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "agreement %s: %w", a.ID, err)
	}
	t.acceptTimeout = common(demand, offer, golem.PropAcceptTimeout)
	t.paymentTimeout = common(demand, offer, golem.PropPaymentTimeout)
	t.interval = common(demand, offer, golem.PropNoteInterval)
	if t.interval <= 0 {
		t.interval = interval
	}
	return t, nil
}

// common returns a duration that both sides state alike, 0 where they do not.
func common(demand, offer *property.Set, name string) time.Duration {
	c := Case{Demand: demand, Offer: offer}
	n, r := c.negotiable(name)
	if r != nil || !n.asked || n.theirs != n.ours {
		return 0
	}
	return n.ours
}

// hardwareOf returns what an Offer promises.
func hardwareOf(offer *property.Set) (h Hardware) {
	threads, _ := offer.Int(propThreads)
	h.Threads = int(threads)
	h.Memory, _ = offer.Float(propMemory)
	h.Storage, _ = offer.Float(propStorage)
	return h
}

// approvedAt returns when the Agreement was approved; where the node does not
// tell, when it was made.
func (t *agreed) approvedAt() time.Time {
	if a := t.agreement; !a.Approved.IsZero() {
		return a.Approved
	}
	return t.agreement.Created
}
