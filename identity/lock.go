package identity

import (
	"context"

	"github.com/golem-go/golem"
)

// keep holds a key open.
func (s *Service) keep(key *Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[key.id] = key
}

// wipe removes a key from memory. Nobody uses it at that moment, because signing
// holds mu too.
func (s *Service) wipe(id golem.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := s.open[id]; key != nil {
		key.Wipe()
		delete(s.open, id)
	}
}

func (s *Service) isOpen(id golem.NodeID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.open[id] != nil
}

// Lock wipes the key of an identity from memory, after setting a password
// unless that is "". It returns ErrConflict where there is no password at all:
// the key would not stay locked, nor could it be told who may unlock it.
func (s *Service) Lock(ctx context.Context, id golem.NodeID, password golem.Secret) (golem.Identity, error) {
	return s.apply(ctx, id, Locked, func(ctx context.Context) error {
		if password != "" {
			if err := s.reseal(ctx, id, password); err != nil {
				return err
			}
		} else if r, _ := s.live(id); !r.Locked {
			return golem.Errorf(golem.ErrConflict, "identity %s has no password: lock it with one", id)
		}
		s.wipe(id)
		return nil
	})
}

// Unlock opens the key of an identity, or returns wire.ErrPassword.
func (s *Service) Unlock(ctx context.Context, id golem.NodeID, password golem.Secret) (golem.Identity, error) {
	r, ok := s.live(id)
	if !ok {
		return golem.Identity{}, notFound(id)
	}
	key, err := open(r.Keyfile, password)
	if err != nil {
		return golem.Identity{}, err
	}
	return s.apply(ctx, id, Unlocked, func(context.Context) error {
		s.keep(key)
		return nil
	})
}

// SetPassword protects an unlocked identity with a new password; "" removes the
// protection. It returns ErrUnavailable while the identity is locked.
func (s *Service) SetPassword(ctx context.Context, id golem.NodeID, password golem.Secret) (golem.Identity, error) {
	return s.apply(ctx, id, Updated, func(ctx context.Context) error { return s.reseal(ctx, id, password) })
}

// reseal stores the open key of id under another password.
func (s *Service) reseal(ctx context.Context, id golem.NodeID, password golem.Secret) error {
	var keyfile string
	err := s.use(id, func(key *Key) (err error) {
		keyfile, err = seal(key, password)
		return err
	})
	if err != nil {
		return err
	}
	return s.cfg.Store.SetKeyfile(ctx, id, keyfile, password != "")
}

// use lends f the open key of id. It returns ErrNotFound for an unknown identity
// and ErrUnavailable for a locked one.
func (s *Service) use(id golem.NodeID, f func(*Key) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if key := s.open[id]; key != nil {
		return f(key)
	}
	for _, r := range s.records {
		if r.ID == id && !r.Deleted {
			return golem.Errorf(golem.ErrUnavailable, "identity %s is locked: unlock it with its password", id)
		}
	}
	return notFound(id)
}

// Sign implements [golem.Signer].
func (s *Service) Sign(_ context.Context, id golem.NodeID, digest [32]byte) (sig golem.Signature, err error) {
	err = s.use(id, func(key *Key) error {
		sig = key.sign(digest)
		return nil
	})
	return sig, err
}

// Recover implements [golem.Verifier].
func (s *Service) Recover(digest [32]byte, sig golem.Signature) (golem.NodeID, error) {
	return Recover(digest, sig)
}

// PublicKey returns the coordinates X‖Y of an identity's public key. It returns
// ErrUnavailable while the identity is locked, since the NodeID does not tell.
func (s *Service) PublicKey(id golem.NodeID) (public [64]byte, err error) {
	err = s.use(id, func(key *Key) error {
		public = key.PublicKey()
		return nil
	})
	return public, err
}
