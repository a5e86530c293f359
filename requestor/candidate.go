package requestor

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

// Candidate is an Offer that could be rented from, as an [Order] sees it.
type Candidate struct {
	Provider golem.NodeID
	Name     string // as the Provider says, in printable characters
	Runtime  string
	Version  string // of the Runtime
	Threads  int
	Memory   float64 // GiB
	Storage  float64 // GiB
	Counters []string
	Pricing  golem.LinearPricing
	Estimate golem.Amount // the most a rental for the whole Timeout can cost
	Signed   bool         // by the Provider; known to [Requestor.Survey] only

	// Reason says why it is not asked; "" where it is.
	Reason string

	Properties *property.Set // all the Provider says

	expensive bool // the Reason
	lasting   bool // the Reason will not go away by itself
	score     float64
	tie       uint64
}

// read returns the Candidate a set of properties describes. Its error is the
// reason not to ask it.
func read(provider golem.NodeID, properties json.RawMessage) (Candidate, error) {
	c := Candidate{Provider: provider}
	set, err := property.ParseSet(string(properties))
	if err != nil {
		return c, golem.Errorf(golem.ErrInvalid, "its properties cannot be read: %w", err)
	}
	c.Properties = set
	name, _ := set.String("golem.node.id.name")
	runtime, _ := set.String("golem.runtime.name")
	version, _ := set.String("golem.runtime.version")
	c.Name, c.Runtime, c.Version = clip(name), clip(runtime), clip(version)
	c.Memory, _ = set.Float("golem.inf.mem.gib")
	c.Storage, _ = set.Float("golem.inf.storage.gib")
	threads, _ := set.Int("golem.inf.cpu.threads")
	c.Threads = int(max(1, min(threads, 1<<16)))
	if model, _ := set.String(golem.PropPricingModel); model != "linear" {
		return c, golem.Errorf(golem.ErrInvalid, "its pricing model is %q, not linear", clip(model))
	}
	c.Counters, _ = set.Strings(golem.PropUsageVector)
	coeffs, _ := set.Floats(golem.PropCoefficients)
	c.Pricing, err = golem.ParseCoefficients(coeffs, len(c.Counters))
	return c, err
}

// estimate sets the most a rental can cost.
func (c *Candidate) estimate(timeout time.Duration) error {
	most, err := c.most(timeout)
	if err == nil {
		c.Estimate, err = c.Pricing.Cost(most)
	}
	return err
}

// most returns the most an Activity of the Candidate can use in a time: all of
// what is offered. It fails for counters with a price whose growth nobody knows.
func (c *Candidate) most(d time.Duration) ([]float64, error) {
	secs := max(0, d.Seconds())
	most := make([]float64, len(c.Counters))
	for i, counter := range c.Counters {
		switch counter {
		case golem.UsageDuration, "golem.usage.duration-sec":
			most[i] = secs
		case golem.UsageCPU, "golem.usage.cpu-sec":
			most[i] = secs * float64(c.Threads)
		case golem.UsageMemory:
			most[i] = c.Memory
		case golem.UsageStorage, "golem.usage.storage-gib":
			most[i] = c.Storage
		default:
			if c.Pricing.Prices[i] > 0 {
				return nil, golem.Errorf(golem.ErrInvalid, "it asks %v for each unit of %s, and nobody can tell how many there will be", c.Pricing.Prices[i], clip(counter))
			}
		}
	}
	return most, nil
}

// judge decides whether an Order may be given to the Candidate for at most
// allowed, and ranks it. The reason against it is returned and noted.
func (o *Order) judge(c *Candidate, allowed golem.Amount) error {
	err := c.estimate(o.Timeout)
	switch {
	case err != nil:
	case allowed.Less(c.Estimate):
		c.expensive = true
		err = golem.Errorf(golem.ErrExhausted, "it could cost %s in %v, and %s is allowed", c.Estimate, o.Timeout, allowed)
	case o.Filter != nil:
		err = o.Filter(c)
	}
	if err != nil {
		c.Reason = clip(err.Error())
		return err
	}
	if o.Score != nil {
		c.score = o.Score(c)
	}
	return nil
}

// better orders Candidates: those to be asked first come first.
func better(a, b *Candidate) int {
	return cmp.Or(cmp.Compare(b.score, a.score), a.Estimate.Cmp(b.Estimate), cmp.Compare(a.tie, b.tie))
}

// name returns what a person knows the Provider by.
func (c *Candidate) name() string {
	if c.Name == "" {
		return c.Provider.String()
	}
	return c.Name
}
