package hub_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/hub"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/wire"
)

// world is a hub in a bubble.
type world struct {
	*hub.Hub
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (w *world) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}

func (w *world) Close() error   { w.once.Do(func() { close(w.done) }); return nil }
func (w *world) Addr() net.Addr { return &net.UnixAddr{Name: "hub", Net: "pipe"} }

// verifier is the recovery of signers.
type verifier struct{}

func (verifier) Recover(digest [32]byte, sig golem.Signature) (golem.NodeID, error) {
	return identity.Recover(digest, sig)
}

func bubble(t *testing.T, cfg hub.Config, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Verifier = verifier{}
		h, err := hub.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{Hub: h, conns: make(chan net.Conn), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- h.Serve(ctx, w) }()
		t.Cleanup(func() {
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
		f(t, w)
	})
}

// guest is a connection to the hub.
type guest struct {
	*router.Client
	hub  router.Router
	stop func()
}

func (w *world) guest(t *testing.T) *guest {
	t.Helper()
	g := &guest{}
	dial := func(ctx context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case w.conns <- there:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var err error
	g.Client, err = router.NewClient(router.ClientConfig{Dial: dial, Joined: func(_ context.Context, r router.Router) error {
		g.hub = r
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	g.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(g.stop)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

var nobody golem.NodeID

func (g *guest) nonce(t *testing.T) []byte {
	t.Helper()
	c, err := wire.HubChallenge.Call(t.Context(), g, nobody, nobody, struct{}{})
	if err != nil || len(c.Nonce) != wire.HubNonceSize {
		t.Fatalf("nonce %x, %v", c.Nonce, err)
	}
	return c.Nonce
}

// proof returns what key signs for node.
func (g *guest) proof(t *testing.T, nonce []byte, key *identity.Key, node golem.NodeID) wire.HubIdentity {
	t.Helper()
	sig, err := key.Sign(t.Context(), key.ID(), wire.HubJoin{Nonce: nonce, Instance: g.hub.Instance, Node: node}.Digest())
	if err != nil {
		t.Fatal(err)
	}
	return wire.HubIdentity{Node: node, Signature: sig[:]}
}

func (g *guest) prove(t *testing.T, proofs ...wire.HubIdentity) error {
	t.Helper()
	_, err := wire.HubProve.Call(t.Context(), g, nobody, nobody, wire.HubProof{Identities: proofs})
	return err
}

// enter proves and registers an identity.
func (g *guest) enter(t *testing.T, key *identity.Key) {
	t.Helper()
	if err := g.prove(t, g.proof(t, g.nonce(t), key, key.ID())); err != nil {
		t.Fatal(err)
	}
	if err := g.register(key.ID()); err != nil {
		t.Fatal(err)
	}
}

// register binds the address of a node to what tells who calls.
func (g *guest) register(id golem.NodeID) error {
	_, err := g.Bind("/net/"+id.String(), func(_ context.Context, r gsb.Request, w func(gsb.Reply) error) error {
		return w(gsb.Reply{Body: []byte(r.Caller.String() + " " + r.Trust.String()), Last: true})
	})
	return err
}

// ask calls the node to in the name of from.
func (g *guest) ask(t *testing.T, from, to golem.NodeID) (reply string, err error) {
	err = g.Call(t.Context(), gsb.Request{Caller: from, Addr: "/net/" + to.String() + "/x/Y"}, func(r gsb.Reply) error {
		reply = string(r.Body)
		return nil
	})
	return reply, err
}

func newKey(t *testing.T) *identity.Key {
	t.Helper()
	key, err := identity.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestProof(t *testing.T) {
	bubble(t, hub.Config{}, func(t *testing.T, w *world) {
		g, key, other := w.guest(t), newKey(t), newKey(t)
		if err := g.register(key.ID()); !errors.Is(err, golem.ErrInvalid) || !strings.Contains(err.Error(), "not proven") {
			t.Fatalf("registered without proof: %v", err)
		}
		nonce := g.nonce(t)
		wrongHub := g.proof(t, nonce, key, key.ID())
		elsewhere := *g
		elsewhere.hub.Instance[0]++
		short := g.proof(t, nonce, key, key.ID())
		short.Signature = short.Signature[1:]
		for name, proofs := range map[string][]wire.HubIdentity{
			"another key":       {g.proof(t, nonce, other, key.ID())},
			"another nonce":     {g.proof(t, []byte(strings.Repeat("x", 32)), key, key.ID())},
			"another hub":       {elsewhere.proof(t, nonce, key, key.ID())},
			"short":             {short},
			"one of two":        {wrongHub, g.proof(t, nonce, other, golem.NodeID{1})},
			"no such signature": {{Node: key.ID(), Signature: make([]byte, 65)}},
		} {
			if err := g.prove(t, proofs...); !errors.Is(err, golem.ErrForbidden) && !errors.Is(err, golem.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := g.prove(t, g.proof(t, nonce, key, key.ID())); !errors.Is(err, golem.ErrInvalid) {
			t.Fatalf("used nonce: %v", err)
		}
		if err := g.register(key.ID()); err == nil {
			t.Fatal("registered after false proofs")
		}
		nonce = g.nonce(t)
		time.Sleep(61 * time.Second)
		if err := g.prove(t, g.proof(t, nonce, key, key.ID())); !errors.Is(err, golem.ErrInvalid) {
			t.Fatalf("old nonce: %v", err)
		}
		second := w.guest(t)
		nonce = g.nonce(t)
		if err := second.prove(t, g.proof(t, nonce, key, key.ID())); !errors.Is(err, golem.ErrInvalid) {
			t.Fatalf("the nonce of another connection: %v", err)
		}
		if err := g.prove(t, g.proof(t, nonce, key, key.ID()), g.proof(t, nonce, other, other.ID())); err != nil {
			t.Fatal(err)
		}
		for _, id := range []golem.NodeID{key.ID(), other.ID()} {
			if err := g.register(id); err != nil {
				t.Fatal(err)
			}
		}
		if nodes := w.Nodes(); len(nodes) != 2 || !nodes[0].Proven || nodes[0].ID.String() > nodes[1].ID.String() {
			t.Fatalf("nodes %v", nodes)
		}
		g.stop()
		synctest.Wait()
		if nodes := w.Nodes(); len(nodes) != 0 {
			t.Fatalf("gone, and still there: %v", nodes)
		}
	})
}

func TestCaller(t *testing.T) {
	bubble(t, hub.Config{}, func(t *testing.T, w *world) {
		a, b, alice, bob := w.guest(t), w.guest(t), newKey(t), newKey(t)
		a.enter(t, alice)
		b.enter(t, bob)
		if got, err := a.ask(t, alice.ID(), bob.ID()); err != nil || got != alice.ID().String()+" relay" {
			t.Fatalf("got %q, %v", got, err)
		}
		for name, from := range map[string]golem.NodeID{"the receiver": bob.ID(), "a stranger": {5}, "nobody": nobody} {
			if _, err := a.ask(t, from, bob.ID()); !errors.Is(err, golem.ErrUnavailable) || !strings.Contains(err.Error(), "caller") {
				t.Errorf("in the name of %s: %v", name, err)
			}
		}
		if _, err := a.ask(t, alice.ID(), golem.NodeID{7}); !errors.Is(err, gsb.ErrNoEndpoint) {
			t.Errorf("to nobody: %v", err)
		}
		var heard []string
		var mu sync.Mutex
		b.Subscribe("news", func(_ context.Context, m router.Broadcast) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, m.From.String()+" "+m.Trust.String())
		})
		for _, from := range []golem.NodeID{bob.ID(), {5}, nobody, alice.ID()} {
			if err := a.Broadcast(router.Broadcast{From: from, Topic: "news"}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(heard) != 1 || heard[0] != alice.ID().String()+" relay" {
			t.Fatalf("heard %v", heard)
		}
	})
}

func TestUnproven(t *testing.T) {
	bubble(t, hub.Config{AllowUnproven: true}, func(t *testing.T, w *world) {
		rust, thief, alice := w.guest(t), w.guest(t), newKey(t)
		mallory := golem.NodeID{9}
		if err := rust.register(mallory); err != nil {
			t.Fatal(err)
		}
		if got, err := rust.ask(t, mallory, mallory); err != nil || got != mallory.String()+" claim" {
			t.Fatalf("got %q, %v", got, err)
		}
		if _, err := thief.ask(t, mallory, mallory); err == nil {
			t.Fatal("called in the name of a node of another connection")
		}
		if err := thief.register(mallory); !errors.Is(err, golem.ErrConflict) {
			t.Fatalf("got %v, want ErrConflict", err)
		}

		if err := thief.register(alice.ID()); err != nil {
			t.Fatal(err)
		}
		a := w.guest(t)
		a.enter(t, alice) // who proves it has it
		if got, err := rust.ask(t, mallory, alice.ID()); err != nil || got != mallory.String()+" claim" {
			t.Fatalf("got %q, %v", got, err)
		}
		if _, err := thief.ask(t, alice.ID(), mallory); err == nil {
			t.Fatal("still called in the name of an identity that was proven by another")
		}
		if got, err := a.ask(t, alice.ID(), mallory); err != nil || got != alice.ID().String()+" relay" {
			t.Fatalf("got %q, %v", got, err)
		}

		late := newKey(t) // first claimed, then proven, on one connection
		if err := rust.register(late.ID()); err != nil {
			t.Fatal(err)
		}
		if err := rust.prove(t, rust.proof(t, rust.nonce(t), late, late.ID())); err != nil {
			t.Fatal(err)
		}
		for _, n := range w.Nodes() {
			if want := n.ID != mallory; n.Proven != want {
				t.Errorf("node %v", n)
			}
		}
	})
}

func TestOneConnectionEach(t *testing.T) {
	bubble(t, hub.Config{}, func(t *testing.T, w *world) {
		a, b, alice := w.guest(t), w.guest(t), newKey(t)
		a.enter(t, alice)
		if err := b.prove(t, b.proof(t, b.nonce(t), alice, alice.ID())); err != nil {
			t.Fatal(err)
		}
		if err := b.register(alice.ID()); !errors.Is(err, golem.ErrConflict) {
			t.Fatalf("connected twice: got %v, want ErrConflict", err)
		}
		a.stop()
		synctest.Wait()
		if err := b.register(alice.ID()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAddresses(t *testing.T) {
	bubble(t, hub.Config{AllowUnproven: true}, func(t *testing.T, w *world) {
		g := w.guest(t)
		for _, addr := range []string{
			"/hub/auth", "/hub/ledger", "/public/x", "/net", "/net/0x12", "/net/" + nobody.String(),
			"/net/0xAABBCCDDEEFF00112233445566778899AABBCCDD", "/net/" + golem.NodeID{1}.String() + "/x",
		} {
			if _, err := g.Bind(addr, nil); !errors.Is(err, golem.ErrInvalid) {
				t.Errorf("bound %s: %v", addr, err)
			}
		}
		var from gsb.Peer
		ping := gsb.Method[string, string]{Service: "/hub/test", Name: "Ping"}
		if _, err := ping.Handle(w.Bus(), func(_ context.Context, p gsb.Peer, s string) (string, error) { from = p; return s, nil }); err != nil {
			t.Fatal(err)
		}
		if got, err := ping.Call(t.Context(), g, nobody, nobody, "hi"); err != nil || got != "hi" || from.Node != nobody || from.Trust != p2p.TrustClaim {
			t.Fatalf("got %q from %+v, %v", got, from, err)
		}
	})
}

func TestManyIdentities(t *testing.T) {
	bubble(t, hub.Config{Limits: router.Limits{Services: 2}}, func(t *testing.T, w *world) {
		g, key := w.guest(t), newKey(t)
		p := g.proof(t, g.nonce(t), key, key.ID())
		if err := g.prove(t, p, p, p); !errors.Is(err, golem.ErrInvalid) {
			t.Fatalf("got %v, want ErrInvalid", err)
		}
	})
}

func TestNew(t *testing.T) {
	if _, err := hub.New(hub.Config{}); !errors.Is(err, golem.ErrInvalid) {
		t.Fatalf("no verifier: got %v, want ErrInvalid", err)
	}
}
