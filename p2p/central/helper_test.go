package central_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/hub"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/central"
)

// ring signs for all identities that were made.
type ring struct {
	mu     sync.Mutex
	keys   map[golem.NodeID]*identity.Key
	locked map[golem.NodeID]bool
}

func newRing() *ring {
	return &ring{keys: map[golem.NodeID]*identity.Key{}, locked: map[golem.NodeID]bool{}}
}

// identity makes a new one.
func (r *ring) identity(t testing.TB) golem.NodeID {
	key, err := identity.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[key.ID()] = key
	return key.ID()
}

func (r *ring) lock(id golem.NodeID, locked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.locked[id] = locked
}

// Sign implements golem.Signer.
func (r *ring) Sign(ctx context.Context, id golem.NodeID, digest [32]byte) (golem.Signature, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.locked[id] || r.keys[id] == nil {
		return golem.Signature{}, golem.Errorf(golem.ErrUnavailable, "%s is locked", id)
	}
	return r.keys[id].Sign(ctx, id, digest)
}

// verifier is the recovery of signers.
type verifier struct{}

func (verifier) Recover(digest [32]byte, sig golem.Signature) (golem.NodeID, error) {
	return identity.Recover(digest, sig)
}

// listen serves a hub on loopback and returns its address.
func listen(t testing.TB, cfg hub.Config) (*hub.Hub, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, cfg), l.Addr().String()
}

func serve(t testing.TB, l net.Listener, cfg hub.Config) *hub.Hub {
	t.Helper()
	cfg.Verifier = verifier{}
	h, err := hub.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	start(t, func(ctx context.Context) error { return h.Serve(ctx, l) })
	return h
}

// start runs f until the test ends, and waits for it.
func start(t testing.TB, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// connect returns a running, connected network whose handler echoes.
func connect(t testing.TB, cfg central.Config, ids ...golem.NodeID) *central.Network {
	t.Helper()
	n, err := central.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Serve(echo, nil)
	if err := n.SetIdentities(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	start(t, n.Run)
	await(t, "connection", func() bool { return n.Status().Connected })
	return n
}

// echo answers with who asks and what.
func echo(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
	return w(p2p.Reply{Body: []byte(r.From.String() + " " + r.Trust.String() + " " + string(r.Body)), Last: true})
}

// ask makes a call and returns its reply.
func ask(t testing.TB, n *central.Network, from, to golem.NodeID, body string) (reply string, err error) {
	err = n.Call(t.Context(), p2p.Request{From: from, To: to, Addr: "x/Y", Body: []byte(body)}, func(r p2p.Reply) error {
		reply = string(r.Body)
		return nil
	})
	return reply, err
}

// await waits until ok.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: nothing within a minute", what)
		}
		<-tick.C
	}
}

// pipes is a listener in memory, for use in bubbles.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) Dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
