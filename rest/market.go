package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
)

const (
	marketBase    = "/market-api/v1"
	extensionBase = "/golem-api/v1/market"

	defaultPoll   = 5 * time.Second
	defaultEvents = 20
)

// marketRoutes are the operations of upstream's Market API (spec rest-api.md §4)
// and ours beside them.
func (s *Server) marketRoutes() []route {
	m := s.cfg.Market
	rs := []route{
		{pattern: "POST " + marketBase + "/demands", handle: publish(m.PublishDemand)},
		{pattern: "POST " + marketBase + "/offers", handle: publish(m.PublishOffer)},
		{pattern: "GET " + marketBase + "/demands", handle: s.demands},
		{pattern: "GET " + marketBase + "/offers", handle: s.offers},
		{pattern: "DELETE " + marketBase + "/demands/{sub}", handle: withdraw(m.WithdrawDemand)},
		{pattern: "DELETE " + marketBase + "/offers/{sub}", handle: withdraw(m.WithdrawOffer)},
		{pattern: "GET " + marketBase + "/demands/{sub}/events", handle: collect(m.CollectDemand)},
		{pattern: "GET " + marketBase + "/offers/{sub}/events", handle: collect(m.CollectOffer)},
		{pattern: "POST " + extensionBase + "/explain", handle: s.explain},
		{pattern: "GET " + extensionBase + "/offers", handle: s.cards},
	}
	for _, side := range []string{"/demands", "/offers"} {
		path := marketBase + side + "/{sub}/proposals/{id}"
		rs = append(rs,
			route{pattern: "POST " + path, handle: s.counter},
			route{pattern: "GET " + path, handle: s.proposal},
			route{pattern: "POST " + path + "/reject", handle: s.rejectProposal},
		)
	}
	return append(append(rs, s.agreementRoutes()...), s.scanRoutes()...)
}

// publication is the body of a new Offer, Demand or Proposal.
type publication struct {
	Properties  json.RawMessage `json:"properties"`
	Constraints *string         `json:"constraints"`
}

// decodePublication reads the body of a new Offer, Demand or Proposal, and the
// query parameter ttl, seconds, which upstream does not know.
func decodePublication(c *call) (p market.Publication, err error) {
	body, err := decode[publication](c)
	switch {
	case err != nil:
		return p, err
	case body.Properties == nil:
		return p, golem.Errorf(golem.ErrInvalid, "request body: missing member \"properties\"")
	case body.Constraints == nil:
		return p, golem.Errorf(golem.ErrInvalid, "request body: missing member \"constraints\"")
	}
	p = market.Publication{Properties: body.Properties, Constraints: *body.Constraints}
	if text := c.URL.Query().Get("ttl"); text != "" {
		secs, err := strconv.ParseUint(text, 10, 31)
		if err != nil || secs == 0 {
			return p, golem.Errorf(golem.ErrInvalid, "ttl %q: want seconds", text)
		}
		p.TTL = time.Duration(secs) * time.Second
	}
	return p, nil
}

func publish(f func(context.Context, golem.NodeID, market.Publication) (golem.SubscriptionID, error)) func(*call) error {
	return func(c *call) error {
		p, err := decodePublication(c)
		if err != nil {
			return err
		}
		id, err := f(c.Context(), c.caller(), p)
		if err != nil {
			return err
		}
		return reply(c.w, http.StatusCreated, id)
	}
}

func (s *Server) offers(c *call) error {
	ls, err := s.cfg.Market.OffersOf(c.Context(), c.caller())
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, offersOf(ls))
}

// offersOf returns the Offers of listings, never null.
func offersOf(ls []market.Listing) []golem.Offer {
	os := make([]golem.Offer, len(ls))
	for i, l := range ls {
		os[i] = l.Offer
	}
	return os
}

func (s *Server) demands(c *call) error {
	ds, err := s.cfg.Market.DemandsOf(c.Context(), c.caller())
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, ds)
}

func (c *call) subscription() (golem.SubscriptionID, error) {
	return golem.ParseSubscriptionID(c.PathValue("sub"))
}

func withdraw(f func(context.Context, golem.NodeID, golem.SubscriptionID) error) func(*call) error {
	return func(c *call) error {
		sub, err := c.subscription()
		if err != nil {
			return err
		}
		if err := f(c.Context(), c.caller(), sub); err != nil {
			return err
		}
		return noContent(c)
	}
}

// collect answers with events, which are removed only after the answer was
// written: a client that has gone gets them when it comes back.
func collect(f func(context.Context, golem.NodeID, golem.SubscriptionID, int) (*market.Collection, error)) func(*call) error {
	return func(c *call) error {
		sub, err := c.subscription()
		if err != nil {
			return err
		}
		most, err := c.count("maxEvents", defaultEvents, market.MaxEvents)
		if err != nil {
			return err
		}
		ctx, cancel, err := c.poll()
		if err != nil {
			return err
		}
		defer cancel()
		events, err := f(ctx, c.caller(), sub, most)
		if err != nil {
			return err
		}
		if err := c.hand(eventsJSON(events.News)); err != nil {
			events.Returned()
			return err
		}
		return events.Delivered(context.WithoutCancel(c.Context()))
	}
}

// poll returns the context of a long poll: that of the request, for as long as
// its timeout says.
func (c *call) poll() (context.Context, context.CancelFunc, error) {
	timeout, err := c.timeout(defaultPoll)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context(), timeout)
	return ctx, cancel, nil
}

// hand writes v as JSON and sees it off. It fails if the client has gone, as far
// as that can be known.
func (c *call) hand(v any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	if c.Context().Err() != nil {
		return context.Canceled
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	c.w.WriteHeader(http.StatusOK)
	_, err := c.w.Write(body.Bytes())
	if err == nil {
		err = http.NewResponseController(c.w).Flush()
	}
	if err == nil {
		err = c.Context().Err()
	}
	return clientGone(err)
}

// proposalJSON is upstream's REST form of a Proposal.
type proposalJSON struct {
	Properties  json.RawMessage     `json:"properties"`
	Constraints string              `json:"constraints"`
	ID          golem.ProposalID    `json:"proposalId"`
	Issuer      golem.NodeID        `json:"issuerId"`
	State       golem.ProposalState `json:"state"`
	Created     time.Time           `json:"timestamp"`
	Prev        golem.ProposalID    `json:"prevProposalId,omitempty"`
}

func newProposalJSON(x *market.Exchange) *proposalJSON {
	return &proposalJSON{json.RawMessage(x.Properties), x.Constraints, x.ID, x.IssuerID(), x.State, x.Created, x.Prev}
}

// eventJSON is upstream's REST form of an event of a subscription.
type eventJSON struct {
	Type      market.EventKind `json:"eventType"`
	At        time.Time        `json:"eventDate"`
	Proposal  *proposalJSON    `json:"proposal,omitempty"`
	Rejected  golem.ProposalID `json:"proposalId,omitempty"`
	Reason    *golem.Reason    `json:"reason,omitempty"`
	Agreement *golem.Agreement `json:"agreement,omitempty"`
}

func eventsJSON(news []market.News) []eventJSON {
	es := make([]eventJSON, len(news))
	for i, n := range news {
		e := eventJSON{Type: n.Kind, At: n.At, Agreement: n.Agreement}
		switch n.Kind {
		case market.EventProposal:
			e.Proposal = newProposalJSON(n.Exchange)
		case market.EventRejection:
			e.Rejected, e.Reason = n.Proposal, orNoReason(n.Reason)
		}
		es[i] = e
	}
	return es
}

// orNoReason never returns nil: an SDK dies of an event without a reason (spec
// rest-api.md §4.4).
func orNoReason(r *golem.Reason) *golem.Reason {
	if r == nil {
		return &golem.Reason{Message: "no reason given"}
	}
	return r
}

// proposalPath reads the ids of a path.
func (c *call) proposalPath() (sub golem.SubscriptionID, id golem.ProposalID, err error) {
	if sub, err = c.subscription(); err != nil {
		return "", "", err
	}
	id, err = golem.ParseProposalID(c.PathValue("id"))
	return sub, id, err
}

func (s *Server) proposal(c *call) error {
	sub, id, err := c.proposalPath()
	if err != nil {
		return err
	}
	x, err := s.cfg.Market.Proposal(c.Context(), c.caller(), sub, id)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, newProposalJSON(x))
}

func (s *Server) counter(c *call) error {
	sub, id, err := c.proposalPath()
	if err != nil {
		return err
	}
	p, err := decodePublication(c)
	if err != nil {
		return err
	}
	next, err := s.cfg.Market.Counter(c.Context(), c.caller(), sub, id, p)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, next)
}

func (s *Server) rejectProposal(c *call) error {
	sub, id, err := c.proposalPath()
	if err != nil {
		return err
	}
	reason, err := decode[*golem.Reason](c)
	if err != nil {
		return err
	}
	if err := s.cfg.Market.Reject(c.Context(), c.caller(), sub, id, reason); err != nil {
		return err
	}
	return noContent(c)
}
