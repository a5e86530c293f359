package rest

import (
	"net/http"
	"strings"

	"github.com/golem-go/golem"
)

// route is one operation of the API.
type route struct {
	pattern string // of http.ServeMux
	handle  func(*call) error
	open    bool // needs no app-key
}

// routes is the whole table: what is served, and what upstream serves and we
// answer with 501 so far.
func (s *Server) routes() []route {
	rs := s.served()
	have := map[string]bool{}
	for _, r := range rs {
		have[canonical(r.pattern)] = true
	}
	for _, pattern := range upstream {
		if !have[canonical(pattern)] {
			rs = append(rs, route{pattern: pattern, handle: unsupported, open: strings.HasPrefix(pattern, "GET /metrics-api/")})
		}
	}
	return rs
}

// unsupported answers an operation that is known and not served.
func unsupported(c *call) error {
	return golem.Errorf(golem.ErrUnsupported, "%s %s is not implemented by this node", c.Method, c.URL.Path)
}

// canonical replaces the names of path values, which do not tell routes apart.
func canonical(pattern string) string {
	parts := strings.Split(pattern, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

// noContent answers 204.
func noContent(c *call) error {
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
