package identity

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/golem-go/golem"
)

// autoconfigured is the name of the app-key that the environment brings.
const autoconfigured = "autoconfigured"

// AppKey returns the app-key with the given text, or ErrUnauthorized.
func (s *Service) AppKey(_ context.Context, secret string) (golem.AppKey, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.apps[digest(golem.Secret(secret))]
	if !ok {
		return golem.AppKey{}, golem.Errorf(golem.ErrUnauthorized, "app-key is unknown")
	}
	return k, nil
}

// AppKeys returns the app-keys of an identity, or all where id is zero, the
// oldest first.
func (s *Service) AppKeys(id golem.NodeID) []golem.AppKey {
	s.mu.RLock()
	defer s.mu.RUnlock()
	keys := []golem.AppKey{}
	for _, k := range s.apps {
		if id.IsZero() || k.Identity == id {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b golem.AppKey) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return keys
}

// AppKeyByName returns the app-key of the given name, or ErrNotFound.
func (s *Service) AppKeyByName(name string) (golem.AppKey, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.apps {
		if k.Name == name {
			return k, nil
		}
	}
	return golem.AppKey{}, golem.Errorf(golem.ErrNotFound, "app-key %q not found", name)
}

// AllowsOrigin reports whether web pages of origin may use any app-key at all,
// which is all there is to know before they send one.
func (s *Service) AllowsOrigin(origin string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.apps {
		if k.Allows(origin) {
			return true
		}
	}
	return false
}

// CreateAppKey makes an app-key with k's name, role ("" is manager), identity
// (zero is the default) and origins. If that identity has one of that name
// already, it is returned as it is; another identity's is ErrConflict.
func (s *Service) CreateAppKey(ctx context.Context, k golem.AppKey) (golem.AppKey, error) {
	if err := checkAppKey(&k); err != nil {
		return golem.AppKey{}, err
	}
	created := false
	err := s.change(ctx, func(ctx context.Context) error {
		if k.Identity.IsZero() {
			k.Identity = s.Default().ID
		} else if _, ok := s.live(k.Identity); !ok {
			return notFound(k.Identity)
		}
		if old, err := s.AppKeyByName(k.Name); err == nil && old.Identity == k.Identity {
			k = old
			return nil
		}
		k.Key, k.Created, created = newAppKey(), now(), true
		return s.cfg.Store.AddAppKey(ctx, k)
	})
	if err != nil {
		return golem.AppKey{}, err
	}
	if created {
		s.cfg.Trace.appKey(Created, k.Name)
	}
	return k, nil
}

// DropAppKey makes an app-key invalid at once. The one of the environment is
// ErrForbidden: the environment would bring it back.
func (s *Service) DropAppKey(ctx context.Context, name string) error {
	if name == autoconfigured {
		return golem.Errorf(golem.ErrForbidden, "app-key %q comes from the environment; remove it there", name)
	}
	err := s.change(ctx, func(ctx context.Context) error { return s.cfg.Store.RemoveAppKey(ctx, name) })
	if err == nil {
		s.cfg.Trace.appKey(Dropped, name)
	}
	return err
}

func newAppKey() golem.Secret {
	var b [16]byte
	rand.Read(b[:])
	return golem.Secret(hex.EncodeToString(b[:]))
}

// withAutoconf adds the app-key of the environment to those stored.
func (s *Service) withAutoconf(records []Record, keys []golem.AppKey) []golem.AppKey {
	if s.cfg.AutoconfAppKey == "" || len(records) == 0 {
		return keys
	}
	return append(keys, golem.AppKey{
		Name:     autoconfigured,
		Key:      s.cfg.AutoconfAppKey,
		Role:     golem.RoleManager,
		Identity: records[0].ID,
		Created:  s.started,

		AllowOrigins: []string{},
	})
}

// checkAutoconf refuses an app-key that could not be sent in a header.
func checkAutoconf(key golem.Secret) error {
	odd := func(r rune) bool { return r <= ' ' || r > unicode.MaxASCII || r == 0x7f }
	if strings.ContainsFunc(key.Reveal(), odd) {
		return golem.Errorf(golem.ErrInvalid, "app-key of the environment: want printable ASCII without spaces")
	}
	return nil
}

// checkAppKey checks what a caller wants, and fills in the role.
func checkAppKey(k *golem.AppKey) error {
	if err := checkName("app-key", k.Name); err != nil {
		return err
	}
	if k.Name == autoconfigured {
		return golem.Errorf(golem.ErrConflict, "app-key %q is that of the environment", k.Name)
	}
	switch k.Role {
	case "":
		k.Role = golem.RoleManager
	case golem.RoleManager, golem.RoleAgent:
	default:
		return golem.Errorf(golem.ErrInvalid, "role %q: want %s or %s", k.Role, golem.RoleManager, golem.RoleAgent)
	}
	k.AllowOrigins = append([]string{}, k.AllowOrigins...) // never null in JSON
	for _, origin := range k.AllowOrigins {
		if err := CheckOrigin(origin); err != nil {
			return err
		}
	}
	return nil
}

// CheckOrigin returns ErrInvalid where origin is neither "*" nor of the form
// browsers send: scheme://host or scheme://host:port and nothing more.
func CheckOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, origin) {
		return golem.Errorf(golem.ErrInvalid, "origin %q: want a form such as https://example.org or http://localhost:3000", origin)
	}
	return nil
}
