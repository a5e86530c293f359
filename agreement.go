package golem

import (
	"crypto/sha3"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"time"
)

// AgreementID names an Agreement: 64 hex digits, the hash of offer id, demand id
// and creation time. Both parties know it by the same id. On the bus upstream
// prefixes it with the letter of the receiver's role; see [AgreementID.For].
type AgreementID string

// ParseAgreementID checks the form of an id; a role prefix is dropped.
func ParseAgreementID(s string) (AgreementID, error) {
	if len(s) == 66 && (s[:2] == "R-" || s[:2] == "P-") {
		s = s[2:]
	}
	if len(s) != 64 || !isHex(s) {
		return "", Errorf(ErrInvalid, "agreement id %q: want 64 hex digits", clip(s))
	}
	return AgreementID(s), nil
}

// NewAgreementID returns the id of an Agreement between an Offer and a Demand.
func NewAgreementID(offer, demand SubscriptionID, created time.Time) AgreementID {
	return AgreementID(negotiationHash(offer, demand, created))
}

// For returns the id with the prefix it has in messages to role.
func (id AgreementID) For(role Role) ProposalID {
	return ProposalID(role.Letter() + "-" + string(id))
}

// LogValue makes the id readable in structured logs.
func (id AgreementID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// AgreementState is the state of an Agreement.
type AgreementState string

// The states of an Agreement. Approving, in which the Provider has agreed and
// the Requestor has not confirmed it yet, is shown to agents as Pending.
const (
	AgreementProposal   AgreementState = "Proposal"
	AgreementPending    AgreementState = "Pending"
	AgreementApproving  AgreementState = "Approving"
	AgreementApproved   AgreementState = "Approved"
	AgreementRejected   AgreementState = "Rejected"
	AgreementCancelled  AgreementState = "Cancelled"
	AgreementExpired    AgreementState = "Expired"
	AgreementTerminated AgreementState = "Terminated"
)

// ParseAgreementState checks the name of a state.
func ParseAgreementState(s string) (AgreementState, error) {
	switch st := AgreementState(s); st {
	case AgreementProposal, AgreementPending, AgreementApproving, AgreementApproved,
		AgreementRejected, AgreementCancelled, AgreementExpired, AgreementTerminated:
		return st, nil
	}
	return "", Errorf(ErrInvalid, "agreement state %q is unknown", clip(s))
}

// Public returns the state agents are shown.
func (s AgreementState) Public() AgreementState {
	if s == AgreementApproving {
		return AgreementPending
	}
	return s
}

// AgreementEvent is what can happen to an Agreement.
type AgreementEvent string

// The events of an Agreement.
const (
	AgreementConfirm   AgreementEvent = "confirm"   // the Requestor sends it to the Provider
	AgreementUnconfirm AgreementEvent = "unconfirm" // the Provider never got it
	AgreementApprove   AgreementEvent = "approve"   // the Provider agrees
	AgreementRevert    AgreementEvent = "revert"    // the approval was not confirmed in time
	AgreementCommit    AgreementEvent = "commit"    // the Requestor has confirmed the approval
	AgreementReject    AgreementEvent = "reject"
	AgreementCancel    AgreementEvent = "cancel"
	AgreementExpire    AgreementEvent = "expire" // ValidTo passed before it was approved
	AgreementTerminate AgreementEvent = "terminate"
)

var agreementMoves = moves[AgreementState, AgreementEvent]{
	{AgreementProposal, AgreementConfirm, AgreementPending},
	{AgreementProposal, AgreementCancel, AgreementCancelled},
	{AgreementProposal, AgreementExpire, AgreementExpired},
	{AgreementPending, AgreementUnconfirm, AgreementProposal},
	{AgreementPending, AgreementApprove, AgreementApproving},
	{AgreementPending, AgreementReject, AgreementRejected},
	{AgreementPending, AgreementCancel, AgreementCancelled},
	{AgreementPending, AgreementExpire, AgreementExpired},
	{AgreementApproving, AgreementRevert, AgreementPending},
	{AgreementApproving, AgreementCommit, AgreementApproved},
	{AgreementApproving, AgreementCancel, AgreementCancelled},
	{AgreementApproving, AgreementExpire, AgreementExpired},
	{AgreementApproved, AgreementTerminate, AgreementTerminated},
}

// Next returns the state that follows s on e.
func (s AgreementState) Next(e AgreementEvent) (AgreementState, error) {
	return agreementMoves.next("agreement", s, e)
}

// Final reports whether nothing can change the state any more.
func (s AgreementState) Final() bool { return agreementMoves.final(s) }

// Agreement is what a Requestor and a Provider have agreed on: the Provider's
// last Proposal and the Requestor's, which it counters.
type Agreement struct {
	ID             AgreementID
	Offer          Offer      // id of the Offer; properties and constraints of the last Proposal
	Demand         Demand     // id of the Demand; properties and constraints of its predecessor
	OfferProposal  ProposalID // this node's copy of the Proposal that was promoted
	DemandProposal ProposalID
	State          AgreementState
	Created        time.Time
	ValidTo        time.Time // the handshake must be finished by then
	Approved       time.Time // zero until approved; stamped by the Provider
	Session        string    // this party's appSessionId, "" for none
	Signatures     Signatures
}

// Requestor returns the node that buys.
func (a *Agreement) Requestor() NodeID { return a.Demand.Node }

// Provider returns the node that sells.
func (a *Agreement) Provider() NodeID { return a.Offer.Node }

// Party returns the node that has the given role.
func (a *Agreement) Party(role Role) NodeID {
	if role == Requestor {
		return a.Requestor()
	}
	return a.Provider()
}

// RoleOf returns the role node has in the Agreement, or ErrNotFound: to a
// stranger the Agreement does not exist.
func (a *Agreement) RoleOf(node NodeID) (Role, error) {
	switch node {
	case a.Requestor():
		return Requestor, nil
	case a.Provider():
		return Provider, nil
	}
	return "", Errorf(ErrNotFound, "agreement %s not found", a.ID)
}

// agreementJSON is upstream's REST form of an Agreement.
type agreementJSON struct {
	ID        AgreementID    `json:"agreementId"`
	Demand    Demand         `json:"demand"`
	Offer     Offer          `json:"offer"`
	ValidTo   time.Time      `json:"validTo"`
	Approved  time.Time      `json:"approvedDate,omitzero"`
	State     AgreementState `json:"state"`
	Created   time.Time      `json:"timestamp"`
	Session   string         `json:"appSessionId,omitempty"`
	Proposed  string         `json:"proposedSignature,omitempty"`
	Approval  string         `json:"approvedSignature,omitempty"`
	Committed string         `json:"committedSignature,omitempty"`
}

// MarshalJSON writes upstream's REST form. It shows the public state, no
// approval before there is one, and upstream's habit of giving Offer and Demand
// the time of the Agreement.
func (a Agreement) MarshalJSON() ([]byte, error) {
	j := agreementJSON{
		ID: a.ID, Demand: a.Demand, Offer: a.Offer, ValidTo: a.ValidTo, State: a.State.Public(), Created: a.Created,
		Session: a.Session, Proposed: a.Signatures.Proposed,
	}
	j.Demand.Created, j.Offer.Created = a.Created, a.Created
	if a.State == AgreementApproved || a.State == AgreementTerminated {
		j.Approved, j.Approval, j.Committed = a.Approved, a.Signatures.Approved, a.Signatures.Committed
	}
	return marshal(j)
}

// UnmarshalJSON reads upstream's REST form, in which the Proposals are not named.
func (a *Agreement) UnmarshalJSON(b []byte) error {
	var j agreementJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return Errorf(ErrInvalid, "agreement: %w", err)
	}
	*a = Agreement{
		ID: j.ID, Demand: j.Demand, Offer: j.Offer, ValidTo: j.ValidTo.UTC(), Approved: j.Approved.UTC(), State: j.State, Created: j.Created.UTC(),
		Session: j.Session, Signatures: Signatures{j.Proposed, j.Approval, j.Committed},
	}
	return nil
}

// SignedStep is a step of the handshake that is signed.
type SignedStep string

// The steps that are signed, and who signs them.
const (
	StepProposed  SignedStep = "proposed"  // Requestor
	StepApproved  SignedStep = "approved"  // Provider
	StepCommitted SignedStep = "committed" // Requestor
)

// Signatures are the signatures collected by an Agreement in their text form:
// that of [Signature], or NoSignature where a peer cannot sign, or "".
type Signatures struct{ Proposed, Approved, Committed string }

// Texts upstream puts where a signature would be.
const (
	NoSignature = "NoSignature"
	NotSigned   = "NotSigned"
)

// Digest returns what is signed at a step: the SHA3-256 of the step's name and
// everything the parties agree on, each field preceded by its length, so that
// no two different Agreements have the same digest.
func (a *Agreement) Digest(step SignedStep) [32]byte {
	h := sha3.New256()
	field := func(s string) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	field("golem agreement v1 " + string(step))
	field(string(a.ID))
	for _, s := range []*Subscription{&a.Offer.Subscription, &a.Demand.Subscription} {
		field(string(s.ID))
		field(s.Node.String())
		field(s.Properties)
		field(s.Constraints)
	}
	field(a.Created.UTC().Format(time.RFC3339Nano))
	field(a.ValidTo.UTC().Format(time.RFC3339Nano))
	if step != StepProposed {
		field(a.Approved.UTC().Format(time.RFC3339Nano))
	}
	return [32]byte(h.Sum(nil))
}

// AgreementEventType is a change of an Agreement that agents are told.
type AgreementEventType string

// The changes agents are told.
const (
	AgreementApprovedEvent   AgreementEventType = "AgreementApprovedEvent"
	AgreementRejectedEvent   AgreementEventType = "AgreementRejectedEvent"
	AgreementCancelledEvent  AgreementEventType = "AgreementCancelledEvent"
	AgreementTerminatedEvent AgreementEventType = "AgreementTerminatedEvent"
)
