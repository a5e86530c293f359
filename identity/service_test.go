package identity_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/sqlite"
	"github.com/golem-go/golem/wire"
)

func database(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func service(t testing.TB, cfg identity.Config) *identity.Service {
	t.Helper()
	if cfg.Store == nil {
		cfg.Store = database(t, sqlite.Memory).Identity()
	}
	s, err := identity.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// must returns a function that fails the test where there is an error.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantKind(t testing.TB, err error, kind golem.Kind) {
	t.Helper()
	if golem.KindOf(err) != kind {
		t.Errorf("got error %v of kind %q, want %q", err, golem.KindOf(err), kind)
	}
}

func canSign(t testing.TB, s *identity.Service, id golem.NodeID) {
	t.Helper()
	sig, err := s.Sign(t.Context(), id, [32]byte{1})
	if err != nil {
		t.Error(err)
		return
	}
	if got, err := s.Recover([32]byte{1}, sig); err != nil || got != id {
		t.Errorf("signature is by %s, %v; want %s", got, err, id)
	}
}

func TestFirstStart(t *testing.T) {
	db := database(t, filepath.Join(t.TempDir(), "node.db"))
	s := service(t, identity.Config{Store: db.Identity()})
	list := s.List()
	if len(list) != 1 {
		t.Fatalf("got %v, want one identity", list)
	}
	want := golem.Identity{ID: list[0].ID, Default: true}
	if diff := cmp.Diff(want, s.Default()); diff != "" {
		t.Error(diff)
	}
	canSign(t, s, list[0].ID)

	again := service(t, identity.Config{Store: db.Identity()})
	if diff := cmp.Diff(list, again.List()); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
	canSign(t, again, list[0].ID)
}

func TestLifeOfAnIdentity(t *testing.T) {
	ctx, db := t.Context(), database(t, sqlite.Memory)
	s := service(t, identity.Config{Store: db.Identity()})
	id := must[golem.Identity](t)
	main := s.Default().ID

	i := id(s.Create(ctx, golem.NewIdentity{Alias: "shop", Password: "pw"}))
	if diff := cmp.Diff(golem.Identity{ID: i.ID, Alias: "shop"}, i); diff != "" {
		t.Error(diff)
	}
	canSign(t, s, i.ID)

	s = service(t, identity.Config{Store: db.Identity()}) // a restart locks it
	if i = id(s.Find("shop")); !i.Locked {
		t.Fatal("open after a restart, without its password")
	}
	_, err := s.Sign(ctx, i.ID, [32]byte{1})
	wantKind(t, err, golem.ErrUnavailable)
	_, err = s.PublicKey(i.ID)
	wantKind(t, err, golem.ErrUnavailable)
	_, err = s.SetPassword(ctx, i.ID, "new")
	wantKind(t, err, golem.ErrUnavailable)
	if got := s.IDs(); !slices.Equal(got, []golem.NodeID{main}) {
		t.Errorf("acts as %v, want the default alone", got)
	}

	_, err = s.Unlock(ctx, i.ID, "wrong")
	if !errors.Is(err, wire.ErrPassword) {
		t.Errorf("got %v, want ErrPassword", err)
	}
	if i = id(s.Unlock(ctx, i.ID, "pw")); i.Locked {
		t.Error("still locked")
	}
	canSign(t, s, i.ID)
	if got := s.IDs(); !slices.Equal(got, []golem.NodeID{main, i.ID}) {
		t.Errorf("acts as %v, want both", got)
	}

	id(s.SetPassword(ctx, i.ID, "new"))
	if i = id(s.Lock(ctx, i.ID, "")); !i.Locked {
		t.Error("still open")
	}
	_, err = s.Unlock(ctx, i.ID, "pw")
	wantKind(t, err, golem.ErrInvalid)
	id(s.Unlock(ctx, i.ID, "new"))
	id(s.SetPassword(ctx, i.ID, "")) // open from now on
	_, err = s.Lock(ctx, i.ID, "")
	wantKind(t, err, golem.ErrConflict)

	s = service(t, identity.Config{Store: db.Identity()})
	canSign(t, s, i.ID)
	id(s.Lock(ctx, i.ID, "last"))
	_, err = s.Sign(ctx, i.ID, [32]byte{1})
	wantKind(t, err, golem.ErrUnavailable)
}

func TestDropAndRevive(t *testing.T) {
	ctx, db := t.Context(), database(t, sqlite.Memory)
	s := service(t, identity.Config{Store: db.Identity()})
	id := must[golem.Identity](t)
	i := id(s.Create(ctx, golem.NewIdentity{Alias: "a"}))
	k := must[golem.AppKey](t)(s.CreateAppKey(ctx, golem.AppKey{Name: "app", Identity: i.ID}))

	_, err := s.Drop(ctx, s.Default().ID)
	wantKind(t, err, golem.ErrConflict)
	if i = id(s.Drop(ctx, i.ID)); !i.Deleted || i.Alias != "" {
		t.Errorf("got %+v, want it deleted and without alias", i)
	}
	_, err = s.Sign(ctx, i.ID, [32]byte{1})
	wantKind(t, err, golem.ErrNotFound)
	_, err = s.AppKey(ctx, k.Key.Reveal())
	wantKind(t, err, golem.ErrUnauthorized)
	for name, f := range map[string]func() (golem.Identity, error){
		"drop":   func() (golem.Identity, error) { return s.Drop(ctx, i.ID) },
		"update": func() (golem.Identity, error) { return s.Update(ctx, i.ID, golem.IdentityChange{Default: true}) },
		"unlock": func() (golem.Identity, error) { return s.Unlock(ctx, i.ID, "") },
		"find":   func() (golem.Identity, error) { return s.Find(i.ID.String()) },
	} {
		if _, err := f(); golem.KindOf(err) != golem.ErrNotFound {
			t.Errorf("%s a dropped identity: %v, want ErrNotFound", name, err)
		}
	}
	other := id(s.Create(ctx, golem.NewIdentity{Alias: "a"})) // the alias is free

	s = service(t, identity.Config{Store: db.Identity()})
	if got := s.List(); len(got) != 3 || got[2].ID != i.ID || !got[2].Deleted {
		t.Errorf("got %v, want the dropped one at the end", got)
	}
	keyfile := must[string](t)(s.Export(i.ID))
	if back := id(s.Create(ctx, golem.NewIdentity{Alias: "back", Keyfile: keyfile})); back.ID != i.ID || back.Deleted {
		t.Errorf("got %+v, want %s back", back, i.ID)
	}
	canSign(t, s, i.ID)
	canSign(t, s, other.ID)
	_, err = s.AppKey(ctx, k.Key.Reveal())
	wantKind(t, err, golem.ErrUnauthorized)
}

func TestDefaultAndAlias(t *testing.T) {
	ctx := t.Context()
	s := service(t, identity.Config{})
	id := must[golem.Identity](t)
	first := s.Default()
	a, b := id(s.Create(ctx, golem.NewIdentity{Alias: "a"})), id(s.Create(ctx, golem.NewIdentity{}))

	_, err := s.Create(ctx, golem.NewIdentity{Alias: "a"})
	wantKind(t, err, golem.ErrConflict)
	_, err = s.Update(ctx, b.ID, golem.IdentityChange{Alias: new("a"), Default: true})
	wantKind(t, err, golem.ErrConflict)
	if got := s.Default(); got != first {
		t.Errorf("half a change was made: %v is the default", got)
	}
	if b = id(s.Update(ctx, b.ID, golem.IdentityChange{Alias: new("b"), Default: true})); !b.Default || b.Alias != "b" {
		t.Errorf("got %+v", b)
	}
	if got := s.IDs(); !slices.Equal(got, []golem.NodeID{b.ID, first.ID, a.ID}) {
		t.Errorf("got %v, want the new default first", got)
	}
	if a = id(s.Update(ctx, a.ID, golem.IdentityChange{Alias: new("")})); a.Alias != "" {
		t.Errorf("got alias %q", a.Alias)
	}
	for _, name := range []string{"", "default", "b", b.ID.String(), "0x" + fmt.Sprintf("%X", b.ID[:])} {
		if got := id(s.Find(name)); got != b {
			t.Errorf("Find(%q) is %+v, want b", name, got)
		}
	}
	_, err = s.Find("a")
	wantKind(t, err, golem.ErrNotFound)
	_, err = s.Update(ctx, golem.NodeID{1}, golem.IdentityChange{Default: true})
	wantKind(t, err, golem.ErrNotFound)
	for _, alias := range []string{"default", "Default", " a", "a/b", "a\nb", "\xff", a.ID.String(), string(make([]byte, 101))} {
		_, err := s.Update(ctx, a.ID, golem.IdentityChange{Alias: &alias})
		if golem.KindOf(err) != golem.ErrInvalid {
			t.Errorf("alias %q: got %v, want ErrInvalid", alias, err)
		}
	}
}

func TestImport(t *testing.T) {
	ctx := t.Context()
	geth, err := os.ReadFile("testdata/keyfile/geth.json")
	if err != nil {
		t.Fatal(err)
	}
	dev := must[golem.NodeID](t)(golem.ParseNodeID(devID))
	id := must[golem.Identity](t)

	t.Run("private key", func(t *testing.T) {
		s := service(t, identity.Config{})
		if i := id(s.Create(ctx, golem.NewIdentity{PrivateKey: devKey})); i.ID != dev || i.Locked {
			t.Errorf("got %+v", i)
		}
		_, err := s.Create(ctx, golem.NewIdentity{PrivateKey: devKey})
		wantKind(t, err, golem.ErrConflict)
		canSign(t, s, dev)
	})
	t.Run("keystore file with its password", func(t *testing.T) {
		s := service(t, identity.Config{})
		_, err := s.Create(ctx, golem.NewIdentity{Keyfile: string(geth), Password: "wrong"})
		wantKind(t, err, golem.ErrInvalid)
		if i := id(s.Create(ctx, golem.NewIdentity{Keyfile: string(geth), Password: "correct horse"})); i.ID != dev || i.Locked {
			t.Errorf("got %+v", i)
		}
		if got := must[string](t)(s.Export(dev)); got != string(geth) {
			t.Errorf("the file was changed into %s", got)
		}
	})
	t.Run("keystore file without its password", func(t *testing.T) {
		s := service(t, identity.Config{})
		if i := id(s.Create(ctx, golem.NewIdentity{Keyfile: string(geth)})); i.ID != dev || !i.Locked {
			t.Errorf("got %+v", i)
		}
		id(s.Unlock(ctx, dev, "correct horse"))
		canSign(t, s, dev)
	})
	t.Run("both", func(t *testing.T) {
		_, err := service(t, identity.Config{}).Create(ctx, golem.NewIdentity{Keyfile: string(geth), PrivateKey: devKey})
		wantKind(t, err, golem.ErrInvalid)
	})
}

func TestAutoconf(t *testing.T) {
	ctx, db := t.Context(), database(t, sqlite.Memory)
	cfg := identity.Config{Store: db.Identity(), AutoconfSecret: devKey, AutoconfAppKey: "secret"}
	s := service(t, cfg)
	dev := must[golem.NodeID](t)(golem.ParseNodeID(devID))
	if got := s.List(); len(got) != 1 || got[0] != (golem.Identity{ID: dev, Default: true}) {
		t.Fatalf("got %v, want the identity of the environment alone", got)
	}
	k := must[golem.AppKey](t)(s.AppKey(ctx, "secret"))
	want := golem.AppKey{Name: "autoconfigured", Key: "secret", Role: golem.RoleManager, Identity: dev, Created: k.Created, AllowOrigins: []string{}}
	if diff := cmp.Diff(want, k); diff != "" {
		t.Error(diff)
	}
	wantKind(t, s.DropAppKey(ctx, "autoconfigured"), golem.ErrForbidden)
	_, err := s.CreateAppKey(ctx, golem.AppKey{Name: "autoconfigured"})
	wantKind(t, err, golem.ErrConflict)

	// Another default, a password: at the next start the environment wins again.
	other := must[golem.Identity](t)(s.Create(ctx, golem.NewIdentity{}))
	must[golem.Identity](t)(s.Update(ctx, other.ID, golem.IdentityChange{Default: true}))
	if k := must[golem.AppKey](t)(s.AppKey(ctx, "secret")); k.Identity != other.ID {
		t.Errorf("the app-key is of %s, want the default %s", k.Identity, other.ID)
	}
	must[golem.Identity](t)(s.Lock(ctx, dev, "pw"))
	s = service(t, cfg)
	if got := s.Default(); got.ID != dev || got.Locked {
		t.Errorf("default is %+v", got)
	}
	canSign(t, s, dev)

	// Without the environment both are as they are stored.
	cfg.AutoconfSecret, cfg.AutoconfAppKey = "", ""
	s = service(t, cfg)
	if got := s.Default(); got.ID != dev || !got.Locked {
		t.Errorf("default is %+v, want it locked", got)
	}
	if got := s.IDs(); !slices.Equal(got, []golem.NodeID{dev, other.ID}) {
		t.Errorf("acts as %v, want the locked default first all the same", got)
	}
	_, err = s.AppKey(ctx, "secret")
	wantKind(t, err, golem.ErrUnauthorized)

	cfg.AutoconfSecret = "nonsense"
	_, err = identity.New(ctx, cfg)
	wantKind(t, err, golem.ErrInvalid)
	cfg.AutoconfSecret, cfg.AutoconfAppKey = "", "with space"
	_, err = identity.New(ctx, cfg)
	wantKind(t, err, golem.ErrInvalid)
}

func TestAppKeys(t *testing.T) {
	ctx, db := t.Context(), database(t, sqlite.Memory)
	s := service(t, identity.Config{Store: db.Identity()})
	key := must[golem.AppKey](t)
	other := must[golem.Identity](t)(s.Create(ctx, golem.NewIdentity{}))

	a := key(s.CreateAppKey(ctx, golem.AppKey{Name: "a", AllowOrigins: []string{"http://localhost:3000"}}))
	if len(a.Key.Reveal()) != 32 || a.Role != golem.RoleManager || a.Identity != s.Default().ID {
		t.Errorf("got %+v", a)
	}
	if again := key(s.CreateAppKey(ctx, golem.AppKey{Name: "a"})); cmp.Diff(a, again) != "" {
		t.Errorf("same name and identity: %s", cmp.Diff(a, again))
	}
	_, err := s.CreateAppKey(ctx, golem.AppKey{Name: "a", Identity: other.ID})
	wantKind(t, err, golem.ErrConflict)
	_, err = s.CreateAppKey(ctx, golem.AppKey{Name: "x", Identity: golem.NodeID{1}})
	wantKind(t, err, golem.ErrNotFound)
	b := key(s.CreateAppKey(ctx, golem.AppKey{Name: "b", Identity: other.ID, Role: golem.RoleAgent}))

	for _, s := range []*identity.Service{s, service(t, identity.Config{Store: db.Identity()})} {
		if diff := cmp.Diff([]golem.AppKey{a, b}, s.AppKeys(golem.NodeID{})); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]golem.AppKey{b}, s.AppKeys(other.ID)); diff != "" {
			t.Error(diff)
		}
		if got := key(s.AppKey(ctx, b.Key.Reveal())); cmp.Diff(b, got) != "" {
			t.Error(cmp.Diff(b, got))
		}
		if got := key(s.AppKeyByName("a")); cmp.Diff(a, got) != "" {
			t.Error(cmp.Diff(a, got))
		}
		if !s.AllowsOrigin("http://LOCALHOST:3000") || s.AllowsOrigin("http://localhost:3001") {
			t.Error("origins are not those of the app-keys")
		}
	}
	if err := s.DropAppKey(ctx, "a"); err != nil {
		t.Error(err)
	}
	wantKind(t, s.DropAppKey(ctx, "a"), golem.ErrNotFound)
	_, err = s.AppKey(ctx, a.Key.Reveal())
	wantKind(t, err, golem.ErrUnauthorized)
	for _, secret := range []string{"", "a", a.Key.String()} {
		_, err = s.AppKey(ctx, secret)
		wantKind(t, err, golem.ErrUnauthorized)
	}
	for name, k := range map[string]golem.AppKey{
		"no name":   {},
		"role":      {Name: "x", Role: "king"},
		"no origin": {Name: "x", AllowOrigins: []string{"example.org"}},
		"path":      {Name: "x", AllowOrigins: []string{"https://example.org/"}},
		"user":      {Name: "x", AllowOrigins: []string{"https://me@example.org"}},
		"null":      {Name: "x", AllowOrigins: []string{"null"}},
	} {
		if _, err := s.CreateAppKey(ctx, k); golem.KindOf(err) != golem.ErrInvalid {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	key(s.CreateAppKey(ctx, golem.AppKey{Name: "any", AllowOrigins: []string{"*"}}))
	if !s.AllowsOrigin("https://elsewhere.example") {
		t.Error("* does not allow every origin")
	}
}

// TestRunTells checks that the network learns of every change, also where it
// does not listen at first.
func TestRunTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var told [][]golem.NodeID // read after Run has ended
		var notTold, rounds atomic.Int32
		var hears atomic.Bool
		s := service(t, identity.Config{
			OnChange: func(_ context.Context, ids []golem.NodeID) error {
				if !hears.Load() {
					return golem.Errorf(golem.ErrUnavailable, "no network yet")
				}
				told = append(told, ids)
				return nil
			},
			Trace: identity.Trace{NotTold: func(error) { notTold.Add(1) }},
			Alive: func(string) { rounds.Add(1) },
		})
		var running sync.WaitGroup
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		main := s.Default().ID
		time.Sleep(10 * time.Minute)
		if n := notTold.Load(); n < 10 || n > 20 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		hears.Store(true)
		time.Sleep(time.Minute + 2*time.Second)
		synctest.Wait()
		i := must[golem.Identity](t)(s.Create(ctx, golem.NewIdentity{Password: "x"}))
		synctest.Wait()
		must[golem.Identity](t)(s.Lock(ctx, i.ID, ""))
		synctest.Wait()
		cancel()
		running.Wait()
		if diff := cmp.Diff([][]golem.NodeID{{main}, {main, i.ID}, {main}}, told); diff != "" {
			t.Error(diff)
		}
		if n := rounds.Load(); n < 300 {
			t.Errorf("alive %d times in eleven minutes", n)
		}
	})
}

// TestTrace checks that observers learn what happened, and nothing secret.
func TestTrace(t *testing.T) {
	ctx := t.Context()
	var got []string
	s := service(t, identity.Config{Trace: identity.Trace{
		Identity: func(c identity.Change, i golem.Identity) { got = append(got, string(c)+" "+i.Alias) },
		AppKey:   func(c identity.Change, name string) { got = append(got, string(c)+" app-key "+name) },
	}})
	id := must[golem.Identity](t)
	i := id(s.Create(ctx, golem.NewIdentity{Alias: "x"}))
	id(s.Lock(ctx, i.ID, "pw"))
	id(s.Unlock(ctx, i.ID, "pw"))
	id(s.Update(ctx, i.ID, golem.IdentityChange{Alias: new("y")}))
	for range 2 {
		must[golem.AppKey](t)(s.CreateAppKey(ctx, golem.AppKey{Name: "k"}))
	}
	if err := s.DropAppKey(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	id(s.Drop(ctx, i.ID))
	want := []string{"created x", "locked x", "unlocked x", "updated y", "created app-key k", "dropped app-key k", "dropped "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestConcurrentUse changes and uses everything at once; what counts is the race
// detector, that a signature is never by a half wiped key, and that memory and
// store agree in the end.
func TestConcurrentUse(t *testing.T) {
	ctx, db := t.Context(), database(t, sqlite.Memory)
	s := service(t, identity.Config{Store: db.Identity()})
	cheap, err := os.ReadFile("testdata/keyfile/cheap.json") // opening it costs nothing
	if err != nil {
		t.Fatal(err)
	}
	i := must[golem.Identity](t)(s.Create(ctx, golem.NewIdentity{Keyfile: string(cheap), Password: "pw"}))
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for n := range 6 {
				if random.IntN(2) == 0 {
					s.Lock(ctx, i.ID, "")
				} else {
					s.Unlock(ctx, i.ID, "pw")
				}
				name := fmt.Sprintf("%d-%d", worker, n)
				must[golem.Identity](t)(s.Create(ctx, golem.NewIdentity{Alias: name}))
				must[golem.AppKey](t)(s.CreateAppKey(ctx, golem.AppKey{Name: fmt.Sprint(n)}))
				for range 20 {
					sig, err := s.Sign(ctx, i.ID, [32]byte{byte(n)})
					if err == nil {
						var by golem.NodeID
						if by, err = s.Recover([32]byte{byte(n)}, sig); by != i.ID {
							t.Errorf("signed by %s", by)
						}
					}
					if err != nil && golem.KindOf(err) != golem.ErrUnavailable {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	again := service(t, identity.Config{Store: db.Identity()})
	got, want := s.List(), again.List()
	for n := range got {
		got[n].Locked, want[n].Locked = false, false
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 26 {
		t.Errorf("memory differs from the store: %s", diff)
	}
	if diff := cmp.Diff(again.AppKeys(golem.NodeID{}), s.AppKeys(golem.NodeID{})); diff != "" {
		t.Errorf("memory differs from the store: %s", diff)
	}
}

// TestStoreFailure checks that a change that cannot be stored is not made.
func TestStoreFailure(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	s := service(t, identity.Config{Store: db.Identity()})
	before := s.List()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), golem.NewIdentity{}); err == nil {
		t.Error("created without a store")
	}
	if _, err := s.CreateAppKey(t.Context(), golem.AppKey{Name: "a"}); err == nil {
		t.Error("app-key created without a store")
	}
	if diff := cmp.Diff(before, s.List()); diff != "" {
		t.Error(diff)
	}
	canSign(t, s, before[0].ID)
}

func BenchmarkAppKey(b *testing.B) {
	s := service(b, identity.Config{AutoconfAppKey: "0123456789abcdef0123456789abcdef"})
	for b.Loop() {
		if _, err := s.AppKey(b.Context(), "0123456789abcdef0123456789abcdef"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	db := database(b, filepath.Join(b.TempDir(), "node.db"))
	for b.Loop() {
		service(b, identity.Config{Store: db.Identity()})
	}
}
