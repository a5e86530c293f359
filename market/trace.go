package market

import (
	"time"

	"github.com/golem-go/golem"
)

// Trace is what others may watch the market by: logs, metrics, transcripts of
// simulations. Nil functions are not called. They are called after the fact, by
// whichever goroutine made it, and must return at once.
type Trace struct {
	Published  func(s golem.Subscription, kind golem.Role)         // an own Offer (Provider) or Demand (Requestor)
	Withdrawn  func(id golem.SubscriptionID, node golem.NodeID)    // by its owner, here or elsewhere
	Expired    func(s golem.Subscription)                          // off the market by time
	Heard      func(from golem.NodeID, ids int)                    // a broadcast of Offers
	Broadcast  func(topic string, ids int, err error)              //
	Fetched    func(from golem.NodeID, asked, got int, err error)  // bodies of Offers
	Listed     func(l *Listing)                                    // a foreign Offer was taken
	Refused    func(from golem.NodeID, what string, err error)     // a foreign Offer or message was not taken
	Matched    func(demand golem.SubscriptionID, offers, seen int) // Proposals opened, of how many pairs looked at
	Hidden     func(offer golem.SubscriptionID, why error)         // an Offer that matches and is not shown to the agent
	Proposal   func(p *golem.Proposal, n *golem.Negotiation)       // a counter-proposal, ours or theirs
	Rejected   func(id golem.ProposalID, by golem.Issuer, reason *golem.Reason)
	Agreement  func(h *Handshake, from golem.AgreementState) // a change; from is "" for a new one
	Told       func(e *Errand, took time.Duration, err error)
	Delivered  func(sub golem.SubscriptionID, events int, again bool)
	Background func(loop string, err error) // a loop met an error and goes on
}

func (t *Trace) published(s golem.Subscription, kind golem.Role) {
	if t.Published != nil {
		t.Published(s, kind)
	}
}

func (t *Trace) withdrawn(id golem.SubscriptionID, node golem.NodeID) {
	if t.Withdrawn != nil {
		t.Withdrawn(id, node)
	}
}

func (t *Trace) expired(s golem.Subscription) {
	if t.Expired != nil {
		t.Expired(s)
	}
}

func (t *Trace) heard(from golem.NodeID, ids int) {
	if t.Heard != nil {
		t.Heard(from, ids)
	}
}

func (t *Trace) broadcast(topic string, ids int, err error) {
	if t.Broadcast != nil {
		t.Broadcast(topic, ids, err)
	}
}

func (t *Trace) fetched(from golem.NodeID, asked, got int, err error) {
	if t.Fetched != nil {
		t.Fetched(from, asked, got, err)
	}
}

func (t *Trace) listed(l *Listing) {
	if t.Listed != nil {
		t.Listed(l)
	}
}

func (t *Trace) refused(from golem.NodeID, what string, err error) {
	if t.Refused != nil {
		t.Refused(from, what, err)
	}
}

func (t *Trace) matched(demand golem.SubscriptionID, offers, seen int) {
	if t.Matched != nil {
		t.Matched(demand, offers, seen)
	}
}

func (t *Trace) hidden(offer golem.SubscriptionID, why error) {
	if t.Hidden != nil {
		t.Hidden(offer, why)
	}
}

func (t *Trace) proposal(p *golem.Proposal, n *golem.Negotiation) {
	if t.Proposal != nil {
		t.Proposal(p, n)
	}
}

func (t *Trace) rejected(id golem.ProposalID, by golem.Issuer, reason *golem.Reason) {
	if t.Rejected != nil {
		t.Rejected(id, by, reason)
	}
}

func (t *Trace) agreement(h *Handshake, from golem.AgreementState) {
	if t.Agreement != nil {
		t.Agreement(h, from)
	}
}

func (t *Trace) told(e *Errand, took time.Duration, err error) {
	if t.Told != nil {
		t.Told(e, took, err)
	}
}

func (t *Trace) delivered(sub golem.SubscriptionID, events int, again bool) {
	if t.Delivered != nil {
		t.Delivered(sub, events, again)
	}
}

func (t *Trace) background(loop string, err error) {
	if t.Background != nil && err != nil {
		t.Background(loop, err)
	}
}
