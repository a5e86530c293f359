package client

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/golem-go/golem"
)

// Me is whom the node takes the caller for.
type Me struct {
	Identity golem.NodeID `json:"identity"`
	Name     string       `json:"name"` // of the app-key
	Role     string       `json:"role"` // of the app-key
}

const (
	identities = "/golem-api/v1/identities"
	appKeys    = "/golem-api/v1/app-keys"
)

// below returns the path of a thing, and of something of it.
func below(base, name, what string) string { return base + "/" + url.PathEscape(name) + what }

// Me returns whom the node takes the caller for.
func (c *Client) Me(ctx context.Context) (me Me, err error) {
	err = c.do(ctx, http.MethodGet, "/me", nil, nil, &me)
	return me, err
}

// Version returns the version of the node. It needs no app-key.
func (c *Client) Version(ctx context.Context) (v golem.Versions, err error) {
	err = c.do(ctx, http.MethodGet, "/version/get", nil, nil, &v)
	return v, err
}

// The methods about identities and app-keys need an app-key with the role
// manager that is not for web pages; other ones get ErrForbidden. They are ours:
// upstream's node answers ErrNotFound. Where an identity is named, it is by
// NodeID or alias; "default" is the default one.

// Identities returns all identities of the node, the default first.
func (c *Client) Identities(ctx context.Context) (is []golem.Identity, err error) {
	err = c.do(ctx, http.MethodGet, identities, nil, nil, &is)
	return is, err
}

// Identity returns an identity of the node.
func (c *Client) Identity(ctx context.Context, name string) (golem.Identity, error) {
	return c.identity(ctx, http.MethodGet, name, "", nil)
}

// CreateIdentity generates an identity, or imports one.
func (c *Client) CreateIdentity(ctx context.Context, n golem.NewIdentity) (i golem.Identity, err error) {
	err = c.do(ctx, http.MethodPost, identities, nil, n, &i)
	return i, err
}

// UpdateIdentity changes the alias of an identity, or makes it the default.
func (c *Client) UpdateIdentity(ctx context.Context, name string, change golem.IdentityChange) (golem.Identity, error) {
	return c.identity(ctx, http.MethodPatch, name, "", change)
}

// LockIdentity wipes the key of an identity from the node's memory, after
// setting a password unless that is "".
func (c *Client) LockIdentity(ctx context.Context, name string, pw golem.Secret) (golem.Identity, error) {
	return c.identity(ctx, http.MethodPost, name, "/lock", password{pw})
}

// UnlockIdentity opens the key of an identity with its password.
func (c *Client) UnlockIdentity(ctx context.Context, name string, pw golem.Secret) (golem.Identity, error) {
	return c.identity(ctx, http.MethodPost, name, "/unlock", password{pw})
}

// SetPassword protects an unlocked identity with a new password; "" removes the
// protection.
func (c *Client) SetPassword(ctx context.Context, name string, pw golem.Secret) (golem.Identity, error) {
	return c.identity(ctx, http.MethodPost, name, "/password", password{pw})
}

// DropIdentity retires an identity with its app-keys.
func (c *Client) DropIdentity(ctx context.Context, name string) (golem.Identity, error) {
	return c.identity(ctx, http.MethodDelete, name, "", nil)
}

type password struct {
	Password golem.Secret `json:"password"`
}

func (c *Client) identity(ctx context.Context, method, name, what string, body any) (i golem.Identity, err error) {
	err = c.do(ctx, method, below(identities, name, what), nil, body, &i)
	return i, err
}

// ExportIdentity returns the keystore file of an identity, encrypted with its
// password. A dropped one is found by its NodeID.
func (c *Client) ExportIdentity(ctx context.Context, name string) (keyfile string, err error) {
	var raw json.RawMessage
	err = c.do(ctx, http.MethodGet, below(identities, name, "/keyfile"), nil, nil, &raw)
	return string(raw), err
}

// PublicKey returns the coordinates X‖Y of an unlocked identity's public key.
func (c *Client) PublicKey(ctx context.Context, name string) (public [64]byte, err error) {
	var answer struct {
		PublicKey string `json:"pubKey"`
	}
	if err := c.do(ctx, http.MethodGet, below(identities, name, "/public-key"), nil, nil, &answer); err != nil {
		return public, err
	}
	b, err := hex.DecodeString(answer.PublicKey)
	if err != nil || len(b) != len(public) {
		return public, golem.Errorf(golem.ErrUnavailable, "node answers with a public key of %d bytes", len(b))
	}
	return [64]byte(b), nil
}

// Sign returns the signature of a digest by an unlocked identity.
func (c *Client) Sign(ctx context.Context, name string, digest [32]byte) (golem.Signature, error) {
	body := struct {
		Digest string `json:"digest"`
	}{hex.EncodeToString(digest[:])}
	var answer struct {
		Signature string `json:"sig"`
	}
	if err := c.do(ctx, http.MethodPost, below(identities, name, "/sign"), nil, body, &answer); err != nil {
		return golem.Signature{}, err
	}
	return golem.ParseSignature(answer.Signature)
}

// AppKeys returns the app-keys of an identity, or all where name is "".
func (c *Client) AppKeys(ctx context.Context, name string) (ks []golem.AppKey, err error) {
	query := url.Values{}
	if name != "" {
		query.Set("identity", name)
	}
	err = c.do(ctx, http.MethodGet, appKeys, query, nil, &ks)
	return ks, err
}

// AppKey returns the app-key of the given name.
func (c *Client) AppKey(ctx context.Context, name string) (k golem.AppKey, err error) {
	err = c.do(ctx, http.MethodGet, below(appKeys, name, ""), nil, nil, &k)
	return k, err
}

// CreateAppKey makes an app-key with the given name, role ("" is manager),
// identity (zero is the default) and allowed origins. The same name and identity
// again return the app-key there is.
func (c *Client) CreateAppKey(ctx context.Context, k golem.AppKey) (created golem.AppKey, err error) {
	err = c.do(ctx, http.MethodPost, appKeys, nil, k, &created)
	return created, err
}

// DropAppKey makes an app-key invalid.
func (c *Client) DropAppKey(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, below(appKeys, name, ""), nil, nil, nil)
}
