package rest

import (
	"net/http"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/property"
)

// explanationJSON says what becomes of an Offer in view of a Demand.
type explanationJSON struct {
	Offer       golem.Offer               `json:"offer"`
	Expires     time.Time                 `json:"expires"`
	Signed      bool                      `json:"signed"`
	Verdict     property.Verdict          `json:"verdict"`
	Reasons     []string                  `json:"reasons"`
	Explanation property.MatchExplanation `json:"explanation"`
}

// explain answers what every known Offer is worth to a Demand that is not
// published, and why.
func (s *Server) explain(c *call) error {
	p, err := decodePublication(c)
	if err != nil {
		return err
	}
	xs, err := s.cfg.Market.Explain(c.Context(), c.caller(), p)
	if err != nil {
		return err
	}
	js := make([]explanationJSON, len(xs))
	for i, x := range xs {
		js[i] = explanationJSON{x.Offer.Offer, x.Offer.Expires, x.Offer.Signature != "", x.Verdict, x.Reasons, x.Detail}
		if x.Reasons == nil {
			js[i].Reasons = []string{}
		}
	}
	return reply(c.w, http.StatusOK, js)
}

// cardJSON is an Offer at a glance.
type cardJSON struct {
	ID      golem.SubscriptionID `json:"offerId"`
	Node    golem.NodeID         `json:"providerId"`
	Name    string               `json:"name,omitempty"`
	Runtime string               `json:"runtime,omitempty"`
	Subnet  string               `json:"subnet,omitempty"`
	Pricing *pricingJSON         `json:"pricing,omitempty"`
	Created time.Time            `json:"timestamp"`
	Expires time.Time            `json:"expires"`
	Age     float64              `json:"ageSeconds"`
	Signed  bool                 `json:"signed"`
	Own     bool                 `json:"own"`
}

// pricingJSON is linear pricing, in tokens.
type pricingJSON struct {
	Start float64     `json:"start"`
	Usage []priceJSON `json:"usage"`
}

type priceJSON struct {
	Counter string  `json:"counter"`
	Price   float64 `json:"price"`
}

// cards answers with every Offer this node knows.
func (s *Server) cards(c *call) error {
	cards, err := s.cfg.Market.Cards(c.Context())
	if err != nil {
		return err
	}
	js := make([]cardJSON, len(cards))
	for i := range cards {
		js[i] = newCardJSON(&cards[i])
	}
	return reply(c.w, http.StatusOK, js)
}

func newCardJSON(c *market.Card) cardJSON {
	j := cardJSON{
		ID: c.ID, Node: c.Node, Name: c.Name, Runtime: c.Runtime, Subnet: c.Subnet,
		Created: c.Created, Expires: c.Expires, Age: c.Age.Seconds(), Signed: c.Signature != "", Own: c.Own,
	}
	if c.Pricing != nil {
		j.Pricing = &pricingJSON{Start: c.Pricing.Start}
		for i, price := range c.Pricing.Prices {
			j.Pricing.Usage = append(j.Pricing.Usage, priceJSON{c.Usage[i], price})
		}
	}
	return j
}
