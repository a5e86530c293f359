package rest

import (
	"net/http"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

// bookRoutes show the books: upstream has them for people who look after a node,
// and no SDK uses them.
func (s *Server) bookRoutes() []route {
	return []route{
		{pattern: "GET /payAgreements", handle: s.agreementBooks},
		{pattern: "GET /payAgreements/{id}", handle: s.agreementBook},
		{pattern: "GET /payAgreements/{id}/activities", handle: s.activityBooksOf},
		{pattern: "GET /payAgreements/{id}/orders", handle: s.agreementOrders},
		{pattern: "GET /payActivities", handle: s.activityBooks},
		{pattern: "GET /payActivities/{id}", handle: s.activityBook},
		{pattern: "GET /payActivities/{id}/debitNotes", handle: s.activityNotes},
		{pattern: "GET /payActivities/{id}/invoice", handle: s.activityInvoice},
		{pattern: "GET /payActivities/{id}/orders", handle: s.activityOrders},
		{pattern: "GET /batchOrders", handle: s.orders},
		{pattern: "GET /batchOrders/{id}", handle: s.order},
		{pattern: "GET /batchOrders/{id}/items", handle: s.orderItems},
		{pattern: "GET /batchOrders/{id}/items/{payee}/details", handle: s.orderItems},
	}
}

func (s *Server) agreementBooks(c *call) error {
	page, err := c.page("maxItems")
	if err != nil {
		return err
	}
	as, err := s.cfg.Payment.Agreements(c.Context(), c.caller(), page)
	if err != nil {
		return err
	}
	return list(c, as)
}

// bookOf returns the books of the Agreement the path names.
func (s *Server) bookOf(c *call) (payment.Agreement, error) {
	return s.cfg.Payment.Agreement(c.Context(), c.caller(), golem.AgreementID(c.PathValue("id")))
}

func (s *Server) agreementBook(c *call) error {
	a, err := s.bookOf(c)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, a)
}

func (s *Server) activityBooksOf(c *call) error {
	a, err := s.bookOf(c)
	if err != nil {
		return err
	}
	as, err := s.cfg.Payment.ActivitiesOf(c.Context(), a.Key())
	if err != nil {
		return err
	}
	return list(c, as)
}

func (s *Server) agreementOrders(c *call) error {
	a, err := s.bookOf(c)
	if err != nil {
		return err
	}
	os, err := s.cfg.Payment.ObligationsUnder(c.Context(), c.caller(), a.ID)
	if err != nil {
		return err
	}
	return listItems(c, os)
}

func (s *Server) activityBooks(c *call) error {
	page, err := c.page("maxItems")
	if err != nil {
		return err
	}
	as, err := s.cfg.Payment.Activities(c.Context(), c.caller(), page)
	if err != nil {
		return err
	}
	return list(c, as)
}

// activityBookOf returns the books of the Activity the path names.
func (s *Server) activityBookOf(c *call) (payment.Activity, error) {
	return s.cfg.Payment.Activity(c.Context(), c.caller(), golem.ActivityID(c.PathValue("id")))
}

func (s *Server) activityBook(c *call) error {
	a, err := s.activityBookOf(c)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, a)
}

// documentsUnder returns the documents of the Agreement of the Activity the path
// names that meet a condition.
func (s *Server) documentsUnder(c *call, want func(*payment.Document, golem.ActivityID) bool) (found []payment.Document, err error) {
	a, err := s.activityBookOf(c)
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.Payment.DocumentsOf(c.Context(), payment.AgreementKey{Side: a.Side, ID: a.Agreement})
	for i := range all {
		if want(&all[i], a.ID) {
			found = append(found, all[i])
		}
	}
	return found, err
}

func (s *Server) activityNotes(c *call) error {
	ds, err := s.documentsUnder(c, func(d *payment.Document, id golem.ActivityID) bool {
		return d.Kind == payment.DebitNote && d.Activity == id
	})
	if err != nil {
		return err
	}
	return listDocuments(c, ds)
}

// activityInvoice answers with the last Invoice of the Activity's Agreement.
func (s *Server) activityInvoice(c *call) error {
	ds, err := s.documentsUnder(c, func(d *payment.Document, _ golem.ActivityID) bool { return d.Kind == payment.Invoice })
	switch {
	case err != nil:
		return err
	case len(ds) == 0:
		return golem.Errorf(golem.ErrNotFound, "there is no invoice for activity %s", c.PathValue("id"))
	}
	return reply(c.w, http.StatusOK, documentJSON(&ds[len(ds)-1]))
}

func (s *Server) activityOrders(c *call) error {
	a, err := s.activityBookOf(c)
	if err != nil {
		return err
	}
	os, err := s.cfg.Payment.ObligationsUnder(c.Context(), c.caller(), a.Agreement)
	if err != nil {
		return err
	}
	var own []payment.Obligation
	for _, o := range os {
		if o.Activity == a.ID {
			own = append(own, o)
		}
	}
	return listItems(c, own)
}

// orderJSON is an Order in the books.
type orderJSON struct {
	ID       payment.OrderID `json:"id"`
	Owner    golem.NodeID    `json:"ownerId"`
	Created  time.Time       `json:"createdTs"`
	Updated  time.Time       `json:"updatedTs"`
	Platform golem.Platform  `json:"paymentPlatform"`
	Payer    golem.Address   `json:"payerAddr"`
	Payee    golem.Address   `json:"payeeAddr"`
	Total    golem.Amount    `json:"totalAmount"`
	Paid     golem.Amount    `json:"paidAmount"`
	Settled  bool            `json:"paid"`
	Transfer string          `json:"transfer,omitempty"`
}

func newOrderJSON(o *payment.OrderRecord) orderJSON {
	j := orderJSON{
		ID: o.ID, Owner: o.Owner, Created: o.Created, Updated: o.Created, Platform: o.Platform,
		Payer: o.Payer, Payee: o.Payee, Total: o.Amount, Transfer: o.Ref,
	}
	if !o.Settled.IsZero() {
		j.Settled, j.Paid, j.Updated = true, o.Amount, o.Settled
	}
	return j
}

func (s *Server) orders(c *call) error {
	page, err := c.page("maxItems")
	if err != nil {
		return err
	}
	os, err := s.cfg.Payment.Orders(c.Context(), c.caller(), page)
	if err != nil {
		return err
	}
	js := make([]orderJSON, len(os))
	for i := range os {
		js[i] = newOrderJSON(&os[i])
	}
	return list(c, js)
}

func (s *Server) order(c *call) error {
	o, _, err := s.cfg.Payment.Order(c.Context(), c.caller(), payment.OrderID(c.PathValue("id")))
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, newOrderJSON(&o))
}

// itemJSON is an obligation that an Order pays, or will pay.
type itemJSON struct {
	Order      payment.OrderID         `json:"orderId,omitempty"`
	Agreement  golem.AgreementID       `json:"agreementId"`
	Activity   golem.ActivityID        `json:"activityId,omitempty"`
	Allocation golem.AllocationID      `json:"allocationId"`
	Kind       payment.DocumentKind    `json:"documentKind"`
	Document   string                  `json:"documentId"`
	Payee      golem.Address           `json:"payeeAddr"`
	Amount     golem.Amount            `json:"amount"`
	State      payment.ObligationState `json:"state"`
	Due        time.Time               `json:"paymentDueDate,omitzero"`
}

func listItems(c *call, os []payment.Obligation) error {
	js := make([]itemJSON, len(os))
	for i, o := range os {
		js[i] = itemJSON{o.Order, o.Agreement, o.Activity, o.Allocation, o.Document.Kind, o.Document.ID, o.Payee, o.Amount, o.State, o.Due}
	}
	return list(c, js)
}

// orderItems answers with what an Order pays, to one payee where the path names
// one.
func (s *Server) orderItems(c *call) error {
	o, os, err := s.cfg.Payment.Order(c.Context(), c.caller(), payment.OrderID(c.PathValue("id")))
	if err != nil {
		return err
	}
	if text := c.PathValue("payee"); text != "" {
		payee, err := golem.ParseAddress(text)
		if err != nil {
			return err
		}
		if payee != o.Payee {
			return golem.Errorf(golem.ErrNotFound, "order %s pays nothing to %s", o.ID, payee)
		}
	}
	return listItems(c, os)
}
