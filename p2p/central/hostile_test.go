package central_test

import (
	"context"
	"net"

	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/wire"
)

// serveHostile is a hub that hands out nonces of three bytes.
func serveHostile(ctx context.Context, l net.Listener) error {
	bus := gsb.New(gsb.Config{})
	if _, err := wire.HubChallenge.Handle(bus, func(context.Context, gsb.Peer, struct{}) (wire.HubNonce, error) {
		return wire.HubNonce{Nonce: []byte("abc")}, nil
	}); err != nil {
		return err
	}
	s, err := router.NewServer(router.Config{Session: router.NewLocal(bus)})
	if err != nil {
		return err
	}
	return s.Serve(ctx, l)
}
