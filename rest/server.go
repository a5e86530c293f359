package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

// Headers that carry what upstream's error body has no room for.
const (
	headerKind = "Golem-Error"
	headerHint = "Golem-Hint"
)

// maxRequest is the most bytes a request body may have.
const maxRequest = 8 << 20

// Keys knows app-keys.
type Keys interface {
	// AppKey returns the app-key with the given secret, or ErrUnauthorized.
	AppKey(ctx context.Context, secret string) (golem.AppKey, error)
}

// Config says what the API serves.
type Config struct {
	Keys Keys         // nil: those of Services.Identity
	Log  *slog.Logger // nil: discard

	// AllowOrigins are those of web pages that may use the API with every
	// app-key; "*" is all. Each app-key has further ones of its own.
	AllowOrigins []string
	// Release is what /version/get answers; missing members have defaults.
	Release golem.Release

	Services
}

// Server is the API as an http.Handler.
type Server struct {
	cfg     Config
	log     *slog.Logger
	mux     *http.ServeMux
	handler http.Handler // the whole
}

// New returns the API of the given services.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, log: cfg.Log, mux: http.NewServeMux()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.cfg.Keys == nil && s.cfg.Identity != nil {
		s.cfg.Keys = s.cfg.Identity
	}
	for _, r := range s.routes() {
		s.mux.Handle(r.pattern, s.serve(r))
	}
	s.handler = s.cors(http.HandlerFunc(s.dispatch))
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// dispatch finds the operation. Paths are matched as they are: SDKs do not
// follow redirects to a cleaned one.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern == "" || strings.Contains(r.URL.Path, "//") {
		s.serve(route{open: false, handle: notFound}).ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func notFound(c *call) error {
	return golem.Errorf(golem.ErrNotFound, "no operation %s %s", c.Method, c.URL.Path)
}

// call is one request being answered.
type call struct {
	*http.Request
	w   http.ResponseWriter
	key golem.AppKey // of the caller; zero for open routes
}

// caller returns the identity the request acts as.
func (c *call) caller() golem.NodeID { return c.key.Identity }

// serve wraps a handler in all that requests have in common.
func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		c := &call{Request: r, w: w}
		err := s.authorize(c, rt)
		if err == nil {
			err = rt.handle(c)
		}
		if err != nil {
			fail(w, err)
		}
		s.record(rt, c, err, time.Since(start))
	})
}

// authorize finds out whom the request acts as.
func (s *Server) authorize(c *call, rt route) (err error) {
	if rt.open {
		return nil
	}
	secret := bearer(c.Request)
	if secret == "" {
		return plainError{http.StatusUnauthorized, "Missing application key"}
	}
	if c.key, err = s.cfg.Keys.AppKey(c.Context(), secret); err != nil {
		if errors.Is(err, golem.ErrUnauthorized) {
			return plainError{http.StatusUnauthorized, "Invalid application key"}
		}
		return err
	}
	return nil
}

// record logs a finished request: quietly, unless it failed by our fault.
func (s *Server) record(rt route, c *call, err error, took time.Duration) {
	level := slog.LevelDebug
	if err != nil && golem.KindOf(err) == golem.ErrInternal {
		level = slog.LevelError
	}
	if errors.Is(err, context.Canceled) {
		level = slog.LevelDebug // the client left
	}
	s.log.Log(c.Context(), level, "request", "method", c.Method, "path", c.URL.Path, "route", rt.pattern, "took", took, "err", err)
}

// plainError is an error whose status and body are upstream's and fixed.
type plainError struct {
	status int
	text   string
}

func (e plainError) Error() string { return e.text }

// statusError is an error whose status the operation's specification sets
// differently from the catalogue.
type statusError struct {
	status int
	err    error
}

func (e statusError) Error() string { return e.err.Error() }
func (e statusError) Unwrap() error { return e.err }

// fail writes err as the answer.
func fail(w http.ResponseWriter, err error) {
	var plain plainError
	if errors.As(err, &plain) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(plain.status)
		io.WriteString(w, plain.text)
		return
	}
	kind := golem.KindOf(err)
	status := kind.Status()
	var special statusError
	if errors.As(err, &special) {
		status = special.status
	}
	w.Header().Set(headerKind, string(kind))
	if hint := kind.Hint(); hint != "" {
		w.Header().Set(headerHint, hint)
	}
	reply(w, status, struct {
		Message string `json:"message"`
	}{golem.Public(err)})
}

// reply writes v as JSON without escaping what needs no escaping.
func reply(w http.ResponseWriter, status int, v any) error {
	return replyAs(w, "application/json", status, v)
}

// problemType is the media type of problem documents (RFC 7807).
const problemType = "application/problem+json"

// replyAs is reply with another media type that is JSON too.
func replyAs(w http.ResponseWriter, contentType string, status int, v any) error {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return clientGone(enc.Encode(v))
}

// clientGone turns a failed write into what it means: nobody listens any more.
func clientGone(err error) error {
	if err != nil {
		return context.Canceled
	}
	return nil
}
