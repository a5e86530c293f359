package rest

import (
	"net/http"

	"github.com/golem-go/golem"
)

// versionRoutes tell SDKs, before they have an app-key, what they talk to.
func (s *Server) versionRoutes() []route {
	return []route{{pattern: "GET /version/get", handle: s.version, open: true}}
}

// version answers with upstream's version, without which SDKs refuse to
// connect; our own is in the name (spec rest-api.md §3.2).
func (s *Server) version(c *call) error {
	current := s.cfg.Release
	if current.Version == "" {
		current.Version = golem.UpstreamVersion
	}
	if current.Name == "" {
		current.Name = "golem-go"
	}
	current.Seen = true
	return reply(c.w, http.StatusOK, golem.Versions{Current: current})
}
