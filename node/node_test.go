package node_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/hub"
	"github.com/golem-go/golem/node"
	"github.com/golem-go/golem/rest/client"
)

// serveHub runs a hub for the test and returns its address.
func serveHub(t *testing.T) string {
	t.Helper()
	h, err := hub.New(hub.Config{Verifier: node.Verifier})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	running(t, func(ctx context.Context) error { return h.Serve(ctx, l) })
	return l.Addr().String()
}

// running runs f until the test, or the function it returns, ends it.
func running(t *testing.T, f func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	end = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
		ended <- nil // for the next one
	}
	t.Cleanup(end)
	return end
}

func config(t *testing.T, hub string) node.Config {
	return node.Config{Dir: t.TempDir(), Hub: hub, API: "http://127.0.0.1:0"}
}

// start runs a node, and returns a client of its API and how to end it.
func start(t *testing.T, cfg node.Config) (*client.Client, func()) {
	t.Helper()
	n, err := node.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, err := n.AppKey(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, n.Run)
	return client.New(n.API(), key.Key.Reveal(), nil), func() {
		stop()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// connected waits until the node is in the network, and returns how it is.
func connected(t *testing.T, c *client.Client) golem.NodeStatus {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		s, err := c.NodeStatus(t.Context())
		if err == nil && s.Network.Connected {
			return s
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("not connected: %+v, %v", s, err)
		}
	}
}

// TestRestart wants a node to be the same one after a restart.
func TestRestart(t *testing.T) {
	cfg := config(t, serveHub(t))
	c, stop := start(t, cfg)
	before := connected(t, c)
	if problems := before.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
	if len(before.Loops) < 5 {
		t.Errorf("only %d loops are watched", len(before.Loops))
	}
	sub, err := c.Publish(t.Context(), golem.Provider, client.Publication{Properties: []byte(`{"a":1}`), Constraints: "()"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := c.Me(t.Context()); golem.KindOf(err) != golem.ErrUnavailable {
		t.Errorf("a node that has ended answers %v", err)
	}
	c, stop = start(t, cfg)
	defer stop()
	if after := connected(t, c); after.Node != before.Node {
		t.Errorf("the node became %s, was %s", after.Node, before.Node)
	}
	if offers, err := c.Offers(t.Context()); err != nil || len(offers) != 1 || offers[0].ID != sub {
		t.Errorf("offers %v, %v", offers, err)
	}
}

// TestOneNodePerDirectory wants a second node to be refused: two would not know of
// each other's money.
func TestOneNodePerDirectory(t *testing.T) {
	cfg := config(t, serveHub(t))
	cfg.GSB = "none"
	_, stop := start(t, cfg)
	n, err := node.New(t.Context(), cfg)
	if err == nil {
		n.Close()
		t.Fatal("two nodes in one directory")
	}
	if golem.KindOf(err) != golem.ErrUnavailable || !strings.Contains(err.Error(), cfg.Dir) {
		t.Errorf("got %v", err)
	}
	stop()
	_, stop = start(t, cfg)
	stop()
}

func TestBadConfig(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		set  func(*node.Config)
		want string
	}{
		{"scheme", func(c *node.Config) { c.API = "ftp://127.0.0.1:1" }, "want http://host:port"},
		{"path", func(c *node.Config) { c.API = "http://127.0.0.1:1/x" }, "want http://host:port"},
		{"port in use", func(c *node.Config) { c.API = "http://" + taken.Addr().String() }, "is another node running?"},
		{"bus for everybody", func(c *node.Config) { c.GSB = "tcp://0.0.0.0:0" }, "other machines could act for the node"},
		{"directory", func(c *node.Config) { c.Dir = filepath.Join(file, "dir") }, "not a directory"},
		{"secret", func(c *node.Config) { c.AutoconfSecret = "zz" }, "private key: want 64 hex digits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := config(t, "127.0.0.1:1")
			test.set(&cfg)
			n, err := node.New(t.Context(), cfg)
			if err == nil {
				n.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want %q", err, test.want)
			}
		})
	}
}
