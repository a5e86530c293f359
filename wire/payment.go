package wire

import (
	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
)

const paymentService = "/public/payment"

// Messages about bills. The receiver checks that the caller is the party the
// document names and that both have the Agreement it belongs to; being told the
// same again is answered by the same Ack.
var (
	// SendDebitNote delivers a DebitNote: Provider to Requestor.
	SendDebitNote = gsb.Method[golem.DebitNote, PaymentAck]{Service: paymentService, Name: "SendDebitNote", Errors: SendErrors}

	// SendInvoice delivers an Invoice: Provider to Requestor.
	SendInvoice = gsb.Method[golem.Invoice, PaymentAck]{Service: paymentService, Name: "SendInvoice", Errors: SendErrors}

	// AcceptDebitNote promises to pay: Requestor to Provider.
	AcceptDebitNote = gsb.Method[DebitNoteAcceptance, PaymentAck]{Service: paymentService, Name: "AcceptDebitNote", Errors: AcceptErrors}

	// AcceptInvoice promises to pay: Requestor to Provider.
	AcceptInvoice = gsb.Method[InvoiceAcceptance, PaymentAck]{Service: paymentService, Name: "AcceptInvoice", Errors: AcceptErrors}

	// RejectDebitNote refuses to pay: Requestor to Provider. Upstream binds the
	// message without implementing it.
	RejectDebitNote = gsb.Method[DebitNoteRejection, PaymentAck]{Service: paymentService, Name: "RejectDebitNote", Errors: AcceptErrors}

	// RejectInvoice refuses to pay: Requestor to Provider.
	RejectInvoice = gsb.Method[InvoiceRejection, PaymentAck]{Service: paymentService, Name: "RejectInvoiceV2", Errors: AcceptErrors}

	// CancelDebitNote withdraws a DebitNote that is not accepted yet: Provider to
	// Requestor, whose answer decides. Upstream binds it without implementing it.
	CancelDebitNote = gsb.Method[DebitNoteCancellation, PaymentAck]{Service: paymentService, Name: "CancelDebitNote", Errors: CancelErrors}

	// CancelInvoice withdraws an Invoice that is not accepted yet: Provider to
	// Requestor, whose answer decides.
	CancelInvoice = gsb.Method[InvoiceCancellation, PaymentAck]{Service: paymentService, Name: "CancelInvoice", Errors: CancelErrors}
)

// Messages about payments, Requestor to Provider except where noted. The
// receiver checks signature and proof before it believes anything.
var (
	// SendPayment confirms one Payment.
	SendPayment = gsb.Method[SignedPayment, PaymentAck]{Service: paymentService, Name: "SendPaymentWithBytes", Errors: SendErrors}

	// SendPaymentV1 is what nodes before 0.15 send: the signature covers a text
	// that cannot be reproduced, so it proves nothing.
	SendPaymentV1 = gsb.Method[PaymentV1, PaymentAck]{Service: paymentService, Name: "SendPayment", Errors: SendErrors}

	// SyncPayments repeats what could not be delivered at once.
	SyncPayments = gsb.Method[PaymentSync, PaymentAck]{Service: paymentService, Name: "PaymentSyncWithBytes", Errors: SyncErrors}

	// SyncPaymentsV1 is what nodes before 0.15 send.
	SyncPaymentsV1 = gsb.Method[PaymentSyncV1, PaymentAck]{Service: paymentService, Name: "PaymentSync", Errors: SyncErrors}

	// RequestPaymentSync asks a Requestor to repeat at once what its Provider,
	// the caller, has missed.
	RequestPaymentSync = gsb.Method[gsb.Unit, PaymentAck]{Service: paymentService, Name: "PaymentSyncNeeded", Errors: SendErrors}
)

// PaymentAck is the answer of the payment service: an empty object.
type PaymentAck struct{}

// DebitNoteAcceptance is the body of [AcceptDebitNote].
type DebitNoteAcceptance struct {
	ID         golem.DebitNoteID `flex:"debitNoteId"`
	Acceptance golem.Acceptance  `flex:"acceptance"`
	Issuer     golem.NodeID      `flex:"issuerId"`
}

// InvoiceAcceptance is the body of [AcceptInvoice].
type InvoiceAcceptance struct {
	ID         golem.InvoiceID  `flex:"invoiceId"`
	Acceptance golem.Acceptance `flex:"acceptance"`
	Issuer     golem.NodeID     `flex:"issuerId"`
}

// DebitNoteRejection is the body of [RejectDebitNote]. Upstream has no issuer in
// it; ours names it, so that several identities of a node are told apart.
type DebitNoteRejection struct {
	ID        golem.DebitNoteID `flex:"debitNoteId"`
	Rejection golem.Rejection   `flex:"rejection"`
	Issuer    golem.NodeID      `flex:"issuerId,default"`
}

// InvoiceRejection is the body of [RejectInvoice].
type InvoiceRejection struct {
	ID        golem.InvoiceID `flex:"invoiceId"`
	Rejection golem.Rejection `flex:"rejection"`
	Issuer    golem.NodeID    `flex:"issuerId"`
}

// DebitNoteCancellation is the body of [CancelDebitNote]; for Recipient see
// [DebitNoteRejection].
type DebitNoteCancellation struct {
	ID        golem.DebitNoteID `flex:"debitNoteId"`
	Recipient golem.NodeID      `flex:"recipientId,default"`
}

// InvoiceCancellation is the body of [CancelInvoice].
type InvoiceCancellation struct {
	ID        golem.InvoiceID `flex:"invoiceId"`
	Recipient golem.NodeID    `flex:"recipientId"`
}

// SignedPayment is a Payment with its payer's signature over SignedBytes, the
// canonical JSON of the Payment (spec payment.md §7.4).
type SignedPayment struct {
	golem.Payment `flex:",flatten"`
	Signature     []byte `flex:"signature"`
	SignedBytes   []byte `flex:"signed_bytes"`

	// Wallet is the signature over SignedBytes by PayerAddr, where that is not
	// the address of the payer itself; an extension, without which transfers of
	// others could be claimed. Empty otherwise.
	Wallet []byte `flex:"wallet_signature,omitempty"`
}

// PaymentV1 is the body of [SendPaymentV1].
type PaymentV1 struct {
	golem.Payment `flex:",flatten"`
	Signature     []byte `flex:"signature,seq"`
}

// PaymentSync is the body of [SyncPayments]; upstream spells it with underscores.
type PaymentSync struct {
	Payments       []SignedPayment       `flex:"payments"`
	InvoiceAccepts []InvoiceAcceptance   `flex:"invoice_accepts"`
	InvoiceRejects []InvoiceRejection    `flex:"invoice_rejects,default"`
	NoteAccepts    []DebitNoteAcceptance `flex:"debit_note_accepts"`
}

// PaymentSyncV1 is the body of [SyncPaymentsV1].
type PaymentSyncV1 struct {
	Payments       []PaymentV1           `flex:"payments"`
	InvoiceAccepts []InvoiceAcceptance   `flex:"invoice_accepts"`
	InvoiceRejects []InvoiceRejection    `flex:"invoice_rejects,default"`
	NoteAccepts    []DebitNoteAcceptance `flex:"debit_note_accepts"`
}
