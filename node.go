package golem

import (
	"context"
	"encoding/hex"
	"log/slog"
)

// NodeID is the identity of a node: the last 20 bytes of the Keccak-256 of its
// secp256k1 public key, that is an Ethereum address. The zero value means none.
type NodeID [20]byte

// ParseNodeID parses "0x" followed by 40 hex digits of either case.
func ParseNodeID(s string) (NodeID, error) {
	b, err := parseHex20(s)
	if err != nil {
		return NodeID{}, Errorf(ErrInvalid, "node id %q: %w", clip(s), err)
	}
	return NodeID(b), nil
}

// String returns "0x" and 40 lower-case hex digits.
func (id NodeID) String() string { return hex20(id) }

// IsZero reports whether id names no node.
func (id NodeID) IsZero() bool { return id == NodeID{} }

// MarshalText returns the form of [NodeID.String].
func (id NodeID) MarshalText() ([]byte, error) { return []byte(hex20(id)), nil }

// UnmarshalText parses the form of [ParseNodeID].
func (id *NodeID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseNodeID(string(b))
	return err
}

// LogValue makes the id readable in structured logs.
func (id NodeID) LogValue() slog.Value { return slog.StringValue(hex20(id)) }

// Address returns the wallet address a node uses unless it names another.
func (id NodeID) Address() Address { return Address(id) }

// Address is the address of a wallet on a payment platform. It often, but not
// always, equals the NodeID of its owner.
type Address [20]byte

// ParseAddress parses "0x" followed by 40 hex digits of either case.
func ParseAddress(s string) (Address, error) {
	b, err := parseHex20(s)
	if err != nil {
		return Address{}, Errorf(ErrInvalid, "address %q: %w", clip(s), err)
	}
	return Address(b), nil
}

// String returns "0x" and 40 lower-case hex digits.
func (a Address) String() string { return hex20(a) }

// IsZero reports whether a is no address.
func (a Address) IsZero() bool { return a == Address{} }

// MarshalText returns the form of [Address.String].
func (a Address) MarshalText() ([]byte, error) { return []byte(hex20(a)), nil }

// UnmarshalText parses the form of [ParseAddress].
func (a *Address) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAddress(string(b))
	return err
}

// Role is the side a node takes in an Agreement.
type Role string

// The two roles.
const (
	Requestor Role = "Requestor"
	Provider  Role = "Provider"
)

// Other returns the opposite role.
func (r Role) Other() Role {
	if r == Requestor {
		return Provider
	}
	return Requestor
}

// Letter returns "R" or "P", the prefix of ids that belong to the role.
func (r Role) Letter() string {
	if r == Requestor {
		return "R"
	}
	return "P"
}

// Signature is a recoverable secp256k1 signature v‖r‖s with v = 0 or 1, low s,
// over a 32-byte digest without any prefix (spec net.md §2.3).
type Signature [65]byte

// String returns "0x" and 130 hex digits.
func (s Signature) String() string { return "0x" + hex.EncodeToString(s[:]) }

// IsZero reports whether s is no signature.
func (s Signature) IsZero() bool { return s == Signature{} }

// ParseSignature parses the form of [Signature.String].
func ParseSignature(text string) (sig Signature, err error) {
	if len(text) != 2+2*len(sig) || text[:2] != "0x" {
		return sig, Errorf(ErrInvalid, "signature %q: want 0x and 130 hex digits", clip(text))
	}
	if _, err := hex.Decode(sig[:], []byte(text[2:])); err != nil {
		return sig, Errorf(ErrInvalid, "signature: %w", err)
	}
	return sig, nil
}

// Signer signs digests with the key of an identity of this node.
type Signer interface {
	// Sign returns the signature of digest by id. It returns ErrNotFound for an
	// unknown identity and ErrUnavailable for a locked one.
	Sign(ctx context.Context, id NodeID, digest [32]byte) (Signature, error)
}

// Verifier recovers who signed a digest.
type Verifier interface {
	// Recover returns the node whose key made sig over digest, or ErrInvalid.
	Recover(digest [32]byte, sig Signature) (NodeID, error)
}

func hex20[T ~[20]byte](b T) string {
	var buf [42]byte
	buf[0], buf[1] = '0', 'x'
	a := [20]byte(b)
	hex.Encode(buf[2:], a[:])
	return string(buf[:])
}

func parseHex20(s string) (b [20]byte, err error) {
	if len(s) != 42 || s[0] != '0' || s[1] != 'x' {
		return b, Errorf(ErrInvalid, "want 0x and 40 hex digits")
	}
	if _, err := hex.Decode(b[:], []byte(s[2:])); err != nil {
		return b, Errorf(ErrInvalid, "want 0x and 40 hex digits")
	}
	return b, nil
}

// clip shortens foreign text for use in an error.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
