package hub

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// nonceLife is how long a node may take to sign: a key can be in a slow place.
const nonceLife = time.Minute

// serveAuth binds the service that a connection proves its identities at.
func (m *member) serveAuth() {
	// A fresh bus has room for both.
	_, _ = wire.HubChallenge.Handle(m.auth, m.challenge)
	_, _ = wire.HubProve.Handle(m.auth, m.prove)
}

func (m *member) challenge(context.Context, gsb.Peer, struct{}) (wire.HubNonce, error) {
	nonce := make([]byte, wire.HubNonceSize)
	rand.Read(nonce)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nonce, m.asked = nonce, time.Now()
	return wire.HubNonce{Nonce: nonce}, nil
}

func (m *member) prove(_ context.Context, _ gsb.Peer, proof wire.HubProof) (none gsb.Unit, err error) {
	if most := m.hub.cfg.Limits.Services; most > 0 && len(proof.Identities) > most {
		return none, golem.Errorf(golem.ErrInvalid, "%d identities, at most %d on one connection", len(proof.Identities), most)
	}
	nonce, err := m.takeNonce()
	if err != nil {
		return none, err
	}
	for _, one := range proof.Identities {
		if err := m.check(nonce, one); err != nil {
			return none, err
		}
	}
	m.accept(proof.Identities)
	return none, nil
}

func (m *member) accept(identities []wire.HubIdentity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	for _, one := range identities {
		m.proven[one.Node] = true
		if e := m.hub.nodes[one.Node]; e != nil && e.member == m {
			e.proven = true // it had joined as a claimant
		}
	}
}

// takeNonce returns the nonce and forgets it.
func (m *member) takeNonce() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	nonce := m.nonce
	m.nonce = nil
	if nonce == nil || time.Since(m.asked) > nonceLife {
		return nil, golem.Errorf(golem.ErrInvalid, "no challenge, or one older than %v: ask for another", nonceLife)
	}
	return nonce, nil
}

func (m *member) check(nonce []byte, one wire.HubIdentity) error {
	join := wire.HubJoin{Nonce: nonce, Instance: m.hub.router.Instance(), Certificate: m.hub.pin, Node: one.Node}
	if len(one.Signature) != len(golem.Signature{}) {
		return golem.Errorf(golem.ErrForbidden, "signature of %s has %d bytes, want 65", one.Node, len(one.Signature))
	}
	signer, err := m.hub.cfg.Verifier.Recover(join.Digest(), golem.Signature(one.Signature))
	if err != nil || signer != one.Node {
		return golem.Errorf(golem.ErrForbidden, "signature is not that of %s", one.Node)
	}
	return nil
}
