package central_test

import (
	"testing"

	"github.com/golem-go/golem/hub"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/central"
	"github.com/golem-go/golem/p2p/p2ptest"
)

func TestSuite(t *testing.T) {
	p2ptest.Run(t, func(t testing.TB) p2ptest.Overlay {
		_, address := listen(t, hub.Config{})
		return overlay(address, p2p.TrustRelay)
	})
}

func overlay(address string, trust p2p.Trust) p2ptest.Overlay {
	keys := newRing()
	return p2ptest.Overlay{
		Node: func(t testing.TB) p2p.Network {
			n, err := central.New(central.Config{Hub: address, Signer: keys})
			if err != nil {
				t.Fatal(err)
			}
			return n
		},
		Identity: keys.identity,
		Trust:    trust,
	}
}

// BenchmarkCall is the round trip between two nodes through a hub on loopback.
func BenchmarkCall(b *testing.B) {
	_, address := listen(b, hub.Config{})
	keys := newRing()
	from, to := keys.identity(b), keys.identity(b)
	a := connect(b, central.Config{Hub: address, Signer: keys}, from)
	connect(b, central.Config{Hub: address, Signer: keys}, to)
	r := p2p.Request{From: from, To: to, Addr: "x/Y", Body: make([]byte, 200)}
	for b.Loop() {
		if err := a.Call(b.Context(), r, func(p2p.Reply) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
