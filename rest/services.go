package rest

import "github.com/golem-go/golem/identity"

// Services are what the API gives access to. A nil one is not offered: its
// operations answer 501.
type Services struct {
	Identity *identity.Service
}

// served is the table of operations this node serves.
func (s *Server) served() []route {
	rs := s.versionRoutes()
	if s.cfg.Identity != nil {
		rs = append(rs, s.identityRoutes()...)
	}
	return rs
}
