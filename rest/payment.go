package rest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

const (
	paymentBase      = "/payment-api/v1"
	paymentExtension = "/golem-api/v1/payment"

	// defaultDelivery is how long a call waits for the other party to acknowledge.
	defaultDelivery = 15 * time.Second
)

// paymentRoutes are the operations of upstream's Payment API (spec rest-api.md
// §6) and ours beside them. Not served are batch cycles: what is accepted is paid
// at once, or as the driver wants.
func (s *Server) paymentRoutes() []route {
	rs := slices.Concat(s.allocationRoutes(), s.documentRoutes(payment.DebitNote), s.documentRoutes(payment.Invoice), s.bookRoutes(), []route{
		{pattern: "GET /requestorAccounts", handle: s.accounts},
		{pattern: "GET /providerAccounts", handle: s.accounts},
		{pattern: "GET /demandDecorations", handle: s.decorations},
		{pattern: "POST /debitNotes", handle: s.issueDebitNote},
		{pattern: "POST /invoices", handle: s.issueInvoice},
		{pattern: "GET /payments", handle: s.payments},
		{pattern: "GET /payments/{id}", handle: s.payment},
		{pattern: "GET /payments/status", handle: s.driverStatus},
	})
	for i, r := range rs {
		method, path, _ := strings.Cut(r.pattern, " ")
		rs[i].pattern = method + " " + paymentBase + path
	}
	return append(rs,
		route{pattern: "GET " + paymentExtension + "/status", handle: s.paymentStatus},
		route{pattern: "GET " + paymentExtension + "/audit", handle: manager(s.audit)},
		route{pattern: "POST " + paymentExtension + "/fund", handle: s.fund},
	)
}

// list answers with a list, which is never null.
func list[T any](c *call, ts []T) error {
	if ts == nil {
		ts = []T{}
	}
	return reply(c.w, http.StatusOK, ts)
}

// page reads which part of a list is wanted; most names the parameter that
// bounds it.
func (c *call) page(most string) (p payment.Page, err error) {
	if p.After, err = c.after("afterTimestamp", time.Time{}); err != nil {
		return p, err
	}
	p.Limit, err = c.count(most, 0, 0)
	return p, err
}

func (s *Server) accounts(c *call) error { return list(c, s.cfg.Payment.Accounts(c.caller())) }

// decorations takes the ids in one parameter, separated by commas, as upstream
// does, and repeated ones, which its own TypeScript client would send.
func (s *Server) decorations(c *call) error {
	var ids []golem.AllocationID
	for _, value := range c.URL.Query()["allocationIds"] {
		for id := range strings.SplitSeq(value, ",") {
			if id = strings.TrimSpace(id); id != "" {
				ids = append(ids, golem.AllocationID(id))
			}
		}
	}
	if len(ids) == 0 {
		return golem.Errorf(golem.ErrInvalid, "missing query parameter allocationIds: name the allocations, separated by commas")
	}
	d, err := s.cfg.Payment.Decorate(c.Context(), c.caller(), ids)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, d)
}

// paymentJSON is upstream's form of a Payment: byte arrays are arrays of numbers,
// and the timestamp is that of the books, by which what comes after is asked for.
// The payer's is in the signed bytes.
type paymentJSON struct {
	golem.Payment
	Signature   []int `json:"signature,omitempty"`
	SignedBytes []int `json:"signedBytes,omitempty"`
}

func newPaymentJSON(p *payment.Payment) paymentJSON {
	j := paymentJSON{Payment: p.Payment, Signature: numbers(p.Signature), SignedBytes: numbers(p.SignedBytes)}
	j.Timestamp = p.Recorded
	if j.Agreements == nil {
		j.Agreements = []golem.AgreementPayment{}
	}
	if j.Activities == nil {
		j.Activities = []golem.ActivityPayment{}
	}
	return j
}

func numbers(bs []byte) (ns []int) {
	for _, b := range bs {
		ns = append(ns, int(b))
	}
	return ns
}

func listPayments(c *call, ps []payment.Payment) error {
	js := make([]paymentJSON, len(ps))
	for i := range ps {
		js[i] = newPaymentJSON(&ps[i])
	}
	return list(c, js)
}

func (s *Server) payments(c *call) error {
	query := c.URL.Query()
	q := payment.PaymentQuery{Owner: c.caller(), Session: c.session(), Driver: query.Get("driver"), Network: query.Get("network")}
	var err error
	if q.Page, err = c.page("maxEvents"); err != nil {
		return err
	}
	wait, err := c.timeout(defaultPoll)
	if err != nil {
		return err
	}
	ps, err := s.cfg.Payment.Payments(c.Context(), q, wait)
	if err != nil {
		return err
	}
	return listPayments(c, ps)
}

func (s *Server) payment(c *call) error {
	p, err := s.cfg.Payment.Payment(c.Context(), c.caller(), golem.PaymentID(c.PathValue("id")))
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, newPaymentJSON(&p))
}

func (s *Server) driverStatus(c *call) error {
	query := c.URL.Query()
	problems, err := s.cfg.Payment.Problems(c.Context(), payment.PlatformChoice{Driver: query.Get("driver"), Network: query.Get("network")})
	if err != nil {
		return err
	}
	return list(c, problems)
}

func (s *Server) paymentStatus(c *call) error {
	all, err := s.cfg.Payment.Status(c.Context(), c.caller())
	if err != nil {
		return err
	}
	return list(c, all)
}

// audit adds up the books of all identities, and so is for those who manage the
// node.
func (s *Server) audit(c *call) error {
	report, err := s.cfg.Payment.Audit(c.Context())
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, report)
}

func (s *Server) fund(c *call) error {
	body, err := decode[struct {
		Platform platformChoice `json:"paymentPlatform"`
	}](c)
	if err != nil {
		return err
	}
	p, err := body.Platform.choose(s.cfg.Payment)
	if err != nil {
		return err
	}
	text, err := s.cfg.Payment.Fund(c.Context(), p, c.caller().Address())
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, struct {
		Message string `json:"message"`
	}{text})
}

// platformChoice is how clients name a platform: its text, some of its parts, or
// nothing.
type platformChoice struct {
	text   string
	parts  payment.PlatformChoice
	unread string // JSON that is none of these
}

func (p *platformChoice) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &p.text) == nil {
		return nil
	}
	var parts struct{ Driver, Network, Token *string }
	if json.Unmarshal(b, &parts) != nil {
		p.unread = string(b)
		return nil
	}
	get := func(s *string) string { return *cmp.Or(s, new(string)) }
	p.parts = payment.PlatformChoice{Driver: get(parts.Driver), Network: get(parts.Network), Token: get(parts.Token)}
	return nil
}

// choose returns the platform, which the node must have a driver for.
func (p *platformChoice) choose(s *payment.Service) (golem.Platform, error) {
	switch {
	case p.unread != "":
		return golem.Platform{}, golem.Errorf(golem.ErrInvalid, "payment platform: want \"driver-network-token\" or an object with some of driver, network and token")
	case p.text != "":
		return s.ParsePlatform(p.text)
	}
	return s.Choose(p.parts)
}
