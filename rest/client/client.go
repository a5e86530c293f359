package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

// DefaultURL is where a node listens unless told otherwise.
const DefaultURL = "http://127.0.0.1:7465"

// Client calls one node with one app-key. It is safe for concurrent use.
type Client struct {
	base string
	key  string
	http *http.Client
}

// New returns a Client of the node at base, such as "http://127.0.0.1:7465",
// acting with the given app-key. A nil http client is a plain one without
// timeouts: contexts bound the calls.
func New(base, key string, hc *http.Client) *Client {
	if hc == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 32 // polls are many and long
		transport.Proxy = nil              // a node is on this machine or addressed on purpose
		hc = &http.Client{Transport: transport}
	}
	return &Client{base: strings.TrimSuffix(base, "/"), key: key, http: hc}
}

// URL returns the address of the node.
func (c *Client) URL() string { return c.base }

// do makes one call. A body other than nil is sent as JSON; a result other than
// nil is read from the answer unless that is empty.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body, result any) error {
	req, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return failure(resp)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if result == nil || len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, result); err != nil {
		return golem.Errorf(golem.ErrUnavailable, "%s %s: answer: %w", method, path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, golem.Errorf(golem.ErrInvalid, "%s %s: %w", method, path, err)
		}
		r = bytes.NewReader(b)
	}
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "node address %q: %w", c.base, err)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// unreachable says that the node did not answer, unless the caller gave up.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err // the URL may carry a key
	}
	return golem.Errorf(golem.ErrUnavailable, "node %s does not answer: %w", c.base, err)
}

// failure reads the error of an answer.
func failure(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	kind, ok := golem.ParseKind(resp.Header.Get("Golem-Error"))
	if !ok {
		kind = golem.KindOfStatus(resp.StatusCode)
	}
	var body struct{ Message, Detail string }
	message := strings.TrimSpace(string(text))
	if json.Unmarshal(text, &body) == nil {
		message = body.Message
		if message == "" {
			message = body.Detail
		}
	}
	if message == "" {
		message = fmt.Sprintf("%s %s: %s", resp.Request.Method, resp.Request.URL.Path, resp.Status)
	}
	return golem.Errorf(kind, "%s", message)
}

// seconds is the form of durations in queries.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
