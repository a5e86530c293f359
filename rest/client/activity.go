package client

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

const activityBase = "/activity-api/v1"

func activityPath(id golem.ActivityID, rest string) string {
	return activityBase + "/activity/" + url.PathEscape(string(id)) + rest
}

// within is the query of a call that waits at most timeout.
func within(timeout time.Duration) url.Values {
	return url.Values{"timeout": {seconds(timeout)}}
}

// CreateActivity creates an Activity under an approved Agreement and returns when
// its ExeUnit is initialized. The public key is for ExeUnits in enclaves, else nil.
func (c *Client) CreateActivity(ctx context.Context, agreement golem.AgreementID, publicKey []byte, timeout time.Duration) (golem.ActivityID, error) {
	req := struct {
		Agreement golem.AgreementID `json:"agreementId"`
		PublicKey string            `json:"requestorPubKey,omitempty"`
	}{agreement, hex.EncodeToString(publicKey)}
	var resp struct {
		Activity golem.ActivityID `json:"activityId"`
	}
	err := c.do(ctx, http.MethodPost, activityBase+"/activity", within(timeout), req, &resp)
	if err == nil && resp.Activity == "" {
		err = golem.Errorf(golem.ErrUnavailable, "create activity: answer without an id")
	}
	return resp.Activity, err
}

// DestroyActivity ends an Activity and returns when it has ended.
func (c *Client) DestroyActivity(ctx context.Context, id golem.ActivityID, timeout time.Duration) error {
	return c.do(ctx, http.MethodDelete, activityPath(id, ""), within(timeout), nil, nil)
}

// Activities returns the ids of the caller's activities; agreement "" is all.
func (c *Client) Activities(ctx context.Context, agreement golem.AgreementID) (ids []golem.ActivityID, err error) {
	query := url.Values{}
	if agreement != "" {
		query.Set("agreementId", string(agreement))
	}
	err = c.do(ctx, http.MethodGet, activityBase+"/activity", query, nil, &ids)
	return ids, err
}

// ActivityAgreement returns the Agreement an Activity belongs to.
func (c *Client) ActivityAgreement(ctx context.Context, id golem.ActivityID) (agreement golem.AgreementID, err error) {
	err = c.do(ctx, http.MethodGet, activityPath(id, "/agreement"), nil, nil, &agreement)
	return agreement, err
}

// ActivityState returns the state of an Activity.
func (c *Client) ActivityState(ctx context.Context, id golem.ActivityID, timeout time.Duration) (st golem.ActivityStatus, err error) {
	err = c.do(ctx, http.MethodGet, activityPath(id, "/state"), within(timeout), nil, &st)
	return st, err
}

// SetActivityState is how a Provider's agent says what became of an ExeUnit.
func (c *Client) SetActivityState(ctx context.Context, id golem.ActivityID, st golem.ActivityStatus) error {
	return c.do(ctx, http.MethodPut, activityPath(id, "/state"), nil, st, nil)
}

// ActivityUsage returns what an Activity has used so far.
func (c *Client) ActivityUsage(ctx context.Context, id golem.ActivityID, timeout time.Duration) (usage golem.Usage, err error) {
	err = c.do(ctx, http.MethodGet, activityPath(id, "/usage"), within(timeout), nil, &usage)
	return usage, err
}

// RunningCommands returns what an ExeUnit is executing; ErrNotFound is nothing.
func (c *Client) RunningCommands(ctx context.Context, id golem.ActivityID, timeout time.Duration) (cs []golem.RunningCommand, err error) {
	err = c.do(ctx, http.MethodGet, activityPath(id, "/command"), within(timeout), nil, &cs)
	return cs, err
}

// ActivityEvents returns what a Provider's agent is to do: at most the given
// number of events after a date, oldest first, none if nothing happened within
// the timeout. A session other than "" selects those of its Agreements.
func (c *Client) ActivityEvents(ctx context.Context, session string, after time.Time, most int, timeout time.Duration) (evs []golem.ProviderEvent, err error) {
	query := within(timeout)
	query.Set("afterTimestamp", after.UTC().Format(time.RFC3339Nano))
	query.Set("maxEvents", strconv.Itoa(most))
	if session != "" {
		query.Set("appSessionId", session)
	}
	err = c.do(ctx, http.MethodGet, activityBase+"/events", query, nil, &evs)
	if golem.KindOf(err) == golem.ErrTimeout && ctx.Err() == nil {
		return nil, nil
	}
	return evs, err
}

// Exec sends a batch of commands to an ExeUnit and returns its id when the
// ExeUnit has it; the commands are executed after that.
func (c *Client) Exec(ctx context.Context, id golem.ActivityID, script []golem.Command, timeout time.Duration) (batch golem.BatchID, err error) {
	text, err := json.Marshal(script)
	if err != nil {
		return "", golem.Errorf(golem.ErrInvalid, "script: %w", err)
	}
	req := struct {
		Text string `json:"text"`
	}{string(text)}
	err = c.do(ctx, http.MethodPost, activityPath(id, "/exec"), within(timeout), req, &batch)
	return batch, err
}

func batchPath(id golem.ActivityID, batch golem.BatchID) string {
	return activityPath(id, "/exec/"+url.PathEscape(string(batch)))
}

// BatchResults returns the results of a batch so far, from the first command on,
// waiting for the last one at most the timeout.
func (c *Client) BatchResults(ctx context.Context, id golem.ActivityID, batch golem.BatchID, timeout time.Duration) (rs []golem.CommandResult, err error) {
	err = c.do(ctx, http.MethodGet, batchPath(id, batch), within(timeout), nil, &rs)
	return rs, err
}

// CommandResult waits for one command of a batch at most the timeout, after
// which it is ErrTimeout, and returns its result.
func (c *Client) CommandResult(ctx context.Context, id golem.ActivityID, batch golem.BatchID, index int, timeout time.Duration) (r golem.CommandResult, err error) {
	query := within(timeout)
	query.Set("commandIndex", strconv.Itoa(index))
	var rs []golem.CommandResult
	if err := c.do(ctx, http.MethodGet, batchPath(id, batch), query, nil, &rs); err != nil {
		return r, err
	}
	if index < 0 || index >= len(rs) {
		return r, golem.Errorf(golem.ErrNotFound, "batch %s ended before command %d", batch, index)
	}
	return rs[index], nil
}

// StreamBatch yields the events of a batch as they happen, from its beginning.
// The node keeps the stream open after the last one: the caller leaves the loop
// when it has seen what it waits for. The sequence ends with an error.
func (c *Client) StreamBatch(ctx context.Context, id golem.ActivityID, batch golem.BatchID) iter.Seq2[golem.RuntimeEvent, error] {
	return func(yield func(golem.RuntimeEvent, error) bool) {
		var none golem.RuntimeEvent
		body, err := c.openStream(ctx, batchPath(id, batch))
		if err != nil {
			yield(none, err)
			return
		}
		defer body.Close()
		lines := bufio.NewReader(body)
		for {
			data, err := readFrame(lines)
			if err != nil {
				yield(none, c.unreachable(ctx, err))
				return
			}
			var ev golem.RuntimeEvent
			if err := json.Unmarshal(data, &ev); err != nil {
				yield(none, golem.Errorf(golem.ErrUnavailable, "batch %s: event: %w", batch, err))
				return
			}
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// openStream begins a stream of Server-Sent Events.
func (c *Client) openStream(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := c.request(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, failure(resp)
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "text/event-stream" {
		resp.Body.Close()
		return nil, golem.Errorf(golem.ErrUnavailable, "GET %s: want a stream of events, got %q", path, media)
	}
	return resp.Body, nil
}

// readFrame returns the data of the next frame that has any. Comments, which
// keep the connection alive, and other fields are skipped.
func readFrame(r *bufio.Reader) ([]byte, error) {
	var data []byte
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		switch text, found := strings.CutPrefix(line, "data:"); {
		case found:
			data = append(data, strings.TrimPrefix(text, " ")...)
		case line == "" && data != nil:
			return data, nil
		}
	}
}
