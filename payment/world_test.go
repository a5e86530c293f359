package payment_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/sqlite"
)

// world is some nodes, a network between them, and a ledger they pay on.
type world struct {
	t     testing.TB
	keys  *keyring
	book  *local.Book
	trade *trade
	wires *wires
	sw    *p2ptest.Switch // instead of wires, where set
	count int
}

func newWorld(t testing.TB) *world {
	keys := newKeyring()
	w := &world{t: t, keys: keys, trade: &trade{agreements: map[golem.AgreementID]*golem.Agreement{}, activities: map[golem.ActivityID]golem.AgreementID{}}, wires: &wires{ends: map[golem.NodeID]*end{}}}
	db := openDB(t, sqlite.Memory)
	var err error
	w.book, err = local.Open(t.Context(), local.BookConfig{Store: db.Ledger(), Verifier: keys})
	w.must(err)
	return w
}

// migrated returns the bytes of an empty database with the present schema.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "payment")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "empty.db")
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// openDB opens a database. Under the race detector one in memory becomes a copy
// of an empty one on disk, since making the schema takes a quarter of a second.
func openDB(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	if stride > 1 && path == sqlite.Memory {
		empty, err := migrated()
		path = filepath.Join(t.TempDir(), "node.db")
		if err := errors.Join(err, os.WriteFile(path, empty, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// node is a node with some identities, whose process may be killed and started.
type node struct {
	*payment.Service
	w    *world
	id   golem.NodeID
	ids  []golem.NodeID
	db   *sqlite.DB
	bus  *gsb.Bus
	end  *end
	stop func()

	config func(*payment.Config) // of each start
	doom   *dying                // of the next start; nil: none
}

// node adds a node with n identities and starts it.
func (w *world) node(n int, config func(*payment.Config)) *node {
	w.t.Helper()
	nd := w.dormant(n, sqlite.Memory, config)
	nd.start()
	return nd
}

// dormant adds a node without starting it.
func (w *world) dormant(n int, path string, config func(*payment.Config)) *node {
	w.t.Helper()
	nd := &node{w: w, config: config, db: openDB(w.t, path)}
	for range n {
		w.count++
		id := w.keys.add(w.count)
		nd.ids = append(nd.ids, id)
		if _, err := w.book.Fund(w.t.Context(), id.Address()); err != nil {
			w.t.Fatal(err)
		}
	}
	nd.id = nd.ids[0]
	w.t.Cleanup(func() { nd.kill() })
	return nd
}

// start starts the node's process on whatever its disk says.
func (n *node) start() {
	n.w.t.Helper()
	e := &end{wires: n.w.wires}
	var network p2p.Network = e
	if n.w.sw != nil {
		network = n.w.sw.Node()
	}
	bus := gsb.New(gsb.Config{Network: network, Identities: func() []golem.NodeID { return n.ids }})
	n.bus, n.end = bus, e
	cfg := payment.Config{
		Store: n.db.Payment(), Bus: bus, Agreements: n.w.trade, Activities: n.w.trade,
		Signer: n.w.keys, Verifier: n.w.keys,
		Drivers: []payment.Driver{local.New(local.Config{Ledger: n.w.book, Signer: n.w.keys, Verifier: n.w.keys})},
		Rand:    rand.New(rand.NewPCG(1, uint64(n.id[0]))),
		Trace: &payment.Trace{Failed: func(what string, err error) {
			if !errors.Is(err, errDied) {
				n.w.t.Errorf("%s failed: %v", what, err)
			}
		}},
	}
	if n.config != nil {
		n.config(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if n.doom != nil {
		n.doom.Store, cfg.Store = cfg.Store, n.doom
		n.doom.die = func() {
			for _, id := range n.ids {
				n.w.wires.unplug(id)
			}
			cancel()
		}
	}
	s, err := payment.New(cfg)
	n.w.must(err)
	n.Service = s
	for _, id := range n.ids {
		n.w.wires.plug(id, e)
	}
	var run sync.WaitGroup
	if n.w.sw != nil {
		run.Go(func() { network.Run(ctx) })
		synctest.Wait()
		n.w.must(network.SetIdentities(ctx, n.ids))
	}
	run.Go(func() {
		if err := s.Run(ctx); err != nil && !errors.Is(err, errDied) {
			n.w.t.Errorf("run: %v", err)
		}
	})
	n.stop = func() { cancel(); run.Wait() }
}

// kill ends the node's process; the network cannot reach it any more.
func (n *node) kill() {
	for _, id := range n.ids {
		n.w.wires.unplug(id)
	}
	if n.stop != nil {
		n.stop()
		n.stop = nil
	}
}

// restart kills the node and starts it again.
func (n *node) restart() {
	n.w.t.Helper()
	n.kill()
	n.start()
}

// trade stands for market and activity: what was agreed on, and what runs.
type trade struct {
	mu         sync.Mutex
	agreements map[golem.AgreementID]*golem.Agreement
	activities map[golem.ActivityID]golem.AgreementID
}

func (tr *trade) Agreement(_ context.Context, who golem.NodeID, id golem.AgreementID) (*golem.Agreement, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	a := tr.agreements[id]
	if a == nil {
		return nil, golem.Errorf(golem.ErrNotFound, "agreement %s not found", id)
	}
	if _, err := a.RoleOf(who); err != nil {
		return nil, err
	}
	return a, nil
}

func (tr *trade) AgreementOf(_ context.Context, who golem.NodeID, id golem.ActivityID) (golem.AgreementID, error) {
	tr.mu.Lock()
	agreement, ok := tr.activities[id]
	tr.mu.Unlock()
	if !ok {
		return "", golem.Errorf(golem.ErrNotFound, "activity %s not found", id)
	}
	_, err := tr.Agreement(context.Background(), who, agreement)
	return agreement, err
}

// deal is an Agreement with its Activities.
type deal struct {
	w          *world
	id         golem.AgreementID
	requestor  *node
	provider   *node
	rid, pid   golem.NodeID // the identities that agreed
	activities []golem.ActivityID
}

// terms are what a deal may differ in.
type terms struct {
	platform     string
	payee, payer string // addresses
	session      string
	rid, pid     golem.NodeID
}

// agree makes an Agreement with n Activities.
func (w *world) agree(r, p *node, n int, t terms) *deal {
	w.count++
	if t.platform == "" {
		t.platform = local.Platform.String()
	}
	if t.rid.IsZero() {
		t.rid = r.id
	}
	if t.pid.IsZero() {
		t.pid = p.id
	}
	now := time.Now().UTC()
	prop := func(address string) string {
		if address == "" {
			return `{}`
		}
		return fmt.Sprintf(`{"golem.com.payment.platform.%s.address":%q}`, t.platform, address)
	}
	offer := golem.NewOffer(t.pid, prop(t.payee), "()", now, now.Add(time.Hour))
	demandProps := fmt.Sprintf(`{"golem.com.payment.chosen-platform":%q`, t.platform)
	if t.payer != "" {
		demandProps += fmt.Sprintf(`,"golem.com.payment.platform.%s.address":%q`, t.platform, t.payer)
	}
	demand := golem.NewDemand(t.rid, demandProps+"}", "()", now, now.Add(time.Hour))
	id := golem.AgreementID(fmt.Sprintf("%064x", w.count))
	d := &deal{w: w, id: id, requestor: r, provider: p, rid: t.rid, pid: t.pid}
	w.trade.mu.Lock()
	defer w.trade.mu.Unlock()
	w.trade.agreements[id] = &golem.Agreement{ID: id, Offer: offer, Demand: demand, State: golem.AgreementApproved, Created: now, Approved: now, Session: t.session}
	for i := range n {
		act := golem.ActivityID(fmt.Sprintf("%032x", w.count*1000+i))
		w.trade.activities[act] = id
		d.activities = append(d.activities, act)
	}
	return d
}

// allocate sets tokens aside for the deal.
func (d *deal) allocate(amount golem.Amount) golem.AllocationID {
	d.w.t.Helper()
	al, err := d.requestor.Allocate(d.w.t.Context(), d.rid, payment.NewAllocation{Platform: local.Platform, Total: amount})
	d.w.must(err)
	return al.ID
}

// note issues and sends a debit note.
func (d *deal) note(activity int, total golem.Amount) golem.DebitNoteID {
	d.w.t.Helper()
	id := d.issueNote(activity, total, time.Time{})
	d.w.must(d.provider.Send(d.w.t.Context(), d.pid, payment.DebitNote, string(id), time.Minute))
	return id
}

func (d *deal) issueNote(activity int, total golem.Amount, due time.Time) golem.DebitNoteID {
	d.w.t.Helper()
	n, err := d.provider.IssueDebitNote(d.w.t.Context(), d.pid, payment.NewDebitNote{Activity: d.activities[activity], Total: total, Due: due})
	d.w.must(err)
	return n.ID
}

// invoice issues and sends an invoice.
func (d *deal) invoice(amount golem.Amount) golem.InvoiceID {
	d.w.t.Helper()
	id := d.issueInvoice(amount)
	d.w.must(d.provider.Send(d.w.t.Context(), d.pid, payment.Invoice, string(id), time.Minute))
	return id
}

func (d *deal) issueInvoice(amount golem.Amount) golem.InvoiceID {
	d.w.t.Helper()
	i, err := d.provider.IssueInvoice(d.w.t.Context(), d.pid, payment.NewInvoice{Agreement: d.id, Activities: d.activities, Amount: amount, Due: time.Now().Add(24 * time.Hour)})
	d.w.must(err)
	return i.ID
}

func (d *deal) acceptNote(id golem.DebitNoteID, amount golem.Amount, al golem.AllocationID) error {
	return d.requestor.Accept(d.w.t.Context(), d.rid, payment.DebitNote, string(id), golem.Acceptance{Amount: amount, Allocation: al})
}

func (d *deal) acceptInvoice(id golem.InvoiceID, amount golem.Amount, al golem.AllocationID) error {
	return d.requestor.Accept(d.w.t.Context(), d.rid, payment.Invoice, string(id), golem.Acceptance{Amount: amount, Allocation: al})
}

// statuses returns what each side has of a document.
func (d *deal) statuses(kind payment.DocumentKind, id string) (r, p golem.DocumentStatus) {
	d.w.t.Helper()
	dr, err1 := d.requestor.Document(d.w.t.Context(), d.rid, kind, id)
	dp, err2 := d.provider.Document(d.w.t.Context(), d.pid, kind, id)
	d.w.must(errors.Join(err1, err2))
	return dr.Status, dp.Status
}

// both checks what each side has of a document.
func (d *deal) both(kind payment.DocumentKind, id string, want golem.DocumentStatus) {
	d.w.t.Helper()
	if r, p := d.statuses(kind, id); r != want || p != want {
		d.w.t.Fatalf("%s %s: requestor has %s, provider %s, want %s", kind, id, r, p, want)
	}
}

// totals checks the books of both sides: due, accepted, paid.
func (d *deal) totals(due, accepted, paid golem.Amount) {
	d.w.t.Helper()
	for _, side := range []struct {
		n  *node
		id golem.NodeID
	}{{d.requestor, d.rid}, {d.provider, d.pid}} {
		a, err := side.n.Agreement(d.w.t.Context(), side.id, d.id)
		d.w.must(err)
		if a.Due != due || a.Accepted != accepted || a.Paid != paid {
			d.w.t.Fatalf("%s has due, accepted, paid %s, %s, %s; want %s, %s, %s", a.Role, a.Due, a.Accepted, a.Paid, due, accepted, paid)
		}
	}
}

// audit checks the books of nodes and of the ledger.
func (w *world) audit(ns ...*node) {
	w.t.Helper()
	for _, n := range ns {
		rep, err := n.Audit(w.t.Context())
		w.must(err)
		if len(rep.Findings) > 0 {
			w.t.Fatalf("audit of %s: %q", n.id, rep.Findings)
		}
	}
	w.must(w.book.Audit(w.t.Context()))
}

// holds checks what an address has on the ledger.
func (w *world) holds(a golem.Address, want golem.Amount) {
	w.t.Helper()
	have, err := w.book.Balance(w.t.Context(), a)
	w.must(err)
	if have != want {
		w.t.Fatalf("%s holds %s, want %s", a, have, want)
	}
}

// settle lets everything happen that is to happen at once.
func settle() {
	for range 3 {
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
	}
}

func tokens(n uint64) golem.Amount { return golem.Tokens(n) }

// wires is the network: it carries calls to whoever is plugged in.
type wires struct {
	mu    sync.Mutex
	ends  map[golem.NodeID]*end
	twice bool                                     // every request is handled twice
	fault func(r p2p.Request, answered bool) error // before a request, and before its answer
	seen  func(r p2p.Request)                      // every request that arrives
}

func (ws *wires) plug(id golem.NodeID, e *end) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.ends[id] = e
}

func (ws *wires) unplug(id golem.NodeID) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.ends, id)
}

// end is one node's end of the wires.
type end struct {
	wires *wires
	h     p2p.Handler
}

func (e *end) Run(ctx context.Context) error { <-ctx.Done(); return nil }

func (e *end) Serve(h p2p.Handler, _ p2p.BroadcastHandler) { e.h = h }

func (e *end) Broadcast(context.Context, golem.NodeID, string, []byte) error { return nil }

func (e *end) SetIdentities(context.Context, []golem.NodeID) error { return nil }

func (e *end) Status() p2p.Status { return p2p.Status{Overlay: "test"} }

func (e *end) Call(ctx context.Context, r p2p.Request, reply func(p2p.Reply) error) error {
	e.wires.mu.Lock()
	to, twice, fault, seen := e.wires.ends[r.To], e.wires.twice, e.wires.fault, e.wires.seen
	e.wires.mu.Unlock()
	if to == nil {
		return golem.Errorf(golem.ErrUnavailable, "node %s is not reachable", r.To)
	}
	r.Trust = p2p.TrustKey
	if fault != nil {
		if err := fault(r, false); err != nil {
			return err
		}
	}
	if seen != nil {
		seen(r)
	}
	if twice {
		to.h(ctx, r, func(p2p.Reply) error { return nil })
	}
	var answers []p2p.Reply
	err := to.h(ctx, r, func(a p2p.Reply) error { answers = append(answers, a); return nil })
	if err != nil {
		return golem.Errorf(golem.ErrUnavailable, "Bad request: %s", golem.Public(err))
	}
	if fault != nil {
		if err := fault(r, true); err != nil {
			return err
		}
	}
	e.wires.mu.Lock()
	killed := e.wires.ends[r.To] != to
	e.wires.mu.Unlock()
	if killed {
		return golem.Errorf(golem.ErrUnavailable, "node %s is not reachable", r.To)
	}
	for _, a := range answers {
		if err := reply(a); err != nil {
			return err
		}
	}
	return nil
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

func tempDB(t testing.TB) string { return filepath.Join(t.TempDir(), "node.db") }

// dying is a store whose process is killed at its n-th change: after it is
// written, or instead. Nothing that the process does later has an effect.
type dying struct {
	payment.Store
	mu      sync.Mutex
	left    int
	instead bool
	die     func() // must not wait
	dead    bool
}

var errDied = errors.New("the process was killed")

func (d *dying) Step(ctx context.Context, f func(payment.Reader) (payment.Change, error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return errDied
	}
	dies := false
	err := d.Store.Step(ctx, func(r payment.Reader) (payment.Change, error) {
		c, err := f(r)
		if err != nil || reflect.ValueOf(c).IsZero() {
			return c, err
		}
		d.left--
		if dies = d.left == 0; dies && d.instead {
			err = errDied
		}
		return c, err
	})
	if dies {
		d.dead = true
		d.die()
		return errDied
	}
	return err
}

func (d *dying) View(ctx context.Context, f func(payment.Reader) error) error {
	d.mu.Lock()
	dead := d.dead
	d.mu.Unlock()
	if dead {
		return errDied
	}
	return d.Store.View(ctx, f)
}
