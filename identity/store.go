package identity

import (
	"context"
	"time"

	"github.com/golem-go/golem"
)

// Record is an identity as it is stored.
type Record struct {
	golem.Identity // Locked says that a password protects Keyfile

	Keyfile string // Ethereum keystore v3 JSON
	Created time.Time
}

// Store keeps identities and app-keys. Each method is one atomic step.
type Store interface {
	// Identities returns all identities, dropped ones included, the oldest first.
	Identities(ctx context.Context) ([]Record, error)

	// AddIdentity adds r, or revives it where it was dropped. If r is the
	// default, no other is any more. It returns ErrConflict where the identity or
	// the alias exists.
	AddIdentity(ctx context.Context, r Record) error

	// ChangeIdentity makes the change, or returns ErrNotFound where there is no
	// such identity, and ErrConflict where the alias is taken.
	ChangeIdentity(ctx context.Context, id golem.NodeID, c golem.IdentityChange) error

	// SetKeyfile replaces the keystore file, protected by a password or not.
	SetKeyfile(ctx context.Context, id golem.NodeID, keyfile string, protected bool) error

	// DropIdentity marks the identity as dropped, frees its alias and deletes its
	// app-keys. It returns ErrConflict for the default identity.
	DropIdentity(ctx context.Context, id golem.NodeID) error

	// AppKeys returns all app-keys, the oldest first.
	AppKeys(ctx context.Context) ([]golem.AppKey, error)

	// AddAppKey adds k, or returns ErrConflict where the name or the key exists.
	AddAppKey(ctx context.Context, k golem.AppKey) error

	// RemoveAppKey deletes the app-key, or returns ErrNotFound.
	RemoveAppKey(ctx context.Context, name string) error
}
