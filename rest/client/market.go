package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

const (
	marketBase      = "/market-api/v1"
	marketExtension = "/golem-api/v1/market"
)

// Publication is what is put on the market: an Offer, a Demand, or a Proposal in
// answer to another.
type Publication struct {
	Properties  json.RawMessage `json:"properties"` // an object, nested or flat
	Constraints string          `json:"constraints"`
}

// Proposal is one statement in a negotiation.
type Proposal struct {
	ID          golem.ProposalID    `json:"proposalId"`
	Prev        golem.ProposalID    `json:"prevProposalId,omitempty"` // the one it counters
	Issuer      golem.NodeID        `json:"issuerId"`
	State       golem.ProposalState `json:"state"`
	Properties  json.RawMessage     `json:"properties"` // flat; numbers as the issuer wrote them
	Constraints string              `json:"constraints"`
	Created     time.Time           `json:"timestamp"`
}

// Types of a MarketEvent.
const (
	ProposalEvent         = "ProposalEvent"
	ProposalRejectedEvent = "ProposalRejectedEvent"
	AgreementEvent        = "AgreementEvent" // Providers only
)

// MarketEvent is something new for an Offer or a Demand; which fields are set
// depends on its type.
type MarketEvent struct {
	Type      string           `json:"eventType"`
	At        time.Time        `json:"eventDate"`
	Proposal  *Proposal        `json:"proposal,omitempty"`
	Rejected  golem.ProposalID `json:"proposalId,omitempty"` // the caller's
	Reason    *golem.Reason    `json:"reason,omitempty"`
	Agreement *golem.Agreement `json:"agreement,omitempty"`
}

// side is the path of a role's subscriptions: a Requestor has Demands, a
// Provider has Offers.
func side(role golem.Role) string {
	if role == golem.Requestor {
		return marketBase + "/demands"
	}
	return marketBase + "/offers"
}

func subscriptionPath(role golem.Role, sub golem.SubscriptionID) string {
	return side(role) + "/" + url.PathEscape(string(sub))
}

func proposalPath(role golem.Role, sub golem.SubscriptionID, id golem.ProposalID) string {
	return subscriptionPath(role, sub) + "/proposals/" + url.PathEscape(string(id))
}

// Publish puts an Offer (Provider) or a Demand (Requestor) on the market for the
// given time; 0 is the node's usual one.
func (c *Client) Publish(ctx context.Context, role golem.Role, p Publication, ttl time.Duration) (id golem.SubscriptionID, err error) {
	query := url.Values{}
	if ttl > 0 {
		query.Set("ttl", strconv.Itoa(int(ttl.Seconds())))
	}
	err = c.do(ctx, http.MethodPost, side(role), query, p, &id)
	return id, err
}

// Withdraw takes an Offer or a Demand off the market. ErrNotFound and ErrExpired
// say that it is not there any more.
func (c *Client) Withdraw(ctx context.Context, role golem.Role, sub golem.SubscriptionID) error {
	return c.do(ctx, http.MethodDelete, subscriptionPath(role, sub), nil, nil, nil)
}

// Offers returns the caller's Offers on the market.
func (c *Client) Offers(ctx context.Context) (os []golem.Offer, err error) {
	err = c.do(ctx, http.MethodGet, side(golem.Provider), nil, nil, &os)
	return os, err
}

// Demands returns the caller's Demands on the market.
func (c *Client) Demands(ctx context.Context) (ds []golem.Demand, err error) {
	err = c.do(ctx, http.MethodGet, side(golem.Requestor), nil, nil, &ds)
	return ds, err
}

// MarketEvents waits at most timeout for events of an Offer or a Demand and
// returns at most max (1 to 100). They are removed by being returned.
// ErrNotFound says that the subscription is not on the market any more.
func (c *Client) MarketEvents(ctx context.Context, role golem.Role, sub golem.SubscriptionID, timeout time.Duration, max int) (es []MarketEvent, err error) {
	query := within(timeout)
	query.Set("maxEvents", strconv.Itoa(max))
	err = c.do(ctx, http.MethodGet, subscriptionPath(role, sub)+"/events", query, nil, &es)
	return es, err
}

// Proposal returns a Proposal, either party's.
func (c *Client) Proposal(ctx context.Context, role golem.Role, sub golem.SubscriptionID, id golem.ProposalID) (p Proposal, err error) {
	err = c.do(ctx, http.MethodGet, proposalPath(role, sub, id), nil, nil, &p)
	return p, err
}

// Counter answers the other party's Proposal and returns the id of the answer.
func (c *Client) Counter(ctx context.Context, role golem.Role, sub golem.SubscriptionID, id golem.ProposalID, p Publication) (answer golem.ProposalID, err error) {
	err = c.do(ctx, http.MethodPost, proposalPath(role, sub, id), nil, p, &answer)
	return answer, err
}

// Reject refuses the other party's Proposal.
func (c *Client) Reject(ctx context.Context, role golem.Role, sub golem.SubscriptionID, id golem.ProposalID, reason *golem.Reason) error {
	return c.do(ctx, http.MethodPost, proposalPath(role, sub, id)+"/reject", nil, orNull(reason), nil)
}

// orNull is a reason as a body; operations that take one want at least null.
func orNull(r *golem.Reason) any {
	if r == nil {
		return json.RawMessage("null")
	}
	return r
}

// Explanation says what an Offer is worth to a Demand.
type Explanation struct {
	Offer       golem.Offer               `json:"offer"`
	Expires     time.Time                 `json:"expires"`
	Signed      bool                      `json:"signed"` // by its owner
	Verdict     property.Verdict          `json:"verdict"`
	Reasons     []string                  `json:"reasons"` // why it is not Yes, a sentence each
	Explanation property.MatchExplanation `json:"explanation"`
}

// Explain holds a Demand that is not published against every Offer the node
// knows. Upstream's nodes do not offer it.
func (c *Client) Explain(ctx context.Context, p Publication) (xs []Explanation, err error) {
	err = c.do(ctx, http.MethodPost, marketExtension+"/explain", nil, p, &xs)
	return xs, err
}

// Card is an Offer at a glance.
type Card struct {
	ID      golem.SubscriptionID `json:"offerId"`
	Node    golem.NodeID         `json:"providerId"`
	Name    string               `json:"name"`
	Runtime string               `json:"runtime"`
	Subnet  string               `json:"subnet"`
	Pricing *Pricing             `json:"pricing"` // nil where it is not linear
	Created time.Time            `json:"timestamp"`
	Expires time.Time            `json:"expires"`
	Age     float64              `json:"ageSeconds"`
	Signed  bool                 `json:"signed"` // by its owner
	Own     bool                 `json:"own"`    // of the node that is asked
}

// Pricing is linear pricing, in tokens.
type Pricing struct {
	Start float64 `json:"start"` // for each Activity
	Usage []struct {
		Counter string  `json:"counter"`
		Price   float64 `json:"price"` // for each unit
	} `json:"usage"`
}

// Cards returns every Offer the node knows to be on the market. Upstream's nodes
// do not offer it.
func (c *Client) Cards(ctx context.Context) (cards []Card, err error) {
	err = c.do(ctx, http.MethodGet, marketExtension+"/offers", nil, nil, &cards)
	return cards, err
}

// ScanID names a scan.
type ScanID string

// Scan begins to browse the Offers that meet a constraint. The node drops the
// scan when it is not read for the time idle.
func (c *Client) Scan(ctx context.Context, constraints string, idle time.Duration) (id ScanID, err error) {
	body := struct {
		Type        string  `json:"type"`
		Timeout     float64 `json:"timeout,omitempty"`
		Constraints string  `json:"constraints,omitempty"`
	}{"offer", idle.Seconds(), constraints}
	err = c.do(ctx, http.MethodPost, marketBase+"/scan", nil, body, &id)
	return id, err
}

// Scanned waits at most timeout for Offers the scan has not returned yet.
func (c *Client) Scanned(ctx context.Context, id ScanID, timeout time.Duration, max int) (os []golem.Offer, err error) {
	query := within(timeout)
	query.Set("maxEvents", strconv.Itoa(max))
	err = c.do(ctx, http.MethodGet, marketBase+"/scan/"+url.PathEscape(string(id))+"/events", query, nil, &os)
	return os, err
}

// EndScan ends a scan.
func (c *Client) EndScan(ctx context.Context, id ScanID) error {
	return c.do(ctx, http.MethodDelete, marketBase+"/scan/"+url.PathEscape(string(id)), nil, nil, nil)
}

// UnmarshalJSON keeps the tokens of the properties and drops blanks.
func (p *Proposal) UnmarshalJSON(b []byte) error {
	type plain Proposal
	if err := json.Unmarshal(b, (*plain)(p)); err != nil {
		return err
	}
	var compact bytes.Buffer
	if json.Compact(&compact, p.Properties) == nil {
		p.Properties = compact.Bytes()
	}
	return nil
}
