package rest

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/golem-go/golem"
)

// decode reads the JSON body of a request. Unknown members are ignored, since
// SDKs send some.
func decode[T any](c *call) (v T, err error) {
	body, err := io.ReadAll(c.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return v, golem.Errorf(golem.ErrTooLarge, "request body is above %d bytes", tooLarge.Limit)
	case err != nil:
		return v, golem.Errorf(golem.ErrInvalid, "request body: %w", err)
	case len(body) == 0:
		return v, golem.Errorf(golem.ErrInvalid, "request body is empty, want JSON")
	}
	return v, unmarshal(body, &v)
}

// unmarshal reads JSON of a request body.
func unmarshal(body []byte, v any) error {
	err := json.Unmarshal(body, v)
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		what := "request body"
		if mismatch.Field != "" {
			what += ": member " + mismatch.Field
		}
		return golem.Errorf(golem.ErrInvalid, "%s: a JSON %s does not belong there", what, mismatch.Value)
	}
	if err != nil {
		return golem.Errorf(golem.ErrInvalid, "request body: %w", err)
	}
	return nil
}

// maxWait bounds how long a poll waits, whatever the client asks for.
const maxWait = time.Hour

// timeout reads the query parameter timeout: seconds, with fractions; negative
// is none.
func (c *call) timeout(def time.Duration) (time.Duration, error) {
	text := c.URL.Query().Get("timeout")
	if text == "" {
		return def, nil
	}
	secs, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(secs) {
		return 0, golem.Errorf(golem.ErrInvalid, "timeout %q: want seconds", text)
	}
	return time.Duration(max(0, min(secs, maxWait.Seconds())) * float64(time.Second)), nil
}

// count reads a query parameter that is a number of things between 1 and most;
// most 0 is no limit.
func (c *call) count(name string, def, most int) (int, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case most == 0 && (err != nil || n < 1):
		return 0, golem.Errorf(golem.ErrInvalid, "Invalid %s '%s', should be at least 1.", name, text)
	case err != nil, n < 1, most > 0 && n > most:
		return 0, golem.Errorf(golem.ErrInvalid, "Invalid %s '%s', should be between 1 and %d.", name, text, most)
	}
	return n, nil
}

// after reads a query parameter that is a time; absent is def.
func (c *call) after(name string, def time.Time) (time.Time, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return def, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, golem.Errorf(golem.ErrInvalid, "%s %q: want a time such as 2026-01-02T03:04:05Z", name, text)
	}
	return t.UTC(), nil
}
