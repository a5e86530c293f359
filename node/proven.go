package node

import (
	"context"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
)

// provenBus is the bus for services that are to deal with proven peers only: who
// merely claims to be a party of an Agreement could end its Activities, or take
// back its bills.
type provenBus struct{ *gsb.Bus }

// Bind implements [gsb.Binder].
func (b provenBus) Bind(addr string, h gsb.Handler) (release func(), err error) {
	return b.Bus.Bind(addr, func(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
		if r.Trust == p2p.TrustClaim {
			return golem.Errorf(golem.ErrForbidden, "the identity of %s is not proven", r.Caller)
		}
		return h(ctx, r, w)
	})
}

// tradeBus is what services are given that act on Agreements.
type tradeBus interface {
	gsb.Caller
	gsb.Binder
}

func (n *Node) tradeBus() tradeBus {
	if n.cfg.Policy.ProvenOnly {
		return provenBus{n.bus}
	}
	return n.bus
}
