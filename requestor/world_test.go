package requestor_test

import (
	"context"
	"crypto/sha3"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/node"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/requestor"
	"github.com/golem-go/golem/rest/client"
	"github.com/golem-go/golem/sqlite"
)

const appKey = "0123456789abcdef0123456789abcdef"

// world is a network of nodes that pay on one ledger. One of them, buyer, has no
// seller.
type world struct {
	t     testing.TB
	ctx   context.Context
	sw    *p2ptest.Switch
	book  *local.Book
	buyer *peer
	log   *transcript
	stops []func()
}

// bubble runs f with a world in a bubble, and closes it afterwards.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, p2ptest.Config{Seed: 1, Latency: 5 * time.Millisecond, Detect: time.Second})
		defer w.close()
		f(t, w)
	})
}

func newWorld(t testing.TB, cfg p2ptest.Config) *world {
	w := &world{t: t, sw: p2ptest.NewSwitch(cfg), log: &transcript{begin: time.Now()}}
	ctx, cancel := context.WithCancel(context.Background())
	w.ctx, w.stops = ctx, append(w.stops, cancel)
	var err error
	w.book, err = local.Open(ctx, local.BookConfig{Store: w.db().Ledger(), Verifier: node.Verifier})
	w.must(err)
	w.buyer = w.peer("buyer")
	return w
}

func (w *world) close() {
	for i := len(w.stops) - 1; i >= 0; i-- {
		w.stops[i]()
	}
	if w.t.Failed() {
		w.t.Log("\n" + w.log.String())
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) db() *sqlite.DB {
	w.t.Helper()
	db, err := sqlite.Open(w.t.Context(), sqlite.Memory)
	w.must(err)
	w.stops = append(w.stops, func() { db.Close() })
	return db
}

// peer is a running node with its API on a listener in memory.
type peer struct {
	*node.Node
	name string
	db   *sqlite.DB
	net  *p2ptest.Node
	pipe atomic.Pointer[pipes]
	api  *client.Client
	stop func()
}

// peer adds a node with tokens.
func (w *world) peer(name string) *peer {
	w.t.Helper()
	p := &peer{name: name, db: w.db()}
	p.begin(w)
	w.must(p.Fund(w.ctx))
	return p
}

// begin starts the node on its database.
func (p *peer) begin(w *world) {
	secret := sha3.Sum256([]byte(p.name))
	p.net = w.sw.Node()
	var err error
	p.Node, err = node.New(w.ctx, node.Config{
		DB: p.db, Network: p.net, Ledger: w.book, Seed: uint64(secret[0]) + 1,
		AutoconfSecret: golem.Secret(hex.EncodeToString(secret[:])), AutoconfAppKey: appKey,
	})
	w.must(err)
	p.serve(w)
}

// restart kills the node and starts it again.
func (p *peer) restart(w *world) {
	p.stop()
	p.begin(w)
}

func (p *peer) serve(w *world) {
	ctx, cancel := context.WithCancel(w.ctx)
	pipe := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.pipe.Store(pipe)
	server := &http.Server{Handler: p.Handler()}
	var running sync.WaitGroup
	running.Go(func() { server.Serve(pipe) })
	running.Go(func() {
		if err := p.Run(ctx); err != nil {
			w.t.Errorf("node %s: %v", p.name, err)
		}
	})
	p.stop = sync.OnceFunc(func() { cancel(); server.Close(); running.Wait() })
	w.stops = append(w.stops, p.stop)
	p.api = client.New("http://node", appKey, p.http(w))
	for {
		me, err := p.api.Offers(w.ctx) // answered when the market is open
		if err == nil && me != nil && p.net.Status().IDs != nil {
			return
		}
		w.pause(10 * time.Millisecond)
	}
}

// pause lets time pass, in a bubble or not.
func (w *world) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.ctx.Done():
	}
}

func (p *peer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return p.pipe.Load().dial(ctx, network, address)
}

func (p *peer) http(w *world) *http.Client {
	transport := &http.Transport{DialContext: p.dial, MaxIdleConnsPerHost: 32}
	w.stops = append(w.stops, transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// config is what most tests connect with.
func (w *world) config() requestor.Config {
	return requestor.Config{
		URL: "http://node", AppKey: appKey, HTTP: w.buyer.http(w), Bus: w.buyer.Bus(), Subnet: "test",
		Budget: golem.Tokens(10), Rand: rand.New(rand.NewPCG(1, 2)), Log: slog.New(w.log),
	}
}

// connect connects the buyer's program.
func (w *world) connect(edit func(*requestor.Config)) *requestor.Requestor {
	w.t.Helper()
	cfg := w.config()
	if edit != nil {
		edit(&cfg)
	}
	r, err := requestor.Connect(w.t.Context(), cfg)
	w.must(err)
	w.stops = append(w.stops, func() { r.Close() })
	return r
}

// order is what most tests buy.
func order() requestor.Order {
	return requestor.Order{Image: requestor.Bytes([]byte("image")), Timeout: 10 * time.Minute}
}

// clean checks that nothing of the buyer is reserved any more.
func (w *world) clean(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	w.pause(5 * time.Second) // for what goes on in the background
	demands, err := w.buyer.api.Demands(ctx)
	w.must(err)
	if len(demands) > 0 {
		t.Errorf("%d demands are left", len(demands))
	}
	allocations, err := w.buyer.api.Allocations(ctx)
	w.must(err)
	if len(allocations) > 0 {
		t.Errorf("%d allocations are left", len(allocations))
	}
	for _, state := range []golem.AgreementState{golem.AgreementProposal, golem.AgreementPending, golem.AgreementApproved} {
		as, err := w.buyer.api.Agreements(ctx, state, "")
		w.must(err)
		if len(as) > 0 {
			t.Errorf("%d agreements are left %s", len(as), state)
		}
	}
	ids, err := w.buyer.api.Activities(ctx, "")
	w.must(err)
	for _, id := range ids {
		st, err := w.buyer.api.ActivityState(ctx, id, time.Second)
		w.must(err)
		if st.State.Alive() {
			t.Errorf("activity %s is left %v", id, st.State)
		}
	}
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { close(l.closed); return nil }
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (l *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// transcript is a log with the time since its beginning.
type transcript struct {
	begin time.Time

	mu    sync.Mutex
	lines []string
}

func (tr *transcript) Enabled(context.Context, slog.Level) bool { return true }
func (tr *transcript) WithAttrs([]slog.Attr) slog.Handler       { return tr }
func (tr *transcript) WithGroup(string) slog.Handler            { return tr }

func (tr *transcript) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%8.3f %s %s", r.Time.Sub(tr.begin).Seconds(), r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %s=%v", a.Key, a.Value.Resolve()); return true })
	tr.add(b.String())
	return nil
}

func (tr *transcript) add(line string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lines = append(tr.lines, line)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return strings.Join(tr.lines, "\n")
}
