package p2ptest_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/p2ptest"
)

func identity(testing.TB) (id golem.NodeID) {
	rand.Read(id[:])
	return id
}

func TestSwitchSuite(t *testing.T) {
	p2ptest.Run(t, func(testing.TB) p2ptest.Overlay {
		sw := p2ptest.NewSwitch(p2ptest.Config{Detect: 50 * time.Millisecond})
		return p2ptest.Overlay{
			Node:     func(testing.TB) p2p.Network { return sw.Node() },
			Identity: identity,
			Trust:    p2p.TrustKey,
		}
	})
}
