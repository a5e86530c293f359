package payment

import (
	"time"

	"github.com/golem-go/golem"
)

// Side says whose books a row belongs to: those of an identity of this node, in
// one of the two roles. One node may hold both sides of an Agreement.
type Side struct {
	Owner golem.NodeID `json:"ownerId"`
	Role  golem.Role   `json:"role"`
}

// Totals are the four sums kept for each Agreement and Activity. On the
// Provider's side nothing is scheduled, and a generous payer may have paid more
// than is due.
type Totals struct {
	Due       golem.Amount `json:"totalAmountDue"`
	Accepted  golem.Amount `json:"totalAmountAccepted"`
	Scheduled golem.Amount `json:"totalAmountScheduled"`
	Paid      golem.Amount `json:"totalAmountPaid"`
}

// Agreement is the books of one side of an Agreement. Due is the largest of the
// invoices that are not cancelled and the sum of what its Activities have due.
type Agreement struct {
	Side
	ID       golem.AgreementID `json:"id"`
	Peer     golem.NodeID      `json:"peerId"`
	Payee    golem.Address     `json:"payeeAddr"`
	Payer    golem.Address     `json:"payerAddr"`
	Platform golem.Platform    `json:"paymentPlatform"`
	Session  string            `json:"appSessionId,omitempty"`
	Totals
	Created time.Time `json:"createdTs"`
	Updated time.Time `json:"updatedTs"`
}

// Activity is the books of one side of an Activity. Due is the largest total of
// its debit notes that are not cancelled.
type Activity struct {
	Side
	ID        golem.ActivityID  `json:"id"`
	Agreement golem.AgreementID `json:"agreementId"`
	Totals
	Created time.Time `json:"createdTs"`
	Updated time.Time `json:"updatedTs"`
}

// AgreementKey names the books of an Agreement.
type AgreementKey struct {
	Side
	ID golem.AgreementID
}

// ActivityKey names the books of an Activity.
type ActivityKey struct {
	Side
	ID golem.ActivityID
}

// Key returns the name of the books.
func (a *Agreement) Key() AgreementKey { return AgreementKey{a.Side, a.ID} }

// Key returns the name of the books.
func (a *Activity) Key() ActivityKey { return ActivityKey{a.Side, a.ID} }

// ObligationState says how far a promise to pay has come.
type ObligationState string

// The states of an Obligation.
const (
	ObligationOpen    ObligationState = "open"    // accepted, in no order yet
	ObligationOrdered ObligationState = "ordered" // part of an order
	ObligationPaid    ObligationState = "paid"    // its order is settled
)

// Obligation is a promise to pay, made by accepting a document: the document's
// total less what had been accepted before. A document gives rise to one at most.
type Obligation struct {
	Document   DocumentKey // Role is Requestor
	Agreement  golem.AgreementID
	Activity   golem.ActivityID // "" where an Invoice was accepted
	Allocation golem.AllocationID
	Peer       golem.NodeID
	Payer      golem.Address
	Payee      golem.Address
	Platform   golem.Platform
	Amount     golem.Amount
	Due        time.Time // zero: none was agreed
	PayAt      time.Time // when it is ordered at the latest
	State      ObligationState
	Order      OrderID // "" while open
}

// Expenditure is what an Allocation has been charged for an Agreement, or for an
// Activity of it.
type Expenditure struct {
	Allocation golem.AllocationID `json:"allocationId"`
	Agreement  golem.AgreementID  `json:"agreementId"`
	Activity   golem.ActivityID   `json:"activityId,omitempty"`
	Accepted   golem.Amount       `json:"acceptedAmount"`
	Scheduled  golem.Amount       `json:"scheduledAmount"`
}
