package requestor

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/golem-go/golem/property"
)

// Survey says what [Requestor.Rent] would find: every offer the node knows,
// those that would be asked first, in the order of asking, and then the others,
// with the Reason against each. It reserves nothing. Upstream's nodes do not
// offer what it takes: ErrNotFound.
func (r *Requestor) Survey(ctx context.Context, o Order) ([]Candidate, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return r.survey(ctx, &o, "")
}

func (r *Requestor) survey(ctx context.Context, o *Order, image string) ([]Candidate, error) {
	p, err := publication(o.demand(terms{
		subnet: r.cfg.Subnet, platform: r.account.Platform, payer: r.account.Address, image: image, expires: time.Now().Add(o.reach()),
	}))
	if err != nil {
		return nil, err
	}
	explanations, err := r.api.Explain(ctx, p)
	if err != nil {
		return nil, err
	}
	allowed := r.allowed(o)
	if r.cfg.Budget.IsZero() {
		allowed = o.MaxPrice
	}
	var found, others []Candidate
	for i := range explanations {
		x := &explanations[i]
		c, err := read(x.Offer.Node, json.RawMessage(x.Offer.Properties))
		c.Signed = x.Signed
		switch {
		case x.Verdict != property.Yes:
			c.Reason = clip(strings.Join(x.Reasons, "; "))
			_ = c.estimate(o.Timeout) // for those who look
		case err != nil:
			c.Reason = clip(err.Error())
		case o.judge(&c, allowed) == nil:
			found = append(found, c)
			continue
		}
		others = append(others, c)
	}
	slices.SortStableFunc(found, func(a, b Candidate) int { return better(&a, &b) })
	return append(found, others...), nil
}
