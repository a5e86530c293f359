package sqlite

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/identity"
)

// Identity is the store of package identity.
type Identity struct{ db *DB }

var _ identity.Store = (*Identity)(nil)

// Identity returns the part of the database that keeps identities and app-keys.
func (db *DB) Identity() *Identity { return &Identity{db} }

const (
	// The number of identities and app-keys is what one person administers by
	// hand; they are read as a whole.
	sqlIdentities = `
SELECT node, alias, keyfile, protected, is_default, dropped, created
FROM identity_key ORDER BY created, node`

	sqlAppKeys = `
SELECT name, key, role, node, allow_origins, created
FROM identity_appkey ORDER BY created, name`

	sqlIdentityByNode  = `SELECT dropped FROM identity_key WHERE node = ?`
	sqlIdentityByAlias = `SELECT node FROM identity_key WHERE alias = ?`

	sqlNoDefault = `UPDATE identity_key SET is_default = 0 WHERE is_default = 1`

	sqlPutIdentity = `
INSERT INTO identity_key (node, alias, keyfile, protected, is_default, dropped, created)
VALUES (?, ?, ?, ?, ?, 0, ?)
ON CONFLICT (node) DO UPDATE SET
	alias = excluded.alias, keyfile = excluded.keyfile, protected = excluded.protected,
	is_default = excluded.is_default, dropped = 0
WHERE dropped = 1`

	sqlSetAlias   = `UPDATE identity_key SET alias = ? WHERE node = ? AND dropped = 0`
	sqlSetDefault = `UPDATE identity_key SET is_default = 1 WHERE node = ? AND dropped = 0`
	sqlSetKeyfile = `UPDATE identity_key SET keyfile = ?, protected = ? WHERE node = ? AND dropped = 0`

	sqlDropIdentity = `
UPDATE identity_key SET dropped = 1, alias = NULL WHERE node = ? AND dropped = 0 AND is_default = 0`
	sqlDropAppKeys = `DELETE FROM identity_appkey WHERE node = ?`

	sqlAddAppKey = `
INSERT INTO identity_appkey (name, key, role, node, allow_origins, created)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	sqlRemoveAppKey = `DELETE FROM identity_appkey WHERE name = ?`
)

func unknownIdentity(id golem.NodeID) error {
	return golem.Errorf(golem.ErrNotFound, "identity %s not found", id)
}

// Identities implements [identity.Store].
func (s *Identity) Identities(ctx context.Context) ([]identity.Record, error) {
	return readAll(ctx, s.db, scanIdentity, sqlIdentities)
}

func scanIdentity(r row) (rec identity.Record, err error) {
	err = r.Scan(into(&rec.ID), nullable[string]{&rec.Alias}, &rec.Keyfile,
		&rec.Locked, &rec.Default, &rec.Deleted, into(&rec.Created))
	return rec, err
}

// AddIdentity implements [identity.Store].
func (s *Identity) AddIdentity(ctx context.Context, r identity.Record) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		if err := checkFree(tx, r.Alias, r.ID); err != nil {
			return err
		}
		if r.Default {
			if _, err := tx.exec(sqlNoDefault); err != nil {
				return err
			}
		}
		return tx.change(golem.Errorf(golem.ErrConflict, "identity %s exists already", r.ID), sqlPutIdentity,
			r.ID.String(), orNull(r.Alias), r.Keyfile, r.Locked, r.Default, at(r.Created))
	})
}

// checkFree returns ErrConflict where an identity other than id has the alias.
func checkFree(tx *Tx, alias string, id golem.NodeID) error {
	if alias == "" {
		return nil
	}
	node, err := one(tx, scalar[string], sqlIdentityByAlias, alias)
	switch {
	case errors.Is(err, errNoRow) || err == nil && node == id.String():
		return nil
	case err != nil:
		return err
	}
	return golem.Errorf(golem.ErrConflict, "alias %q is that of %s", alias, node)
}

// ChangeIdentity implements [identity.Store].
func (s *Identity) ChangeIdentity(ctx context.Context, id golem.NodeID, c golem.IdentityChange) error {
	unknown := unknownIdentity(id)
	return s.db.Write(ctx, func(tx *Tx) error {
		if c.Alias != nil {
			if err := checkFree(tx, *c.Alias, id); err != nil {
				return err
			}
			if err := tx.change(unknown, sqlSetAlias, orNull(*c.Alias), id.String()); err != nil {
				return err
			}
		}
		if !c.Default {
			return nil
		}
		if _, err := tx.exec(sqlNoDefault); err != nil {
			return err
		}
		return tx.change(unknown, sqlSetDefault, id.String())
	})
}

// SetKeyfile implements [identity.Store].
func (s *Identity) SetKeyfile(ctx context.Context, id golem.NodeID, keyfile string, protected bool) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		return tx.change(unknownIdentity(id), sqlSetKeyfile, keyfile, protected, id.String())
	})
}

// DropIdentity implements [identity.Store].
func (s *Identity) DropIdentity(ctx context.Context, id golem.NodeID) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		dropped, err := one(tx, scalar[bool], sqlIdentityByNode, id.String())
		switch {
		case errors.Is(err, errNoRow) || err == nil && dropped:
			return unknownIdentity(id)
		case err != nil:
			return err
		}
		isDefault := golem.Errorf(golem.ErrConflict, "identity %s is the default one: make another the default first", id)
		if err := tx.change(isDefault, sqlDropIdentity, id.String()); err != nil {
			return err
		}
		_, err = tx.exec(sqlDropAppKeys, id.String())
		return err
	})
}

// AppKeys implements [identity.Store].
func (s *Identity) AppKeys(ctx context.Context) ([]golem.AppKey, error) {
	return readAll(ctx, s.db, scanAppKey, sqlAppKeys)
}

func scanAppKey(r row) (k golem.AppKey, err error) {
	var origins string
	err = r.Scan(&k.Name, nullable[golem.Secret]{&k.Key}, &k.Role, into(&k.Identity), &origins, into(&k.Created))
	if err != nil {
		return k, err
	}
	return k, json.Unmarshal([]byte(origins), &k.AllowOrigins)
}

// AddAppKey implements [identity.Store].
func (s *Identity) AddAppKey(ctx context.Context, k golem.AppKey) error {
	origins, err := json.Marshal(k.AllowOrigins)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *Tx) error {
		return tx.change(golem.Errorf(golem.ErrConflict, "app-key %q exists already", k.Name), sqlAddAppKey,
			k.Name, k.Key.Reveal(), k.Role, k.Identity.String(), string(origins), at(k.Created))
	})
}

// RemoveAppKey implements [identity.Store].
func (s *Identity) RemoveAppKey(ctx context.Context, name string) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		return tx.change(golem.Errorf(golem.ErrNotFound, "app-key %q not found", name), sqlRemoveAppKey, name)
	})
}
