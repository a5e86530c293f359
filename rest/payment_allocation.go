package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

// allocationRoutes are the operations on Allocations.
func (s *Server) allocationRoutes() []route {
	return []route{
		{pattern: "POST /allocations", handle: s.allocate},
		{pattern: "GET /allocations", handle: s.allocations},
		{pattern: "GET /allocations/{id}", handle: s.allocation},
		{pattern: "PUT /allocations/{id}", handle: s.amend},
		{pattern: "DELETE /allocations/{id}", handle: s.release},
		{pattern: "GET /allocations/{id}/orders", handle: s.allocationOrders},
		{pattern: "GET /allocations/{id}/expenditures", handle: s.expenditures},
	}
}

// allocationJSON is upstream's form of an Allocation. Lists go by createdTs.
type allocationJSON struct {
	ID          golem.AllocationID `json:"allocationId"`
	Address     golem.Address      `json:"address"`
	Platform    golem.Platform     `json:"paymentPlatform"`
	Total       golem.Amount       `json:"totalAmount"`
	Spent       golem.Amount       `json:"spentAmount"`
	Remaining   golem.Amount       `json:"remainingAmount"`
	Timestamp   time.Time          `json:"timestamp"`
	Timeout     time.Time          `json:"timeout,omitzero"`
	Deposit     *golem.Deposit     `json:"deposit,omitempty"`
	Created     time.Time          `json:"createdTs"`
	Updated     time.Time          `json:"updatedTs"`
	MakeDeposit bool               `json:"makeDeposit"`
}

func newAllocationJSON(a *golem.Allocation) allocationJSON {
	return allocationJSON{
		ID: a.ID, Address: a.Address, Platform: a.Platform,
		Total: a.Total, Spent: a.Spent, Remaining: a.Remaining(),
		Timestamp: a.Updated, Timeout: a.Timeout, Deposit: a.Deposit, Created: a.Created, Updated: a.Updated,
	}
}

func (c *call) allocation() golem.AllocationID { return golem.AllocationID(c.PathValue("id")) }

// allocationRequest is what upstream's clients send for a new Allocation, or for
// a change of one, where everything may be missing.
type allocationRequest struct {
	Address  *golem.Address  `json:"address"`
	Platform *platformChoice `json:"paymentPlatform"`
	Total    *golem.Amount   `json:"totalAmount"`
	Timeout  *time.Time      `json:"timeout"`
	Deposit  *golem.Deposit  `json:"deposit"`
}

// allocationBody reads a request and returns its text too, which problem
// documents repeat.
func allocationBody(c *call) (req allocationRequest, body json.RawMessage, err error) {
	if body, err = decode[json.RawMessage](c); err != nil {
		return req, nil, err
	}
	return req, body, unmarshal(body, &req)
}

func (r *allocationRequest) timeout() time.Time {
	if r.Timeout == nil {
		return time.Time{}
	}
	return *r.Timeout
}

func (s *Server) allocate(c *call) error {
	req, body, err := allocationBody(c)
	if err != nil {
		return allocationProblem(c, body, err)
	}
	if req.Address != nil && *req.Address != c.caller().Address() {
		if err := c.manages(); err != nil { // it is the money of another identity
			return fmt.Errorf("address %s is not that of %s: %w", req.Address, c.caller(), err)
		}
	}
	a, err := s.newAllocation(c.Context(), c.caller(), req)
	if err != nil {
		return allocationProblem(c, body, err)
	}
	return reply(c.w, http.StatusCreated, newAllocationJSON(&a))
}

func (s *Server) newAllocation(ctx context.Context, who golem.NodeID, req allocationRequest) (none golem.Allocation, err error) {
	if req.Total == nil {
		return none, golem.Errorf(golem.ErrInvalid, "request body: missing member \"totalAmount\"")
	}
	if req.Platform == nil {
		req.Platform = &platformChoice{}
	}
	n := payment.NewAllocation{Total: *req.Total, Timeout: req.timeout(), Deposit: req.Deposit}
	if n.Platform, err = req.Platform.choose(s.cfg.Payment); err != nil {
		return none, platformError{req.Platform, err}
	}
	if req.Address != nil {
		n.Address = *req.Address
	}
	return s.cfg.Payment.Allocate(ctx, who, n)
}

func (s *Server) amend(c *call) error {
	req, body, err := allocationBody(c)
	if err != nil {
		return allocationProblem(c, body, err)
	}
	change := payment.AllocationChange{Total: req.Total, Timeout: req.timeout(), Deposit: req.Deposit}
	a, err := s.cfg.Payment.Amend(c.Context(), c.caller(), c.allocation(), change)
	if err != nil {
		return allocationProblem(c, body, err)
	}
	return reply(c.w, http.StatusOK, newAllocationJSON(&a))
}

func (s *Server) allocations(c *call) error {
	page, err := c.page("maxItems")
	if err != nil {
		return err
	}
	as, err := s.cfg.Payment.Allocations(c.Context(), c.caller(), page)
	if err != nil {
		return err
	}
	js := make([]allocationJSON, len(as))
	for i := range as {
		js[i] = newAllocationJSON(&as[i])
	}
	return list(c, js)
}

func (s *Server) allocation(c *call) error {
	a, err := s.cfg.Payment.Allocation(c.Context(), c.caller(), c.allocation())
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, newAllocationJSON(&a))
}

func (s *Server) release(c *call) error {
	if err := s.cfg.Payment.Release(c.Context(), c.caller(), c.allocation()); err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, nil)
}

func (s *Server) expenditures(c *call) error {
	es, err := s.cfg.Payment.Expenditures(c.Context(), c.caller(), c.allocation())
	if err != nil {
		return err
	}
	return list(c, es)
}

// allocationOrders answers with the obligations charged to an Allocation.
func (s *Server) allocationOrders(c *call) error {
	os, err := s.cfg.Payment.ObligationsOn(c.Context(), c.caller(), c.allocation())
	if err != nil {
		return err
	}
	return listItems(c, os)
}

// platformError is a platform that was asked for and cannot be had.
type platformError struct {
	asked *platformChoice
	err   error
}

func (e platformError) Error() string { return e.err.Error() }
func (e platformError) Unwrap() error { return e.err }

// allocationProblem answers that an Allocation cannot be made or changed, with
// what the program that asked needs to do better. Errors that are not about the
// request keep their usual form.
func allocationProblem(c *call, body json.RawMessage, err error) error {
	var refused *payment.AllocationError
	var platform platformError
	doc := map[string]any{"detail": golem.Public(err), "title": "the allocation is refused", "requestBody": body}
	kind, status := "validation-error", http.StatusBadRequest
	switch {
	case errors.As(err, &refused) && refused.Problem == payment.AccountNotRegistered:
		kind, status = refused.Problem, http.StatusInternalServerError
		describeRefusal(doc, refused)
	case errors.As(err, &refused):
		doc["instance"] = problemURI(kind) + "/" + refused.Problem
		describeRefusal(doc, refused)
	case errors.As(err, &platform):
		kind = "bad-payment-platform"
		doc["requestedPaymentPlatform"] = platform.asked.String()
		doc["parseError"] = golem.Public(err)
	case golem.KindOf(err) != golem.ErrInvalid:
		return err
	}
	doc["type"], doc["status"] = problemURI(kind), status
	c.w.Header().Set(headerKind, string(golem.KindOf(err)))
	return replyAs(c.w, problemType, status, doc)
}

func problemURI(kind string) string { return paymentBase + "/allocations/" + kind }

// describeRefusal adds the figures that belong to a problem.
func describeRefusal(doc map[string]any, e *payment.AllocationError) {
	doc["paymentPlatform"], doc["address"] = e.Platform, e.Address
	switch e.Problem {
	case payment.InsufficientAccountFunds, payment.InsufficientDepositFunds:
		doc["requestedFunds"], doc["availableFunds"], doc["reservedFunds"] = e.Requested, e.Available, e.Reserved
	case payment.TimeoutPassed, payment.TimeoutExceedsDeposit:
		doc["requestedTimeout"] = e.RequestedTimeout
		if !e.DepositTimeout.IsZero() {
			doc["depositTimeout"] = e.DepositTimeout
		}
	case payment.DepositReused:
		doc["conflictingAllocationId"] = e.Conflict
	case payment.DepositSpenderMismatch:
		doc["depositSpender"] = e.DepositSpender
	}
	if e.DepositID != "" {
		doc["requestedDepositId"] = e.DepositID
	}
}

// String returns the choice as a person would write it.
func (p *platformChoice) String() string {
	switch {
	case p.unread != "":
		return p.unread
	case p.text != "":
		return p.text
	}
	var parts []string
	for _, s := range []string{p.parts.Driver, p.parts.Network, p.parts.Token} {
		if s == "" {
			s = "*"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "-")
}
