package rest

import (
	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/payment"
)

// Services are what the API gives access to. A nil one is not offered: its
// operations answer 501.
type Services struct {
	Identity *identity.Service
	Activity *activity.Service
	Market   *market.Service
	Payment  *payment.Service

	// Status returns how the node is doing.
	Status func() golem.NodeStatus
}

// served is the table of operations this node serves.
func (s *Server) served() []route {
	rs := s.versionRoutes()
	if s.cfg.Identity != nil {
		rs = append(rs, s.identityRoutes()...)
	}
	if s.cfg.Activity != nil {
		rs = append(rs, s.activityRoutes()...)
	}
	if s.cfg.Market != nil {
		rs = append(rs, s.marketRoutes()...)
	}
	if s.cfg.Payment != nil {
		rs = append(rs, s.paymentRoutes()...)
	}
	if s.cfg.Status != nil {
		rs = append(rs, s.nodeRoutes()...)
	}
	return rs
}
