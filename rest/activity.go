package rest

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
)

const activityBase = "/activity-api/v1"

// activityRoutes are the operations of upstream's Activity API (spec rest-api.md
// §5). Not served are encrypted, proxy-http and _monitor.
func (s *Server) activityRoutes() []route {
	rs := []route{
		{pattern: "POST /activity", handle: s.createActivity},
		{pattern: "GET /activity", handle: s.listActivities},
		{pattern: "DELETE /activity/{id}", handle: s.destroyActivity},
		{pattern: "POST /activity/{id}/exec", handle: s.execBatch},
		{pattern: "GET /activity/{id}/exec/{batch}", handle: s.batchResults},
		{pattern: "GET /activity/{id}/agreement", handle: s.activityAgreement},
		{pattern: "GET /activity/{id}/state", handle: s.activityState},
		{pattern: "PUT /activity/{id}/state", handle: s.setActivityState},
		{pattern: "GET /activity/{id}/usage", handle: s.activityUsage},
		{pattern: "GET /activity/{id}/command", handle: s.runningCommands},
		{pattern: "GET /events", handle: s.activityEvents},
	}
	for i, r := range rs {
		method, path, _ := strings.Cut(r.pattern, " ")
		rs[i].pattern = method + " " + activityBase + path
		rs[i].handle = func(c *call) error { return activityError(r.handle(c)) }
	}
	return rs
}

// activityError gives an error the status and the text that SDKs decide on:
// they repeat what ended with 408, or with 500 and the words "GSB error" and
// "endpoint address not found" (spec rest-api.md §5.1).
func activityError(err error) error {
	switch golem.KindOf(err) {
	case golem.ErrTimeout, golem.ErrNoAnswer:
		return golem.Errorf(golem.ErrTimeout, "Timeout")
	case golem.ErrUnavailable:
		return golem.Errorf(golem.ErrUnavailable, "GSB error: %w", err)
	case golem.ErrConflict, golem.ErrExpired, golem.ErrExhausted, golem.ErrTooLarge:
		return statusError{http.StatusBadRequest, err}
	}
	return err
}

func (c *call) activity() golem.ActivityID { return golem.ActivityID(c.PathValue("id")) }

// createActivity understands both forms of the request and answers in the same.
func (s *Server) createActivity(c *call) error {
	body, err := decode[json.RawMessage](c)
	if err != nil {
		return err
	}
	var req struct {
		Agreement string `json:"agreementId"`
		PublicKey string `json:"requestorPubKey"`
	}
	plain := bytes.HasPrefix(body, []byte(`"`))
	if plain {
		err = json.Unmarshal(body, &req.Agreement)
	} else {
		err = json.Unmarshal(body, &req)
	}
	if err != nil {
		return golem.Errorf(golem.ErrInvalid, "request body: %w", err)
	}
	id, err := s.create(c, req.Agreement, req.PublicKey)
	switch {
	case err != nil:
		return err
	case plain:
		return reply(c.w, http.StatusOK, id)
	}
	return reply(c.w, http.StatusOK, struct {
		Activity golem.ActivityID `json:"activityId"`
	}{id})
}

func (s *Server) create(c *call, agreement, key string) (golem.ActivityID, error) {
	id, err := golem.ParseAgreementID(agreement)
	if err != nil {
		return "", err
	}
	public, err := hex.DecodeString(key)
	if err != nil {
		return "", golem.Errorf(golem.ErrInvalid, "requestorPubKey: %w", err)
	}
	timeout, err := c.timeout(activity.DefaultTimeout)
	if err != nil {
		return "", err
	}
	return s.cfg.Activity.Create(c.Context(), c.caller(), id, activity.Creation{PublicKey: public, Timeout: timeout})
}

func (s *Server) destroyActivity(c *call) error {
	timeout, err := c.timeout(activity.DefaultTimeout)
	if err != nil {
		return err
	}
	if err := s.cfg.Activity.Destroy(c.Context(), c.caller(), c.activity(), timeout); err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, nil)
}

// listActivities names an Activity once where the caller is both its parties.
func (s *Server) listActivities(c *call) error {
	agreement := golem.AgreementID(c.URL.Query().Get("agreementId"))
	as, err := s.cfg.Activity.Activities(c.Context(), c.caller(), agreement)
	if err != nil {
		return err
	}
	ids := make([]golem.ActivityID, 0, len(as))
	listed := map[golem.ActivityID]bool{}
	for _, a := range as {
		if !listed[a.ID] {
			listed[a.ID] = true
			ids = append(ids, a.ID)
		}
	}
	return reply(c.w, http.StatusOK, ids)
}

func (s *Server) activityAgreement(c *call) error {
	a, err := s.cfg.Activity.Activity(c.Context(), c.caller(), c.activity())
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, a.Agreement)
}

func (s *Server) activityState(c *call) error {
	timeout, err := c.timeout(activity.DefaultTimeout)
	if err != nil {
		return err
	}
	st, err := s.cfg.Activity.State(c.Context(), c.caller(), c.activity(), timeout)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, st)
}

func (s *Server) setActivityState(c *call) error {
	st, err := decode[golem.ActivityStatus](c)
	if err != nil {
		return err
	}
	if err := s.cfg.Activity.SetState(c.Context(), c.caller(), c.activity(), st); err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, nil)
}

func (s *Server) activityUsage(c *call) error {
	timeout, err := c.timeout(activity.DefaultTimeout)
	if err != nil {
		return err
	}
	usage, err := s.cfg.Activity.Usage(c.Context(), c.caller(), c.activity(), timeout)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, usage)
}

func (s *Server) runningCommands(c *call) error {
	timeout, err := c.timeout(activity.DefaultTimeout)
	if err != nil {
		return err
	}
	cs, err := s.cfg.Activity.RunningCommands(c.Context(), c.caller(), c.activity(), timeout)
	if golem.KindOf(err) == golem.ErrNotFound {
		err = golem.Errorf(golem.ErrNotFound, "No running command: %w", err)
	}
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, cs)
}

// activityEvents answers 408 where there is nothing: that is what the Provider's
// agents of upstream take for an empty list.
func (s *Server) activityEvents(c *call) error {
	q := activity.EventQuery{Owner: c.caller(), Session: c.URL.Query().Get("appSessionId")}
	timeout, err := c.timeout(activity.DefaultTimeout)
	if err == nil {
		q.Most, err = c.count("maxEvents", 100, 100)
	}
	if err == nil && !c.URL.Query().Has("afterTimestamp") {
		err = golem.Errorf(golem.ErrInvalid, "afterTimestamp is missing")
	}
	if err == nil {
		q.After, err = c.after("afterTimestamp", q.After)
	}
	if err != nil {
		return err
	}
	evs, err := s.cfg.Activity.Events(c.Context(), q, timeout)
	switch {
	case err != nil:
		return err
	case c.Context().Err() != nil:
		return context.Canceled
	case len(evs) == 0:
		return golem.Errorf(golem.ErrTimeout, "Timeout")
	}
	return reply(c.w, http.StatusOK, evs)
}
