package p2ptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p"
)

// Overlay is one network, for one test of the suite.
type Overlay struct {
	// Node returns another node of the network, not yet running.
	Node func(t testing.TB) p2p.Network
	// Identity returns a new identity that any node can sign for.
	Identity func(t testing.TB) golem.NodeID
	// Trust is what requests must arrive with.
	Trust p2p.Trust
}

// patience is how long the suite waits for what must happen.
const patience = 30 * time.Second

// Run runs the suite. It calls open for each test.
func Run(t *testing.T, open func(t testing.TB) Overlay) {
	tests := []struct {
		name string
		test func(t *testing.T, o Overlay)
	}{
		{"Call", testCall},
		{"Stream", testStream},
		{"Cancel", testCancel},
		{"NoReply", testNoReply},
		{"Datagram", testDatagram},
		{"Oversize", testOversize},
		{"Errors", testErrors},
		{"PeerLost", testPeerLost},
		{"Concurrent", testConcurrent},
		{"From", testFrom},
		{"Broadcast", testBroadcast},
		{"Identities", testIdentities},
		{"WrongNode", testWrongNode},
		{"BackPressure", testBackPressure},
		{"Shutdown", testShutdown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// peer is a running node whose handler can be chosen.
type peer struct {
	p2p.Network
	id   golem.NodeID
	stop func() // ends Run and waits for it

	mu     sync.Mutex
	handle p2p.Handler
	heard  func(from golem.NodeID, trust p2p.Trust, topic string, body []byte)
}

// newPeer starts a node with one identity and waits until it is connected.
func newPeer(t testing.TB, o Overlay) *peer {
	t.Helper()
	p := &peer{Network: o.Node(t), id: o.Identity(t), handle: echo}
	p.Serve(p.serve, p.hear)
	if err := p.SetIdentities(t.Context(), []golem.NodeID{p.id}); err != nil {
		t.Fatalf("identities: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			t.Errorf("run did not end within %v", patience)
		}
	})
	t.Cleanup(p.stop)
	await(t, "the connection", func() bool { return p.Status().Connected })
	return p
}

func (p *peer) serve(ctx context.Context, r p2p.Request, w func(p2p.Reply) error) error {
	p.mu.Lock()
	h := p.handle
	p.mu.Unlock()
	return h(ctx, r, w)
}

func (p *peer) hear(_ context.Context, from golem.NodeID, trust p2p.Trust, topic string, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heard != nil {
		p.heard(from, trust, topic, body)
	}
}

// answers sets the handler.
func (p *peer) answers(h p2p.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handle = h
}

// echo answers with the body of the request.
func echo(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
	return w(p2p.Reply{Body: r.Body, Last: true})
}

// request returns a request from one peer to another.
func request(from, to *peer, body string) p2p.Request {
	return p2p.Request{From: from.id, To: to.id, Addr: "test/service/Method", Body: []byte(body)}
}

// ask makes a call and returns the bodies of its replies.
func ask(t testing.TB, n p2p.Network, r p2p.Request) (bodies []string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = n.Call(ctx, r, func(reply p2p.Reply) error {
		bodies = append(bodies, string(reply.Body))
		return nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer within %v", patience)
	}
	return bodies, err
}

// await waits until ok.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: nothing within %v", what, patience)
		}
		<-tick.C
	}
}

// receive returns what comes through ch.
func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing within %v", what, patience)
		panic("unreachable")
	}
}

func testCall(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	got := make(chan p2p.Request, 1)
	b.answers(func(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
		got <- r
		return w(p2p.Reply{Body: append([]byte("re: "), r.Body...), Last: true})
	})
	for _, channel := range []p2p.Channel{p2p.Reliable, p2p.Transfer} {
		r := request(a, b, "hello")
		r.Channel = channel
		bodies, err := ask(t, a, r)
		if err != nil || len(bodies) != 1 || bodies[0] != "re: hello" {
			t.Fatalf("%v: got %q, %v", channel, bodies, err)
		}
		seen := <-got
		if seen.From != a.id || seen.To != b.id || seen.Addr != r.Addr || seen.NoReply || string(seen.Body) != "hello" {
			t.Errorf("%v: arrived as %+v", channel, seen)
		}
		if seen.Trust != o.Trust {
			t.Errorf("%v: trust %v, want %v", channel, seen.Trust, o.Trust)
		}
	}
	if bodies, err := ask(t, a, p2p.Request{From: a.id, To: b.id, Addr: "x"}); err != nil || len(bodies) != 1 {
		t.Fatalf("empty body: %q, %v", bodies, err)
	}
}

func testStream(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	const n = 500
	for _, tt := range []struct {
		name string
		last bool // the end comes with the last item
		want int
	}{{"end with the last item", true, n}, {"end of its own", false, n + 1}} {
		b.answers(func(_ context.Context, _ p2p.Request, w func(p2p.Reply) error) error {
			for i := range n {
				if err := w(p2p.Reply{Body: fmt.Append(nil, i), Last: tt.last && i == n-1}); err != nil {
					return err
				}
			}
			return nil
		})
		bodies, err := ask(t, a, request(a, b, ""))
		if err != nil || len(bodies) != tt.want {
			t.Fatalf("%s: %d replies, %v, want %d", tt.name, len(bodies), err, tt.want)
		}
		for i := range n {
			if bodies[i] != fmt.Sprint(i) {
				t.Fatalf("%s: reply %d is %q", tt.name, i, bodies[i])
			}
		}
	}
}

func testCancel(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	ended := make(chan error, 1)
	b.answers(func(ctx context.Context, r p2p.Request, w func(p2p.Reply) error) error {
		for {
			if err := w(p2p.Reply{Body: []byte("more")}); err != nil {
				ended <- err
				return err
			}
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := a.Call(ctx, request(a, b, ""), func(p2p.Reply) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: got %v", err)
	}
	receive(t, "the handler's end", ended)

	enough := errors.New("enough")
	err = a.Call(t.Context(), request(a, b, ""), func(p2p.Reply) error { return enough })
	if !errors.Is(err, enough) {
		t.Fatalf("the reader's own error: got %v", err)
	}
	receive(t, "the handler's end", ended)

	b.answers(func(ctx context.Context, _ p2p.Request, _ func(p2p.Reply) error) error {
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	})
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := a.Call(short, request(a, b, ""), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("late: got %v", err)
	}
	receive(t, "the end of the handler's context", ended)
}

func testNoReply(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	got, release := make(chan p2p.Request, 1), make(chan struct{})
	wrote := make(chan error, 1)
	b.answers(func(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
		got <- r
		<-release
		wrote <- w(p2p.Reply{Body: []byte("unwanted"), Last: true})
		return errors.New("nor this")
	})
	r := request(a, b, "fire")
	r.NoReply = true
	bodies, err := ask(t, a, r) // returns while the handler waits
	if err != nil || len(bodies) != 0 {
		t.Fatalf("got %q, %v", bodies, err)
	}
	if seen := receive(t, "the request", got); !seen.NoReply || string(seen.Body) != "fire" {
		t.Fatalf("arrived as %+v", seen)
	}
	close(release)
	if err := receive(t, "the reply", wrote); err != nil {
		t.Fatalf("an unwanted reply: %v", err)
	}
}

func testDatagram(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	var got atomic.Int64
	b.answers(func(_ context.Context, r p2p.Request, _ func(p2p.Reply) error) error {
		got.Add(1)
		return nil
	})
	r := request(a, b, "datagram")
	r.Channel = p2p.Unreliable
	await(t, "a datagram", func() bool { // it may be lost, so repeat
		if err := a.Call(t.Context(), r, func(p2p.Reply) error {
			t.Error("a datagram was replied to")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return got.Load() > 0
	})
}

func testOversize(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	var calls atomic.Int64
	b.answers(func(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
		calls.Add(1)
		return w(p2p.Reply{Body: make([]byte, p2p.MaxBody+1), Last: true})
	})
	r := request(a, b, "")
	r.Body = make([]byte, p2p.MaxBody+1)
	if _, err := ask(t, a, r); !errors.Is(err, golem.ErrTooLarge) || calls.Load() != 0 {
		t.Fatalf("request too long: got %v, %d calls, want ErrTooLarge and none", err, calls.Load())
	}
	if _, err := ask(t, a, request(a, b, "")); !errors.Is(err, golem.ErrUnavailable) {
		t.Fatalf("reply too long: got %v", err)
	}
	b.answers(echo)
	r.Body = bytes.Repeat([]byte("0123456789abcdef"), p2p.MaxBody/16)
	bodies, err := ask(t, a, r)
	if err != nil || len(bodies) != 1 || bodies[0] != string(r.Body) {
		t.Fatalf("as long as may be: %d replies, %v", len(bodies), err)
	}
}

func testErrors(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	const nobody = "endpoint address not found"
	b.answers(func(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
		switch string(r.Body) {
		case "late":
			return errors.Join(w(p2p.Reply{Body: []byte("1")}), golem.Errorf(golem.ErrConflict, "what a pity"))
		case "secret":
			return errors.New("password 12345")
		}
		return golem.Errorf(golem.ErrUnavailable, nobody)
	})
	bodies, err := ask(t, a, request(a, b, ""))
	if !errors.Is(err, golem.ErrUnavailable) || !bytes.Contains([]byte(err.Error()), []byte(nobody)) || len(bodies) != 0 {
		t.Fatalf("unknown service: got %q, %v, want %q", bodies, err, nobody)
	}
	if bodies, err = ask(t, a, request(a, b, "late")); !errors.Is(err, golem.ErrUnavailable) || len(bodies) != 1 {
		t.Fatalf("failed later: got %q, %v", bodies, err)
	}
	if _, err = ask(t, a, request(a, b, "secret")); !errors.Is(err, golem.ErrUnavailable) || bytes.Contains([]byte(err.Error()), []byte("12345")) {
		t.Fatalf("an error of the implementation: got %v", err)
	}
}

func testPeerLost(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	b.answers(func(ctx context.Context, _ p2p.Request, w func(p2p.Reply) error) error {
		if err := w(p2p.Reply{Body: []byte("1")}); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	var bodies atomic.Int64
	done := make(chan error, 1)
	go func() {
		done <- a.Call(context.WithoutCancel(t.Context()), request(a, b, ""), func(p2p.Reply) error {
			bodies.Add(1)
			return nil
		})
	}()
	await(t, "the first reply", func() bool { return bodies.Load() == 1 })
	b.stop()
	if err := receive(t, "the end of the call", done); !errors.Is(err, golem.ErrUnavailable) {
		t.Fatalf("mid-stream: got %v, want ErrUnavailable", err)
	}
	if _, err := ask(t, a, request(a, b, "")); !errors.Is(err, golem.ErrUnavailable) {
		t.Fatalf("afterwards: got %v, want ErrUnavailable", err)
	}
}

func testConcurrent(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	const n = 1000
	var arrived atomic.Int64
	all := make(chan struct{})
	b.answers(func(ctx context.Context, r p2p.Request, w func(p2p.Reply) error) error {
		if arrived.Add(1) == n {
			close(all)
		}
		select {
		case <-all: // nobody is answered before all are there
		case <-ctx.Done():
			return ctx.Err()
		}
		return w(p2p.Reply{Body: r.Body, Last: true})
	})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			body := fmt.Sprint(i)
			if bodies, err := ask(t, a, request(a, b, body)); err != nil || len(bodies) != 1 || bodies[0] != body {
				t.Errorf("call %d: got %q, %v", i, bodies, err)
			}
		})
	}
	wg.Wait()
}

func testFrom(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	var calls atomic.Int64
	b.answers(func(_ context.Context, _ p2p.Request, w func(p2p.Reply) error) error {
		calls.Add(1)
		return w(p2p.Reply{Last: true})
	})
	for name, from := range map[string]golem.NodeID{"a stranger": o.Identity(t), "the receiver": b.id, "nobody": {}} {
		r := request(a, b, "")
		r.From = from
		if _, err := ask(t, a, r); !errors.Is(err, golem.ErrForbidden) || calls.Load() != 0 {
			t.Errorf("in the name of %s: got %v, %d calls, want ErrForbidden and none", name, err, calls.Load())
		}
		if err := a.Broadcast(t.Context(), from, "t", nil); !errors.Is(err, golem.ErrForbidden) {
			t.Errorf("broadcast in the name of %s: got %v, want ErrForbidden", name, err)
		}
	}
}

func testBroadcast(t *testing.T, o Overlay) {
	const topic, receivers = "suite-topic", 5
	type heard struct {
		at    int
		from  golem.NodeID
		trust p2p.Trust
		body  string
	}
	ear := make(chan heard, 10_000)
	listen := func(i int) *peer {
		p := newPeer(t, o)
		if s, ok := p.Network.(p2p.Subscriber); ok {
			t.Cleanup(s.Subscribe(topic))
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.heard = func(from golem.NodeID, trust p2p.Trust, name string, body []byte) {
			if name == topic {
				ear <- heard{i, from, trust, string(body)}
			}
		}
		return p
	}
	a := listen(-1)
	for i := range receivers {
		listen(i)
	}
	missing := map[int]bool{}
	for i := range receivers {
		missing[i] = true
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for len(missing) > 0 {
		select {
		case <-tick.C: // broadcasts are lossy: who must be heard repeats himself
			if err := a.Broadcast(t.Context(), a.id, topic, []byte("news")); err != nil {
				t.Fatal(err)
			}
		case h := <-ear:
			if h.at < 0 {
				t.Fatal("a broadcast came back to its sender")
			}
			if h.from != a.id || h.trust != o.Trust || h.body != "news" {
				t.Fatalf("heard %+v", h)
			}
			delete(missing, h.at)
		case <-deadline:
			t.Fatalf("%d of %d have not heard", len(missing), receivers)
		}
	}
	if err := a.Broadcast(t.Context(), a.id, topic, make([]byte, p2p.MaxBody+1)); !errors.Is(err, golem.ErrTooLarge) {
		t.Fatalf("too long: got %v", err)
	}
}

func testIdentities(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	second := o.Identity(t)
	to := request(a, b, "x")
	to.To = second
	if _, err := ask(t, a, to); !errors.Is(err, golem.ErrUnavailable) {
		t.Fatalf("before it is added: got %v", err)
	}
	seen := make(chan p2p.Request, 10)
	b.answers(func(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
		seen <- r
		return w(p2p.Reply{Last: true})
	})
	set := func(ids ...golem.NodeID) {
		t.Helper()
		if err := b.SetIdentities(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		if got := b.Status().IDs; len(got) != len(ids) || got[0] != ids[0] {
			t.Fatalf("status has %v, want %v", got, ids)
		}
	}
	set(b.id, second)
	if _, err := ask(t, a, to); err != nil {
		t.Fatalf("added: %v", err)
	}
	if r := <-seen; r.To != second || r.Trust != o.Trust {
		t.Fatalf("arrived as %+v", r)
	}
	back := request(b, a, "x")
	back.From = second
	if _, err := ask(t, b, back); err != nil {
		t.Fatalf("in the name of the second: %v", err)
	}
	set(second)
	if _, err := ask(t, a, request(a, b, "")); !errors.Is(err, golem.ErrUnavailable) || len(seen) > 0 {
		t.Fatalf("removed: got %v, %d calls", err, len(seen))
	}
	if _, err := ask(t, b, request(b, a, "")); !errors.Is(err, golem.ErrForbidden) {
		t.Fatalf("in the name of the removed: got %v, want ErrForbidden", err)
	}
	if _, err := ask(t, a, to); err != nil {
		t.Fatalf("kept: %v", err)
	}
}

// A node never sees a request that is for another one.
func testWrongNode(t *testing.T, o Overlay) {
	a, b, c := newPeer(t, o), newPeer(t, o), newPeer(t, o)
	var wrong atomic.Int64
	for _, p := range []*peer{b, c} {
		p.answers(func(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
			if r.To != p.id {
				wrong.Add(1)
			}
			return w(p2p.Reply{Body: p.id[:], Last: true})
		})
	}
	for range 20 {
		for _, p := range []*peer{b, c} {
			if bodies, err := ask(t, a, request(a, p, "")); err != nil || bodies[0] != string(p.id[:]) {
				t.Fatalf("got %q, %v", bodies, err)
			}
		}
	}
	for _, to := range []golem.NodeID{o.Identity(t), {}} {
		r := request(a, b, "")
		r.To = to
		if _, err := ask(t, a, r); !errors.Is(err, golem.ErrUnavailable) {
			t.Fatalf("to nobody: got %v, want ErrUnavailable", err)
		}
	}
	if wrong.Load() != 0 {
		t.Fatalf("%d requests reached the wrong node", wrong.Load())
	}
}

// The sender of a stream is never far ahead of its reader.
func testBackPressure(t *testing.T, o Overlay) {
	const chunk, all, most = 256 << 10, 192, 32 << 20
	a, b := newPeer(t, o), newPeer(t, o)
	var sent atomic.Int64
	body := bytes.Repeat([]byte("back pressure..."), chunk/16)
	b.answers(func(_ context.Context, _ p2p.Request, w func(p2p.Reply) error) error {
		for range all {
			if err := w(p2p.Reply{Body: body}); err != nil {
				return err
			}
			sent.Add(1)
		}
		return nil
	})
	read, ahead := int64(0), int64(0)
	err := a.Call(t.Context(), request(a, b, ""), func(r p2p.Reply) error {
		if len(r.Body) == 0 {
			return nil
		}
		if !bytes.Equal(r.Body, body) { // take some time over it
			return errors.New("the reply is another one")
		}
		read++
		ahead = max(ahead, sent.Load()-read)
		return nil
	})
	if err != nil || read != all {
		t.Fatalf("read %d of %d, %v", read, all, err)
	}
	if ahead*chunk > most {
		t.Fatalf("the sender was %d MiB ahead of the reader", ahead*chunk>>20)
	}
}

// Run ends although calls are in flight both ways, and ends their handlers.
func testShutdown(t *testing.T, o Overlay) {
	a, b := newPeer(t, o), newPeer(t, o)
	started, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	wait := func(ctx context.Context, _ p2p.Request, _ func(p2p.Reply) error) error {
		started <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	}
	a.answers(wait)
	b.answers(wait)
	calls := make(chan error, 2)
	ctx := context.WithoutCancel(t.Context())
	go func() { calls <- a.Call(ctx, request(a, b, ""), nil) }()
	go func() { calls <- b.Call(ctx, request(b, a, ""), nil) }()
	receive(t, "the first call", started)
	receive(t, "the second call", started)
	b.stop()
	a.stop()
	for range 2 {
		receive(t, "the end of a handler", ended)
		if err := receive(t, "the end of a call", calls); !errors.Is(err, golem.ErrUnavailable) {
			t.Errorf("call in flight: got %v, want ErrUnavailable", err)
		}
	}
	if a.Status().Connected {
		t.Error("stopped, and connected")
	}
}
