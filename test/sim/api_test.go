package sim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// transport calls the API of whatever node runs on a machine, without a socket in
// between.
type transport struct {
	m   *machine
	who string
	off *atomic.Bool // while set, the caller cannot reach the node; nil: it always can
}

// lag returns how long a call takes on its way. Calls that are made, or answered, at
// one instant arrive one after the other, always in the same order.
func (t transport) lag(r *http.Request) time.Duration {
	var body []byte
	if r.GetBody != nil {
		if b, err := r.GetBody(); err == nil {
			body, _ = io.ReadAll(b) // of memory
		}
	}
	return moment(t.m.name + t.who + r.Method + r.URL.Path + r.URL.RawQuery + string(body))
}

var errRefused = errors.New("connection refused")

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	lag := t.lag(r)
	defer time.Sleep(lag)
	time.Sleep(lag)
	l, leave := t.m.enter()
	if l == nil || t.off != nil && t.off.Load() {
		leave()
		return nil, errRefused
	}
	ctx, cancel := context.WithCancel(r.Context())
	context.AfterFunc(l.ctx, cancel)
	in, out := io.Pipe()
	a := &answer{header: http.Header{}, out: out, started: make(chan struct{})}
	q := r.Clone(ctx)
	q.RequestURI, q.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
	if q.Body == nil {
		q.Body = http.NoBody
	}
	go func() {
		defer leave()
		defer cancel()
		l.node.Handler().ServeHTTP(a, q)
		a.WriteHeader(http.StatusOK)
		out.Close()
	}()
	body := &body{ReadCloser: in, cancel: cancel, l: l}
	select {
	case <-a.started:
	case <-ctx.Done():
	case <-l.death:
	}
	switch {
	case l.dead.Load():
		body.Close()
		return nil, errRefused
	case r.Context().Err() != nil:
		body.Close()
		return nil, r.Context().Err()
	}
	<-a.started
	return &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: body, ContentLength: -1, Request: r,
	}, nil
}

// body is what a node answers, up to its death.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
	l      *life
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.l.dead.Load() {
		return 0, errRefused
	}
	return n, err
}

func (b *body) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// answer is an [http.ResponseWriter].
type answer struct {
	header  http.Header
	sent    http.Header // as of WriteHeader
	out     *io.PipeWriter
	once    sync.Once
	status  int
	started chan struct{}
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) Flush()              {}

func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.started)
	})
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.out.Write(b)
}
