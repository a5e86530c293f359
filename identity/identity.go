package identity

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// defaultName is what stands for the default identity where a name is wanted.
const defaultName = "default"

func notFound(id golem.NodeID) error { return wire.UnknownIdentity{Node: id} }

// List returns all identities, the default first, those dropped last.
func (s *Service) List() []golem.Identity {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]golem.Identity, len(s.records))
	for i, r := range s.records {
		list[i] = s.public(r)
	}
	return list
}

// public returns what is shown of r. mu is held.
func (s *Service) public(r Record) golem.Identity {
	i := r.Identity
	i.Locked = s.open[r.ID] == nil
	return i
}

// IDs returns the identities the node acts as: the default one, even while it is
// locked, since nothing else may take its place, and those others that are
// open. It is what the bus and overlays want.
func (s *Service) IDs() []golem.NodeID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var ids []golem.NodeID
	for _, r := range s.records {
		if r.Default || s.open[r.ID] != nil {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// Default returns the default identity.
func (s *Service) Default() golem.Identity {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.public(s.records[0])
}

// Find returns the identity with the given NodeID or alias; "" and "default"
// are the default one. Dropped ones are ErrNotFound.
func (s *Service) Find(name string) (golem.Identity, error) {
	if name == "" || name == defaultName {
		return s.Default(), nil
	}
	id, notID := golem.ParseNodeID(name)
	i, ok := s.find(func(r Record) bool {
		return !r.Deleted && (notID == nil && r.ID == id || notID != nil && r.Alias == name)
	})
	if !ok {
		return i, golem.Errorf(golem.ErrNotFound, "identity %q not found", name)
	}
	return i, nil
}

func (s *Service) find(match func(Record) bool) (i golem.Identity, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.records {
		if match(r) {
			return s.public(r), true
		}
	}
	return i, false
}

// get returns the identity as it is now.
func (s *Service) get(id golem.NodeID) (golem.Identity, error) {
	i, ok := s.find(func(r Record) bool { return r.ID == id })
	if !ok {
		return i, notFound(id)
	}
	return i, nil
}

// live returns the record of an identity that is not dropped.
func (s *Service) live(id golem.NodeID) (r Record, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.records {
		if r.ID == id && !r.Deleted {
			return r, true
		}
	}
	return r, false
}

// Create adds an identity. It returns ErrConflict where the alias or the key
// exists, and wire.ErrPassword where the password does not open the keystore
// file. Without any password a protected file is imported as it is: its identity
// is locked, until Unlock proves that the file holds the key it says.
func (s *Service) Create(ctx context.Context, n golem.NewIdentity) (golem.Identity, error) {
	if err := checkAlias(n.Alias); err != nil {
		return golem.Identity{}, err
	}
	r, key, err := record(n)
	if err != nil {
		return golem.Identity{}, err
	}
	r.Alias = n.Alias
	err = s.change(ctx, func(ctx context.Context) error { return s.store(ctx, r, key) })
	if err != nil {
		return golem.Identity{}, err
	}
	i, err := s.get(r.ID)
	if err == nil {
		s.cfg.Trace.identity(Created, i)
	}
	return i, err
}

// record returns what is to be stored for n and, unless only its owner can open
// it, the key.
func record(n golem.NewIdentity) (r Record, key *Key, err error) {
	switch {
	case n.Keyfile != "" && n.PrivateKey != "":
		return r, nil, golem.Errorf(golem.ErrInvalid, "import either a keystore file or a private key")
	case n.Keyfile != "":
		return importKeyfile(n)
	case n.PrivateKey != "":
		key, err = ParseKey(n.PrivateKey)
	default:
		key, err = GenerateKey()
	}
	if err != nil {
		return r, nil, err
	}
	r, err = sealed(key, n.Password)
	return r, key, err
}

func sealed(key *Key, password golem.Secret) (r Record, err error) {
	r.ID, r.Locked = key.id, password != ""
	r.Keyfile, err = seal(key, password)
	return r, err
}

// importKeyfile keeps a file that a password protects as it is. One without
// protection is sealed anew, so that opening it costs nothing at each start.
func importKeyfile(n golem.NewIdentity) (r Record, key *Key, err error) {
	key, err = open(n.Keyfile, n.Password)
	switch {
	case err == wire.ErrPassword && n.Password == "":
		r.Locked, r.Keyfile = true, n.Keyfile
		if _, r.ID, err = parseKeyfile(n.Keyfile); err == nil && r.ID.IsZero() {
			err = errKeyfile("missing address: import it with its password")
		}
		return r, nil, err
	case err != nil:
		return r, nil, err
	case n.Password == "":
		r, err = sealed(key, "")
		return r, key, err
	}
	return Record{Identity: golem.Identity{ID: key.id, Locked: true}, Keyfile: n.Keyfile}, key, nil
}

// add stores a key as an identity.
func (s *Service) add(ctx context.Context, key *Key, i golem.Identity, password golem.Secret) error {
	r, err := sealed(key, password)
	if err != nil {
		return err
	}
	r.Alias, r.Default = i.Alias, i.Default
	return s.store(ctx, r, key)
}

// store commits a new identity and keeps its key open, if it is known.
func (s *Service) store(ctx context.Context, r Record, key *Key) error {
	r.Created = now()
	if err := s.cfg.Store.AddIdentity(ctx, r); err != nil {
		return err
	}
	if key != nil {
		s.keep(key)
	}
	return nil
}

// Update changes the alias of an identity or makes it the default.
func (s *Service) Update(ctx context.Context, id golem.NodeID, c golem.IdentityChange) (golem.Identity, error) {
	if c.Alias != nil {
		if err := checkAlias(*c.Alias); err != nil {
			return golem.Identity{}, err
		}
	}
	return s.apply(ctx, id, Updated, func(ctx context.Context) error {
		return s.cfg.Store.ChangeIdentity(ctx, id, c)
	})
}

// Drop retires an identity and its app-keys, and wipes its key from memory. The
// default identity is ErrConflict: make another the default first.
func (s *Service) Drop(ctx context.Context, id golem.NodeID) (golem.Identity, error) {
	return s.apply(ctx, id, Dropped, func(ctx context.Context) error {
		if err := s.cfg.Store.DropIdentity(ctx, id); err != nil {
			return err
		}
		s.wipe(id)
		return nil
	})
}

// apply makes a change to an identity there is, and returns it as it is then.
func (s *Service) apply(ctx context.Context, id golem.NodeID, c Change, f func(ctx context.Context) error) (golem.Identity, error) {
	err := s.change(ctx, func(ctx context.Context) error {
		if _, ok := s.live(id); !ok {
			return notFound(id)
		}
		return f(ctx)
	})
	if err != nil {
		return golem.Identity{}, err
	}
	i, err := s.get(id)
	if err == nil {
		s.cfg.Trace.identity(c, i)
	}
	return i, err
}

// Export returns the keystore file of an identity, also of a dropped one,
// encrypted with its password.
func (s *Service) Export(id golem.NodeID) (keyfile string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.records {
		if r.ID == id {
			return r.Keyfile, nil
		}
	}
	return "", notFound(id)
}

// checkAlias refuses aliases that could be taken for something else.
func checkAlias(alias string) error {
	if alias == "" {
		return nil
	}
	if strings.EqualFold(alias, defaultName) {
		return golem.Errorf(golem.ErrInvalid, "alias %q stands for the default identity", alias)
	}
	if _, err := golem.ParseNodeID(alias); err == nil {
		return golem.Errorf(golem.ErrInvalid, "alias %q would be taken for a node id", alias)
	}
	return checkName("alias", alias)
}

// maxName is the most bytes an alias or the name of an app-key has.
const maxName = 100

// checkName refuses names that could not be typed, shown, or put into a path.
func checkName(noun, name string) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == '/' }
	if name == "" || len(name) > maxName || name != strings.TrimSpace(name) || !utf8.ValidString(name) || strings.ContainsFunc(name, odd) {
		return golem.Errorf(golem.ErrInvalid, "%s %q: want 1 to %d printable characters without slash", noun, name[:min(len(name), maxName)], maxName)
	}
	return nil
}
