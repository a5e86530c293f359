package golem

import (
	"encoding/json"
	"log/slog"
	"time"
)

// DebitNoteID names a DebitNote, a UUID with dashes.
type DebitNoteID string

// NewDebitNoteID returns a fresh id.
func NewDebitNoteID() DebitNoteID { return DebitNoteID(newUUID()) }

// LogValue makes the id readable in structured logs.
func (id DebitNoteID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// DocumentStatus is the state of a DebitNote or an Invoice.
type DocumentStatus string

// The states of a document. Issued is known to the Provider only; a document
// exists at the Requestor from Received on.
const (
	DocumentIssued    DocumentStatus = "ISSUED"
	DocumentReceived  DocumentStatus = "RECEIVED"
	DocumentAccepted  DocumentStatus = "ACCEPTED"
	DocumentRejected  DocumentStatus = "REJECTED"
	DocumentFailed    DocumentStatus = "FAILED"
	DocumentSettled   DocumentStatus = "SETTLED"
	DocumentCancelled DocumentStatus = "CANCELLED"
)

// DocumentEvent is what can happen to a DebitNote or an Invoice.
type DocumentEvent string

// The events of a document.
const (
	DocumentDeliver DocumentEvent = "deliver" // the other party has it
	DocumentAccept  DocumentEvent = "accept"
	DocumentReject  DocumentEvent = "reject"
	DocumentCancel  DocumentEvent = "cancel"
	DocumentSettle  DocumentEvent = "settle" // paid in full
	DocumentFail    DocumentEvent = "fail"   // the payment could not be made
)

// documentMoves is common to both documents. A rejected document may still be
// accepted later (spec payment.md §4.1). An acceptance may overtake the
// acknowledgement of the delivery. Totals are cumulative, so paying a later
// document settles the earlier ones, whatever had become of them (§3.3).
var documentMoves = moves[DocumentStatus, DocumentEvent]{
	{DocumentIssued, DocumentDeliver, DocumentReceived},
	{DocumentIssued, DocumentAccept, DocumentAccepted},
	{DocumentIssued, DocumentReject, DocumentRejected},
	{DocumentIssued, DocumentCancel, DocumentCancelled},
	{DocumentIssued, DocumentSettle, DocumentSettled},
	{DocumentReceived, DocumentAccept, DocumentAccepted},
	{DocumentReceived, DocumentReject, DocumentRejected},
	{DocumentReceived, DocumentCancel, DocumentCancelled},
	{DocumentReceived, DocumentSettle, DocumentSettled},
	{DocumentRejected, DocumentAccept, DocumentAccepted},
	{DocumentRejected, DocumentCancel, DocumentCancelled},
	{DocumentRejected, DocumentSettle, DocumentSettled},
	{DocumentAccepted, DocumentSettle, DocumentSettled},
	{DocumentAccepted, DocumentFail, DocumentFailed},
	{DocumentFailed, DocumentAccept, DocumentAccepted},
	{DocumentFailed, DocumentReject, DocumentRejected},
	{DocumentFailed, DocumentSettle, DocumentSettled},
}

var debitNoteMoves, invoiceMoves = documentMoves, documentMoves

// Next returns the state that follows s on e.
func (s DocumentStatus) Next(e DocumentEvent) (DocumentStatus, error) {
	return documentMoves.next("document", s, e)
}

// Final reports whether nothing can change the state any more.
func (s DocumentStatus) Final() bool { return documentMoves.final(s) }

// Concluded reports whether the document is accepted or settled, so that
// accepting it again changes nothing.
func (s DocumentStatus) Concluded() bool { return s == DocumentAccepted || s == DocumentSettled }

// ParseDocumentStatus checks the name of a status.
func ParseDocumentStatus(s string) (DocumentStatus, error) {
	switch st := DocumentStatus(s); st {
	case DocumentIssued, DocumentReceived, DocumentAccepted, DocumentRejected, DocumentFailed, DocumentSettled, DocumentCancelled:
		return st, nil
	}
	return "", Errorf(ErrInvalid, "document status %q is unknown", clip(s))
}

// DebitNote says what an Activity has cost so far; its total is cumulative. With
// a due date it must be paid by then, without one it is information.
type DebitNote struct {
	ID        DebitNoteID     `json:"debitNoteId"`
	Issuer    NodeID          `json:"issuerId"`    // Provider
	Recipient NodeID          `json:"recipientId"` // Requestor
	Payee     Address         `json:"payeeAddr"`
	Payer     Address         `json:"payerAddr"`
	Platform  Platform        `json:"paymentPlatform"`
	Previous  DebitNoteID     `json:"previousDebitNoteId,omitempty"`
	Timestamp time.Time       `json:"timestamp"`
	Agreement AgreementID     `json:"agreementId"`
	Activity  ActivityID      `json:"activityId"`
	Total     Amount          `json:"totalAmountDue"`
	Usage     json.RawMessage `json:"usageCounterVector,omitempty"`
	Due       *time.Time      `json:"paymentDueDate,omitempty"`
	Status    DocumentStatus  `json:"status"`
}

// Same reports whether n and o are the same document, whatever has become of it.
func (n *DebitNote) Same(o *DebitNote) bool {
	return n.ID == o.ID && n.Issuer == o.Issuer && n.Recipient == o.Recipient &&
		n.Payee == o.Payee && n.Payer == o.Payer && n.Platform == o.Platform &&
		n.Agreement == o.Agreement && n.Activity == o.Activity && n.Total == o.Total &&
		sameTime(n.Due, o.Due)
}

// Acceptance says how much of a document is accepted, against which Allocation.
// The Allocation concerns its owner alone and stays blank in messages to others.
type Acceptance struct {
	Amount     Amount       `json:"totalAmountAccepted"`
	Allocation AllocationID `json:"allocationId"`
}

// Rejection says why a document is refused.
type Rejection struct {
	Reason  string `json:"rejectionReason"`
	Amount  Amount `json:"totalAmountAccepted"`
	Message string `json:"message,omitempty"`
}

// The values of Rejection.Reason.
const (
	UnsolicitedService = "UNSOLICITED_SERVICE"
	BadService         = "BAD_SERVICE"
	IncorrectAmount    = "INCORRECT_AMOUNT"
)

// Validate checks a Rejection that comes from outside.
func (r *Rejection) Validate() error {
	switch r.Reason {
	case UnsolicitedService, BadService, IncorrectAmount:
		return nil
	}
	return Errorf(ErrInvalid, "rejection reason %q: want %s, %s or %s", clip(r.Reason), UnsolicitedService, BadService, IncorrectAmount)
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
