package golem

import (
	"log/slog"
	"time"
)

// AllocationID names an Allocation, a UUID with dashes.
type AllocationID string

// NewAllocationID returns a fresh id.
func NewAllocationID() AllocationID { return AllocationID(newUUID()) }

// LogValue makes the id readable in structured logs.
func (id AllocationID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// AllocationState is the state of an Allocation.
type AllocationState string

// The states of an Allocation.
const (
	AllocationActive   AllocationState = "Active"
	AllocationReleased AllocationState = "Released" // by its owner
	AllocationExpired  AllocationState = "Expired"  // by its timeout
)

// AllocationEvent is what can happen to an Allocation.
type AllocationEvent string

// The events of an Allocation.
const (
	AllocationSpend   AllocationEvent = "spend"
	AllocationAmend   AllocationEvent = "amend"
	AllocationRelease AllocationEvent = "release"
	AllocationExpire  AllocationEvent = "expire"
)

var allocationMoves = moves[AllocationState, AllocationEvent]{
	{AllocationActive, AllocationSpend, AllocationActive},
	{AllocationActive, AllocationAmend, AllocationActive},
	{AllocationActive, AllocationRelease, AllocationReleased},
	{AllocationActive, AllocationExpire, AllocationExpired},
}

// Next returns the state that follows s on e.
func (s AllocationState) Next(e AllocationEvent) (AllocationState, error) {
	return allocationMoves.next("allocation", s, e)
}

// Final reports whether nothing can change the state any more.
func (s AllocationState) Final() bool { return allocationMoves.final(s) }

// Allocation sets tokens of one account aside for what its owner will accept.
// What is accepted is charged to it at once, in the same transaction.
type Allocation struct {
	ID       AllocationID
	Owner    NodeID
	Platform Platform
	Address  Address // payer
	Total    Amount
	Spent    Amount // accepted so far
	State    AllocationState
	Timeout  time.Time // released by itself then; zero for the node's default
	Created  time.Time
	Updated  time.Time
	Deposit  *Deposit // the funds come from a deposit contract
}

// Remaining returns what can still be accepted.
func (a *Allocation) Remaining() Amount { return a.Total.Excess(a.Spent) }

// Spend returns the Allocation after amount was accepted against it, or
// ErrExhausted where it does not cover it.
func (a Allocation) Spend(amount Amount, now time.Time) (Allocation, error) {
	if _, err := a.State.Next(AllocationSpend); err != nil {
		return a, Errorf(ErrExpired, "allocation %s is released", a.ID)
	}
	if a.Remaining().Less(amount) {
		return a, Errorf(ErrExhausted, "Not enough funds. Allocated: %s Needed: %s", a.Remaining(), amount)
	}
	a.Spent, a.Updated = a.Spent.Add(amount), now
	return a, nil
}

// Deposit names a deposit on a contract that pays instead of the account.
type Deposit struct {
	ID       string            `json:"id"`
	Contract string            `json:"contract"`
	Validate map[string]string `json:"validate,omitempty"`
}

// newUUID returns a random UUID with dashes.
func newUUID() string {
	h := []byte(randomHex(16))
	h[12] = '4'
	h[16] = "89ab"[h[16]&3]
	return string(h[:8]) + "-" + string(h[8:12]) + "-" + string(h[12:16]) + "-" + string(h[16:20]) + "-" + string(h[20:])
}
