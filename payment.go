package golem

import (
	"log/slog"
	"time"
)

// PaymentID names a Payment: 32 hex digits.
type PaymentID string

// NewPaymentID returns a fresh id.
func NewPaymentID() PaymentID { return PaymentID(randomHex(16)) }

// LogValue makes the id readable in structured logs.
func (id PaymentID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// Payment is a transfer of tokens that has happened, and what it pays for. The
// payer signs its canonical JSON; see [Payment.Public] for what is signed.
type Payment struct {
	ID         PaymentID          `json:"paymentId"`
	Payer      NodeID             `json:"payerId"`
	Payee      NodeID             `json:"payeeId"`
	PayerAddr  Address            `json:"payerAddr"`
	PayeeAddr  Address            `json:"payeeAddr"`
	Platform   Platform           `json:"paymentPlatform"`
	Amount     Amount             `json:"amount"`
	Timestamp  time.Time          `json:"timestamp"`
	Agreements []AgreementPayment `json:"agreementPayments"`
	Activities []ActivityPayment  `json:"activityPayments"`
	Details    string             `json:"details"` // the driver's proof in base64
}

// AgreementPayment is the part of a Payment that pays an Invoice.
type AgreementPayment struct {
	Agreement  AgreementID  `json:"agreementId"`
	Amount     Amount       `json:"amount"`
	Allocation AllocationID `json:"allocationId,omitempty"`
}

// ActivityPayment is the part of a Payment that pays debit notes.
type ActivityPayment struct {
	Activity   ActivityID   `json:"activityId"`
	Amount     Amount       `json:"amount"`
	Allocation AllocationID `json:"allocationId,omitempty"`
}

// Sum returns what the parts add up to.
func (p *Payment) Sum() (total Amount) {
	for _, a := range p.Agreements {
		total = total.Add(a.Amount)
	}
	for _, a := range p.Activities {
		total = total.Add(a.Amount)
	}
	return total
}

// Public returns the Payment as the payee may see it: without the payer's
// Allocations.
func (p *Payment) Public() Payment {
	q := *p
	q.Agreements = make([]AgreementPayment, len(p.Agreements))
	for i, a := range p.Agreements {
		q.Agreements[i] = AgreementPayment{Agreement: a.Agreement, Amount: a.Amount}
	}
	q.Activities = make([]ActivityPayment, len(p.Activities))
	for i, a := range p.Activities {
		q.Activities[i] = ActivityPayment{Activity: a.Activity, Amount: a.Amount}
	}
	return q
}

// DocumentEventType is a change of a document that agents are told.
type DocumentEventType string

// The changes agents are told (spec payment.md §3.2).
const (
	ReceivedEvent  DocumentEventType = "RECEIVED"
	AcceptedEvent  DocumentEventType = "ACCEPTED"
	RejectedEvent  DocumentEventType = "REJECTED"
	CancelledEvent DocumentEventType = "CANCELLED"
	SettledEvent   DocumentEventType = "SETTLED"
)
