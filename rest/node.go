package rest

import (
	"net/http"

	"github.com/golem-go/golem"
)

// nodeRoutes tell how the node is doing. Health checks and network status are
// upstream's, the whole is ours.
func (s *Server) nodeRoutes() []route {
	return []route{
		{pattern: "GET /golem-api/v1/node", handle: s.nodeStatus},
		{pattern: "GET /healthcheck", handle: s.healthcheck},
		{pattern: "GET /net-api/v2/net/status", handle: s.netStatus},
	}
}

func (s *Server) nodeStatus(c *call) error {
	return reply(c.w, http.StatusOK, s.cfg.Status())
}

// healthcheck answers ok, or a problem document that names what is wrong.
func (s *Server) healthcheck(c *call) error {
	status := s.cfg.Status()
	problems := status.Problems()
	if len(problems) == 0 {
		return reply(c.w, http.StatusOK, map[string]string{"status": "ok"})
	}
	return replyAs(c.w, problemType, http.StatusInternalServerError, struct {
		Type     string   `json:"type"`
		Title    string   `json:"title"`
		Status   int      `json:"status"`
		Detail   string   `json:"detail"`
		Problems []string `json:"problems"`
	}{"/healthcheck/internal-error", "the node is not well", http.StatusInternalServerError, problems[0], problems})
}

func (s *Server) netStatus(c *call) error {
	status := s.cfg.Status()
	return reply(c.w, http.StatusOK, struct {
		Node     golem.NodeID `json:"nodeId"`
		Listen   *string      `json:"listenIp"`
		Public   *string      `json:"publicIp"`
		Sessions int          `json:"sessions"`
	}{status.Node, orNull(status.Network.Listen), orNull(status.Network.Public), status.Network.Peers})
}

// orNull returns nil for the empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
