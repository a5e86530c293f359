package identity

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"

	"github.com/golem-go/golem"
)

// Key is a private key in memory: a golem.Signer for its own NodeID, and a
// golem.Verifier. It prints as its NodeID.
type Key struct {
	id     golem.NodeID
	secret *secp256k1.PrivateKey
}

var (
	_ golem.Signer   = (*Key)(nil)
	_ golem.Verifier = (*Key)(nil)
)

// GenerateKey returns a new key.
func GenerateKey() (*Key, error) {
	secret, err := secp256k1.GeneratePrivateKeyFromRand(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return newKey(secret), nil
}

// ParseKey returns the key written as 64 hex digits, with or without 0x. It
// returns ErrInvalid where they are no key of the curve.
func ParseKey(text golem.Secret) (*Key, error) {
	digits := strings.TrimPrefix(strings.TrimSpace(text.Reveal()), "0x")
	b, err := hex.DecodeString(digits)
	defer clear(b)
	if err != nil || len(b) != 32 {
		return nil, golem.Errorf(golem.ErrInvalid, "private key: want 64 hex digits")
	}
	return keyOfBytes(b)
}

func keyOfBytes(b []byte) (*Key, error) {
	var scalar secp256k1.ModNScalar
	if overflow := scalar.SetByteSlice(b); overflow || scalar.IsZero() {
		return nil, golem.Errorf(golem.ErrInvalid, "private key is not one of secp256k1")
	}
	return newKey(secp256k1.NewPrivateKey(&scalar)), nil
}

func newKey(secret *secp256k1.PrivateKey) *Key {
	return &Key{nodeID(secret.PubKey()), secret}
}

// nodeID returns the last 20 bytes of the Keccak-256 of the public key.
func nodeID(public *secp256k1.PublicKey) golem.NodeID {
	return golem.NodeID(keccak256(public.SerializeUncompressed()[1:])[12:])
}

// keccak256 is the hash of Ethereum, which differs from SHA3-256 in its padding.
func keccak256(parts ...[]byte) []byte {
	h := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// ID returns the identity the key belongs to.
func (k *Key) ID() golem.NodeID { return k.id }

// String returns the NodeID; the key itself never prints.
func (k *Key) String() string { return "key of " + k.id.String() }

// PublicKey returns the coordinates X‖Y.
func (k *Key) PublicKey() [64]byte {
	return [64]byte(k.secret.PubKey().SerializeUncompressed()[1:])
}

// Sign implements [golem.Signer]. The same digest always has the same
// signature (RFC 6979).
func (k *Key) Sign(_ context.Context, id golem.NodeID, digest [32]byte) (golem.Signature, error) {
	if id != k.id {
		return golem.Signature{}, notFound(id)
	}
	return k.sign(digest), nil
}

// recoveryBase is what the compact format adds to the recovery id.
const recoveryBase = 27

func (k *Key) sign(digest [32]byte) golem.Signature {
	sig := golem.Signature(ecdsa.SignCompact(k.secret, digest[:], false))
	sig[0] -= recoveryBase
	return sig
}

// Recover implements [golem.Verifier].
func (k *Key) Recover(digest [32]byte, sig golem.Signature) (golem.NodeID, error) {
	return Recover(digest, sig)
}

// Wipe overwrites the key. It must not be used any more, or at the same time.
func (k *Key) Wipe() { k.secret.Zero() }

// Recover returns the node whose key made sig over digest. It returns
// ErrInvalid where nobody's did, and for the second form that everybody can make
// out of a signature (high s): a signature identifies what it signs only if
// there is one of it.
func Recover(digest [32]byte, sig golem.Signature) (golem.NodeID, error) {
	var s secp256k1.ModNScalar
	if overflow := s.SetByteSlice(sig[33:]); overflow || s.IsOverHalfOrder() || sig[0] > 1 {
		return golem.NodeID{}, golem.Errorf(golem.ErrInvalid, "signature is not of the form v‖r‖s with v 0 or 1 and low s")
	}
	compact := sig
	compact[0] += recoveryBase
	public, _, err := ecdsa.RecoverCompact(compact[:], digest[:])
	if err != nil {
		return golem.NodeID{}, golem.Errorf(golem.ErrInvalid, "signature: %w", err)
	}
	return nodeID(public), nil
}
