package local_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/identity"
)

// keyring is a set of keys.
type keyring struct {
	mu   sync.Mutex
	keys map[golem.NodeID]*identity.Key
}

func newKeyring() *keyring {
	return &keyring{keys: map[golem.NodeID]*identity.Key{}}
}

// add adds the n-th of a fixed series of keys.
func (k *keyring) add(n int) golem.NodeID { return k.addHex(fmt.Sprintf("01%062x", n)) }

func (k *keyring) addHex(text string) golem.NodeID {
	key, err := identity.ParseKey(golem.Secret(text))
	if err != nil {
		panic(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[key.ID()] = key
	return key.ID()
}

func (k *keyring) Sign(ctx context.Context, id golem.NodeID, digest [32]byte) (golem.Signature, error) {
	k.mu.Lock()
	key := k.keys[id]
	k.mu.Unlock()
	if key == nil {
		return golem.Signature{}, golem.Errorf(golem.ErrNotFound, "identity %s not found", id)
	}
	return key.Sign(ctx, id, digest)
}

func (k *keyring) Recover(digest [32]byte, sig golem.Signature) (golem.NodeID, error) {
	return identity.Recover(digest, sig)
}
