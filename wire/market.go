package wire

import (
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
)

const (
	marketService       = "/public/market"
	marketLocal         = "/local/market"
	discoveryService    = "/public/market/protocol/mk1/discovery/offers"
	providerProposals   = "/public/market/protocol/mk1/negotiation/provider/proposal"
	requestorProposals  = "/public/market/protocol/mk1/negotiation/requestor/proposal"
	providerAgreements  = "/public/market/protocol/mk1/negotiation/provider/agreement"
	requestorAgreements = "/public/market/protocol/mk1/negotiation/requestor/agreement"
)

// MaxOfferIDs is how many ids a broadcast carries; they travel as datagrams.
const MaxOfferIDs = 8

// Broadcasts of every node.
var (
	// OffersBroadcast tells which Offers the sender knows. Whoever does not know
	// one asks the sender for it, and tells others what was new.
	OffersBroadcast = gsb.Topic[OfferIDs]{Name: "market-protocol-discovery-mk1-offers"}

	// WithdrawalsBroadcast tells which Offers are not on the market any more.
	// It counts when the owner says so: as the sender, by its signature, or
	// when asked.
	WithdrawalsBroadcast = gsb.Topic[Withdrawals]{Name: "market-protocol-discovery-mk1-offers-unsubscribe"}
)

// Messages from any node to any other.
var (
	// RetrieveOffers asks for the bodies of Offers. The answer has those that are
	// on the market, in any order. Upstream gives up after 3 s and then ignores
	// the node for 300 s.
	RetrieveOffers = gsb.Method[OfferIDs, []OfferBody]{Service: discoveryService, Name: "Get", Errors: DiscoveryErrors}

	// QueryOffers asks which Offers a node knows, page by page.
	QueryOffers = gsb.Method[OfferQuery, OfferPage]{Service: discoveryService, Name: "Query", Errors: DiscoveryErrors}
)

// Messages of a negotiation. The receiver keeps its own copy of each Proposal,
// under its own letter, and offers it to its agent as an event. It checks that
// the id is the hash of what it names and that the sender is the other party.
var (
	// InitialProposal is the Requestor's first counter-proposal, by which the
	// Provider's node learns of the Demand.
	InitialProposal = gsb.Method[InitialProposalReceived, gsb.Unit]{Service: providerProposals, Name: "InitialProposalReceived", Errors: CounterErrors}

	// CounterToProvider and CounterToRequestor carry every later Proposal.
	CounterToProvider  = gsb.Method[ProposalReceived, gsb.Unit]{Service: providerProposals, Name: "ProposalReceived", Errors: CounterErrors}
	CounterToRequestor = gsb.Method[ProposalReceived, gsb.Unit]{Service: requestorProposals, Name: "ProposalReceived", Errors: CounterErrors}

	// RejectionToProvider and RejectionToRequestor refuse a Proposal of the receiver.
	RejectionToProvider  = gsb.Method[ProposalRejected, gsb.Unit]{Service: providerProposals, Name: "ProposalRejected", Errors: RejectErrors}
	RejectionToRequestor = gsb.Method[ProposalRejected, gsb.Unit]{Service: requestorProposals, Name: "ProposalRejected", Errors: RejectErrors}
)

// Messages about an Agreement. The Provider's node decides whether it came
// about; the answer to a message is the receiver's state, which the sender
// adopts.
var (
	// ProposeAgreement asks the Provider to approve its last Proposal.
	ProposeAgreement = gsb.Method[AgreementReceived, gsb.Unit]{Service: providerAgreements, Name: "AgreementReceived", Errors: ProposeErrors}

	// CancelAgreement takes the Requestor's request back.
	CancelAgreement = gsb.Method[AgreementCancelled, gsb.Unit]{Service: providerAgreements, Name: "AgreementCancelled", Errors: AgreementErrors}

	// CommitAgreement confirms the approval; the Requestor's node repeats it until
	// it is answered. With the answer the Agreement is approved on both sides.
	CommitAgreement = gsb.Method[AgreementCommitted, gsb.Unit]{Service: providerAgreements, Name: "AgreementCommitted", Errors: CommitErrors}

	// ApproveAgreement tells the Requestor that the Provider agrees. The
	// Requestor's node answers at once and then sends [CommitAgreement].
	ApproveAgreement = gsb.Method[AgreementApproved, gsb.Unit]{Service: requestorAgreements, Name: "AgreementApproved", Errors: AgreementErrors}

	// RejectAgreement tells the Requestor that the Provider does not agree.
	RejectAgreement = gsb.Method[AgreementRejected, gsb.Unit]{Service: requestorAgreements, Name: "AgreementRejected", Errors: AgreementErrors}

	// TerminateToProvider and TerminateToRequestor end an approved Agreement; the
	// sender repeats it until it is answered.
	TerminateToProvider  = gsb.Method[AgreementTerminated, gsb.Unit]{Service: providerAgreements, Name: "AgreementTerminated", Errors: TerminateErrors}
	TerminateToRequestor = gsb.Method[AgreementTerminated, gsb.Unit]{Service: requestorAgreements, Name: "AgreementTerminated", Errors: TerminateErrors}
)

// Messages to the market of a node, from services of the same node or the other
// party of an Agreement.
var (
	// GetAgreement reads an Agreement of this node.
	GetAgreement = gsb.Method[AgreementQuery, golem.Agreement]{Service: marketService, Name: "GetAgreement"}

	// ListAgreements lists the Agreements of this node.
	ListAgreements = gsb.Method[AgreementsQuery, []AgreementEntry]{Service: marketService, Name: "ListAgreements"}

	// LastBroadcast asks when this node last heard a broadcast of Offers.
	LastBroadcast = gsb.Method[struct{}, time.Time]{Service: marketLocal, Name: "GetLastBcastTs"}
)

// OfferIDs is the body of [OffersBroadcast] and [RetrieveOffers].
type OfferIDs struct {
	IDs []golem.SubscriptionID `flex:"offerIds"`
}

// Withdrawals is the body of [WithdrawalsBroadcast]. Signatures, which upstream
// does not know, has an element for each id: the owner's signature over
// [golem.Subscription.WithdrawalDigest], or "".
type Withdrawals struct {
	IDs        []golem.SubscriptionID `flex:"offerIds"`
	Signatures []string               `flex:"signatures,omitempty"`
}

// OfferBody is an Offer as nodes hand it on. Signature, which upstream does not
// know, is the owner's over [golem.Subscription.Digest].
type OfferBody struct {
	ID          golem.SubscriptionID `flex:"id"`
	Properties  string               `flex:"properties"`
	Constraints string               `flex:"constraints"`
	Node        golem.NodeID         `flex:"node_id"`
	Created     time.Time            `flex:"creation_ts,naive"`
	Inserted    *time.Time           `flex:"insertion_ts,naive"` // the sender's; of no use to the receiver
	Expires     time.Time            `flex:"expiration_ts,naive"`
	Signature   string               `flex:"signature,omitempty"`
}

// OfferQuery is the body of [QueryOffers].
type OfferQuery struct {
	Node        *golem.NodeID `flex:"nodeId"`
	Constraints *string       `flex:"constraintExpr"`
	Iterator    *[]byte       `flex:"iterator"` // of the previous page
}

// OfferPage is the answer to [QueryOffers]; the last page has no iterator.
type OfferPage struct {
	IDs      []golem.SubscriptionID `flex:"offers"`
	Iterator *[]byte                `flex:"iterator"`
}

// ProposalContent is a Proposal on its way. The id has the sender's letter.
type ProposalContent struct {
	ID          golem.ProposalID `flex:"proposal_id"`
	Properties  string           `flex:"properties"`
	Constraints string           `flex:"constraints"`
	Created     time.Time        `flex:"creation_ts,naive"`
	Expires     time.Time        `flex:"expiration_ts,naive"`
}

// InitialProposalReceived is the body of [InitialProposal].
type InitialProposalReceived struct {
	Proposal ProposalContent      `flex:"proposal"`
	Offer    golem.SubscriptionID `flex:"offerId"`
	Demand   golem.SubscriptionID `flex:"demandId"`
}

// ProposalReceived is the body of [CounterToProvider] and [CounterToRequestor].
type ProposalReceived struct {
	Prev     golem.ProposalID `flex:"prevProposalId"`
	Proposal ProposalContent  `flex:"proposal"`
}

// ProposalRejected is the body of [RejectionToProvider] and
// [RejectionToRequestor]. Initial says that the receiver does not know the
// Proposal, since it is the bare match.
type ProposalRejected struct {
	Proposal golem.ProposalID `flex:"proposalId"`
	Initial  bool             `flex:"initial"`
	Reason   *golem.Reason    `flex:"reason"`
}

// AgreementReceived is the body of [ProposeAgreement].
type AgreementReceived struct {
	Proposal  golem.ProposalID `flex:"proposalId"`
	Agreement golem.ProposalID `flex:"agreementId"`
	Created   time.Time        `flex:"creationTs,naive"`
	ValidTo   time.Time        `flex:"validTo,naive"`
	Signature string           `flex:"signature,default"`
}

// AgreementCancelled is the body of [CancelAgreement].
type AgreementCancelled struct {
	Agreement golem.ProposalID `flex:"agreementId"`
	Reason    *golem.Reason    `flex:"reason"`
	At        time.Time        `flex:"cancellationTs,naive"`
}

// AgreementCommitted is the body of [CommitAgreement].
type AgreementCommitted struct {
	Agreement golem.ProposalID `flex:"agreementId"`
	Signature string           `flex:"signature,default"`
}

// AgreementApproved is the body of [ApproveAgreement].
type AgreementApproved struct {
	Agreement golem.ProposalID `flex:"agreementId"`
	Signature string           `flex:"signature,default"`
	At        time.Time        `flex:"approvedTs,naive"`
}

// AgreementRejected is the body of [RejectAgreement].
type AgreementRejected struct {
	Agreement golem.ProposalID `flex:"agreementId"`
	Reason    *golem.Reason    `flex:"reason"`
	At        time.Time        `flex:"rejectionTs,naive"`
}

// AgreementTerminated is the body of [TerminateToProvider] and
// [TerminateToRequestor]. The id has the receiver's letter.
type AgreementTerminated struct {
	Agreement golem.ProposalID `flex:"agreementId"`
	Reason    *golem.Reason    `flex:"reason"`
	Signature string           `flex:"signature,default"`
	At        time.Time        `flex:"terminationTs,naive"`
}

// AgreementQuery is the body of [GetAgreement].
type AgreementQuery struct {
	Agreement string     `flex:"agreementId"`
	Role      golem.Role `flex:"role"`
}

// AgreementsQuery is the body of [ListAgreements].
type AgreementsQuery struct {
	State   *golem.AgreementState `flex:"state"`
	Before  *time.Time            `flex:"beforeDate"`
	After   *time.Time            `flex:"afterDate"`
	Session *string               `flex:"appSessionId"`
}

// AgreementEntry is an Agreement in a list.
type AgreementEntry struct {
	ID       golem.AgreementID `flex:"id" json:"id"`
	Created  time.Time         `flex:"timestamp" json:"timestamp"`
	Approved *time.Time        `flex:"approvedDate" json:"approvedDate"`
	Role     golem.Role        `flex:"role" json:"role"`
}
