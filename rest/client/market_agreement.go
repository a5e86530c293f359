package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/golem-go/golem"
)

// AgreementChange is a change of an Agreement that both parties are told.
type AgreementChange struct {
	At         time.Time                `json:"eventDate"`
	Agreement  golem.AgreementID        `json:"agreementId"`
	Type       golem.AgreementEventType `json:"eventType"`
	Terminator golem.Role               `json:"terminator,omitempty"`
	Reason     *golem.Reason            `json:"reason,omitempty"`
}

// AgreementEntry is an Agreement in a list.
type AgreementEntry struct {
	ID       golem.AgreementID `json:"id"`
	Created  time.Time         `json:"timestamp"`
	Approved *time.Time        `json:"approvedDate"`
	Role     golem.Role        `json:"role"` // the caller's
}

func agreementPath(id golem.AgreementID, rest string) string {
	return marketBase + "/agreements/" + url.PathEscape(string(id)) + rest
}

// ProposeAgreement makes the Provider's last Proposal an Agreement.
func (c *Client) ProposeAgreement(ctx context.Context, id golem.ProposalID, validTo time.Time) (agreement golem.AgreementID, err error) {
	body := struct {
		Proposal golem.ProposalID `json:"proposalId"`
		ValidTo  time.Time        `json:"validTo"`
	}{id, validTo.UTC()}
	err = c.do(ctx, http.MethodPost, marketBase+"/agreements", nil, body, &agreement)
	return agreement, err
}

// ConfirmAgreement sends an Agreement to the Provider. session, which may be "",
// marks its events for this caller.
func (c *Client) ConfirmAgreement(ctx context.Context, id golem.AgreementID, session string) error {
	return c.do(ctx, http.MethodPost, agreementPath(id, "/confirm"), inSession(session), nil, nil)
}

func inSession(session string) url.Values {
	query := url.Values{}
	if session != "" {
		query.Set("appSessionId", session)
	}
	return query
}

// WaitForApproval waits until the Provider has approved: ErrTimeout if that took
// too long, ErrExpired with the state as text if it never will.
func (c *Client) WaitForApproval(ctx context.Context, id golem.AgreementID, timeout time.Duration) error {
	return c.do(ctx, http.MethodPost, agreementPath(id, "/wait"), within(timeout), nil, nil)
}

// ApproveAgreement agrees as the Provider and waits until the Requestor has
// committed itself. After ErrTimeout it may be repeated.
func (c *Client) ApproveAgreement(ctx context.Context, id golem.AgreementID, session string, timeout time.Duration) error {
	query := inSession(session)
	query.Set("timeout", seconds(timeout))
	return c.do(ctx, http.MethodPost, agreementPath(id, "/approve"), query, nil, nil)
}

// RejectAgreement refuses an Agreement as the Provider.
func (c *Client) RejectAgreement(ctx context.Context, id golem.AgreementID, reason *golem.Reason) error {
	return c.do(ctx, http.MethodPost, agreementPath(id, "/reject"), nil, orNull(reason), nil)
}

// CancelAgreement takes an Agreement that is not approved back as the Requestor.
func (c *Client) CancelAgreement(ctx context.Context, id golem.AgreementID, reason *golem.Reason) error {
	return c.do(ctx, http.MethodPost, agreementPath(id, "/cancel"), nil, orNull(reason), nil)
}

// TerminateAgreement ends an approved Agreement as either party.
func (c *Client) TerminateAgreement(ctx context.Context, id golem.AgreementID, reason *golem.Reason) error {
	return c.do(ctx, http.MethodPost, agreementPath(id, "/terminate"), nil, orNull(reason), nil)
}

// Termination returns how an Agreement has ended.
func (c *Client) Termination(ctx context.Context, id golem.AgreementID) (e AgreementChange, err error) {
	err = c.do(ctx, http.MethodGet, agreementPath(id, "/terminate/reason"), nil, nil, &e)
	return e, err
}

// Agreement returns an Agreement of which the caller is a party.
func (c *Client) Agreement(ctx context.Context, id golem.AgreementID) (*golem.Agreement, error) {
	var a golem.Agreement
	err := c.do(ctx, http.MethodGet, agreementPath(id, ""), nil, nil, &a)
	return &a, err
}

// Agreements lists the caller's Agreements in a state, "" for all.
func (c *Client) Agreements(ctx context.Context, state golem.AgreementState, session string) (es []AgreementEntry, err error) {
	query := inSession(session)
	if state != "" {
		query.Set("state", string(state))
	}
	err = c.do(ctx, http.MethodGet, marketBase+"/agreements", query, nil, &es)
	return es, err
}

// AgreementChanges waits at most timeout for changes of the caller's Agreements
// after a time, and returns at most max (1 to 100), oldest first. Pass the time
// of the last one to get the next.
func (c *Client) AgreementChanges(ctx context.Context, session string, after time.Time, timeout time.Duration, max int) (es []AgreementChange, err error) {
	query := inSession(session)
	query.Set("timeout", seconds(timeout))
	query.Set("maxEvents", strconv.Itoa(max))
	if !after.IsZero() {
		query.Set("afterTimestamp", after.UTC().Format(time.RFC3339Nano))
	}
	err = c.do(ctx, http.MethodGet, marketBase+"/agreementEvents", query, nil, &es)
	return es, err
}
