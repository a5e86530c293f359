package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

// documentRoutes are the operations that debit notes and invoices have in common.
func (s *Server) documentRoutes(kind payment.DocumentKind) []route {
	base, events := "/debitNotes", "/debitNoteEvents"
	if kind == payment.Invoice {
		base, events = "/invoices", "/invoiceEvents"
	}
	d := documents{s.cfg.Payment, kind}
	return []route{
		{pattern: "GET " + base, handle: d.list},
		{pattern: "GET " + base + "/{id}", handle: d.show},
		{pattern: "GET " + base + "/{id}/payments", handle: d.payments},
		{pattern: "POST " + base + "/{id}/send", handle: d.patiently(d.s.Send)},
		{pattern: "POST " + base + "/{id}/cancel", handle: d.patiently(d.s.Cancel)},
		{pattern: "POST " + base + "/{id}/accept", handle: d.accept},
		{pattern: "POST " + base + "/{id}/reject", handle: d.reject},
		{pattern: "GET " + events, handle: d.events},
	}
}

// documents serves one kind of documents.
type documents struct {
	s    *payment.Service
	kind payment.DocumentKind
}

// documentJSON is the upstream form of a document of either kind.
func documentJSON(d *payment.Document) any {
	if d.Kind == payment.Invoice {
		i := d.Invoice()
		if i.Activities == nil {
			i.Activities = []golem.ActivityID{}
		}
		return i
	}
	return d.DebitNote()
}

func (d documents) list(c *call) error {
	page, err := c.page("maxItems")
	if err != nil {
		return err
	}
	ds, err := d.s.Documents(c.Context(), c.caller(), d.kind, page)
	if err != nil {
		return err
	}
	return listDocuments(c, ds)
}

func listDocuments(c *call, ds []payment.Document) error {
	js := make([]any, len(ds))
	for i := range ds {
		js[i] = documentJSON(&ds[i])
	}
	return list(c, js)
}

func (d documents) show(c *call) error {
	doc, err := d.s.Document(c.Context(), c.caller(), d.kind, c.PathValue("id"))
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, documentJSON(&doc))
}

func (d documents) payments(c *call) error {
	ps, err := d.s.PaymentsFor(c.Context(), c.caller(), d.kind, c.PathValue("id"))
	if err != nil {
		return err
	}
	return listPayments(c, ps)
}

// patiently serves an operation that waits for the other party.
func (d documents) patiently(f func(context.Context, golem.NodeID, payment.DocumentKind, string, time.Duration) error) func(*call) error {
	return func(c *call) error {
		wait, err := c.timeout(defaultDelivery)
		if err != nil {
			return err
		}
		if err := f(c.Context(), c.caller(), d.kind, c.PathValue("id"), wait); err != nil {
			return err
		}
		return reply(c.w, http.StatusOK, nil)
	}
}

// accept does not wait for the Provider: it is told as soon as it can be.
func (d documents) accept(c *call) error {
	body, err := decode[struct {
		Amount     *golem.Amount      `json:"totalAmountAccepted"`
		Allocation golem.AllocationID `json:"allocationId"`
	}](c)
	switch {
	case err != nil:
		return err
	case body.Amount == nil:
		return golem.Errorf(golem.ErrInvalid, "request body: missing member \"totalAmountAccepted\"")
	}
	acceptance := golem.Acceptance{Amount: *body.Amount, Allocation: body.Allocation}
	if err := d.s.Accept(c.Context(), c.caller(), d.kind, c.PathValue("id"), acceptance); err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, nil)
}

func (d documents) reject(c *call) error {
	rejection, err := decode[golem.Rejection](c)
	if err != nil {
		return err
	}
	if err := d.s.Reject(c.Context(), c.caller(), d.kind, c.PathValue("id"), rejection); err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, nil)
}

func (s *Server) issueDebitNote(c *call) error {
	body, err := decode[struct {
		Activity golem.ActivityID `json:"activityId"`
		Total    *golem.Amount    `json:"totalAmountDue"`
		Usage    json.RawMessage  `json:"usageCounterVector"`
		Due      time.Time        `json:"paymentDueDate"`
	}](c)
	switch {
	case err != nil:
		return err
	case body.Activity == "":
		return golem.Errorf(golem.ErrInvalid, "request body: missing member \"activityId\"")
	case body.Total == nil:
		return golem.Errorf(golem.ErrInvalid, "request body: missing member \"totalAmountDue\"")
	}
	n, err := s.cfg.Payment.IssueDebitNote(c.Context(), c.caller(), payment.NewDebitNote{
		Activity: body.Activity, Total: *body.Total, Usage: body.Usage, Due: body.Due,
	})
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusCreated, n)
}

func (s *Server) issueInvoice(c *call) error {
	body, err := decode[struct {
		Agreement  golem.AgreementID  `json:"agreementId"`
		Activities []golem.ActivityID `json:"activityIds"`
		Amount     *golem.Amount      `json:"amount"`
		Due        time.Time          `json:"paymentDueDate"`
	}](c)
	switch {
	case err != nil:
		return err
	case body.Agreement == "":
		return golem.Errorf(golem.ErrInvalid, "request body: missing member \"agreementId\"")
	case body.Amount == nil:
		return golem.Errorf(golem.ErrInvalid, "request body: missing member \"amount\"")
	case body.Due.IsZero():
		return golem.Errorf(golem.ErrInvalid, "request body: missing member \"paymentDueDate\"")
	}
	i, err := s.cfg.Payment.IssueInvoice(c.Context(), c.caller(), payment.NewInvoice{
		Agreement: body.Agreement, Activities: body.Activities, Amount: *body.Amount, Due: body.Due,
	})
	if err != nil {
		return err
	}
	if i.Activities == nil {
		i.Activities = []golem.ActivityID{}
	}
	return reply(c.w, http.StatusCreated, i)
}

// eventNames are upstream's names of what happens to documents, less the kind of
// document they begin with.
var eventNames = map[golem.DocumentEventType]string{
	golem.ReceivedEvent:  "ReceivedEvent",
	golem.AcceptedEvent:  "AcceptedEvent",
	golem.RejectedEvent:  "RejectedEvent",
	golem.CancelledEvent: "CancelledEvent",
	golem.SettledEvent:   "SettledEvent",
}

// documentEventJSON is upstream's form of something that happened to a document.
type documentEventJSON struct {
	DebitNote string           `json:"debitNoteId,omitempty"`
	Invoice   string           `json:"invoiceId,omitempty"`
	Time      time.Time        `json:"eventDate"`
	Type      string           `json:"eventType"`
	Rejection *golem.Rejection `json:"rejection,omitempty"`
}

func newDocumentEventJSON(e *payment.Event) documentEventJSON {
	j := documentEventJSON{Time: e.Time, Type: string(e.Kind) + eventNames[e.Type], Rejection: e.Rejection}
	if e.Kind == payment.Invoice {
		j.Invoice = e.Document
	} else {
		j.DebitNote = e.Document
	}
	return j
}

func (d documents) events(c *call) error {
	q := payment.EventQuery{
		Owner: c.caller(), Kind: d.kind, Session: c.session(),
		Requestor: wanted(c, "X-Requestor-Events", payment.RequestorEvents),
		Provider:  wanted(c, "X-Provider-Events", payment.ProviderEvents),
	}
	var err error
	if q.Page, err = c.page("maxEvents"); err != nil {
		return err
	}
	wait, err := c.timeout(defaultPoll)
	if err != nil {
		return err
	}
	es, err := d.s.Events(c.Context(), q, wait)
	if err != nil {
		return err
	}
	js := make([]documentEventJSON, len(es))
	for i := range es {
		js[i] = newDocumentEventJSON(&es[i])
	}
	return list(c, js)
}

// wanted reads a header that lists events: RECEIVED as upstream's server has
// them, or InvoiceReceivedEvent as its client sends them. Names of other events
// are ignored, since there are none of those here.
func wanted(c *call, header string, def []golem.DocumentEventType) []golem.DocumentEventType {
	values := c.Header.Values(header)
	if len(values) == 0 {
		return def
	}
	types := []golem.DocumentEventType{}
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name = strings.TrimSpace(name)
		for t, long := range eventNames {
			if strings.EqualFold(name, string(t)) || strings.HasSuffix(name, long) {
				types = append(types, t)
			}
		}
	}
	return types
}
