package market

import (
	"context"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// Listing is an Offer as this node knows it.
type Listing struct {
	golem.Offer
	Signature  string    // the owner's, verified; "" where it does not sign
	Inserted   time.Time // on this node
	Withdrawn  bool      // not on the market any more; kept so that its id is not taken for new
	Withdrawal string    // the owner's signature of that, ""
}

// Match is an Offer that fits a Demand of this node: the Negotiation it opens
// and the Requestor's copy of the Initial Proposal.
type Match struct {
	Negotiation golem.Negotiation
	Initial     golem.Proposal
	Once        bool // only if the pair has no Negotiation yet
}

// Exchange is a Proposal and what has to be known to act on it.
type Exchange struct {
	golem.Proposal
	Negotiation golem.Negotiation
	Next        golem.ProposalID // the Proposal that counters it, ""
	Telling     Telling          // what the other party has not acknowledged
}

// Counter is one step of a negotiation: a new Proposal in answer to another.
type Counter struct {
	Proposal golem.Proposal
	Prev     golem.ProposalState // the state its predecessor is expected in
	Reopened golem.ProposalState // the state its predecessor gets
	Telling  Telling             // TellCounter for ours, "" for theirs
	Due      time.Time           // when to tell again
	Event    *Event              // for our agent, nil for ours
}

// Telling names what the other party of a Proposal or an Agreement has to be
// told until it has acknowledged it. It is stored with the state it tells of,
// so that neither is there without the other.
type Telling string

// The messages that are repeated until they are answered.
const (
	TellCounter   Telling = "counter"   // a Proposal of ours
	TellRejection Telling = "rejection" // of a Proposal of theirs
	TellConfirm   Telling = "confirm"   // the Requestor proposes the Agreement
	TellCommit    Telling = "commit"    // the Requestor confirms the approval
	TellReject    Telling = "reject"    // the Provider means to reject
	TellCancel    Telling = "cancel"    // the Requestor means to cancel
	TellTerminate Telling = "terminate" // the Agreement has ended
)

// Errand is something that has to be told and is due.
type Errand struct {
	Telling  Telling
	Proposal golem.ProposalID  // for the first two tellings
	ID       golem.AgreementID // for the others
	Role     golem.Role        // ours
	Peer     golem.NodeID
	Attempts int
	Since    time.Time
	Due      time.Time

	approved time.Time // the approval a commitment was sent for
}

// EventKind is the kind of an event for an agent that negotiates.
type EventKind string

// The kinds of events.
const (
	EventProposal  EventKind = "ProposalEvent"
	EventRejection EventKind = "ProposalRejectedEvent"
	EventAgreement EventKind = "AgreementEvent" // Providers only
)

// Rank is how urgent an event is; those of a lower rank are delivered first.
type Rank int

// The ranks: decisions, answers in negotiations under way, new counterparts.
const (
	RankDecision Rank = iota
	RankAnswer
	RankMatch
)

// Event is something an agent collects by long poll, until it has it.
type Event struct {
	Seq          int64
	Subscription golem.SubscriptionID
	Kind         EventKind
	Rank         Rank
	Peer         golem.NodeID     // events of one rank are delivered by turns of the peers
	Proposal     golem.ProposalID // of a ProposalEvent, and ours of a ProposalRejectedEvent
	Agreement    golem.AgreementID
	Reason       *golem.Reason
	At           time.Time
}

// AgreementEvent is a change of an Agreement, kept for both agents to read as
// often as they like.
type AgreementEvent struct {
	Agreement golem.AgreementID
	Type      golem.AgreementEventType
	By        golem.Role // who caused it
	Reason    *golem.Reason
	At        time.Time // unique on this node, and later than any before
}

// EventQuery selects AgreementEvents of one identity.
type EventQuery struct {
	Owner   golem.NodeID
	Session string // "" for all
	After   time.Time
	Max     int
}

// AgreementQuery selects Agreements; zero values select all.
type AgreementQuery struct {
	Owner   golem.NodeID         // the party that is of this node
	Peer    golem.NodeID         // the other party; not together with Owner
	State   golem.AgreementState // as agents see it
	Before  time.Time
	After   time.Time
	Session string
}

// AgreementEntry is an Agreement in a list, with the role of this node.
type AgreementEntry = wire.AgreementEntry

// Change is one step of an Agreement, made in one transaction.
type Change struct {
	Handshake *Handshake       // its revision is the one the decision was based on
	News      []AgreementEvent // in order; At is set by the store
	Owner     golem.NodeID     // whose news
	Now       time.Time
	Fresh     *Match // opened for the pair when an Agreement ended
}

// Store keeps what the market must not forget. Each method that changes
// something is one atomic, durable step. Methods return golem.ErrNotFound for
// what is not there and golem.ErrConflict when somebody was faster.
type Store interface {
	SubscriptionStore
	NegotiationStore
	AgreementStore
	EventStore
}

// SubscriptionStore keeps Offers and Demands.
type SubscriptionStore interface {
	// Offers returns all Offers that have not expired at now, withdrawn ones
	// too, in the order they were added.
	Offers(ctx context.Context, now time.Time) ([]Listing, error)
	// Demands likewise.
	Demands(ctx context.Context, now time.Time) ([]golem.Demand, error)
	// AddOffers adds Offers that are not there yet.
	AddOffers(ctx context.Context, ls []Listing) error
	// AddDemand adds a Demand of this node.
	AddDemand(ctx context.Context, d golem.Demand) error
	// WithdrawOffer marks an Offer and drops its agent's events. It returns
	// ErrConflict if it is withdrawn already.
	WithdrawOffer(ctx context.Context, id golem.SubscriptionID, signature string) error
	// WithdrawDemand removes a Demand and its agent's events.
	WithdrawDemand(ctx context.Context, id golem.SubscriptionID) error
}

// NegotiationStore keeps Negotiations and Proposals.
type NegotiationStore interface {
	// Open adds matches with their events and returns how many of them were new.
	Open(ctx context.Context, ms []Match, now time.Time) (int, error)
	// Receive adds a Negotiation a Requestor began: its own Initial Proposal, and
	// the counter-proposal with its event. It returns ErrExhausted when peer has
	// begun limit Negotiations since the given time.
	Receive(ctx context.Context, n golem.Negotiation, initial golem.Proposal, c Counter, limit int, since time.Time) error
	// Proposal returns a Proposal.
	Proposal(ctx context.Context, id golem.ProposalID) (*Exchange, error)
	// Counter adds a Proposal; ErrConflict if its predecessor has one, or is in
	// another state, or the id exists. That the peer knows the predecessor ends
	// telling of it.
	Counter(ctx context.Context, c Counter) error
	// Retract removes a Proposal of ours that the other party did not take. It
	// returns ErrConflict if there is an answer to it.
	Retract(ctx context.Context, id golem.ProposalID) error
	// RejectProposal moves a Proposal from a state to Rejected.
	RejectProposal(ctx context.Context, id golem.ProposalID, from golem.ProposalState, t Telling, reason *golem.Reason, due time.Time, e *Event) error
	// Told ends telling of a Proposal.
	Told(ctx context.Context, id golem.ProposalID, t Telling) error
	// Rejection returns the reason a Proposal is rejected for.
	Rejection(ctx context.Context, id golem.ProposalID) (*golem.Reason, error)
}

// AgreementStore keeps Agreements and their events.
type AgreementStore interface {
	// Propose adds an Agreement of a Requestor and accepts its Proposal.
	Propose(ctx context.Context, h *Handshake) error
	// Receive adds an Agreement of a Provider, accepts its Proposal and adds the event.
	ReceiveAgreement(ctx context.Context, h *Handshake, e Event) error
	// Handshake returns the Agreement in which this node has the given role.
	Handshake(ctx context.Context, role golem.Role, id golem.AgreementID) (*Handshake, error)
	// Agreements lists Agreements, oldest first.
	Agreements(ctx context.Context, q AgreementQuery) ([]AgreementEntry, error)
	// Overdue lists Agreements that time has moved on at now.
	Overdue(ctx context.Context, now time.Time, limit int) ([]*Handshake, error)
	// Change makes a step; ErrConflict if the Agreement has another revision.
	Change(ctx context.Context, c Change) error
	// AgreementEvents lists events, oldest first.
	AgreementEvents(ctx context.Context, q EventQuery) ([]AgreementEvent, error)
	// Termination returns the event of an Agreement's end.
	Termination(ctx context.Context, role golem.Role, id golem.AgreementID) (*AgreementEvent, error)
}

// EventStore keeps what agents have not collected, and what peers have not
// acknowledged.
type EventStore interface {
	// Pending returns the numbers of the next events of a subscription, in order.
	Pending(ctx context.Context, sub golem.SubscriptionID, max int) ([]int64, error)
	// Events returns those of the given events that are still there, in order.
	Events(ctx context.Context, seqs []int64) ([]Event, error)
	// Delivered removes events.
	Delivered(ctx context.Context, seqs []int64) error
	// Errands lists what is due at now, oldest first.
	Errands(ctx context.Context, now time.Time, limit int) ([]Errand, error)
	// NextErrand returns when the next errand is due, or the zero time.
	NextErrand(ctx context.Context) (time.Time, error)
	// Postpone counts a failed attempt and sets when to try again.
	Postpone(ctx context.Context, es []Errand, due time.Time) error
	// Clean removes what ended before the given times, a batch of limit rows at
	// a time, and returns how many rows it removed.
	Clean(ctx context.Context, c Retention, limit int) (int, error)
}

// Retention says until when things are of no use any more.
type Retention struct {
	Subscriptions time.Time // expired before
	Events        time.Time // created before
	Agreements    time.Time // ended, with a ValidTo before
}
