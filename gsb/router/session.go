package router

import (
	"net"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
)

// Session is what one connection may see and do of what is behind a Server.
// Binding, calling and broadcasting go through it, so it is the place to refuse.
type Session interface {
	gsb.Caller
	gsb.Binder

	// Vouch returns who speaks when a message on the connection, to an address or
	// a topic, names caller, and how well that is established. It refuses with an
	// error.
	Vouch(caller, to string) (golem.NodeID, p2p.Trust, error)
}

// NewLocal returns the sessions of a node's own socket: every connection is a
// process of this machine and may use the bus. The processes speak for the node's
// identities; where they name another caller they are nobody in particular.
func NewLocal(bus *gsb.Bus) func(remote net.Addr) Session {
	return func(net.Addr) Session { return local{bus} }
}

type local struct{ *gsb.Bus }

func (s local) Vouch(caller, _ string) (golem.NodeID, p2p.Trust, error) {
	id, err := golem.ParseNodeID(caller)
	if err != nil || !s.Owns(id) {
		return golem.NodeID{}, p2p.TrustLocal, nil
	}
	return id, p2p.TrustLocal, nil
}
