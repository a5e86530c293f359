package router

import (
	"context"
	"net"
	"strings"

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
//
// The services given as private are for processes of the owner alone. A unix
// socket lets in nobody else; over TCP any user of the machine may come, and is
// refused them.
func NewLocal(bus *gsb.Bus, private ...string) func(remote net.Addr) Session {
	return func(remote net.Addr) Session {
		if _, tcp := remote.(*net.TCPAddr); tcp {
			return local{bus, private}
		}
		return local{bus, nil}
	}
}

type local struct {
	*gsb.Bus
	closed []string
}

// Call implements [Session].
func (s local) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	for _, service := range s.closed {
		if r.Addr == service || strings.HasPrefix(r.Addr, service+"/") {
			return golem.Errorf(golem.ErrForbidden, "%s is not for those who come over TCP: use a unix socket", service)
		}
	}
	return s.Bus.Call(ctx, r, w)
}

func (s local) Vouch(caller, _ string) (golem.NodeID, p2p.Trust, error) {
	id, err := golem.ParseNodeID(caller)
	if err != nil || !s.Owns(id) {
		return golem.NodeID{}, p2p.TrustLocal, nil
	}
	return id, p2p.TrustLocal, nil
}
