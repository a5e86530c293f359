package rest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
)

// agreementRoutes are the operations on Agreements.
func (s *Server) agreementRoutes() []route {
	const base = marketBase + "/agreements"
	m := s.cfg.Market
	return []route{
		{pattern: "POST " + base, handle: s.proposeAgreement},
		{pattern: "GET " + base, handle: s.agreements},
		{pattern: "GET " + base + "/{id}", handle: s.agreement},
		{pattern: "POST " + base + "/{id}/confirm", handle: s.confirm},
		{pattern: "POST " + base + "/{id}/wait", handle: s.waitForApproval},
		{pattern: "POST " + base + "/{id}/approve", handle: s.approve},
		{pattern: "POST " + base + "/{id}/cancel", handle: endAgreement(m.Cancel)},
		{pattern: "POST " + base + "/{id}/reject", handle: endAgreement(m.RejectAgreement)},
		{pattern: "POST " + base + "/{id}/terminate", handle: endAgreement(m.Terminate)},
		{pattern: "GET " + base + "/{id}/terminate/reason", handle: s.termination},
		{pattern: "GET " + marketBase + "/agreementEvents", handle: s.agreementEvents},
	}
}

func (c *call) agreement() (golem.AgreementID, error) {
	return golem.ParseAgreementID(c.PathValue("id"))
}

func (c *call) session() string { return c.URL.Query().Get("appSessionId") }

func (s *Server) proposeAgreement(c *call) error {
	body, err := decode[struct {
		Proposal string    `json:"proposalId"`
		ValidTo  time.Time `json:"validTo"`
	}](c)
	if err != nil {
		return err
	}
	proposal, err := golem.ParseProposalID(body.Proposal)
	if err != nil {
		return err
	}
	id, err := s.cfg.Market.ProposeAgreement(c.Context(), c.caller(), proposal, body.ValidTo)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, id)
}

func (s *Server) agreements(c *call) error {
	q := market.AgreementQuery{Owner: c.caller(), Session: c.session()}
	var err, beforeErr, afterErr error
	if state := c.URL.Query().Get("state"); state != "" {
		q.State, err = golem.ParseAgreementState(state)
	}
	q.Before, beforeErr = c.after("beforeDate", time.Time{})
	q.After, afterErr = c.after("afterDate", time.Time{})
	if err := errors.Join(err, beforeErr, afterErr); err != nil {
		return err
	}
	entries, err := s.cfg.Market.Agreements(c.Context(), q)
	if err != nil {
		return err
	}
	if entries == nil {
		entries = []market.AgreementEntry{}
	}
	return reply(c.w, http.StatusOK, entries)
}

func (s *Server) agreement(c *call) error {
	id, err := c.agreement()
	if err != nil {
		return err
	}
	a, err := s.cfg.Market.Agreement(c.Context(), c.caller(), id)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, a)
}

func (s *Server) confirm(c *call) error {
	id, err := c.agreement()
	if err != nil {
		return err
	}
	if err := s.cfg.Market.Confirm(c.Context(), c.caller(), id, c.session()); err != nil {
		return err
	}
	return noContent(c)
}

func (s *Server) waitForApproval(c *call) error {
	id, err := c.agreement()
	if err != nil {
		return err
	}
	ctx, cancel, err := c.poll()
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.cfg.Market.WaitForApproval(ctx, c.caller(), id); err != nil {
		return err
	}
	return noContent(c)
}

func (s *Server) approve(c *call) error {
	id, err := c.agreement()
	if err != nil {
		return err
	}
	timeout, err := c.timeout(defaultPoll)
	if err != nil {
		return err
	}
	if err := s.cfg.Market.Approve(c.Context(), c.caller(), id, c.session(), timeout); err != nil {
		return err
	}
	return noContent(c)
}

// endAgreement answers the operations that take a reason, or null, as a body.
func endAgreement(f func(context.Context, golem.NodeID, golem.AgreementID, *golem.Reason) error) func(*call) error {
	return func(c *call) error {
		id, err := c.agreement()
		if err != nil {
			return err
		}
		reason, err := decode[*golem.Reason](c)
		if err != nil {
			return err
		}
		if err := f(c.Context(), c.caller(), id, reason); err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
}

// agreementEventJSON is upstream's REST form of a change of an Agreement.
type agreementEventJSON struct {
	At         time.Time                `json:"eventDate"`
	Agreement  golem.AgreementID        `json:"agreementId"`
	Type       golem.AgreementEventType `json:"eventType"`
	Terminator golem.Role               `json:"terminator,omitempty"`
	Signature  string                   `json:"signature,omitempty"`
	Reason     *golem.Reason            `json:"reason,omitempty"`
}

func newAgreementEventJSON(e *market.AgreementEvent) agreementEventJSON {
	j := agreementEventJSON{At: e.At, Agreement: e.Agreement, Type: e.Type}
	if e.Type != golem.AgreementApprovedEvent {
		j.Reason = orNoReason(e.Reason)
	}
	if e.Type == golem.AgreementTerminatedEvent {
		j.Terminator, j.Signature = e.By, golem.NoSignature
	}
	return j
}

func (s *Server) termination(c *call) error {
	id, err := c.agreement()
	if err != nil {
		return err
	}
	e, err := s.cfg.Market.Termination(c.Context(), c.caller(), id)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, newAgreementEventJSON(e))
}

func (s *Server) agreementEvents(c *call) error {
	q := market.EventQuery{Owner: c.caller(), Session: c.session()}
	var err error
	if q.Max, err = c.count("maxEvents", defaultEvents, market.MaxEvents); err != nil {
		return err
	}
	if q.After, err = c.after("afterTimestamp", time.Date(2016, 11, 11, 15, 12, 0, 0, time.UTC)); err != nil {
		return err
	}
	ctx, cancel, err := c.poll()
	if err != nil {
		return err
	}
	defer cancel()
	es, err := s.cfg.Market.AgreementEvents(ctx, q)
	if err != nil {
		return err
	}
	js := make([]agreementEventJSON, len(es))
	for i := range es {
		js[i] = newAgreementEventJSON(&es[i])
	}
	return reply(c.w, http.StatusOK, js)
}
