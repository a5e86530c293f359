package exeunit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/golem-go/golem"
)

// maxRedirects is how many redirections are followed.
const maxRedirects = 10

// web transfers over http and https. Proxies of the environment are not used.
type web struct{ client *http.Client }

// newWeb returns a web that refuses addresses which are not of the public
// internet, unless allowPrivate: a Requestor must not reach the Provider's own
// network through it.
func newWeb(allowPrivate bool) *web {
	dialer := &net.Dialer{Timeout: 15 * time.Second}
	if !allowPrivate {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkPublic(address) }
	}
	return &web{&http.Client{
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute,
			IdleConnTimeout:       time.Minute,
			DisableCompression:    true, // a hash is that of the bytes the server has
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return golem.Errorf(golem.ErrInvalid, "more than %d redirections", maxRedirects)
			}
			return nil
		},
	}}
}

// reserved are networks that net/netip does not tell from public ones.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// checkPublic refuses an address, which is a resolved one, that is not public.
func checkPublic(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return golem.Errorf(golem.ErrForbidden, "address %s: %w", address, err)
	}
	ip := ap.Addr().Unmap().WithZone("")
	public := ip.IsGlobalUnicast() && !ip.IsPrivate()
	for _, p := range reserved {
		public = public && !p.Contains(ip)
	}
	if !public {
		return golem.Errorf(golem.ErrForbidden, "transfers from or to addresses that are not public are not allowed here")
	}
	return nil
}

func (w *web) close() { w.client.CloseIdleConnections() }

// webSource reads from a web server.
type webSource struct {
	web    *web
	url    *url.URL
	length int64
	ranges bool
	tag    string // If-Range; "" for none
}

// open asks the server about u. A server that does not answer such questions has
// content of unknown size.
func (w *web) open(ctx context.Context, u *url.URL) (source, error) {
	s := &webSource{web: w, url: u, length: -1}
	reply, err := w.do(ctx, http.MethodHead, u, nil)
	switch {
	case errors.As(err, new(*statusError)):
		return s, nil
	case err != nil:
		return nil, err
	}
	reply.Body.Close()
	s.length = reply.ContentLength
	s.ranges = strings.EqualFold(strings.TrimSpace(reply.Header.Get("Accept-Ranges")), "bytes")
	if tag := reply.Header.Get("ETag"); !strings.HasPrefix(tag, "W/") {
		s.tag = tag
	}
	return s, nil
}

func (s *webSource) size() int64     { return s.length }
func (s *webSource) resumable() bool { return s.ranges }
func (s *webSource) close()          {}

func (s *webSource) copyTo(ctx context.Context, w io.Writer, offset int64) error {
	reply, err := s.web.do(ctx, http.MethodGet, s.url, func(r *http.Request) {
		if offset > 0 {
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
			if s.tag != "" {
				r.Header.Set("If-Range", s.tag)
			}
		}
	})
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if offset > 0 {
		if err := skipTo(reply, offset); err != nil {
			return err
		}
	}
	_, err = io.CopyBuffer(onlyWriter{w}, webBody{reply.Body}, make([]byte, copyBuffer))
	return err
}

// skipTo makes the body begin at offset, wherever the server has begun.
func skipTo(reply *http.Response, offset int64) error {
	if reply.StatusCode != http.StatusPartialContent {
		_, err := io.CopyN(io.Discard, webBody{reply.Body}, offset)
		return err
	}
	if !strings.HasPrefix(reply.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", offset)) {
		return golem.Errorf(golem.ErrInvalid, "the server sent another range than it was asked for")
	}
	return nil
}

// webSink uploads to a web server, with PUT.
type webSink struct {
	web *web
	url *url.URL
}

func (s webSink) resumable() bool { return false }
func (s webSink) commit() error   { return nil }
func (s webSink) close()          {}

func (s webSink) put(ctx context.Context, _, total int64, fill func(io.Writer) error) error {
	return pump(fill, func(body io.Reader) error {
		reply, err := s.web.do(ctx, http.MethodPut, s.url, func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(body), total
			if total == 0 {
				r.Body = http.NoBody
			}
		})
		if err != nil {
			return err
		}
		reply.Body.Close()
		// An empty content has no body to be read, but its end must be seen.
		_, err = io.Copy(io.Discard, body)
		return err
	})
}

// statusError is an answer other than success.
type statusError struct {
	method string
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: the server answered %d %s", e.method, e.status, http.StatusText(e.status))
}

// do makes a request and returns the answer to it if it is a success.
func (w *web) do(ctx context.Context, method string, u *url.URL, edit func(*http.Request)) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "%w", err)
	}
	if edit != nil {
		edit(r)
	}
	reply, err := w.client.Do(r)
	if err != nil {
		return nil, webError(err)
	}
	if reply.StatusCode/100 == 2 {
		return reply, nil
	}
	reply.Body.Close()
	kind := golem.ErrInvalid
	switch {
	case reply.StatusCode >= 500, reply.StatusCode == http.StatusTooManyRequests, reply.StatusCode == http.StatusRequestTimeout:
		kind = golem.ErrUnavailable
	case reply.StatusCode == http.StatusNotFound, reply.StatusCode == http.StatusGone:
		kind = golem.ErrNotFound
	}
	return nil, golem.Errorf(kind, "%w", &statusError{method, reply.StatusCode})
}

// webError gives an error of the way to a server a kind. The url, which may hold
// a password, is taken out.
func webError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	switch {
	case golem.KindOf(err) != golem.ErrInternal:
		return err
	case retriable(err):
		return golem.Errorf(golem.ErrUnavailable, "%w", err)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return golem.Errorf(golem.ErrUnavailable, "%w", err)
	}
	return golem.Errorf(golem.ErrInvalid, "%w", err)
}

// webBody is a body whose errors have kinds. It hides other methods, which would
// go around the buffer.
type webBody struct{ r io.Reader }

func (b webBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = webError(err)
	}
	return n, err
}
