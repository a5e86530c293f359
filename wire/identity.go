package wire

import (
	"errors"
	"fmt"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
)

const (
	identityService = "/local/identity"
	appKeyService   = "/local/appkey"
)

// Messages from a process of this machine to the node, about its identities.
// Whoever is not on this machine is refused.
var (
	// ListIdentities asks for all identities, those dropped included.
	ListIdentities = gsb.Method[ListIdentitiesRequest, []golem.Identity]{Service: identityService, Name: "List", Errors: IdentityErrors}

	// FindIdentity asks for one identity; the answer is nil where there is none.
	FindIdentity = gsb.Method[FindIdentityRequest, *golem.Identity]{Service: identityService, Name: "Get", Errors: IdentityErrors}

	// CreateIdentity makes an identity out of a fresh key, or of a keystore file.
	CreateIdentity = gsb.Method[CreateIdentityRequest, golem.Identity]{Service: identityService, Name: "CreateGenerated", Errors: IdentityErrors}

	// UpdateIdentity changes the alias of an identity, or makes it the default.
	UpdateIdentity = gsb.Method[UpdateIdentityRequest, golem.Identity]{Service: identityService, Name: "Update", Errors: IdentityErrors}

	// LockIdentity wipes a key from memory, after setting a password if given.
	LockIdentity = gsb.Method[LockIdentityRequest, golem.Identity]{Service: identityService, Name: "Lock", Errors: IdentityErrors}

	// UnlockIdentity opens a key with its password.
	UnlockIdentity = gsb.Method[UnlockIdentityRequest, golem.Identity]{Service: identityService, Name: "Unlock", Errors: IdentityErrors}

	// DropIdentity retires an identity.
	DropIdentity = gsb.Method[DropIdentityRequest, golem.Identity]{Service: identityService, Name: "DropId", Errors: DropIdentityErrors}

	// SignDigest asks for the signature v‖r‖s of a digest of 32 bytes.
	SignDigest = gsb.Method[SignRequest, flexbuffers.Bytes8]{Service: identityService, Name: "Sign", Errors: IdentityErrors}

	// PublicKey asks for the public key X‖Y, 64 bytes, of an identity.
	PublicKey = gsb.Method[golem.NodeID, flexbuffers.Bytes8]{Service: identityService, Name: "GetPubKey", Errors: IdentityErrors}

	// Keyfile asks for the keystore file of an identity, encrypted as it is.
	Keyfile = gsb.Method[golem.NodeID, string]{Service: identityService, Name: "GetKeyFile", Errors: IdentityErrors}
)

// Messages from a process of this machine to the node, about its app-keys.
// Whoever is not on this machine is refused.
var (
	// CreateAppKey makes an app-key and answers with its text. The same name and
	// identity again answer with the app-key there is.
	CreateAppKey = gsb.Method[CreateAppKeyRequest, golem.Secret]{Service: appKeyService, Name: "Create", Errors: AppKeyErrors}

	// FindAppKey asks whose an app-key is.
	FindAppKey = gsb.Method[FindAppKeyRequest, golem.AppKey]{Service: appKeyService, Name: "Get", Errors: AppKeyErrors}

	// AppKeyByName asks for the app-key of a name.
	AppKeyByName = gsb.Method[AppKeyByNameRequest, golem.AppKey]{Service: appKeyService, Name: "GetByName", Errors: AppKeyErrors}

	// ListAppKeys asks for a page of app-keys, counted from 1.
	ListAppKeys = gsb.Method[ListAppKeysRequest, AppKeyPage]{Service: appKeyService, Name: "List", Errors: AppKeyErrors}

	// RemoveAppKey makes an app-key invalid.
	RemoveAppKey = gsb.Method[RemoveAppKeyRequest, gsb.Unit]{Service: appKeyService, Name: "Remove", Errors: AppKeyErrors}
)

// ListIdentitiesRequest is the body of [ListIdentities].
type ListIdentitiesRequest struct{}

// FindIdentityRequest is the body of [FindIdentity]; one member is set.
type FindIdentityRequest struct {
	_         struct{}      `flex:",enum"`
	ByNode    *golem.NodeID `flex:"byNodeId"`
	ByAlias   *string       `flex:"byAlias"`
	ByDefault bool          `flex:"byDefault"`
}

// CreateIdentityRequest is the body of [CreateIdentity].
type CreateIdentityRequest struct {
	Alias   *string `flex:"alias"`
	Keyfile *string `flex:"fromKeystore"`
}

// UpdateIdentityRequest is the body of [UpdateIdentity].
type UpdateIdentityRequest struct {
	Node       golem.NodeID `flex:"nodeId"`
	Alias      *string      `flex:"alias"` // nil keeps it
	SetDefault bool         `flex:"setDefault"`
}

// LockIdentityRequest is the body of [LockIdentity].
type LockIdentityRequest struct {
	Node     golem.NodeID  `flex:"nodeId"`
	Password *golem.Secret `flex:"setPassword"`
}

// UnlockIdentityRequest is the body of [UnlockIdentity].
type UnlockIdentityRequest struct {
	Node     golem.NodeID `flex:"nodeId"`
	Password golem.Secret `flex:"password"`
}

// DropIdentityRequest is the body of [DropIdentity].
type DropIdentityRequest struct {
	Node golem.NodeID `flex:"nodeId"`
}

// SignRequest is the body of [SignDigest].
type SignRequest struct {
	Node    golem.NodeID `flex:"nodeId"`
	Payload []byte       `flex:"payload,seq"` // a digest of 32 bytes
}

// CreateAppKeyRequest is the body of [CreateAppKey].
type CreateAppKeyRequest struct {
	Name         string       `flex:"name"`
	Role         string       `flex:"role"`
	Identity     golem.NodeID `flex:"identity"`
	AllowOrigins []string     `flex:"allowOrigins,default"`
}

// FindAppKeyRequest is the body of [FindAppKey].
type FindAppKeyRequest struct {
	Key golem.Secret `flex:"key"`
}

// AppKeyByNameRequest is the body of [AppKeyByName].
type AppKeyByNameRequest struct {
	Name string `flex:"name"`
}

// ListAppKeysRequest is the body of [ListAppKeys].
type ListAppKeysRequest struct {
	Identity *string `flex:"identity"` // nil for those of all
	Page     uint32  `flex:"page"`
	PerPage  uint32  `flex:"perPage"`
}

// AppKeyPage is the answer to [ListAppKeys].
type AppKeyPage struct {
	_     struct{} `flex:",tuple"`
	Keys  []golem.AppKey
	Pages uint32 // in all
}

// RemoveAppKeyRequest is the body of [RemoveAppKey].
type RemoveAppKeyRequest struct {
	Name     string  `flex:"name"`
	Identity *string `flex:"identity"` // nil for that of any
}

// ErrPassword says that a password does not open a key.
var ErrPassword = golem.Errorf(golem.ErrInvalid, "wrong password")

// UnknownIdentity is the error that a node has no such identity, or has dropped
// it. Its kind is ErrNotFound.
type UnknownIdentity struct{ Node golem.NodeID }

// Error names the identity.
func (e UnknownIdentity) Error() string { return fmt.Sprintf("identity %s not found", e.Node) }

// Unwrap returns ErrNotFound.
func (e UnknownIdentity) Unwrap() error { return golem.ErrNotFound }

// IdentityErrors is the error enumeration of the identity service: Init,
// AlreadyExists, NodeNotFound, InternalErr, BadKeyStoreFormat, InvalidPassword.
// It has no variant for a refusal, a locked key or a malformed request; these
// are an InternalErr or BadKeyStoreFormat with the text.
var IdentityErrors gsb.ErrorForm = identityErrors{}

type identityErrors struct{}

func (identityErrors) Encode(err error) any {
	if unknown, ok := errors.AsType[UnknownIdentity](err); ok {
		return flexbuffers.Variant{Name: "NodeNotFound", Content: unknown.Node}
	}
	if errors.Is(err, ErrPassword) {
		return "InvalidPassword"
	}
	switch golem.KindOf(err) {
	case golem.ErrConflict:
		return "AlreadyExists"
	case golem.ErrInvalid, golem.ErrTooLarge:
		return flexbuffers.Variant{Name: "BadKeyStoreFormat", Content: golem.Public(err)}
	}
	return flexbuffers.Variant{Name: "InternalErr", Content: golem.Public(err)}
}

func (identityErrors) Decode(v flexbuffers.Value) error {
	name, content, err := v.Variant()
	if err != nil {
		return gsb.Garbled(v)
	}
	switch name {
	case "AlreadyExists":
		return golem.Errorf(golem.ErrConflict, "alias or key exists already")
	case "InvalidPassword":
		return ErrPassword
	case "NodeNotFound":
		return unknownIdentity(v, content)
	case "BadKeyStoreFormat":
		return identityText(v, content, golem.ErrInvalid)
	}
	return identityText(v, content, golem.ErrInternal)
}

// DropIdentityErrors is the error enumeration of [DropIdentity]: NodeNotFound,
// DefaultIdentity, AlreadyDeleted, InternalErr.
var DropIdentityErrors gsb.ErrorForm = dropIdentityErrors{}

type dropIdentityErrors struct{}

func (dropIdentityErrors) Encode(err error) any {
	if unknown, ok := errors.AsType[UnknownIdentity](err); ok {
		return flexbuffers.Variant{Name: "NodeNotFound", Content: unknown.Node}
	}
	if golem.KindOf(err) == golem.ErrConflict {
		return "DefaultIdentity"
	}
	return flexbuffers.Variant{Name: "InternalErr", Content: golem.Public(err)}
}

func (dropIdentityErrors) Decode(v flexbuffers.Value) error {
	name, content, err := v.Variant()
	if err != nil {
		return gsb.Garbled(v)
	}
	switch name {
	case "NodeNotFound":
		return unknownIdentity(v, content)
	case "DefaultIdentity":
		return golem.Errorf(golem.ErrConflict, "the default identity cannot be dropped")
	case "AlreadyDeleted":
		return golem.Errorf(golem.ErrNotFound, "identity is dropped already")
	}
	return identityText(v, content, golem.ErrInternal)
}

func unknownIdentity(v, content flexbuffers.Value) error {
	var e UnknownIdentity
	if err := content.Decode(&e.Node); err != nil {
		return gsb.Garbled(v)
	}
	return e
}

func identityText(v, content flexbuffers.Value, kind golem.Kind) error {
	text, err := content.Text()
	if err != nil {
		return gsb.Garbled(v)
	}
	return golem.Errorf(kind, "%s", text)
}

// AppKeyErrors is the error of the app-key service: {code, message}, where the
// code is an HTTP status.
var AppKeyErrors gsb.ErrorForm = appKeyErrors{}

type appKeyErrors struct{}

type appKeyError struct {
	Code    uint32 `flex:"code"`
	Message string `flex:"message"`
}

func (appKeyErrors) Encode(err error) any {
	return appKeyError{uint32(golem.KindOf(err).Status()), golem.Public(err)}
}

func (appKeyErrors) Decode(v flexbuffers.Value) error {
	var e appKeyError
	if err := v.Decode(&e); err != nil {
		return gsb.Garbled(v)
	}
	return golem.Errorf(golem.KindOfStatus(int(e.Code)), "%s", e.Message)
}
