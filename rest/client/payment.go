package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

const (
	paymentBase      = "/payment-api/v1"
	paymentExtension = "/golem-api/v1/payment"
)

// RequestorAccounts returns the accounts the caller can pay from.
func (c *Client) RequestorAccounts(ctx context.Context) (as []golem.Account, err error) {
	err = c.do(ctx, http.MethodGet, paymentBase+"/requestorAccounts", nil, nil, &as)
	return as, err
}

// ProviderAccounts returns the accounts the caller can be paid to.
func (c *Client) ProviderAccounts(ctx context.Context) (as []golem.Account, err error) {
	err = c.do(ctx, http.MethodGet, paymentBase+"/providerAccounts", nil, nil, &as)
	return as, err
}

// NewAllocation is what is to be set aside.
type NewAllocation struct {
	Platform golem.Platform // zero: the node's default
	Address  golem.Address  // zero: the caller's
	Total    golem.Amount
	Timeout  time.Time // when it ends by itself; zero: the node's default
	Deposit  *golem.Deposit
}

// AllocationChange is how an Allocation is to be changed; nil and zero leave
// things as they are.
type AllocationChange struct {
	Total   *golem.Amount
	Timeout time.Time
	Deposit *golem.Deposit // only its Validate may differ
}

type allocationRequest struct {
	Platform string         `json:"paymentPlatform,omitempty"`
	Address  *golem.Address `json:"address,omitempty"`
	Total    *golem.Amount  `json:"totalAmount,omitempty"`
	Timeout  time.Time      `json:"timeout,omitzero"`
	Deposit  *golem.Deposit `json:"deposit,omitempty"`
}

// Allocation is an Allocation as its owner sees it.
type Allocation struct {
	ID        golem.AllocationID `json:"allocationId"`
	Address   golem.Address      `json:"address"`
	Platform  golem.Platform     `json:"paymentPlatform"`
	Total     golem.Amount       `json:"totalAmount"`
	Spent     golem.Amount       `json:"spentAmount"` // accepted so far
	Remaining golem.Amount       `json:"remainingAmount"`
	Timeout   time.Time          `json:"timeout,omitzero"`
	Deposit   *golem.Deposit     `json:"deposit,omitempty"`
	Created   time.Time          `json:"createdTs"`
	Updated   time.Time          `json:"updatedTs"`
}

func allocationPath(id golem.AllocationID) string {
	return below(paymentBase+"/allocations", string(id), "")
}

// Allocate sets tokens aside for what will be accepted. ErrInvalid says, among
// others, that the account does not hold as much.
func (c *Client) Allocate(ctx context.Context, n NewAllocation) (a Allocation, err error) {
	req := allocationRequest{Platform: n.Platform.String(), Total: &n.Total, Timeout: n.Timeout, Deposit: n.Deposit}
	if !n.Address.IsZero() {
		req.Address = &n.Address
	}
	err = c.do(ctx, http.MethodPost, paymentBase+"/allocations", nil, req, &a)
	return a, err
}

// AmendAllocation changes an Allocation.
func (c *Client) AmendAllocation(ctx context.Context, id golem.AllocationID, ch AllocationChange) (a Allocation, err error) {
	req := allocationRequest{Total: ch.Total, Timeout: ch.Timeout, Deposit: ch.Deposit}
	err = c.do(ctx, http.MethodPut, allocationPath(id), nil, req, &a)
	return a, err
}

// Allocation returns an Allocation; ErrExpired says that it has ended.
func (c *Client) Allocation(ctx context.Context, id golem.AllocationID) (a Allocation, err error) {
	err = c.do(ctx, http.MethodGet, allocationPath(id), nil, nil, &a)
	return a, err
}

// Allocations returns the caller's active Allocations.
func (c *Client) Allocations(ctx context.Context) (as []Allocation, err error) {
	err = c.do(ctx, http.MethodGet, paymentBase+"/allocations", nil, nil, &as)
	return as, err
}

// ReleaseAllocation ends an Allocation. What was accepted against it is paid all
// the same.
func (c *Client) ReleaseAllocation(ctx context.Context, id golem.AllocationID) error {
	return c.do(ctx, http.MethodDelete, allocationPath(id), nil, nil, nil)
}

// Decoration is what a Demand says about paying.
type Decoration struct {
	Properties []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"properties"`
	Constraints []string `json:"constraints"`
}

// Decorate returns what a Demand has to say to be paid for from Allocations.
func (c *Client) Decorate(ctx context.Context, ids ...golem.AllocationID) (d Decoration, err error) {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	query := url.Values{"allocationIds": {strings.Join(texts, ",")}}
	err = c.do(ctx, http.MethodGet, paymentBase+"/demandDecorations", query, nil, &d)
	return d, err
}

// NewDebitNote is what a Provider bills for an Activity.
type NewDebitNote struct {
	Activity golem.ActivityID `json:"activityId"`
	Total    golem.Amount     `json:"totalAmountDue"` // since the Activity began
	Usage    json.RawMessage  `json:"usageCounterVector,omitempty"`
	Due      *time.Time       `json:"paymentDueDate,omitempty"` // nil: the note is information only
}

// NewInvoice is what a Provider bills for an Agreement.
type NewInvoice struct {
	Agreement  golem.AgreementID  `json:"agreementId"`
	Activities []golem.ActivityID `json:"activityIds"`
	Amount     golem.Amount       `json:"amount"` // with all that debit notes have billed
	Due        time.Time          `json:"paymentDueDate"`
}

func notePath(id golem.DebitNoteID, what string) string {
	return below(paymentBase+"/debitNotes", string(id), what)
}

func invoicePath(id golem.InvoiceID, what string) string {
	return below(paymentBase+"/invoices", string(id), what)
}

// IssueDebitNote writes a DebitNote down without sending it.
func (c *Client) IssueDebitNote(ctx context.Context, n NewDebitNote) (note golem.DebitNote, err error) {
	err = c.do(ctx, http.MethodPost, paymentBase+"/debitNotes", nil, n, &note)
	return note, err
}

// IssueInvoice writes an Invoice down without sending it.
func (c *Client) IssueInvoice(ctx context.Context, n NewInvoice) (i golem.Invoice, err error) {
	err = c.do(ctx, http.MethodPost, paymentBase+"/invoices", nil, n, &i)
	return i, err
}

// SendDebitNote delivers a DebitNote and waits at most timeout for the Requestor
// to acknowledge it. ErrNoAnswer and ErrUnavailable are reasons to send it again.
func (c *Client) SendDebitNote(ctx context.Context, id golem.DebitNoteID, timeout time.Duration) error {
	return c.do(ctx, http.MethodPost, notePath(id, "/send"), within(timeout), nil, nil)
}

// SendInvoice delivers an Invoice, as [Client.SendDebitNote] does.
func (c *Client) SendInvoice(ctx context.Context, id golem.InvoiceID, timeout time.Duration) error {
	return c.do(ctx, http.MethodPost, invoicePath(id, "/send"), within(timeout), nil, nil)
}

// CancelInvoice withdraws an Invoice; ErrConflict says that it is accepted.
func (c *Client) CancelInvoice(ctx context.Context, id golem.InvoiceID, timeout time.Duration) error {
	return c.do(ctx, http.MethodPost, invoicePath(id, "/cancel"), within(timeout), nil, nil)
}

// DebitNote returns a DebitNote the caller has issued or received.
func (c *Client) DebitNote(ctx context.Context, id golem.DebitNoteID) (n golem.DebitNote, err error) {
	err = c.do(ctx, http.MethodGet, notePath(id, ""), nil, nil, &n)
	return n, err
}

// Invoice returns an Invoice the caller has issued or received.
func (c *Client) Invoice(ctx context.Context, id golem.InvoiceID) (i golem.Invoice, err error) {
	err = c.do(ctx, http.MethodGet, invoicePath(id, ""), nil, nil, &i)
	return i, err
}

// DebitNotes returns the caller's debit notes issued after a time, at most the
// given number, 0 for all.
func (c *Client) DebitNotes(ctx context.Context, after time.Time, most int) (ns []golem.DebitNote, err error) {
	err = c.do(ctx, http.MethodGet, paymentBase+"/debitNotes", since(after, "maxItems", most), nil, &ns)
	return ns, err
}

// Invoices returns the caller's invoices issued after a time, at most the given
// number, 0 for all.
func (c *Client) Invoices(ctx context.Context, after time.Time, most int) (is []golem.Invoice, err error) {
	err = c.do(ctx, http.MethodGet, paymentBase+"/invoices", since(after, "maxItems", most), nil, &is)
	return is, err
}

// since is the query for a part of a list in the order of time.
func since(after time.Time, name string, most int) url.Values {
	query := url.Values{}
	if !after.IsZero() {
		query.Set("afterTimestamp", after.UTC().Format(time.RFC3339Nano))
	}
	if most > 0 {
		query.Set(name, strconv.Itoa(most))
	}
	return query
}

// AcceptDebitNote promises to pay a DebitNote. ErrExhausted says that the
// Allocation does not suffice, ErrExpired that it has ended.
func (c *Client) AcceptDebitNote(ctx context.Context, id golem.DebitNoteID, a golem.Acceptance) error {
	return c.do(ctx, http.MethodPost, notePath(id, "/accept"), nil, a, nil)
}

// AcceptInvoice promises to pay an Invoice, as [Client.AcceptDebitNote] does.
func (c *Client) AcceptInvoice(ctx context.Context, id golem.InvoiceID, a golem.Acceptance) error {
	return c.do(ctx, http.MethodPost, invoicePath(id, "/accept"), nil, a, nil)
}

// RejectDebitNote refuses to pay a DebitNote. Upstream's nodes cannot do that.
func (c *Client) RejectDebitNote(ctx context.Context, id golem.DebitNoteID, r golem.Rejection) error {
	return c.do(ctx, http.MethodPost, notePath(id, "/reject"), nil, r, nil)
}

// RejectInvoice refuses to pay an Invoice.
func (c *Client) RejectInvoice(ctx context.Context, id golem.InvoiceID, r golem.Rejection) error {
	return c.do(ctx, http.MethodPost, invoicePath(id, "/reject"), nil, r, nil)
}

// DebitNoteEvent is something that happened to a DebitNote.
type DebitNoteEvent struct {
	DebitNote golem.DebitNoteID
	At        time.Time
	Type      golem.DocumentEventType
	Rejection *golem.Rejection // of a RejectedEvent
}

// InvoiceEvent is something that happened to an Invoice.
type InvoiceEvent struct {
	Invoice   golem.InvoiceID
	At        time.Time
	Type      golem.DocumentEventType
	Rejection *golem.Rejection // of a RejectedEvent
}

// documentEvent is how the API tells an event of a document of either kind.
type documentEvent struct {
	DebitNote golem.DebitNoteID `json:"debitNoteId"`
	Invoice   golem.InvoiceID   `json:"invoiceId"`
	At        time.Time         `json:"eventDate"`
	Type      string            `json:"eventType"`
	Rejection *golem.Rejection  `json:"rejection"`
}

// kind returns what happened, for a name such as InvoiceReceivedEvent.
func (e *documentEvent) kind() golem.DocumentEventType {
	name := strings.TrimPrefix(strings.TrimPrefix(e.Type, "DebitNote"), "Invoice")
	return golem.DocumentEventType(strings.ToUpper(strings.TrimSuffix(name, "Event")))
}

func (c *Client) documentEvents(ctx context.Context, what, session string, after time.Time, timeout time.Duration, most int) (es []documentEvent, err error) {
	query := since(after, "maxEvents", most)
	query.Set("timeout", seconds(timeout))
	if session != "" {
		query.Set("appSessionId", session)
	}
	err = c.do(ctx, http.MethodGet, paymentBase+what, query, nil, &es)
	return es, err
}

// DebitNoteEvents returns what happened to debit notes after a time, at most the
// given number, 0 for all; it waits at most timeout for the first. A session
// other than "" selects those of its Agreements.
func (c *Client) DebitNoteEvents(ctx context.Context, session string, after time.Time, timeout time.Duration, most int) (evs []DebitNoteEvent, err error) {
	es, err := c.documentEvents(ctx, "/debitNoteEvents", session, after, timeout, most)
	for _, e := range es {
		evs = append(evs, DebitNoteEvent{e.DebitNote, e.At, e.kind(), e.Rejection})
	}
	return evs, err
}

// InvoiceEvents returns what happened to invoices, as [Client.DebitNoteEvents]
// does.
func (c *Client) InvoiceEvents(ctx context.Context, session string, after time.Time, timeout time.Duration, most int) (evs []InvoiceEvent, err error) {
	es, err := c.documentEvents(ctx, "/invoiceEvents", session, after, timeout, most)
	for _, e := range es {
		evs = append(evs, InvoiceEvent{e.Invoice, e.At, e.kind(), e.Rejection})
	}
	return evs, err
}

// Payments returns the payments the caller has made or received after a time, at
// most the given number, 0 for all; it waits at most timeout for the first.
func (c *Client) Payments(ctx context.Context, after time.Time, timeout time.Duration, most int) (ps []golem.Payment, err error) {
	query := since(after, "maxEvents", most)
	query.Set("timeout", seconds(timeout))
	err = c.do(ctx, http.MethodGet, paymentBase+"/payments", query, nil, &ps)
	return ps, err
}

// PaymentStatus is how an account of the caller stands.
type PaymentStatus struct {
	Platform    golem.Platform  `json:"platform"`
	Address     golem.Address   `json:"address"`
	Balance     *golem.Amount   `json:"balance"`   // nil: cannot be known at the moment
	Problem     string          `json:"problem"`   // why not
	Allocated   golem.Amount    `json:"allocated"` // remaining in active Allocations
	Reserved    golem.Amount    `json:"reserved"`  // that, and what is promised and not paid
	Outgoing    PaymentSummary  `json:"outgoing"`  // as a Requestor
	Incoming    PaymentSummary  `json:"incoming"`  // as a Provider
	Problems    []DriverProblem `json:"problems"`  // of the driver
	Undelivered int             `json:"undeliveredMessages"`
	Refused     int             `json:"refusedMessages"`
}

// PaymentSummary adds up what Agreements have cost.
type PaymentSummary struct {
	Due        golem.Amount `json:"due"`
	Accepted   golem.Amount `json:"accepted"`
	Scheduled  golem.Amount `json:"scheduled"`
	Paid       golem.Amount `json:"paid"`
	Agreements int          `json:"agreementsCount"`
}

// DriverProblem is something that keeps a payment driver from working.
type DriverProblem struct {
	Kind    string `json:"kind"`
	Driver  string `json:"driver"`
	Network string `json:"network,omitempty"`
	Address string `json:"address,omitempty"`
}

// PaymentStatus returns how the caller's accounts stand. Upstream's nodes do not
// offer it, nor Fund and Audit.
func (c *Client) PaymentStatus(ctx context.Context) (ss []PaymentStatus, err error) {
	err = c.do(ctx, http.MethodGet, paymentExtension+"/status", nil, nil, &ss)
	return ss, err
}

// Fund asks for tokens that are handed out for nothing, on test networks, and
// returns a sentence about it. The zero platform is the node's default.
func (c *Client) Fund(ctx context.Context, p golem.Platform) (string, error) {
	req := struct {
		Platform string `json:"paymentPlatform"`
	}{p.String()}
	var resp struct{ Message string }
	err := c.do(ctx, http.MethodPost, paymentExtension+"/fund", nil, req, &resp)
	return resp.Message, err
}

// AuditReport is what adding up the node's books has found.
type AuditReport struct {
	Agreements  int      `json:"agreements"`
	Allocations int      `json:"allocations"`
	Orders      int      `json:"orders"`
	Documents   int      `json:"documents"`
	Findings    []string `json:"findings"` // empty: the books are right
	Remarks     []string `json:"remarks"`
}

// Audit adds the books of the whole node up from the documents. It needs an
// app-key with the role manager.
func (c *Client) Audit(ctx context.Context) (r AuditReport, err error) {
	err = c.do(ctx, http.MethodGet, paymentExtension+"/audit", nil, nil, &r)
	return r, err
}
