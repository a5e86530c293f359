package payment

import (
	"time"

	"github.com/golem-go/golem"
)

// MessageKind says what a Message tells.
type MessageKind string

// The kinds of messages, with what Ref is.
const (
	AcceptNoteMessage     MessageKind = "accept-debit-note" // DebitNote
	AcceptInvoiceMessage  MessageKind = "accept-invoice"    // Invoice
	RejectNoteMessage     MessageKind = "reject-debit-note" // DebitNote
	RejectInvoiceMessage  MessageKind = "reject-invoice"    // Invoice
	CancelNoteMessage     MessageKind = "cancel-debit-note" // DebitNote
	CancelInvoiceMessage  MessageKind = "cancel-invoice"    // Invoice
	PaymentMessage        MessageKind = "payment"           // Payment
	RequestSyncMessage    MessageKind = "request-sync"      // ""
	OrderMessage          MessageKind = "order"             // Order, to its driver
	ReleaseDepositMessage MessageKind = "release-deposit"   // Allocation, to its driver
)

// Message is something that must be told, written down together with its cause
// and kept until the other party has acknowledged it. Orders to a driver are
// acknowledged by being settled.
type Message struct {
	Seq      int64 // order of writing
	Owner    golem.NodeID
	Peer     golem.NodeID // zero for a driver
	Kind     MessageKind
	Ref      string
	Attempts int       // without success
	Refusals int       // those of them the peer answered with a refusal
	Next     time.Time // when to try again; zero: not by itself
	Problem  string    // of the last attempt
	Created  time.Time
}

// To returns the parties of the message.
func (m *Message) To() Correspondent { return Correspondent{m.Owner, m.Peer} }

// cancels reports whether the answer to the message decides about a document.
func (m *Message) cancels() bool {
	return m.Kind == CancelNoteMessage || m.Kind == CancelInvoiceMessage
}

// messagesAbout are the kinds of messages about a document, by what they tell.
var messagesAbout = map[DocumentKind]map[golem.DocumentEvent]MessageKind{
	DebitNote: {golem.DocumentAccept: AcceptNoteMessage, golem.DocumentReject: RejectNoteMessage, golem.DocumentCancel: CancelNoteMessage},
	Invoice:   {golem.DocumentAccept: AcceptInvoiceMessage, golem.DocumentReject: RejectInvoiceMessage, golem.DocumentCancel: CancelInvoiceMessage},
}

// subject returns the document a message is about, or false.
func (m *Message) subject() (DocumentKey, bool) {
	side := Side{m.Owner, golem.Requestor}
	switch m.Kind {
	case AcceptNoteMessage, RejectNoteMessage:
		return DocumentKey{side, DebitNote, m.Ref}, true
	case AcceptInvoiceMessage, RejectInvoiceMessage:
		return DocumentKey{side, Invoice, m.Ref}, true
	}
	side.Role = golem.Provider
	switch m.Kind {
	case CancelNoteMessage:
		return DocumentKey{side, DebitNote, m.Ref}, true
	case CancelInvoiceMessage:
		return DocumentKey{side, Invoice, m.Ref}, true
	}
	return DocumentKey{}, false
}
