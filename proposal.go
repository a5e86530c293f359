package golem

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"time"
)

// ProposalID names one party's copy of a Proposal: "R-" or "P-" and the hex
// SHA3-256 of offer id, demand id and creation time (spec market.md §6.2). Both
// parties store the same hash under their own letter.
type ProposalID string

// ParseProposalID checks the form of an id.
func ParseProposalID(s string) (ProposalID, error) {
	if len(s) != 66 || (s[:2] != "R-" && s[:2] != "P-") || !isHex(s[2:]) {
		return "", Errorf(ErrInvalid, "proposal id %q: want R- or P- and 64 hex digits", clip(s))
	}
	return ProposalID(s), nil
}

// NewProposalID returns the id of role's copy of a Proposal.
func NewProposalID(role Role, offer, demand SubscriptionID, created time.Time) ProposalID {
	return ProposalID(role.Letter() + "-" + negotiationHash(offer, demand, created))
}

// For returns the id of role's copy of the same Proposal.
func (id ProposalID) For(role Role) ProposalID {
	if len(id) < 2 {
		return id
	}
	return ProposalID(role.Letter()) + id[1:]
}

// Hash returns the part both copies share.
func (id ProposalID) Hash() string {
	if len(id) < 2 {
		return ""
	}
	return string(id[2:])
}

// LogValue makes the id readable in structured logs.
func (id ProposalID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// negotiationHash is the common form of proposal and agreement ids.
func negotiationHash(offer, demand SubscriptionID, created time.Time) string {
	sum := sha3.Sum256([]byte(string(offer) + string(demand) + hashTime(created)))
	return hex.EncodeToString(sum[:])
}

// ProposalState is the state of a Proposal.
type ProposalState string

// The states of a Proposal.
const (
	ProposalInitial  ProposalState = "Initial"  // a match, not negotiated yet
	ProposalDraft    ProposalState = "Draft"    // countered at least once
	ProposalRejected ProposalState = "Rejected" // refused; the refuser may reopen it by countering
	ProposalAccepted ProposalState = "Accepted" // became an Agreement
	ProposalExpired  ProposalState = "Expired"
)

// ProposalEvent is what can happen to a Proposal.
type ProposalEvent string

// The events of a Proposal. Countering leaves a Proposal as it is, except that
// it reopens a rejected one.
const (
	ProposalCounter       ProposalEvent = "counter"
	ProposalReject        ProposalEvent = "reject"
	ProposalReopen        ProposalEvent = "reopen"         // countered by its refuser
	ProposalReopenInitial ProposalEvent = "reopen-initial" // likewise, when it has no predecessor
	ProposalAccept        ProposalEvent = "accept"
	ProposalExpire        ProposalEvent = "expire"
)

var proposalMoves = moves[ProposalState, ProposalEvent]{
	{ProposalInitial, ProposalCounter, ProposalInitial},
	{ProposalInitial, ProposalReject, ProposalRejected},
	{ProposalInitial, ProposalExpire, ProposalExpired},
	{ProposalDraft, ProposalCounter, ProposalDraft},
	{ProposalDraft, ProposalReject, ProposalRejected},
	{ProposalDraft, ProposalAccept, ProposalAccepted},
	{ProposalDraft, ProposalExpire, ProposalExpired},
	{ProposalRejected, ProposalReject, ProposalRejected},
	{ProposalRejected, ProposalReopen, ProposalDraft},
	{ProposalRejected, ProposalReopenInitial, ProposalInitial},
	{ProposalRejected, ProposalExpire, ProposalExpired},
	{ProposalAccepted, ProposalCounter, ProposalAccepted},
}

// Next returns the state that follows s on e.
func (s ProposalState) Next(e ProposalEvent) (ProposalState, error) {
	return proposalMoves.next("proposal", s, e)
}

// Final reports whether nothing can change the state any more.
func (s ProposalState) Final() bool { return proposalMoves.final(s) }

// Issuer says whose statement a Proposal is, seen from the node that stores it.
type Issuer string

// The two issuers.
const (
	Us   Issuer = "Us"
	Them Issuer = "Them"
)

// NegotiationID names the exchange between one Offer and one Demand on this node.
type NegotiationID string

// NewNegotiationID returns a fresh id of 32 hex digits.
func NewNegotiationID() NegotiationID { return NegotiationID(randomHex(16)) }

// Negotiation is the exchange between one Offer and one Demand, as this node
// sees it.
type Negotiation struct {
	ID           NegotiationID
	Role         Role           // ours
	Subscription SubscriptionID // ours
	Offer        SubscriptionID
	Demand       SubscriptionID
	Requestor    NodeID
	Provider     NodeID
}

// Party returns the node that has the given role.
func (n *Negotiation) Party(role Role) NodeID {
	if role == Requestor {
		return n.Requestor
	}
	return n.Provider
}

// Proposal is one statement in a Negotiation. A Proposal can be countered once,
// so the statements form chains.
type Proposal struct {
	ID          ProposalID
	Prev        ProposalID // the Proposal this one counters, "" for the first
	Issuer      Issuer
	Negotiation NegotiationID
	Properties  string // flat JSON, verbatim
	Constraints string
	State       ProposalState
	Created     time.Time
	Expires     time.Time
}

// Counterable returns nil where the party that stores p may counter it: p is
// the other party's, and not withdrawn. Whether it has been countered already
// only the store knows.
func (p *Proposal) Counterable() error {
	if p.Issuer == Us {
		return Errorf(ErrInvalid, "Can't react to own Proposal [%s].", p.ID)
	}
	_, err := p.State.Next(p.counterEvent())
	return err
}

// Countered returns the state p has after it was countered.
func (p *Proposal) Countered() (ProposalState, error) { return p.State.Next(p.counterEvent()) }

func (p *Proposal) counterEvent() ProposalEvent {
	switch {
	case p.State == ProposalRejected && p.Prev == "":
		return ProposalReopenInitial
	case p.State == ProposalRejected:
		return ProposalReopen
	}
	return ProposalCounter
}

// Reason explains a rejection, cancellation or termination: a message and any
// further members, which travel flattened beside it (spec market.md §10.7).
type Reason struct {
	Message string
	Extra   map[string]any // JSON values, numbers as json.Number
}

// Keys of Reason.Extra that both sides understand.
const (
	ReasonRequestorCode = "golem.requestor.code"
	ReasonProviderCode  = "golem.provider.code"
	ReasonIsFinal       = "golem.proposal.rejection.is-final"
)

// NewReason returns a Reason with one extra member, or none where key is "".
func NewReason(message, key string, value any) *Reason {
	r := &Reason{Message: message}
	if key != "" {
		r.Extra = map[string]any{key: value}
	}
	return r
}

// MarshalJSON writes the message and the extra members as one object.
func (r Reason) MarshalJSON() ([]byte, error) {
	m := make(map[string]any, len(r.Extra)+1)
	maps.Copy(m, r.Extra)
	m["message"] = r.Message
	return marshal(m)
}

// UnmarshalJSON reads an object with at least a message.
func (r *Reason) UnmarshalJSON(b []byte) error {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // what is passed on must not change: 0.0 stays 0.0
	if err := d.Decode(&m); err != nil {
		return Errorf(ErrInvalid, "reason: %w", err)
	}
	message, ok := m["message"].(string)
	if !ok {
		return Errorf(ErrInvalid, "reason: want an object with a string member \"message\"")
	}
	delete(m, "message")
	*r = Reason{Message: message}
	if len(m) > 0 {
		r.Extra = m
	}
	return nil
}

// Text returns the message, also of a nil Reason.
func (r *Reason) Text() string {
	if r == nil {
		return ""
	}
	return r.Message
}

// Code returns the machine-readable code of either party, or "".
func (r *Reason) Code() string {
	if r == nil {
		return ""
	}
	for _, key := range []string{ReasonRequestorCode, ReasonProviderCode} {
		if s, ok := r.Extra[key].(string); ok {
			return s
		}
	}
	return ""
}

// IsFinal reports whether a rejection excludes a later change of mind.
func (r *Reason) IsFinal() bool {
	if r == nil {
		return false
	}
	final, _ := r.Extra[ReasonIsFinal].(bool)
	return final
}
