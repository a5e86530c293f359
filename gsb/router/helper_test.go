package router_test

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
)

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

// serve serves bus on l.
func serve(t testing.TB, l net.Listener, cfg router.Config) (*router.Server, func()) {
	t.Helper()
	s, err := router.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, start(t, func(ctx context.Context) error { return s.Serve(ctx, l) })
}

// socket serves a new bus on a unix socket and returns both.
func socket(t testing.TB, cfg router.Config) (*gsb.Bus, string) {
	t.Helper()
	url := "unix:" + filepath.Join(t.TempDir(), "bus.sock")
	l, err := router.Listen(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	bus := gsb.New(gsb.Config{})
	cfg.Session = router.NewLocal(bus)
	serve(t, l, cfg)
	return bus, url
}

// connect returns a connected client.
func connect(t testing.TB, url string) *router.Client {
	t.Helper()
	c, err := router.Dial(t.Context(), router.ClientConfig{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// bind binds h, which must work.
func bind(t testing.TB, b gsb.Binder, addr string, h gsb.Handler) (release func()) {
	t.Helper()
	release, err := b.Bind(addr, h)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// echo answers with the request's body.
func echo(_ context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	return w(gsb.Reply{Body: r.Body, Last: true})
}

// ask makes a call and returns its one reply.
func ask(ctx context.Context, c gsb.Caller, addr, body string) (reply string, err error) {
	err = c.Call(ctx, gsb.Request{Addr: addr, Body: []byte(body)}, func(r gsb.Reply) error {
		reply += string(r.Body)
		return nil
	})
	return reply, err
}
