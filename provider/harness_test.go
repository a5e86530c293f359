package provider_test

import (
	"context"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/activity/activitytest"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/provider"
	"github.com/golem-go/golem/rest"
	"github.com/golem-go/golem/rest/client"
	"github.com/golem-go/golem/sqlite"
)

// appKey is that of the agents of every node.
const appKey = "0123456789abcdef0123456789abcdef"

// world is a network of nodes that pay on one ledger.
type world struct {
	t     testing.TB
	sw    *p2ptest.Switch
	book  *local.Book
	nodes []*node
	dbs   []*sqlite.DB
}

// bubble runs f with a world in a bubble, and closes it afterwards.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, sw: p2ptest.NewSwitch(p2ptest.Config{Seed: 1, Latency: 20 * time.Millisecond})}
		defer w.close()
		verifier, err := identity.New(t.Context(), identity.Config{Store: w.db().Identity()})
		if err != nil {
			t.Fatal(err)
		}
		book, err := local.Open(t.Context(), local.BookConfig{Store: w.db().Ledger(), Verifier: verifier})
		if err != nil {
			t.Fatal(err)
		}
		w.book = book
		f(t, w)
	})
}

func (w *world) db() *sqlite.DB {
	w.t.Helper()
	db, err := sqlite.Open(w.t.Context(), sqlite.Memory)
	if err != nil {
		w.t.Fatal(err)
	}
	w.dbs = append(w.dbs, db)
	return db
}

func (w *world) close() {
	for _, n := range w.nodes {
		n.stop()
	}
	for _, db := range w.dbs {
		if err := db.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// node is a node without what only operators need, and its API.
type node struct {
	w        *world
	id       golem.NodeID
	net      *p2ptest.Node
	bus      *gsb.Bus
	identity *identity.Service
	market   *market.Service
	activity *activity.Service
	payment  *payment.Service
	ledger   *strike
	listener *pipes
	client   *client.Client
	stop     func()
}

// books lets payments know activities.
type books struct{ *activity.Service }

func (b books) AgreementOf(ctx context.Context, who golem.NodeID, id golem.ActivityID) (golem.AgreementID, error) {
	a, err := b.Activity(ctx, who, id)
	return a.Agreement, err
}

// strike is a ledger that books no transfers while it is on.
type strike struct {
	local.Ledger
	on atomic.Bool
}

func (l *strike) Transfer(ctx context.Context, o local.Order) (local.Entry, error) {
	if l.on.Load() {
		return local.Entry{}, golem.Errorf(golem.ErrUnavailable, "the ledger is on strike")
	}
	return l.Ledger.Transfer(ctx, o)
}

// node adds a running node.
func (w *world) node(name string) *node {
	w.t.Helper()
	n := &node{w: w, net: w.sw.Node(), ledger: &strike{Ledger: w.book}}
	ids := func() []golem.NodeID { return n.identity.IDs() }
	n.bus = gsb.New(gsb.Config{Network: n.net, Identities: ids})
	db, seed := w.db(), sha3.Sum256([]byte(name))
	random := func(stream byte) *rand.Rand { seed[0] = stream; return rand.New(rand.NewChaCha8(seed)) }
	var err error
	must := func() {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	n.identity, err = identity.New(w.t.Context(), identity.Config{
		Store: db.Identity(), OnChange: n.net.SetIdentities,
		AutoconfSecret: golem.Secret(hex.EncodeToString(seed[:])), AutoconfAppKey: appKey,
	})
	must()
	n.id = n.identity.IDs()[0]
	n.market, err = market.New(market.Config{
		Store: db.Market(), Bus: n.bus, Identities: ids, Rand: random(1), Signer: n.identity, Verifier: n.identity,
		OnTerminated: func(a *golem.Agreement) {
			if err := n.activity.OnAgreementTerminated(context.Background(), a.ID); err != nil {
				w.t.Errorf("%s: %v", name, err)
			}
		},
	})
	must()
	n.activity, err = activity.New(activity.Config{Store: db.Activity(), Bus: n.bus, Agreements: n.market, Rand: random(2)})
	must()
	n.payment, err = payment.New(payment.Config{
		Store: db.Payment(), Bus: n.bus, Agreements: n.market, Activities: books{n.activity}, Signer: n.identity, Verifier: n.identity,
		Drivers: []payment.Driver{local.New(local.Config{Ledger: n.ledger, Signer: n.identity, Verifier: n.identity})},
		Rand:    random(3),
	})
	must()
	_, err = w.book.Fund(w.t.Context(), n.id.Address())
	must()
	n.start(name)
	w.nodes = append(w.nodes, n)
	return n
}

// start runs the services and the API of the node.
func (n *node) start(name string) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	run := func(f func(context.Context) error) {
		running.Go(func() {
			if err := f(ctx); err != nil {
				n.w.t.Errorf("%s: %v", name, err)
			}
		})
	}
	run(n.net.Run)
	run(n.market.Run)
	run(n.activity.Run)
	run(n.payment.Run)
	synctest.Wait() // the network is up before it is told identities
	run(n.identity.Run)
	synctest.Wait()
	n.listener = &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: rest.New(rest.Config{
		Services: rest.Services{Identity: n.identity, Market: n.market, Activity: n.activity, Payment: n.payment},
	})}
	running.Go(func() { server.Serve(n.listener) })
	n.client, _ = n.dial()
	n.stop = func() {
		server.Close()
		cancel()
		running.Wait()
	}
}

// line is a way to call a node, which can be cut.
type line struct {
	http.RoundTripper
	cut  atomic.Bool
	lose atomic.Pointer[string] // the answer to the next POST to this path
	bar  atomic.Pointer[string] // calls to this path
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if bar := l.bar.Load(); l.cut.Load() || bar != nil && r.URL.Path == *bar {
		return nil, errors.New("connection refused")
	}
	resp, err := l.RoundTripper.RoundTrip(r)
	if path := l.lose.Load(); err == nil && path != nil && r.Method == http.MethodPost && r.URL.Path == *path {
		l.lose.Store(nil)
		resp.Body.Close()
		return nil, errors.New("connection reset by peer")
	}
	return resp, err
}

// dial returns another client of the node.
func (n *node) dial() (*client.Client, *line) {
	l := &line{RoundTripper: &http.Transport{DialContext: n.listener.dial, MaxIdleConnsPerHost: 32}}
	return client.New("http://node", appKey, &http.Client{Transport: l}), l
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

// units is a Launcher of ExeUnits that are no processes.
type units struct {
	bus      *gsb.Bus
	template exeunit.Template
	broken   map[string]error  // of runtimes that do not work
	refuse   func(n int) error // to start the n-th; nil: all are started

	mu      sync.Mutex
	started []golem.ActivityID
	running map[golem.ActivityID]*activitytest.ExeUnit
	most    int           // running at a time
	death   error         // of ExeUnits that die by themselves
	life    time.Duration // of those
}

func newUnits(bus *gsb.Bus) *units {
	return &units{bus: bus, template: exeunit.BaseTemplate(), running: map[golem.ActivityID]*activitytest.ExeUnit{}}
}

// dieAfter makes ExeUnits that are started from now on end with an error.
func (u *units) dieAfter(d time.Duration, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.life, u.death = d, err
}

func (u *units) Probe(_ context.Context, d provider.Descriptor) (exeunit.Template, error) {
	return u.template, u.broken[d.Name]
}

func (u *units) Run(ctx context.Context, t provider.Task) error {
	unit := activitytest.NewExeUnit(activitytest.UnitConfig{
		Activity: t.Activity, Bus: u.bus, Start: 100 * time.Millisecond,
		Rates: []float64{0.5, 1}, // cpu, duration
	})
	u.mu.Lock()
	u.started = append(u.started, t.Activity)
	if u.refuse != nil {
		if err := u.refuse(len(u.started)); err != nil {
			u.mu.Unlock()
			return err
		}
	}
	u.running[t.Activity] = unit
	u.most = max(u.most, len(u.running))
	life, death := u.life, u.death
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.running, t.Activity)
	}()
	if death == nil {
		return unit.Run(ctx)
	}
	own, kill := context.WithTimeout(ctx, life)
	defer kill()
	timer := time.AfterFunc(life-time.Millisecond, func() { unit.SetSilent(true) }) // the dead say nothing
	defer timer.Stop()
	unit.Run(own)
	if ctx.Err() != nil {
		return nil
	}
	return death
}

// silence makes the ExeUnits say nothing any more.
func (u *units) silence() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, unit := range u.running {
		unit.SetSilent(true)
	}
}

// alive returns how many ExeUnits run.
func (u *units) alive() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.running)
}

// agent is an Agent that sells at a node.
type agent struct {
	*provider.Agent
	n     *node
	units *units
	log   *transcript
	line  *line
	stop  func() // ends it orderly
}

// kill ends the agent and its ExeUnits as if the machine had failed.
func (a *agent) kill() {
	a.line.cut.Store(true)
	a.units.silence()
	a.stop()
}

// The preset and the runtime that most tests sell.
var (
	wasm    = provider.Descriptor{Name: "wasmtime", Version: "1.0.0", Supervisor: "none"}
	cheap   = provider.Preset{Name: "cheap", ExeUnit: "wasmtime", Start: 0.5, Prices: map[string]float64{"duration": 0.001, "cpu": 0.002}}
	session = "agent-1"
)

// agent starts an Agent and waits until it is on the market.
func (n *node) agent(edit func(*provider.Config)) *agent {
	n.w.t.Helper()
	a := &agent{n: n, units: newUnits(n.bus), log: &transcript{begin: time.Now()}}
	ready := make(chan struct{})
	c, l := n.dial()
	a.line = l
	cfg := provider.Config{
		Node: c, Launcher: a.units, Runtimes: []provider.Descriptor{wasm}, Presets: []provider.Preset{cheap},
		Session: session, Name: "p", Subnet: "test", Hardware: provider.Hardware{Threads: 4, Cores: 4, Memory: 8, Storage: 40},
		Rand: rand.New(rand.NewPCG(1, 2)), Log: slog.New(a.log), Ready: func() { close(ready) },
	}
	if edit != nil {
		edit(&cfg)
	}
	if l, ok := cfg.Launcher.(*units); ok {
		a.units = l
	}
	var err error
	if a.Agent, err = provider.New(cfg); err != nil {
		n.w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := a.Run(ctx); err != nil {
			n.w.t.Errorf("agent: %v", err)
		}
	}()
	a.stop = sync.OnceFunc(func() { cancel(); <-ended })
	select {
	case <-ready:
	case <-time.After(time.Minute):
		n.w.t.Error("the agent is not ready after a minute")
	}
	return a
}

// transcript is a log with the time since its beginning.
type transcript struct {
	slog.Handler
	begin time.Time

	mu    sync.Mutex
	lines []string
}

func (tr *transcript) Enabled(context.Context, slog.Level) bool { return true }
func (tr *transcript) WithAttrs([]slog.Attr) slog.Handler       { return tr } // ids, which differ each time
func (tr *transcript) WithGroup(string) slog.Handler            { return tr }

func (tr *transcript) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%8.3f %s %s", r.Time.Sub(tr.begin).Seconds(), r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %s=%v", a.Key, a.Value.Resolve()); return true })
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lines = append(tr.lines, b.String())
	return nil
}

// count returns how many lines have a text.
func (tr *transcript) count(text string) (n int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, l := range tr.lines {
		if strings.Contains(l, text) {
			n++
		}
	}
	return n
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return strings.Join(tr.lines, "\n")
}

// buyer is a Requestor's agent: a Demand on the market, and what comes of it.
type buyer struct {
	t          testing.TB
	n          *node
	demand     golem.SubscriptionID
	properties props
	allocation golem.AllocationID
}

// buyer publishes a Demand. Its properties are those that agree with what agents
// offer by default, and the changes; "" removes one.
func (n *node) buyer(changes props) *buyer {
	n.w.t.Helper()
	b := &buyer{t: n.w.t, n: n, properties: props{
		"golem.node.debug.subnet":           `"test"`,
		"golem.srv.caps.multi-activity":     "true",
		"golem.com.payment.chosen-platform": fmt.Sprintf("%q", local.Platform),
		expiration:                          fmt.Sprint(time.Now().Add(3 * time.Hour).UnixMilli()),
		acceptTimeout:                       "120", noteInterval: "120", paymentTimeout: "600",
	}}
	for name, value := range changes {
		b.properties[name] = value
	}
	al, err := n.payment.Allocate(n.w.t.Context(), n.id, payment.NewAllocation{Platform: local.Platform, Total: golem.Tokens(100)})
	b.must(err)
	b.allocation = al.ID
	b.demand, err = n.client.Publish(n.w.t.Context(), golem.Requestor, b.publication(), 0)
	b.must(err)
	return b
}

func (b *buyer) publication() client.Publication {
	var members []string
	for name, value := range b.properties {
		if value != "" {
			members = append(members, fmt.Sprintf("%q:%s", name, value))
		}
	}
	return client.Publication{
		Properties:  json.RawMessage("{" + strings.Join(members, ",") + "}"),
		Constraints: "(&(golem.runtime.name=wasmtime)(golem.node.debug.subnet=test))",
	}
}

func (b *buyer) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// next returns the next event of the Demand, which is waited for a minute.
func (b *buyer) next() *client.MarketEvent {
	b.t.Helper()
	es, err := b.n.client.MarketEvents(b.t.Context(), golem.Requestor, b.demand, time.Minute, 1)
	b.must(err)
	if len(es) == 0 {
		return nil
	}
	return &es[0]
}

// proposal returns the next event, which is to be a Proposal.
func (b *buyer) proposal() *client.Proposal {
	b.t.Helper()
	e := b.next()
	if e == nil || e.Type != client.ProposalEvent {
		b.t.Fatalf("got %+v, want a proposal", e)
	}
	return e.Proposal
}

// counter answers a Proposal.
func (b *buyer) counter(p *client.Proposal) golem.ProposalID {
	b.t.Helper()
	id, err := b.n.client.Counter(b.t.Context(), golem.Requestor, b.demand, p.ID, b.publication())
	b.must(err)
	return id
}

// propose makes a Proposal an Agreement and confirms it.
func (b *buyer) propose(p *client.Proposal) golem.AgreementID {
	b.t.Helper()
	id, err := b.n.client.ProposeAgreement(b.t.Context(), p.ID, time.Now().Add(time.Minute))
	b.must(err)
	b.must(b.n.client.ConfirmAgreement(b.t.Context(), id, ""))
	return id
}

// agree negotiates an Agreement.
func (b *buyer) agree() golem.AgreementID {
	b.t.Helper()
	b.counter(b.proposal())
	id := b.propose(b.proposal())
	b.must(b.n.client.WaitForApproval(b.t.Context(), id, time.Minute))
	return id
}

// create creates an Activity.
func (b *buyer) create(id golem.AgreementID) golem.ActivityID {
	b.t.Helper()
	act, err := b.n.client.CreateActivity(b.t.Context(), id, nil, 30*time.Second)
	b.must(err)
	return act
}

// destroy destroys an Activity.
func (b *buyer) destroy(id golem.ActivityID) {
	b.t.Helper()
	b.must(b.n.client.DestroyActivity(b.t.Context(), id, 30*time.Second))
}

// terminate ends an Agreement.
func (b *buyer) terminate(id golem.AgreementID) {
	b.t.Helper()
	b.must(b.n.client.TerminateAgreement(b.t.Context(), id, golem.NewReason("done", golem.ReasonRequestorCode, "Success")))
}

// reject refuses the documents that wait to be accepted.
func (b *buyer) reject(kind payment.DocumentKind) {
	b.t.Helper()
	for _, d := range b.documents(kind) {
		if d.Status == golem.DocumentReceived {
			b.must(b.n.payment.Reject(b.t.Context(), b.n.id, kind, d.ID, golem.Rejection{Reason: golem.BadService, Message: "too slow"}))
		}
	}
}

// payNow accepts every document that waits to be accepted.
func (b *buyer) payNow(kind payment.DocumentKind) {
	b.t.Helper()
	for _, d := range b.documents(kind) {
		if d.Status == golem.DocumentReceived {
			b.must(b.n.payment.Accept(b.t.Context(), b.n.id, kind, d.ID, golem.Acceptance{Amount: d.Amount, Allocation: b.allocation}))
		}
	}
}

// pay accepts what comes until the function it returns is called.
func (b *buyer) pay() (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	var paying sync.WaitGroup
	paying.Go(func() {
		for tick := time.NewTicker(3 * time.Second); ; {
			select {
			case <-tick.C:
				b.payNow(payment.DebitNote)
				b.payNow(payment.Invoice)
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
	return func() { cancel(); paying.Wait() }
}

// documents returns what the Requestor has, oldest first.
func (b *buyer) documents(kind payment.DocumentKind) []payment.Document {
	b.t.Helper()
	return b.n.documents(kind)
}

func (n *node) documents(kind payment.DocumentKind) []payment.Document {
	n.w.t.Helper()
	ds, err := n.payment.Documents(n.w.t.Context(), n.id, kind, payment.Page{})
	if err != nil {
		n.w.t.Fatal(err)
	}
	return ds
}

// state returns the state of an Agreement at the node.
func (n *node) state(id golem.AgreementID) golem.AgreementState {
	n.w.t.Helper()
	a, err := n.client.Agreement(n.w.t.Context(), id)
	if err != nil {
		n.w.t.Fatal(err)
	}
	return a.State
}

// code returns the code an Agreement was terminated with, as the node knows it.
func (n *node) code(id golem.AgreementID) string {
	n.w.t.Helper()
	e, err := n.client.Termination(n.w.t.Context(), id)
	if err != nil {
		return err.Error()
	}
	return string(e.Terminator) + " " + e.Reason.Code()
}
