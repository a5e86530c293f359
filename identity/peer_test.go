package identity_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/sqlite"
	"github.com/golem-go/golem/wire"
)

// ask calls a method of the node this process belongs to.
func ask[Req, Resp any](t testing.TB, bus *gsb.Bus, m gsb.Method[Req, Resp], req Req) (Resp, error) {
	t.Helper()
	return m.Call(t.Context(), bus, golem.NodeID{}, golem.NodeID{}, req)
}

func TestBus(t *testing.T) {
	bus := gsb.New(gsb.Config{})
	s := service(t, identity.Config{Bus: bus})
	id := must[golem.Identity](t)
	main := s.Default()

	list, err := ask(t, bus, wire.ListIdentities, wire.ListIdentitiesRequest{})
	if err != nil || cmp.Diff(s.List(), list) != "" {
		t.Errorf("list: %v, %v", list, err)
	}
	a := id(ask(t, bus, wire.CreateIdentity, wire.CreateIdentityRequest{Alias: new("a")}))
	if a.Alias != "a" || a.Locked {
		t.Errorf("created %+v", a)
	}
	for name, req := range map[string]wire.FindIdentityRequest{
		main.ID.String(): {ByDefault: true},
		"a":              {ByAlias: new("a")},
		a.ID.String():    {ByNode: &a.ID},
	} {
		want := id(s.Find(name))
		if got, err := ask(t, bus, wire.FindIdentity, req); err != nil || cmp.Diff(&want, got) != "" {
			t.Errorf("find %s: %v, %v", name, got, err)
		}
	}
	if got, err := ask(t, bus, wire.FindIdentity, wire.FindIdentityRequest{ByAlias: new("x")}); got != nil || err != nil {
		t.Errorf("find nobody: %v, %v", got, err)
	}

	digest := [32]byte{7}
	raw, err := ask(t, bus, wire.SignDigest, wire.SignRequest{Node: a.ID, Payload: digest[:]})
	if err != nil || len(raw) != 65 {
		t.Fatalf("sign: %x, %v", raw, err)
	}
	if by, err := s.Recover(digest, golem.Signature(raw)); err != nil || by != a.ID {
		t.Errorf("signed by %s, %v", by, err)
	}
	if public, err := ask(t, bus, wire.PublicKey, a.ID); err != nil || len(public) != 64 {
		t.Errorf("public key %x, %v", public, err)
	}
	keyfile, err := ask(t, bus, wire.Keyfile, a.ID)
	if want := must[string](t)(s.Export(a.ID)); err != nil || keyfile != want {
		t.Errorf("keystore file %s, %v", keyfile, err)
	}

	if a = id(ask(t, bus, wire.LockIdentity, wire.LockIdentityRequest{Node: a.ID, Password: new(golem.Secret("pw"))})); !a.Locked {
		t.Error("not locked")
	}
	if a = id(ask(t, bus, wire.UnlockIdentity, wire.UnlockIdentityRequest{Node: a.ID, Password: "pw"})); a.Locked {
		t.Error("not unlocked")
	}
	if a = id(ask(t, bus, wire.UpdateIdentity, wire.UpdateIdentityRequest{Node: a.ID, Alias: new("b")})); a.Alias != "b" {
		t.Errorf("updated %+v", a)
	}
	if a = id(ask(t, bus, wire.DropIdentity, wire.DropIdentityRequest{Node: a.ID})); !a.Deleted {
		t.Errorf("dropped %+v", a)
	}
	back := id(ask(t, bus, wire.CreateIdentity, wire.CreateIdentityRequest{Keyfile: &keyfile}))
	if back.ID != a.ID {
		t.Errorf("imported %+v", back)
	}
}

func TestBusAppKeys(t *testing.T) {
	bus := gsb.New(gsb.Config{})
	s := service(t, identity.Config{Bus: bus})
	main := s.Default().ID
	for _, name := range []string{"a", "b", "c"} {
		secret, err := ask(t, bus, wire.CreateAppKey, wire.CreateAppKeyRequest{Name: name, Role: "manager", Identity: main})
		if err != nil {
			t.Fatal(err)
		}
		want := must[golem.AppKey](t)(s.AppKeyByName(name))
		got, err := ask(t, bus, wire.FindAppKey, wire.FindAppKeyRequest{Key: secret})
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%v: %s", err, cmp.Diff(want, got))
		}
		if got, err := ask(t, bus, wire.AppKeyByName, wire.AppKeyByNameRequest{Name: name}); err != nil || got.Key != secret {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	for _, tt := range []struct {
		page, size uint32
		want       int
		pages      uint32
	}{{1, 2, 2, 2}, {2, 2, 1, 2}, {3, 2, 0, 2}, {0, 0, 1, 3}, {1, 1 << 31, 3, 1}, {1<<32 - 1, 1<<32 - 1, 0, 1}} {
		page, err := ask(t, bus, wire.ListAppKeys, wire.ListAppKeysRequest{Page: tt.page, PerPage: tt.size})
		if err != nil || len(page.Keys) != tt.want || page.Pages != tt.pages {
			t.Errorf("page %d of %d: got %d keys, %d pages, %v", tt.page, tt.size, len(page.Keys), page.Pages, err)
		}
	}
	other := must[golem.Identity](t)(s.Create(t.Context(), golem.NewIdentity{Alias: "other"}))
	page, err := ask(t, bus, wire.ListAppKeys, wire.ListAppKeysRequest{Identity: new(other.ID.String()), Page: 1, PerPage: 10})
	if err != nil || len(page.Keys) != 0 {
		t.Errorf("of another identity: %v, %v", page, err)
	}
	_, err = ask(t, bus, wire.RemoveAppKey, wire.RemoveAppKeyRequest{Name: "a", Identity: new("other")})
	wantKind(t, err, golem.ErrNotFound)
	if _, err := ask(t, bus, wire.RemoveAppKey, wire.RemoveAppKeyRequest{Name: "a", Identity: new(main.String())}); err != nil {
		t.Error(err)
	}
	_, err = ask(t, bus, wire.AppKeyByName, wire.AppKeyByNameRequest{Name: "a"})
	wantKind(t, err, golem.ErrNotFound)
}

func TestBusErrors(t *testing.T) {
	bus := gsb.New(gsb.Config{})
	s := service(t, identity.Config{Bus: bus})
	main, stranger := s.Default().ID, golem.NodeID{9}

	_, err := ask(t, bus, wire.DropIdentity, wire.DropIdentityRequest{Node: main})
	wantKind(t, err, golem.ErrConflict)
	_, err = ask(t, bus, wire.DropIdentity, wire.DropIdentityRequest{Node: stranger})
	if unknown, ok := errors.AsType[wire.UnknownIdentity](err); !ok || unknown.Node != stranger {
		t.Errorf("got %v, want UnknownIdentity", err)
	}
	_, err = ask(t, bus, wire.UnlockIdentity, wire.UnlockIdentityRequest{Node: main, Password: "wrong"})
	if !errors.Is(err, wire.ErrPassword) {
		t.Errorf("got %v, want ErrPassword", err)
	}
	_, err = ask(t, bus, wire.CreateIdentity, wire.CreateIdentityRequest{Keyfile: new("{}")})
	wantKind(t, err, golem.ErrInvalid)
	_, err = ask(t, bus, wire.SignDigest, wire.SignRequest{Node: main, Payload: []byte{1}})
	wantKind(t, err, golem.ErrInvalid)
	_, err = ask(t, bus, wire.CreateAppKey, wire.CreateAppKeyRequest{Name: "a", Role: "king", Identity: main})
	wantKind(t, err, golem.ErrInvalid)
}

// TestBusRefusesOthers sends what another node would, if it could reach /local
// at all.
func TestBusRefusesOthers(t *testing.T) {
	bus := gsb.New(gsb.Config{})
	s := service(t, identity.Config{Bus: bus})
	body, err := flexbuffers.Marshal(wire.SignRequest{Node: s.Default().ID, Payload: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	for trust := p2p.TrustClaim; trust < p2p.TrustLocal; trust++ {
		var answer flexbuffers.Result[flexbuffers.Bytes8, flexbuffers.Value]
		err := bus.Call(t.Context(), gsb.Request{Caller: golem.NodeID{1}, Trust: trust, Addr: wire.SignDigest.Addr(), Body: body}, func(r gsb.Reply) error {
			return flexbuffers.Unmarshal(r.Body, &answer)
		})
		if err != nil || answer.Err == nil {
			t.Errorf("trust %s: got %v, %v; want a refusal", trust, answer.Ok, err)
		}
	}
}

func TestRunUnbinds(t *testing.T) {
	bus := gsb.New(gsb.Config{})
	store := database(t, sqlite.Memory).Identity()
	s := service(t, identity.Config{Store: store, Bus: bus})
	if _, err := identity.New(t.Context(), identity.Config{Store: store, Bus: bus}); golem.KindOf(err) != golem.ErrConflict {
		t.Errorf("two on one bus: got %v, want ErrConflict", err)
	}
	if _, err := ask(t, bus, wire.ListIdentities, wire.ListIdentitiesRequest{}); err != nil {
		t.Errorf("the first one does not answer any more: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	if _, err := ask(t, bus, wire.ListIdentities, wire.ListIdentitiesRequest{}); !errors.Is(err, gsb.ErrNoEndpoint) {
		t.Errorf("after Run: %v, want ErrNoEndpoint", err)
	}
}
