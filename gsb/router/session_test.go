package router_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
)

// TestPrivateServices calls what is for the owner's processes over both kinds of
// sockets.
func TestPrivateServices(t *testing.T) {
	bus := gsb.New(gsb.Config{})
	bind(t, bus, "/local/identity", echo)
	bind(t, bus, "/local/identities", echo)
	for _, url := range []string{"unix:" + filepath.Join(t.TempDir(), "bus.sock"), "tcp://127.0.0.1:0"} {
		l, err := router.Listen(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if l.Addr().Network() == "tcp" {
			url = "tcp://" + l.Addr().String()
		}
		serve(t, l, router.Config{Session: router.NewLocal(bus, "/local/identity")})
		c := connect(t, url)
		for addr, private := range map[string]bool{"/local/identity/Sign": true, "/local/identity": true, "/local/identities/x": false} {
			_, err := ask(t.Context(), c, addr, "x")
			switch refused := private && strings.HasPrefix(url, "tcp"); {
			case refused && (err == nil || !strings.Contains(err.Error(), "use a unix socket")):
				t.Errorf("%s at %s: %v, want a refusal", addr, url, err)
			case !refused && err != nil:
				t.Errorf("%s at %s: %v", addr, url, err)
			}
		}
	}
}
