package node

import (
	"github.com/golem-go/golem"
	"github.com/golem-go/golem/identity"
)

// Verifier checks signatures without any identity of one's own, for hubs.
var Verifier golem.Verifier = verifier{}

type verifier struct{}

// Recover implements golem.Verifier.
func (verifier) Recover(digest [32]byte, sig golem.Signature) (golem.NodeID, error) {
	return identity.Recover(digest, sig)
}
