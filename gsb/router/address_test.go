package router_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/router"
)

func TestParseURL(t *testing.T) {
	tests := []struct{ url, network, address string }{
		{"tcp://127.0.0.1:7464", "tcp", "127.0.0.1:7464"},
		{"tcp://127.0.0.1:7464/", "tcp", "127.0.0.1:7464"},
		{"127.0.0.1:99", "tcp", "127.0.0.1:99"},
		{"hub.example.org", "tcp", "hub.example.org:7464"},
		{"tcp://hub", "tcp", "hub:7464"},
		{"[::1]", "tcp", "[::1]:7464"},
		{"tcp://[::1]:5", "tcp", "[::1]:5"},
		{"unix:/tmp/yagna.sock", "unix", "/tmp/yagna.sock"},
		{"unix:///tmp/yagna.sock", "unix", "/tmp/yagna.sock"},
		{"", "", ""},
		{"unix:", "", ""},
		{"http://x", "", ""},
		{"tcp://a/b", "", ""},
		{"pin@host:1", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			network, address, err := router.ParseURL(tt.url)
			if network != tt.network || address != tt.address || errors.Is(err, golem.ErrInvalid) != (tt.network == "") {
				t.Fatalf("got %q %q %v", network, address, err)
			}
		})
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("tcp://127.0.0.1:7464")
	f.Add("unix:/tmp/yagna.sock")
	f.Add("[::1]")
	f.Fuzz(func(t *testing.T, url string) {
		network, address, err := router.ParseURL(url)
		if err != nil {
			return
		}
		if network == "tcp" {
			if _, _, err := net.SplitHostPort(address); err != nil {
				t.Fatalf("%q became %q: %v", url, address, err)
			}
		}
	})
}

func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus.sock")
	l, err := router.Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if _, err := router.Listen(t.Context(), "unix:"+path); !errors.Is(err, golem.ErrConflict) {
		t.Fatalf("in use: got %v, want ErrConflict", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as if killed
	l.Close()
	l, err = router.Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatalf("stale socket: %v", err)
	}
	l.Close()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("after close: %v", err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := router.Listen(t.Context(), "unix:"+path); !errors.Is(err, golem.ErrConflict) {
		t.Fatalf("a file: got %v, want ErrConflict", err)
	}
}

func TestListenTCP(t *testing.T) {
	l, err := router.Listen(t.Context(), "tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := router.Listen(t.Context(), l.Addr().String()); !errors.Is(err, golem.ErrConflict) {
		t.Fatalf("in use: got %v, want ErrConflict", err)
	}
}

func TestDialNobody(t *testing.T) {
	url := "unix:" + filepath.Join(t.TempDir(), "none.sock")
	if _, err := router.Dial(context.WithoutCancel(t.Context()), router.ClientConfig{URL: url}); !errors.Is(err, golem.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
}
