package rest

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
)

func (s *Server) execBatch(c *call) error {
	req, err := decode[struct {
		Text string `json:"text"`
	}](c)
	if err != nil {
		return err
	}
	script, err := golem.ParseScript(req.Text)
	if err != nil {
		return golem.Errorf(golem.ErrInvalid, "Bad request: %w", err)
	}
	timeout, err := c.timeout(activity.DefaultTimeout)
	if err != nil {
		return err
	}
	id, err := s.cfg.Activity.Exec(c.Context(), c.caller(), c.activity(), script, timeout)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, id)
}

// batchResults answers with the results, or with a stream of events to those
// who accept that.
func (s *Server) batchResults(c *call) error {
	if accepts(c.Request, "text/event-stream") {
		return s.streamBatch(c)
	}
	q := activity.ResultsQuery{Batch: golem.BatchID(c.PathValue("batch"))}
	var err error
	if q.Timeout, err = c.timeout(0); err != nil {
		return err
	}
	if text := c.URL.Query().Get("commandIndex"); text != "" {
		i, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return golem.Errorf(golem.ErrInvalid, "commandIndex %q: want a number from 0 on", text)
		}
		q.Index = new(int(i))
	}
	results, err := s.cfg.Activity.Results(c.Context(), c.caller(), c.activity(), q)
	if err != nil {
		return err
	}
	if results == nil {
		results = []golem.CommandResult{}
	}
	return reply(c.w, http.StatusOK, results)
}

// accepts reports whether the client asks for the media type by name.
func accepts(r *http.Request, media string) bool {
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			if got, _, err := mime.ParseMediaType(part); err == nil && got == media {
				return true
			}
		}
	}
	return false
}

const (
	pingEvery = 15 * time.Second
	openAfter = time.Second // a stream without events so far is begun
)

// streamBatch sends the events of a batch as they happen. An error before the
// first one is answered as any other; a later one ends the stream, and clients
// come back with the number of the last event they have. When the batch has
// ended the connection stays open until the client closes it: a closed one would
// be an error to it.
func (s *Server) streamBatch(c *call) error {
	after := -1
	if text := c.Header.Get("Last-Event-ID"); text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return golem.Errorf(golem.ErrInvalid, "Last-Event-ID %q: want the number of an event", text)
		}
		after = int(n)
	}
	ctx, cancel := context.WithCancel(c.Context())
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	frames := make(chan frame)
	reading.Go(func() {
		defer close(frames)
		for ev, err := range s.cfg.Activity.Stream(ctx, c.caller(), c.activity(), golem.BatchID(c.PathValue("batch")), after) {
			select {
			case frames <- frame{ev, err}:
			case <-ctx.Done():
				return
			}
		}
	})
	return (&eventStream{w: c.w}).copy(ctx, frames)
}

// frame is an event to be sent, or why there are no more.
type frame struct {
	event activity.StreamEvent
	err   error
}

// eventStream writes Server-Sent Events.
type eventStream struct {
	w    http.ResponseWriter
	open bool
}

// copy writes frames until the client is gone or something has failed. It keeps
// the connection alive while there are none.
func (s *eventStream) copy(ctx context.Context, frames <-chan frame) error {
	opened := time.After(openAfter)
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case f, ok := <-frames:
			switch {
			case !ok:
				frames = nil // nothing more will come; wait for the client
			case f.err != nil && !s.open:
				return f.err
			case f.err != nil:
				return nil
			default:
				err = s.event(f.event)
			}
		case <-opened:
			err = s.write("")
		case <-ping.C:
			err = s.write(":ping\n\n")
		case <-ctx.Done():
			return nil
		}
		if err != nil {
			return nil // the client is gone
		}
	}
}

func (s *eventStream) event(ev activity.StreamEvent) error {
	data, err := json.Marshal(ev.RuntimeEvent)
	if err != nil {
		return err
	}
	return s.write("event: runtime\ndata: " + string(data) + "\nid: " + strconv.Itoa(ev.Number) + "\n\n")
}

// write sends text at once, after the header the first time.
func (s *eventStream) write(text string) error {
	if !s.open {
		s.open = true
		s.w.Header().Set("Content-Type", "text/event-stream")
		s.w.Header().Set("Cache-Control", "no-cache")
		s.w.WriteHeader(http.StatusOK)
	}
	if _, err := io.WriteString(s.w, text); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}
