package router_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/gsb/router/gsbpb"
	"github.com/golem-go/golem/p2p"
)

func TestClientCalls(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		bind(w, w.bus, "/local/node", echo)
		a, b := w.client(router.ClientConfig{}), w.client(router.ClientConfig{})
		release := bind(w, b, "/public/b", echo)
		if got, err := ask(t.Context(), a, "/local/node/X", "hi"); err != nil || got != "hi" {
			t.Fatalf("process to node: %q, %v", got, err)
		}
		if got, err := ask(t.Context(), w.bus, "/public/b/X", "hi"); err != nil || got != "hi" {
			t.Fatalf("node to process: %q, %v", got, err)
		}
		if got, err := ask(t.Context(), a, "/public/b/X", "hi"); err != nil || got != "hi" {
			t.Fatalf("process to process: %q, %v", got, err)
		}
		if _, err := a.Bind("/public/b", echo); !errors.Is(err, golem.ErrConflict) {
			t.Fatalf("bound by another: got %v, want ErrConflict", err)
		}
		if _, err := a.Bind("b", echo); !errors.Is(err, golem.ErrInvalid) {
			t.Fatalf("no address: got %v, want ErrInvalid", err)
		}
		release()
		if _, err := ask(t.Context(), a, "/public/b/X", ""); !errors.Is(err, gsb.ErrNoEndpoint) {
			t.Fatalf("released: got %v, want ErrNoEndpoint", err)
		}
		bind(w, a, "/public/b", echo)
		err := a.Call(t.Context(), gsb.Request{Addr: "/local/node", Body: make([]byte, p2p.MaxBody+1)}, nil)
		if !errors.Is(err, golem.ErrTooLarge) {
			t.Fatalf("long request: got %v, want ErrTooLarge", err)
		}
		err = a.Call(t.Context(), gsb.Request{Addr: "/local/\xff"}, nil)
		if !errors.Is(err, golem.ErrInvalid) {
			t.Fatalf("address that is not text: got %v, want ErrInvalid", err)
		}
	})
}

// Trust and caller reach other processes through our router, and only through ours.
func TestClientTrust(t *testing.T) {
	peer := golem.NodeID{19: 7}
	var got gsb.Request
	see := func(_ context.Context, r gsb.Request, w func(gsb.Reply) error) error {
		got = r
		return w(gsb.Reply{Last: true})
	}
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		bind(w, w.client(router.ClientConfig{}), "/public/x", see)
		for _, trust := range []p2p.Trust{p2p.TrustClaim, p2p.TrustRelay, p2p.TrustSession, p2p.TrustKey, p2p.TrustLocal} {
			r := gsb.Request{Caller: peer, Trust: trust, Addr: "/public/x/Y", Body: []byte("b")}
			if err := w.bus.Call(t.Context(), r, func(gsb.Reply) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if got.Caller != peer || got.Trust != trust || got.Addr != "/public/x/Y" {
				t.Fatalf("got %+v, want that of %v", got, trust)
			}
		}
		forged := request("1", "/public/x/Y", "")
		forged.GetCallRequest().Caller, forged.GetCallRequest().Trust = peer.String(), uint32(p2p.TrustKey)
		a := w.rawHello('a')
		a.send(forged)
		a.expect(full("1", ""))
		if !got.Caller.IsZero() || got.Trust != p2p.TrustLocal {
			t.Fatalf("forged caller came through: %+v", got)
		}
	})
	upstream(t, router.ClientConfig{}, func(t *testing.T, c *router.Client, r *raw) {
		go c.Bind("/public/x", see)
		r.expect(register("/public/x"))
		r.send(registered(gsbpb.RegisterReply_OK, ""))
		claim := request("1", "/public/x/Y", "")
		claim.GetCallRequest().Caller, claim.GetCallRequest().Trust = peer.String(), uint32(p2p.TrustKey)
		r.send(claim)
		r.expect(full("1", ""))
		if got.Caller != peer || got.Trust != p2p.TrustClaim {
			t.Fatalf("got %+v, want a mere claim", got)
		}
	})
}

// upstream runs f with a client and the raw end of a router without extensions.
func upstream(t *testing.T, cfg router.ClientConfig, f func(t *testing.T, c *router.Client, r *raw)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		cfg.Dial = p.Dial
		c, err := router.NewClient(cfg)
		if err != nil {
			t.Fatal(err)
		}
		start(t, c.Run)
		r := accept(t, p)
		if err := c.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t, c, r)
	})
}

// accept is a router's side of the handshake.
func accept(t *testing.T, p *pipes) *raw {
	t.Helper()
	nc, err := p.Accept()
	if err != nil {
		t.Fatal(err)
	}
	r := newRaw(t, nc)
	r.hello(strings.Repeat("r", 16))
	return r
}

func TestClientOfUpstream(t *testing.T) {
	upstream(t, router.ClientConfig{}, func(t *testing.T, c *router.Client, r *raw) {
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { _, err := ask(ctx, c, "/a/b", "x"); left <- err }()
		call := r.next().GetCallRequest()
		if call.Address != "/a/b" || string(call.Data) != "x" || call.Trust != 0 || call.NoReply {
			t.Fatalf("got %v", call)
		}
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Fatalf("left: %v", err)
		}
		r.send(ping())
		r.expect(pong()) // and no CallCancel, which upstream does not know

		go func() { _, err := ask(t.Context(), c, "/a/b", ""); left <- err }()
		r.send(failed(r.next().GetCallRequest().RequestId, 400, "Bad request: endpoint address not found"))
		if err := <-left; !errors.Is(err, gsb.ErrNoEndpoint) || err.Error() != "Bad request: endpoint address not found" {
			t.Fatalf("nested text: %v", err)
		}

		r.send(registered(gsbpb.RegisterReply_OK, "")) // unasked: kept for nobody
		r.send(registered(gsbpb.RegisterReply_OK, ""))
		r.expectEnd()
	})
}

func TestClientKeepalive(t *testing.T) {
	upstream(t, router.ClientConfig{Keepalive: 5 * time.Second}, func(t *testing.T, c *router.Client, r *raw) {
		began := time.Now()
		r.expect(ping())
		time.Sleep(70 * time.Millisecond)
		r.send(ping())
		r.expect(pong())
		if s := c.Status(); !s.Connected || s.RTT != 70*time.Millisecond || s.Heard.IsZero() {
			t.Fatalf("status %+v", s)
		}
		for range 3 {
			r.expect(ping())
		}
		r.expectEnd()
		if d := time.Since(began); d != 25*time.Second { // heard at 5.07
			t.Fatalf("gave up after %v", d)
		}
		synctest.Wait()
		if s := c.Status(); s.Connected || s.Problem == nil {
			t.Fatalf("status %+v", s)
		}
	})
}

func TestClientReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		var dials []time.Duration
		began, refuse := time.Now(), true
		joins := 0
		c, err := router.NewClient(router.ClientConfig{
			Rand: rand.New(rand.NewPCG(1, 2)),
			Dial: func(ctx context.Context) (net.Conn, error) {
				dials = append(dials, time.Since(began))
				if refuse {
					return nil, errors.New("refused")
				}
				return p.Dial(ctx)
			},
			Joined: func(_ context.Context, r router.Router) error {
				if joins++; joins == 1 {
					return errors.New("not today")
				}
				if !r.Modern || r.Name != "golem" || r.Instance == [16]byte{} {
					t.Errorf("joined %+v", r)
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		bind(t, c, "/public/x", echo) // before there is a connection
		var heard []string
		c.Subscribe("news", func(_ context.Context, b router.Broadcast) { heard = append(heard, string(b.Body)) })
		if _, err := ask(t.Context(), c, "/local/x", ""); !errors.Is(err, golem.ErrUnavailable) {
			t.Fatalf("not connected: got %v, want ErrUnavailable", err)
		}
		if c.TrySend(gsb.Request{Addr: "/x"}) || c.Broadcast(router.Broadcast{Topic: "t"}) == nil {
			t.Fatal("not connected, and sent")
		}
		start(t, c.Run)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for i := range dials[1:] {
			pause, want := dials[i+1]-dials[i], min(time.Minute, time.Second<<i)
			if pause < want || pause > want*5/4 {
				t.Errorf("pause %d is %v, want %v and a quarter at most", i, pause, want)
			}
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Ready(short); !errors.Is(err, golem.ErrUnavailable) || !strings.Contains(err.Error(), "refused") {
			t.Fatalf("not connected: %v", err)
		}

		bus := gsb.New(gsb.Config{})
		bind(t, bus, "/local/wait", func(ctx context.Context, _ gsb.Request, _ func(gsb.Reply) error) error {
			<-ctx.Done()
			return ctx.Err()
		})
		for round := range 3 { // routers come and go
			refuse = false
			_, stop := serve(t, p, router.Config{Session: router.NewLocal(bus)})
			if err := c.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := ask(t.Context(), bus, "/public/x/Y", "hi"); err != nil || got != "hi" {
				t.Fatalf("round %d: %q, %v", round, got, err)
			}
			if err := c.Broadcast(router.Broadcast{Topic: "news", Body: fmt.Append(nil, round)}); err != nil {
				t.Fatal(err)
			}
			lost := make(chan error, 1)
			go func() { _, err := ask(t.Context(), c, "/local/wait", ""); lost <- err }()
			synctest.Wait()
			refuse = true
			stop()
			if err := <-lost; !errors.Is(err, golem.ErrUnavailable) {
				t.Fatalf("round %d: call in flight: %v", round, err)
			}
			synctest.Wait()
			p = newPipes()
		}
		if joins != 4 || !slices.Equal(heard, []string{"0", "1", "2"}) {
			t.Fatalf("joined %d times, heard %v", joins, heard)
		}
	})
}

// What the router refuses on reconnection is asked for again.
func TestClientMends(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		a := w.client(router.ClientConfig{})
		release := bind(w, a, "/public/x", echo)
		b, err := router.NewClient(router.ClientConfig{Dial: w.pipes.Dial})
		if err != nil {
			t.Fatal(err)
		}
		bind(t, b, "/public/x", func(_ context.Context, _ gsb.Request, w func(gsb.Reply) error) error {
			return w(gsb.Reply{Body: []byte("b"), Last: true})
		})
		start(t, b.Run)
		if err := b.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := b.Status(); !s.Connected || !errors.Is(s.Problem, golem.ErrConflict) {
			t.Fatalf("status %+v", s)
		}
		release()
		time.Sleep(6 * time.Second)
		if got, err := ask(t.Context(), w.bus, "/public/x/Y", ""); err != nil || got != "b" {
			t.Fatalf("got %q, %v", got, err)
		}
		if s := b.Status(); s.Problem != nil {
			t.Fatalf("status %+v", s)
		}
	})
}

func TestNoHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		c, err := router.NewClient(router.ClientConfig{Dial: p.Dial})
		if err != nil {
			t.Fatal(err)
		}
		start(t, c.Run)
		nc, _ := p.Accept()
		newRaw(t, nc).next()
		time.Sleep(4 * time.Second)
		if s := c.Status(); s.Connected || s.Problem == nil || !strings.Contains(s.Problem.Error(), "no Hello") {
			t.Fatalf("status %+v", s)
		}
	})
}

// A caller that leaves is noticed by the service, across two connections.
func TestCancelAcross(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		a, b := w.client(router.ClientConfig{}), w.client(router.ClientConfig{})
		ended := make(chan error, 1)
		bind(w, b, "/public/b", func(ctx context.Context, r gsb.Request, reply func(gsb.Reply) error) error {
			for {
				if err := reply(gsb.Reply{Body: r.Body}); err != nil {
					ended <- err
					return err
				}
			}
		})
		enough, n := errors.New("enough"), 0
		err := a.Call(t.Context(), gsb.Request{Addr: "/public/b/X", Body: []byte("x")}, func(gsb.Reply) error {
			if n++; n == 100 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Fatal("the service was not told")
		}
		synctest.Wait()
		if s := a.Status(); s.Calls != 0 {
			t.Fatalf("%d calls in flight", s.Calls)
		}
	})
}

// While the reader of a stream does not read its sender waits; afterwards the
// stream goes on where it was.
func TestBackPressure(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		a, b := w.client(router.ClientConfig{}), w.client(router.ClientConfig{})
		const chunk, all = 10_000, 2000
		sent := 0
		bind(w, b, "/public/b", func(_ context.Context, _ gsb.Request, reply func(gsb.Reply) error) error {
			for sent < all {
				if err := reply(gsb.Reply{Body: make([]byte, chunk)}); err != nil {
					return err
				}
				sent++
			}
			return nil
		})
		read, goOn := 0, make(chan struct{})
		done := make(chan error, 1)
		go func() {
			done <- a.Call(t.Context(), gsb.Request{Addr: "/public/b/X"}, func(r gsb.Reply) error {
				if len(r.Body) > 0 {
					read++
				}
				if read == 50 {
					<-goOn
				}
				return nil
			})
		}()
		synctest.Wait()
		if ahead := sent - read; ahead > 200 {
			t.Fatalf("the sender is %d replies ahead of the reader", ahead)
		}
		time.Sleep(40 * time.Second) // longer than what a silent connection is given
		close(goOn)
		if err := <-done; err != nil || read != all {
			t.Fatalf("read %d of %d, %v", read, all, err)
		}
	})
}

func TestStalledReader(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		bind(w, w.bus, "/local/echo", echo)
		bind(w, w.bus, "/local/flood", func(_ context.Context, r gsb.Request, reply func(gsb.Reply) error) error {
			for {
				if err := reply(gsb.Reply{Body: r.Body}); err != nil {
					return err
				}
			}
		})
		a := w.client(router.ClientConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stuck := make(chan error, 1)
		go func() {
			stuck <- a.Call(ctx, gsb.Request{Addr: "/local/flood", Body: make([]byte, 10_000)}, func(gsb.Reply) error {
				<-ctx.Done()
				return nil
			})
		}()
		synctest.Wait()
		late := make(chan error, 1)
		go func() { _, err := ask(t.Context(), a, "/local/echo", "x"); late <- err }()
		if err := <-late; err != nil {
			t.Fatalf("a call behind a stalled one: %v", err)
		}
		cancel()
		if err := <-stuck; err == nil {
			t.Fatal("stalled call ended well")
		}
		if _, err := ask(t.Context(), a, "/local/echo", "x"); err != nil {
			t.Fatalf("afterwards: %v", err)
		}
	})
}

func TestTrySend(t *testing.T) {
	upstream(t, router.ClientConfig{}, func(t *testing.T, c *router.Client, r *raw) {
		sent := 0
		for c.TrySend(gsb.Request{Addr: "/x", Body: make([]byte, 1000)}) {
			sent++
		}
		if s := c.Status(); sent == 0 || s.Dropped != 1 {
			t.Fatalf("sent %d, dropped %d", sent, s.Dropped)
		}
		for range sent {
			if call := r.next().GetCallRequest(); !call.GetNoReply() {
				t.Fatalf("got %v", call)
			}
		}
		if c.TrySend(gsb.Request{Addr: "/\xff"}) {
			t.Fatal("sent an address that is not text")
		}
	})
}

// Close writes what was sent before.
func TestClose(t *testing.T) {
	bus, url := socket(t, router.Config{})
	got := make(chan string, 1)
	bind(t, bus, "/local/x", func(_ context.Context, r gsb.Request, _ func(gsb.Reply) error) error {
		got <- string(r.Body)
		return nil
	})
	for range 20 {
		c, err := router.Dial(t.Context(), router.ClientConfig{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Call(t.Context(), gsb.Request{Addr: "/local/x", NoReply: true, Body: []byte("last words")}, nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "last words" {
			t.Fatalf("got %q", s)
		}
	}
}

// TestConcurrent is for the race detector: everything at once, over real sockets.
func TestConcurrent(t *testing.T) {
	bus, url := socket(t, router.Config{})
	bind(t, bus, "/local/echo", echo)
	a, b := connect(t, url), connect(t, url)
	bind(t, b, "/local/far", echo)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			for _, addr := range []string{"/local/echo/X", "/local/far/X"} {
				body := fmt.Sprint(i, strings.Repeat(".", 100*i))
				if got, err := ask(t.Context(), a, addr, body); err != nil || got != body {
					t.Errorf("%s: got %d bytes, %v", addr, len(got), err)
				}
			}
			if i%10 == 0 {
				addr := fmt.Sprintf("/local/own/%d", i)
				bind(t, a, addr, echo)()
				a.Subscribe("t", func(context.Context, router.Broadcast) {})()
				a.Status()
			}
			if err := a.Broadcast(router.Broadcast{Topic: "t", Body: []byte("x")}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
