package rest

import (
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/golem-go/golem"
)

// identityRoutes are upstream's one operation and our own, under /golem-api, for
// what upstream's command line asks the bus.
func (s *Server) identityRoutes() []route {
	const ids, keys = "/golem-api/v1/identities", "/golem-api/v1/app-keys"
	return []route{
		{pattern: "GET /me", handle: me},
		{pattern: "GET " + ids, handle: manager(s.listIdentities)},
		{pattern: "POST " + ids, handle: manager(s.createIdentity)},
		{pattern: "GET " + ids + "/{id}", handle: manager(s.identity)},
		{pattern: "PATCH " + ids + "/{id}", handle: manager(s.updateIdentity)},
		{pattern: "DELETE " + ids + "/{id}", handle: manager(s.dropIdentity)},
		{pattern: "POST " + ids + "/{id}/lock", handle: manager(s.lockIdentity)},
		{pattern: "POST " + ids + "/{id}/unlock", handle: manager(s.unlockIdentity)},
		{pattern: "POST " + ids + "/{id}/password", handle: manager(s.setPassword)},
		{pattern: "GET " + ids + "/{id}/keyfile", handle: manager(s.exportIdentity)},
		{pattern: "GET " + ids + "/{id}/public-key", handle: manager(s.publicKey)},
		{pattern: "POST " + ids + "/{id}/sign", handle: manager(s.sign)},
		{pattern: "GET " + keys, handle: manager(s.listAppKeys)},
		{pattern: "POST " + keys, handle: manager(s.createAppKey)},
		{pattern: "GET " + keys + "/{name}", handle: manager(s.appKey)},
		{pattern: "DELETE " + keys + "/{name}", handle: manager(s.dropAppKey)},
	}
}

// manager admits those who may administer the node. An app-key that web pages
// may use is never one of them, whatever its role: upstream gives every app-key
// the role manager but offers no administration over HTTP, so nobody who put
// one into a page meant to hand out private keys.
func manager(handle func(*call) error) func(*call) error {
	return func(c *call) error {
		if err := c.manages(); err != nil {
			return err
		}
		c.w.Header().Set("Cache-Control", "no-store")
		return handle(c)
	}
}

// manages returns why the caller may not administer the node, if it may not.
func (c *call) manages() error {
	switch {
	case c.key.Role != golem.RoleManager:
		return golem.Errorf(golem.ErrForbidden, "app-key %q has role %s: administration wants %s", c.key.Name, c.key.Role, golem.RoleManager)
	case len(c.key.AllowOrigins) > 0:
		return golem.Errorf(golem.ErrForbidden, "app-key %q is for web pages: administration wants one without allowed origins", c.key.Name)
	}
	return nil
}

func me(c *call) error {
	return reply(c.w, http.StatusOK, struct {
		Identity golem.NodeID `json:"identity"`
		Name     string       `json:"name"`
		Role     string       `json:"role"`
	}{c.caller(), c.key.Name, c.key.Role})
}

// named returns the identity in the path: a NodeID, an alias, or "default".
func (s *Server) named(c *call) (golem.Identity, error) {
	return s.cfg.Identity.Find(c.PathValue("id"))
}

// answer writes v with the given status unless there is an error.
func answer(c *call, status int, v any, err error) error {
	if err != nil {
		return err
	}
	return reply(c.w, status, v)
}

func (s *Server) listIdentities(c *call) error {
	return reply(c.w, http.StatusOK, s.cfg.Identity.List())
}

func (s *Server) createIdentity(c *call) error {
	n, err := decode[golem.NewIdentity](c)
	if err != nil {
		return err
	}
	i, err := s.cfg.Identity.Create(c.Context(), n)
	return answer(c, http.StatusCreated, i, err)
}

func (s *Server) identity(c *call) error {
	i, err := s.named(c)
	return answer(c, http.StatusOK, i, err)
}

func (s *Server) updateIdentity(c *call) error {
	i, err := s.named(c)
	if err != nil {
		return err
	}
	change, err := decode[golem.IdentityChange](c)
	if err != nil {
		return err
	}
	i, err = s.cfg.Identity.Update(c.Context(), i.ID, change)
	return answer(c, http.StatusOK, i, err)
}

func (s *Server) dropIdentity(c *call) error {
	i, err := s.named(c)
	if err != nil {
		return err
	}
	i, err = s.cfg.Identity.Drop(c.Context(), i.ID)
	return answer(c, http.StatusOK, i, err)
}

// password is the body of the operations that need one.
type password struct {
	Password golem.Secret `json:"password"`
}

func (s *Server) lockIdentity(c *call) error {
	i, body, err := s.withPassword(c)
	if err != nil {
		return err
	}
	i, err = s.cfg.Identity.Lock(c.Context(), i.ID, body.Password)
	return answer(c, http.StatusOK, i, err)
}

func (s *Server) unlockIdentity(c *call) error {
	i, body, err := s.withPassword(c)
	if err != nil {
		return err
	}
	i, err = s.cfg.Identity.Unlock(c.Context(), i.ID, body.Password)
	return answer(c, http.StatusOK, i, err)
}

func (s *Server) setPassword(c *call) error {
	i, body, err := s.withPassword(c)
	if err != nil {
		return err
	}
	i, err = s.cfg.Identity.SetPassword(c.Context(), i.ID, body.Password)
	return answer(c, http.StatusOK, i, err)
}

func (s *Server) withPassword(c *call) (i golem.Identity, body password, err error) {
	if i, err = s.named(c); err != nil {
		return i, body, err
	}
	body, err = decode[password](c)
	return i, body, err
}

// exportIdentity answers with the keystore file itself. A dropped identity is
// exported too, by its NodeID.
func (s *Server) exportIdentity(c *call) error {
	id, err := golem.ParseNodeID(c.PathValue("id"))
	if err != nil {
		i, err := s.named(c)
		if err != nil {
			return err
		}
		id = i.ID
	}
	keyfile, err := s.cfg.Identity.Export(id)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, err = c.w.Write([]byte(keyfile))
	return clientGone(err)
}

func (s *Server) publicKey(c *call) error {
	i, err := s.named(c)
	if err != nil {
		return err
	}
	public, err := s.cfg.Identity.PublicKey(i.ID)
	return answer(c, http.StatusOK, struct {
		PublicKey string `json:"pubKey"`
	}{hex.EncodeToString(public[:])}, err)
}

// sign signs a digest of 32 bytes.
func (s *Server) sign(c *call) error {
	i, err := s.named(c)
	if err != nil {
		return err
	}
	body, err := decode[struct{ Digest string }](c)
	if err != nil {
		return err
	}
	digest, err := hex.DecodeString(strings.TrimPrefix(body.Digest, "0x"))
	if err != nil || len(digest) != 32 {
		return golem.Errorf(golem.ErrInvalid, "digest: want 64 hex digits")
	}
	sig, err := s.cfg.Identity.Sign(c.Context(), i.ID, [32]byte(digest))
	return answer(c, http.StatusOK, struct {
		Signature string `json:"sig"`
	}{sig.String()}, err)
}

func (s *Server) listAppKeys(c *call) error {
	var id golem.NodeID
	if name := c.URL.Query().Get("identity"); name != "" {
		i, err := s.cfg.Identity.Find(name)
		if err != nil {
			return err
		}
		id = i.ID
	}
	return reply(c.w, http.StatusOK, s.cfg.Identity.AppKeys(id))
}

func (s *Server) createAppKey(c *call) error {
	k, err := decode[golem.AppKey](c)
	if err != nil {
		return err
	}
	k, err = s.cfg.Identity.CreateAppKey(c.Context(), k)
	return answer(c, http.StatusCreated, k, err)
}

func (s *Server) appKey(c *call) error {
	k, err := s.cfg.Identity.AppKeyByName(c.PathValue("name"))
	return answer(c, http.StatusOK, k, err)
}

func (s *Server) dropAppKey(c *call) error {
	if err := s.cfg.Identity.DropAppKey(c.Context(), c.PathValue("name")); err != nil {
		return err
	}
	return noContent(c)
}
