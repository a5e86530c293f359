package central

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/wire"
)

// joinTimeout is how long proving the identities may take: as long as a hub waits.
const joinTimeout = time.Minute

func (n *Network) identities() []golem.NodeID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.ids)
}

// SetIdentities implements [p2p.Network]. It returns ErrConflict where an
// identity is connected to the hub from elsewhere, and the error of the signer
// where one cannot sign; the others are set. Before the node is connected it
// succeeds, and what is wrong shows in Status.
func (n *Network) SetIdentities(ctx context.Context, ids []golem.NodeID) error {
	n.setting.Lock()
	defer n.setting.Unlock()
	for _, release := range n.set(ids) {
		release()
	}
	var errs []error
	if n.client.Status().Connected {
		errs = append(errs, n.proveMissing(ctx))
	}
	for _, id := range ids {
		errs = append(errs, n.register(id))
	}
	return errors.Join(append(errs, n.client.Mend())...)
}

// set notes the identities and returns what unregisters those that are gone.
func (n *Network) set(ids []golem.NodeID) (gone []func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range n.ids {
		if release := n.bound[id]; release != nil && !slices.Contains(ids, id) {
			gone = append(gone, release)
			delete(n.bound, id)
		}
	}
	n.ids = slices.Clone(ids)
	return gone
}

// register registers an identity unless it is already. One that the hub refuses
// is not an identity on this network.
func (n *Network) register(id golem.NodeID) error {
	n.mu.Lock()
	done := n.bound[id] != nil
	n.mu.Unlock()
	if done {
		return nil
	}
	release, err := n.client.Bind(address(id), n.serve(id))
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.ids = slices.DeleteFunc(n.ids, func(one golem.NodeID) bool { return one == id })
		return err
	}
	n.bound[id] = release
	return nil
}

// join proves the identities on a new connection. An identity that cannot sign
// does not keep the others away; it is refused by the hub.
func (n *Network) join(ctx context.Context, hub router.Router) error {
	n.mu.Lock()
	n.hub, n.proven = hub, map[golem.NodeID]bool{}
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	return n.proveMissing(ctx)
}

// proveMissing proves the identities that are not proven on the present
// connection, to a hub that asks for that.
func (n *Network) proveMissing(ctx context.Context) error {
	n.mu.Lock()
	hub, proven := n.hub, n.proven
	missing := slices.DeleteFunc(slices.Clone(n.ids), func(id golem.NodeID) bool { return proven[id] })
	n.mu.Unlock()
	if !hub.Modern || len(missing) == 0 {
		return nil
	}
	var nobody golem.NodeID
	challenge, err := wire.HubChallenge.Call(ctx, hub, nobody, nobody, struct{}{})
	if errors.Is(err, gsb.ErrNoEndpoint) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(challenge.Nonce) != wire.HubNonceSize { // sign nothing that could mean something else
		return golem.Errorf(golem.ErrForbidden, "the hub asks to sign a nonce of %d bytes, want %d", len(challenge.Nonce), wire.HubNonceSize)
	}
	proof, problem := n.sign(ctx, hub, challenge.Nonce, missing)
	if len(proof.Identities) == 0 {
		return problem
	}
	if _, err := wire.HubProve.Call(ctx, hub, nobody, nobody, proof); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range proof.Identities {
		proven[one.Node] = true
	}
	return nil
}

// sign returns the proof of those identities that can sign, and why others cannot.
func (n *Network) sign(ctx context.Context, hub router.Router, nonce []byte, ids []golem.NodeID) (proof wire.HubProof, problem error) {
	for _, id := range ids {
		join := wire.HubJoin{Nonce: nonce, Instance: hub.Instance, Certificate: n.pin, Node: id}
		sig, err := n.cfg.Signer.Sign(ctx, id, join.Digest())
		if err != nil {
			n.cfg.Log.Warn("identity not proven to the hub", "node", id, "err", err)
			problem = err
			continue
		}
		proof.Identities = append(proof.Identities, wire.HubIdentity{Node: id, Signature: sig[:]})
	}
	return proof, problem
}
