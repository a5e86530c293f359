package market

import (
	"context"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

// Explanation says whether an Offer would be shown to the agent of a Demand, and
// why not.
type Explanation struct {
	Offer   Listing
	Verdict property.Verdict
	Reasons []string // a sentence each; empty if and only if Verdict is Yes
	Detail  property.MatchExplanation
}

// Explain holds a Demand that is not published against every Offer this node
// knows. who is the identity that would publish it.
func (s *Service) Explain(ctx context.Context, who golem.NodeID, p Publication) ([]Explanation, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	_, party, err := s.compile(p.Properties, p.Constraints)
	if err != nil {
		return nil, err
	}
	es := s.board.listed(0, s.now())
	xs := make([]Explanation, len(es))
	for i, e := range es {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		xs[i] = explain(who, party, e)
	}
	return xs, nil
}

func explain(who golem.NodeID, demand property.Party, offer *entry) Explanation {
	x := Explanation{Offer: *offer.listing, Detail: property.Explain(demand, offer.party)}
	x.Verdict, x.Reasons = x.Detail.Verdict, x.Detail.Reasons()
	if offer.sub.Node == who {
		x.Verdict, x.Reasons = property.No, append(x.Reasons, "the offer is of the same node as the demand")
	}
	if err := checkPricing(offer.party.Properties); err != nil {
		x.Verdict, x.Reasons = property.No, append(x.Reasons, "the offer is hidden from agents: "+err.Error())
	}
	return x
}

// Card is what a person wants to know of an Offer at a glance.
type Card struct {
	Listing
	Name    string // of the node, as it says
	Runtime string
	Subnet  string
	Pricing *golem.LinearPricing // nil where it is not linear, or malformed
	Usage   []string             // the counters of Pricing
	Own     bool
	Age     time.Duration // since it was created
}

// Cards returns all Offers this node knows, in the order it learned of them.
func (s *Service) Cards(ctx context.Context) ([]Card, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	now := s.now()
	es := s.board.listed(0, now)
	cards := make([]Card, len(es))
	for i, e := range es {
		p := e.party.Properties
		c := Card{Listing: *e.listing, Own: s.isOwn(e.sub.Node), Age: now.Sub(e.sub.Created)}
		c.Name, _ = p.String("golem.node.id.name")
		c.Runtime, _ = p.String("golem.runtime.name")
		c.Subnet, _ = p.String("golem.node.debug.subnet")
		c.Usage, _ = p.Strings(golem.PropUsageVector)
		if coeffs, ok := p.Floats(golem.PropCoefficients); ok {
			if pricing, err := golem.ParseCoefficients(coeffs, len(c.Usage)); err == nil {
				c.Pricing = &pricing
			}
		}
		cards[i] = c
	}
	return cards, nil
}
