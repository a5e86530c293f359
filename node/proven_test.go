package node

import (
	"context"
	"errors"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p"
)

// TestProvenOnly calls a service of nodes with and without the policy.
func TestProvenOnly(t *testing.T) {
	for _, strict := range []bool{false, true} {
		n := &Node{cfg: Config{Policy: market.Policy{ProvenOnly: strict}}, bus: gsb.New(gsb.Config{})}
		if _, err := n.tradeBus().Bind("/public/payment", func(_ context.Context, _ gsb.Request, w func(gsb.Reply) error) error {
			return w(gsb.Reply{Last: true})
		}); err != nil {
			t.Fatal(err)
		}
		for trust := p2p.TrustClaim; trust <= p2p.TrustLocal; trust++ {
			err := n.bus.Call(t.Context(), gsb.Request{Addr: "/public/payment/CancelInvoice", Trust: trust}, func(gsb.Reply) error { return nil })
			if refused := errors.Is(err, golem.ErrForbidden); refused != (strict && trust == p2p.TrustClaim) || err != nil && !refused {
				t.Errorf("proven only %t, caller %s: %v", strict, trust, err)
			}
		}
	}
}
