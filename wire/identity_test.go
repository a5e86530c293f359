package wire_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/wire"
)

// TestIdentityShapes compares what we send with what upstream's structs look
// like, written as JSON (spec net.md §4).
func TestIdentityShapes(t *testing.T) {
	id := golem.NodeID{0xba, 0xbe}
	const text = "0xbabe000000000000000000000000000000000000"
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"List", wire.ListIdentitiesRequest{}, `{}`},
		{"Get by id", wire.FindIdentityRequest{ByNode: &id}, `{"byNodeId":"` + text + `"}`},
		{"Get by alias", wire.FindIdentityRequest{ByAlias: new("a")}, `{"byAlias":"a"}`},
		{"Get by default", wire.FindIdentityRequest{ByDefault: true}, `"byDefault"`},
		{"CreateGenerated", wire.CreateIdentityRequest{}, `{"alias":null,"fromKeystore":null}`},
		{"Update", wire.UpdateIdentityRequest{Node: id, Alias: new("a")}, `{"alias":"a","nodeId":"` + text + `","setDefault":false}`},
		{"Lock", wire.LockIdentityRequest{Node: id, Password: new(golem.Secret("p"))}, `{"nodeId":"` + text + `","setPassword":"p"}`},
		{"Unlock", wire.UnlockIdentityRequest{Node: id, Password: "p"}, `{"nodeId":"` + text + `","password":"p"}`},
		{"DropId", wire.DropIdentityRequest{Node: id}, `{"nodeId":"` + text + `"}`},
		{"Sign", wire.SignRequest{Node: id, Payload: []byte{1, 255}}, `{"nodeId":"` + text + `","payload":[1,255]}`},
		{"GetPubKey", id, `"` + text + `"`},
		{"a signature", flexbuffers.Bytes8{0, 2}, `[0,2]`},
		{"IdentityInfo", golem.Identity{ID: id, Default: true}, `{"alias":null,"deleted":false,"isDefault":true,"isLocked":false,"nodeId":"` + text + `"}`},
		{"IdentityInfo with alias", golem.Identity{ID: id, Alias: "a", Locked: true}, `{"alias":"a","deleted":false,"isDefault":false,"isLocked":true,"nodeId":"` + text + `"}`},
		{"Create", wire.CreateAppKeyRequest{Name: "n", Role: "manager", Identity: id, AllowOrigins: []string{"*"}}, `{"allowOrigins":["*"],"identity":"` + text + `","name":"n","role":"manager"}`},
		{"Get", wire.FindAppKeyRequest{Key: "k"}, `{"key":"k"}`},
		{"GetByName", wire.AppKeyByNameRequest{Name: "n"}, `{"name":"n"}`},
		{"List", wire.ListAppKeysRequest{Page: 1, PerPage: 20}, `{"identity":null,"page":1,"perPage":20}`},
		{"Remove", wire.RemoveAppKeyRequest{Name: "n"}, `{"identity":null,"name":"n"}`},
		{"page of AppKey", wire.AppKeyPage{Keys: []golem.AppKey{{Name: "n", Key: "k", Role: "manager", Identity: id, Created: time.Unix(1, 5e8).UTC(), AllowOrigins: []string{}}}, Pages: 1},
			`[[{"allowOrigins":[],"createdDate":"1970-01-01T00:00:01.500","identity":"` + text + `","key":"k","name":"n","role":"manager"}],1]`},
		{"NodeNotFound", wire.IdentityErrors.Encode(wire.UnknownIdentity{Node: id}), `{"NodeNotFound":"` + text + `"}`},
		{"AlreadyExists", wire.IdentityErrors.Encode(golem.Errorf(golem.ErrConflict, "x")), `"AlreadyExists"`},
		{"InvalidPassword", wire.IdentityErrors.Encode(wire.ErrPassword), `"InvalidPassword"`},
		{"BadKeyStoreFormat", wire.IdentityErrors.Encode(golem.Errorf(golem.ErrInvalid, "x")), `{"BadKeyStoreFormat":"x"}`},
		{"InternalErr", wire.IdentityErrors.Encode(errors.New("secret")), `{"InternalErr":"internal error"}`},
		{"DefaultIdentity", wire.DropIdentityErrors.Encode(golem.Errorf(golem.ErrConflict, "x")), `"DefaultIdentity"`},
		{"app-key error", wire.AppKeyErrors.Encode(golem.Errorf(golem.ErrNotFound, "x")), `{"code":404,"message":"x"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := shapeOf(tt.v)
			if err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func shapeOf(v any) (string, error) {
	b, err := flexbuffers.Marshal(v)
	if err != nil {
		return "", err
	}
	root, err := flexbuffers.Root(b)
	if err != nil {
		return "", err
	}
	text, err := root.MarshalJSON()
	return string(text), err
}

// TestIdentityErrors checks that errors come back as what they were, as far as
// upstream's enumerations can say it.
func TestIdentityErrors(t *testing.T) {
	unknown := wire.UnknownIdentity{Node: golem.NodeID{1}}
	tests := []struct {
		name string
		form gsb.ErrorForm
		err  error
		want golem.Kind
	}{
		{"unknown identity", wire.IdentityErrors, unknown, golem.ErrNotFound},
		{"password", wire.IdentityErrors, wire.ErrPassword, golem.ErrInvalid},
		{"conflict", wire.IdentityErrors, golem.Errorf(golem.ErrConflict, "x"), golem.ErrConflict},
		{"invalid", wire.IdentityErrors, golem.Errorf(golem.ErrInvalid, "x"), golem.ErrInvalid},
		{"locked", wire.IdentityErrors, golem.Errorf(golem.ErrUnavailable, "x"), golem.ErrInternal},
		{"drop unknown", wire.DropIdentityErrors, unknown, golem.ErrNotFound},
		{"drop default", wire.DropIdentityErrors, golem.Errorf(golem.ErrConflict, "x"), golem.ErrConflict},
		{"drop failure", wire.DropIdentityErrors, errors.New("x"), golem.ErrInternal},
		{"unknown app-key", wire.AppKeyErrors, golem.Errorf(golem.ErrNotFound, "x"), golem.ErrNotFound},
		{"app-key name", wire.AppKeyErrors, golem.Errorf(golem.ErrInvalid, "x"), golem.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, err := asValue(tt.form.Encode(tt.err))
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.form.Decode(root); golem.KindOf(got) != tt.want {
				t.Errorf("got %v of kind %s, want %s", got, golem.KindOf(got), tt.want)
			}
		})
	}
	for name, v := range map[string]any{"number": 5, "null": nil, "list": []int{1}, "two variants": map[string]int{"a": 1, "b": 2}, "no id": map[string]int{"NodeNotFound": 1}} {
		for _, form := range []gsb.ErrorForm{wire.IdentityErrors, wire.DropIdentityErrors, wire.AppKeyErrors} {
			root, err := asValue(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := form.Decode(root); golem.KindOf(got) != golem.ErrInternal {
				t.Errorf("%s: %v, want ErrInternal", name, got)
			}
		}
	}
}

func asValue(v any) (flexbuffers.Value, error) {
	b, err := flexbuffers.Marshal(v)
	if err != nil {
		return flexbuffers.Value{}, err
	}
	return flexbuffers.Root(b)
}

// TestReadUpstreamIdentity reads what older nodes leave out.
func TestReadUpstreamIdentity(t *testing.T) {
	id := golem.NodeID{0xba, 0xbe}
	b, err := flexbuffers.Marshal(map[string]any{"nodeId": id.String(), "isLocked": false, "isDefault": true, "alias": nil})
	if err != nil {
		t.Fatal(err)
	}
	var got golem.Identity
	if err := flexbuffers.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golem.Identity{ID: id, Default: true}, got); diff != "" {
		t.Error(diff)
	}
}
