package rest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/rest"
	"github.com/golem-go/golem/rest/client"
	"github.com/golem-go/golem/sqlite"
)

const adminKey = "0123456789abcdef0123456789abcdef"

// identityNode serves the identities of a node, with an app-key that may
// administer it.
func identityNode(t testing.TB, cfg rest.Config) (*identity.Service, *httptest.Server) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cfg.Identity, err = identity.New(t.Context(), identity.Config{Store: db.Identity(), AutoconfAppKey: adminKey})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(rest.New(cfg))
	t.Cleanup(server.Close)
	return cfg.Identity, server
}

// send makes a request as it is and returns the answer with its body.
func send(t testing.TB, method, url, key, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestMe(t *testing.T) {
	ids, server := identityNode(t, rest.Config{})
	want := `{"identity":"` + ids.Default().ID.String() + `","name":"autoconfigured","role":"manager"}` + "\n"
	for name, url := range map[string]string{"header": "/me", "query": "/me?authToken=" + adminKey} {
		key := adminKey
		if name == "query" {
			key = ""
		}
		resp, body := send(t, "GET", server.URL+url, key, "")
		if resp.StatusCode != 200 || body != want || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q", name, resp.StatusCode, body)
		}
	}
	for key, want := range map[string]string{"": "Missing application key", "wrong": "Invalid application key"} {
		resp, body := send(t, "GET", server.URL+"/me", key, "")
		if resp.StatusCode != 401 || body != want || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("key %q: %d %q", key, resp.StatusCode, body)
		}
	}
}

func TestVersion(t *testing.T) {
	_, server := identityNode(t, rest.Config{Release: golem.Release{Name: "golem-go 1.2.3"}})
	const want = `{"current":{"version":"0.17.6","name":"golem-go 1.2.3","seen":true,"releaseTs":"0001-01-01T00:00:00","insertionTs":null,"updateTs":null},"pending":null}` + "\n"
	if resp, body := send(t, "GET", server.URL+"/version/get", "", ""); resp.StatusCode != 200 || body != want {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	v, err := client.New(server.URL, "", nil).Version(t.Context())
	if err != nil || v.Current.Version != golem.UpstreamVersion || v.Pending != nil {
		t.Errorf("got %+v, %v", v, err)
	}
}

// TestIdentityOverREST administers a node through the client, each operation
// once.
func TestIdentityOverREST(t *testing.T) {
	ids, server := identityNode(t, rest.Config{})
	c, ctx := client.New(server.URL, adminKey, nil), t.Context()

	if me, err := c.Me(ctx); err != nil || me != (client.Me{Identity: ids.Default().ID, Name: "autoconfigured", Role: "manager"}) {
		t.Errorf("me: %+v, %v", me, err)
	}
	i, err := c.CreateIdentity(ctx, golem.NewIdentity{Alias: "my shop", Password: "pw"})
	if err != nil || i.Alias != "my shop" || i.Locked {
		t.Fatalf("create: %+v, %v", i, err)
	}
	if list, err := c.Identities(ctx); err != nil || cmp.Diff(ids.List(), list) != "" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if got, err := c.Identity(ctx, "my shop"); err != nil || got != i {
		t.Errorf("get: %+v, %v", got, err)
	}
	sig, err := c.Sign(ctx, "my shop", [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	if by, err := identity.Recover([32]byte{1}, sig); err != nil || by != i.ID {
		t.Errorf("signed by %s, %v", by, err)
	}
	public, err := c.PublicKey(ctx, i.ID.String())
	if want, _ := ids.PublicKey(i.ID); err != nil || public != want {
		t.Errorf("public key %x, %v", public, err)
	}
	for name, f := range map[string]func() (golem.Identity, error){
		"lock":     func() (golem.Identity, error) { return c.LockIdentity(ctx, "my shop", "") },
		"unlock":   func() (golem.Identity, error) { return c.UnlockIdentity(ctx, "my shop", "pw") },
		"password": func() (golem.Identity, error) { return c.SetPassword(ctx, "my shop", "new") },
		"update":   func() (golem.Identity, error) { return c.UpdateIdentity(ctx, "my shop", golem.IdentityChange{}) },
	} {
		ids.Unlock(ctx, i.ID, "pw")
		got, err := f()
		if want, _ := ids.Find("my shop"); err != nil || got != want || got.Locked != (name == "lock") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		ids.Unlock(ctx, i.ID, "pw")
		ids.SetPassword(ctx, i.ID, "pw")
	}
	keyfile, err := c.ExportIdentity(ctx, "my shop")
	if want, _ := ids.Export(i.ID); err != nil || keyfile != want {
		t.Errorf("export: %s, %v", keyfile, err)
	}
	if got, err := c.DropIdentity(ctx, "my shop"); err != nil || !got.Deleted {
		t.Errorf("drop: %+v, %v", got, err)
	}
	if again, err := c.ExportIdentity(ctx, i.ID.String()); err != nil || again != keyfile {
		t.Errorf("export after drop: %s, %v", again, err)
	}
}

func TestAppKeysOverREST(t *testing.T) {
	ids, server := identityNode(t, rest.Config{})
	c, ctx := client.New(server.URL, adminKey, nil), t.Context()
	k, err := c.CreateAppKey(ctx, golem.AppKey{Name: "my app", AllowOrigins: []string{"https://a.example"}})
	if err != nil || k.Identity != ids.Default().ID || len(k.Key.Reveal()) != 32 {
		t.Fatalf("create: %+v, %v", k, err)
	}
	if got, err := c.AppKey(ctx, "my app"); err != nil || cmp.Diff(k, got) != "" {
		t.Errorf("get: %+v, %v", got, err)
	}
	for _, name := range []string{"", "default"} {
		if got, err := c.AppKeys(ctx, name); err != nil || cmp.Diff(ids.AppKeys(golem.NodeID{}), got) != "" {
			t.Errorf("list of %q: %+v, %v", name, got, err)
		}
	}
	if _, err := client.New(server.URL, k.Key.Reveal(), nil).Me(ctx); err != nil {
		t.Error(err)
	}
	if err := c.DropAppKey(ctx, "my app"); err != nil {
		t.Error(err)
	}
	if _, err := client.New(server.URL, k.Key.Reveal(), nil).Me(ctx); golem.KindOf(err) != golem.ErrUnauthorized {
		t.Errorf("dropped app-key: %v, want ErrUnauthorized", err)
	}
}

// TestAdministrationIsForManagers tries every operation of ours with app-keys
// that may not.
func TestAdministrationIsForManagers(t *testing.T) {
	ids, server := identityNode(t, rest.Config{})
	refused := map[string]golem.AppKey{
		"agent":    {Name: "agent", Role: golem.RoleAgent},
		"web page": {Name: "page", AllowOrigins: []string{"https://a.example"}},
	}
	operations := []string{
		"GET identities", "POST identities", "GET identities/default", "PATCH identities/default", "DELETE identities/default",
		"POST identities/default/lock", "POST identities/default/unlock", "POST identities/default/password",
		"GET identities/default/keyfile", "GET identities/default/public-key", "POST identities/default/sign",
		"GET app-keys", "POST app-keys", "GET app-keys/agent", "DELETE app-keys/agent",
	}
	for name, k := range refused {
		k, err := ids.CreateAppKey(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		for _, operation := range operations {
			method, path, _ := strings.Cut(operation, " ")
			resp, body := send(t, method, server.URL+"/golem-api/v1/"+path, k.Key.Reveal(), "{}")
			if resp.StatusCode != 403 || resp.Header.Get("Golem-Error") != "forbidden" {
				t.Errorf("%s: %s answers %d %s", name, operation, resp.StatusCode, body)
			}
		}
		if resp, _ := send(t, "GET", server.URL+"/me", k.Key.Reveal(), ""); resp.StatusCode != 200 {
			t.Errorf("%s: /me answers %d", name, resp.StatusCode)
		}
	}
	if resp, _ := send(t, "GET", server.URL+"/golem-api/v1/identities", adminKey, ""); resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("manager: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestIdentityErrorsOverREST(t *testing.T) {
	ids, server := identityNode(t, rest.Config{})
	c, ctx := client.New(server.URL, adminKey, nil), t.Context()
	main := ids.Default().ID.String()
	tests := map[string]struct {
		do   func() error
		want golem.Kind
	}{
		"unknown":        {func() error { _, err := c.Identity(ctx, "nobody"); return err }, golem.ErrNotFound},
		"drop default":   {func() error { _, err := c.DropIdentity(ctx, main); return err }, golem.ErrConflict},
		"password":       {func() error { _, err := c.UnlockIdentity(ctx, main, "x"); return err }, golem.ErrInvalid},
		"bad key":        {func() error { _, err := c.CreateIdentity(ctx, golem.NewIdentity{PrivateKey: "x"}); return err }, golem.ErrInvalid},
		"app-key":        {func() error { _, err := c.AppKey(ctx, "x"); return err }, golem.ErrNotFound},
		"drop app-key":   {func() error { return c.DropAppKey(ctx, "autoconfigured") }, golem.ErrForbidden},
		"keys of nobody": {func() error { _, err := c.AppKeys(ctx, "nobody"); return err }, golem.ErrNotFound},
		"slash":          {func() error { _, err := c.Identity(ctx, "../me"); return err }, golem.ErrNotFound},
	}
	for name, tt := range tests {
		if err := tt.do(); golem.KindOf(err) != tt.want {
			t.Errorf("%s: got %v of kind %s, want %s", name, err, golem.KindOf(err), tt.want)
		}
	}
	for _, body := range []string{"", "[]", `{"digest":"00"}`, `{"digest":5}`} {
		if resp, text := send(t, "POST", server.URL+"/golem-api/v1/identities/default/sign", adminKey, body); resp.StatusCode != 400 {
			t.Errorf("sign %s: %d %s", body, resp.StatusCode, text)
		}
	}
}
