package golem

import (
	"log/slog"
	"slices"
	"time"
)

// InvoiceID names an Invoice, a UUID with dashes.
type InvoiceID string

// NewInvoiceID returns a fresh id.
func NewInvoiceID() InvoiceID { return InvoiceID(newUUID()) }

// LogValue makes the id readable in structured logs.
func (id InvoiceID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// Invoice is the final bill of an Agreement. It includes what debit notes of
// its Activities have already billed.
type Invoice struct {
	ID         InvoiceID      `json:"invoiceId"`
	Issuer     NodeID         `json:"issuerId"`    // Provider
	Recipient  NodeID         `json:"recipientId"` // Requestor
	Payee      Address        `json:"payeeAddr"`
	Payer      Address        `json:"payerAddr"`
	Platform   Platform       `json:"paymentPlatform"`
	Timestamp  time.Time      `json:"timestamp"`
	Agreement  AgreementID    `json:"agreementId"`
	Activities []ActivityID   `json:"activityIds"`
	Amount     Amount         `json:"amount"`
	Due        time.Time      `json:"paymentDueDate"`
	Status     DocumentStatus `json:"status"`
}

// Same reports whether i and o are the same document, whatever has become of it.
func (i *Invoice) Same(o *Invoice) bool {
	return i.ID == o.ID && i.Issuer == o.Issuer && i.Recipient == o.Recipient &&
		i.Payee == o.Payee && i.Payer == o.Payer && i.Platform == o.Platform &&
		i.Agreement == o.Agreement && i.Amount == o.Amount && i.Due.Equal(o.Due) &&
		slices.Equal(i.Activities, o.Activities)
}
