package payment

import (
	"context"
	"time"

	"github.com/golem-go/golem"
)

// Store keeps the books. All that must be atomic happens inside one Step.
type Store interface {
	// View runs f, which only reads. f must not call the Store.
	View(ctx context.Context, f func(Reader) error) error

	// Step runs f and writes the Change it returns, in one transaction that no
	// other Step interleaves with: what f reads is still so when the Change is
	// written. When Step returns nil all is on the disk; when it returns the
	// error of f, nothing has changed. f must neither call the Store nor block.
	Step(ctx context.Context, f func(Reader) (Change, error)) error
}

// Change is a set of rows to write. A row replaces the one with the same key.
type Change struct {
	Agreements  []Agreement
	Activities  []Activity
	Documents   []Document
	Allocations []golem.Allocation
	Obligations []Obligation
	Orders      []OrderRecord
	Payments    []Payment
	Events      []Event
	Messages    []Message // Seq 0: a new one, unless there is one of that Owner, Peer, Kind and Ref
	Done        []int64   // Seq of messages that are to be forgotten
}

// Reader reads the books. What is not there is ErrNotFound; lists may be empty.
type Reader interface {
	BookReader
	DocumentReader
	AllocationReader
	OrderReader
	PaymentReader
	MessageReader
}

// Page is a part of a list in the order of time.
type Page struct {
	After time.Time // exclusive
	Limit int       // 0: all
}

// BookReader reads totals.
type BookReader interface {
	Agreement(AgreementKey) (Agreement, error)
	Activity(ActivityKey) (Activity, error)
	// ActivitiesOf returns the Activities of an Agreement.
	ActivitiesOf(AgreementKey) ([]Activity, error)
	// Agreements and Activities list the books of an owner by time of creation.
	Agreements(owner golem.NodeID, p Page) ([]Agreement, error)
	Activities(owner golem.NodeID, p Page) ([]Activity, error)
	// LastActivity returns when the last of an owner was created; zero for none.
	LastActivity(owner golem.NodeID) (time.Time, error)
	// AgreementsFrom returns books of all owners in the order of their keys,
	// beginning after the given one.
	AgreementsFrom(after AgreementKey, limit int) ([]Agreement, error)
}

// DocumentReader reads debit notes and invoices.
type DocumentReader interface {
	Document(DocumentKey) (Document, error)
	// DocumentsAfter lists the documents of an owner by the time of their issue.
	DocumentsAfter(owner golem.NodeID, kind DocumentKind, p Page) ([]Document, error)
	// DocumentsOf returns the documents of an Agreement in the order they came.
	DocumentsOf(AgreementKey) ([]Document, error)
	// InvoicesOf returns the invoices among them.
	InvoicesOf(AgreementKey) ([]Document, error)
	// OpenDocumentsOf returns those that are neither settled nor cancelled.
	OpenDocumentsOf(AgreementKey) ([]Document, error)
	// NotesOf returns the debit notes of an Activity in the order they came.
	NotesOf(ActivityKey) ([]Document, error)
	// LastNote returns the latest DebitNote of an Activity.
	LastNote(ActivityKey) (Document, error)
	// Waiting returns the parties for whose answer a Provider of this node waits.
	Waiting() ([]Correspondent, error)
}

// Correspondent is a pair of an identity of this node and another node.
type Correspondent struct{ Owner, Peer golem.NodeID }

// AllocationReader reads budgets.
type AllocationReader interface {
	Allocation(golem.AllocationID) (golem.Allocation, error)
	// Allocations lists the active Allocations of an owner by time of creation.
	Allocations(owner golem.NodeID, p Page) ([]golem.Allocation, error)
	// AllocationsOn returns the active Allocations of all owners on an account.
	AllocationsOn(Account) ([]golem.Allocation, error)
	// AllocationsWith returns those with a deposit, active or not.
	AllocationsWith(d golem.Deposit) ([]golem.Allocation, error)
	// Expiring returns active Allocations, the first to end first.
	Expiring(limit int) ([]golem.Allocation, error)
	// AllocationsFrom returns all Allocations in the order of ids, beginning after
	// the given one.
	AllocationsFrom(after golem.AllocationID, limit int) ([]golem.Allocation, error)
}

// Account is an address on a platform.
type Account struct {
	Platform golem.Platform
	Address  golem.Address
}

// Purse is where an identity of this node pays from.
type Purse struct {
	Owner golem.NodeID
	Account
}

// OrderReader reads what is to be paid.
type OrderReader interface {
	// Owed returns the sum of all obligations of an account that are not paid.
	Owed(Account) (golem.Amount, error)
	// Payable returns the purses some open obligations of which are due at now.
	Payable(now time.Time) ([]Purse, error)
	// NextPayable returns when the next open obligation is due; zero for none.
	NextPayable() (time.Time, error)
	// OpenObligations returns the open obligations of a purse, oldest first.
	OpenObligations(p Purse, limit int) ([]Obligation, error)
	ObligationsOf(OrderID) ([]Obligation, error)
	ObligationsOn(golem.AllocationID) ([]Obligation, error)
	ObligationsUnder(owner golem.NodeID, id golem.AgreementID) ([]Obligation, error)
	Order(OrderID) (OrderRecord, error)
	Orders(owner golem.NodeID, p Page) ([]OrderRecord, error)
	// LastOrder returns when the last of an owner was created; zero for none.
	LastOrder(owner golem.NodeID) (time.Time, error)
	// OrdersFrom returns all orders in the order of ids, beginning after the given
	// one.
	OrdersFrom(after OrderID, limit int) ([]OrderRecord, error)
	// OrdersSettled counts the settled orders of an account.
	OrdersSettled(Account) (int, error)
}

// PaymentReader reads payments and events.
type PaymentReader interface {
	Payment(PaymentKey) (Payment, error)
	Payments(PaymentQuery) ([]Payment, error)
	// PaymentsFor returns the payments with a part for an Agreement, and for one
	// of its Activities unless that is "".
	PaymentsFor(AgreementKey, golem.ActivityID) ([]Payment, error)
	// Claimed returns what Providers of this node have booked of a transfer.
	Claimed(p golem.Platform, ref string) (golem.Amount, error)
	// LastPayment returns when the last Payment was recorded.
	LastPayment() (time.Time, error)
	Events(EventQuery) ([]Event, error)
	// LastEvent returns the time of the last event.
	LastEvent() (time.Time, error)
}

// MessageReader reads what must still be told.
type MessageReader interface {
	Message(seq int64) (Message, error)
	// MessageFor returns the message with everything but Seq as given.
	MessageFor(c Correspondent, kind MessageKind, ref string) (Message, error)
	// Addressees returns those to whom something is due at now, the longest
	// waiting first.
	Addressees(now time.Time) ([]Correspondent, error)
	// Outbox returns what is due to c at now, in the order it was written.
	Outbox(c Correspondent, now time.Time, limit int) ([]Message, error)
	// NextMessage returns when the next message after now is due; zero for none.
	NextMessage(now time.Time) (time.Time, error)
	// MessagesTo returns all messages to a node, and MessagesOf all of a kind.
	MessagesTo(peer golem.NodeID) ([]Message, error)
	MessagesOf(kind MessageKind) ([]Message, error)
	// Undelivered counts messages, and those of them that were refused.
	Undelivered(owner golem.NodeID) (all, refused int, err error)
}
