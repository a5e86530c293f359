package provider

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/rest/client"
)

// Config says what an Agent sells, and where. Node and Launcher are required, and
// either Presets or a file with presets in Dir; the zero value of the rest is the
// default.
type Config struct {
	Node     *client.Client
	Launcher Launcher
	Runtimes []Descriptor
	Presets  []Preset // where Dir has no file with presets

	// Dir is where the Agent keeps its session and looks for the file with presets,
	// which takes effect when it changes. "" is nowhere.
	Dir string
	// Session tells the Agreements of this Agent from those of others at the same
	// node; it has to be the same after a restart. "" is one kept in Dir, or
	// "provider" without Dir.
	Session string

	Name      string           // of the node, for people; "" is "provider"
	Subnet    string           // to which requestors must belong; "" is "public"
	Platforms []golem.Platform // on which it wants to be paid; nil is all of the node

	// Hardware is what the Agent has to sell. What is zero in it is detected, and
	// divided by Share.
	Hardware Hardware
	// Share is the number of Agents that sell this machine; 0 is 1.
	Share int
	// Agreements is how many may run at a time; 0 is 1.
	Agreements int
	// PerAgreement is what one Agreement gets; what is zero in it is the Hardware
	// divided by Agreements.
	PerAgreement Hardware

	Terms Terms
	Timing

	Rand  *mathrand.Rand // of jitter, not shared with others; nil is seeded at random
	Log   *slog.Logger   // nil: discard
	Ready func()         // called once, when every product that works is on the market
}

// Timing are the pauses of an Agent. Zero values stand for upstream's, which the
// comments give, or for what they say.
type Timing struct {
	TTL     time.Duration // of Offers on the market; the node's, taken for 1 h
	Idle    time.Duration // an Agreement may be without an Activity, 90 s
	Approve time.Duration // for the Requestor to confirm an approval, 10 s
	Send    time.Duration // for the Requestor to acknowledge a document, 15 s
	Poll    time.Duration // at most between two calls of each long poll, 20 s
	Grace   time.Duration // for Run to end orderly, 8 s
	GiveUp  time.Duration // for delivering an invoice, 7 days
}

func (t *Timing) setDefaults() {
	def := func(d *time.Duration, v time.Duration) { *d = cmp.Or(*d, v) }
	def(&t.Idle, 90*time.Second)
	def(&t.Approve, 10*time.Second)
	def(&t.Send, 15*time.Second)
	def(&t.Poll, 20*time.Second)
	def(&t.Grace, 8*time.Second)
	def(&t.GiveUp, 7*24*time.Hour)
}

// Agent sells.
type Agent struct {
	cfg      Config
	node     *client.Client
	log      *slog.Logger
	session  string
	slice    Hardware
	capacity *capacity
	stopping <-chan struct{} // closed when Run is to end
	freed    chan struct{}   // rings when capacity is released
	deals    sync.WaitGroup

	mu        sync.Mutex
	rand      *mathrand.Rand
	active    map[golem.AgreementID]*deal
	notes     map[golem.DebitNoteID]*deal
	invoices  map[golem.InvoiceID]openInvoice
	postponed []postponed
}

// New returns an Agent, which sells once Run is called.
func New(cfg Config) (*Agent, error) {
	if cfg.Node == nil || cfg.Launcher == nil {
		return nil, golem.Errorf(golem.ErrInvalid, "provider needs Node and Launcher")
	}
	cfg.Name, cfg.Subnet = cmp.Or(cfg.Name, "provider"), cmp.Or(cfg.Subnet, "public")
	cfg.Share, cfg.Agreements = cmp.Or(cfg.Share, 1), cmp.Or(cfg.Agreements, 1)
	cfg.Terms.setDefaults()
	cfg.Timing.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, node: cfg.Node, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), rand: cfg.Rand,
		freed:  make(chan struct{}, 1),
		active: map[golem.AgreementID]*deal{}, notes: map[golem.DebitNoteID]*deal{}, invoices: map[golem.InvoiceID]openInvoice{},
	}
	if a.rand == nil {
		var seed [32]byte
		rand.Read(seed[:]) // never fails, as documented
		a.rand = mathrand.New(mathrand.NewChaCha8(seed))
	}
	var err error
	if a.session, err = cfg.session(); err != nil {
		return nil, err
	}
	return a, a.measure()
}

// subnets are names that can stand in a constraint as they are.
const subnets = `^[0-9A-Za-z._-]+$`

func (c *Config) check() error {
	if !regexp.MustCompile(subnets).MatchString(c.Subnet) {
		return golem.Errorf(golem.ErrInvalid, "subnet %q: want letters, digits, points, dashes and underscores", c.Subnet)
	}
	if c.Share < 0 || c.Agreements < 0 {
		return golem.Errorf(golem.ErrInvalid, "provider: Share and Agreements must be above 0")
	}
	for i := range c.Runtimes {
		if err := c.Runtimes[i].check(); err != nil {
			return err
		}
	}
	for i := range c.Presets {
		if err := c.Presets[i].check(); err != nil {
			return err
		}
	}
	if err := cmp.Or(c.Hardware.check(), c.PerAgreement.check()); err != nil {
		return err
	}
	return c.Terms.check()
}

// measure settles what there is to sell.
func (a *Agent) measure() error {
	detected, err := Detect(a.cfg.Dir)
	if err != nil {
		return err
	}
	total := a.cfg.Hardware.or(detected.divide(a.cfg.Share))
	a.capacity = newCapacity(total, a.cfg.Agreements)
	a.slice = a.cfg.PerAgreement.or(total.divide(a.cfg.Agreements))
	if err := a.capacity.free(a.slice); err != nil {
		return golem.Errorf(golem.ErrInvalid, "an Agreement gets %+v, but there is only %+v in all", a.slice, total)
	}
	return nil
}

// session returns the name that the Agreements of this Agent have in common.
func (c *Config) session() (string, error) {
	if c.Session != "" || c.Dir == "" {
		return cmp.Or(c.Session, "provider"), nil
	}
	path := filepath.Join(c.Dir, "session")
	text, err := os.ReadFile(path)
	if id := strings.TrimSpace(string(text)); err == nil && id != "" {
		return id, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", golem.Errorf(golem.ErrUnavailable, "session: %w", err)
	}
	var random [8]byte
	rand.Read(random[:])
	id := "provider-" + hex.EncodeToString(random[:])
	if err := os.WriteFile(path, []byte(id+"\n"), 0o644); err != nil {
		return "", golem.Errorf(golem.ErrUnavailable, "session: %w", err)
	}
	return id, nil
}

// Run sells until ctx ends, and then ends orderly, within Grace. It returns nil
// then; an error says why it cannot sell anything. It is called once.
func (a *Agent) Run(ctx context.Context) error {
	me, err := a.greet(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	runtimes, err := a.probe(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	presets := a.presets()
	products := a.products(presets, runtimes)
	if a.cfg.Dir == "" && len(products) == 0 {
		return golem.Errorf(golem.ErrInvalid, "none of %d presets can be sold: see the log", len(a.cfg.Presets))
	}
	// What has begun is brought to its end after ctx has ended.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	a.stopping = ctx.Done()
	a.log.Info("provider begins", "node", me.Identity, "session", a.session, "agreements", a.cfg.Agreements, "each", a.slice)
	a.resume(ctx, work, me.Identity)
	var loops sync.WaitGroup
	loops.Go(func() { a.followAgreements(ctx) })
	loops.Go(func() { a.followActivities(ctx) })
	loops.Go(func() { a.followNotes(ctx) })
	loops.Go(func() { a.followInvoices(ctx) })
	loops.Go(func() { a.renegotiate(ctx) })
	loops.Go(func() {
		first := newCounter(products, a.cfg.Ready)
		for s := newSelling(a, first); ; products = a.products(presets, runtimes) {
			s.offer(ctx, work, products)
			if presets = a.awaitPresets(ctx, presets); ctx.Err() != nil {
				s.offer(ctx, work, nil)
				return
			}
		}
	})
	<-ctx.Done()
	a.end(&loops, cancel)
	return nil
}

// end waits until everything has come to its end, for the time of Grace. Then it
// is cut off.
func (a *Agent) end(loops *sync.WaitGroup, cancel func()) {
	all := make(chan struct{})
	go func() {
		loops.Wait()
		a.deals.Wait() // the loops begin no more of them
		close(all)
	}()
	timer := time.NewTimer(a.cfg.Grace)
	defer timer.Stop()
	select {
	case <-all:
	case <-timer.C:
		cancel()
		<-all
	}
	a.log.Info("provider ends")
}

// greet waits until the node answers, and learns whose node it is.
func (a *Agent) greet(ctx context.Context) (me client.Me, err error) {
	err = a.retry(ctx, "greet the node", quickly, func(ctx context.Context) (err error) {
		me, err = a.node.Me(ctx)
		return err
	})
	return me, unlessEnded(ctx, err)
}

// unlessEnded returns err, nil where the end of ctx is the cause.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// now is the clock: UTC, in microseconds.
func (a *Agent) now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// begin makes a deal run, unless there is one about its Agreement.
func (a *Agent) begin(d *deal, run func()) bool {
	a.mu.Lock()
	_, known := a.active[d.id]
	if !known {
		a.active[d.id] = d
	}
	a.mu.Unlock()
	if known {
		return false
	}
	a.deals.Go(func() {
		defer a.forget(d)
		run()
	})
	return true
}

// forget drops a deal that is over.
func (a *Agent) forget(d *deal) {
	a.release(d)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.active, d.id)
	for id, of := range a.notes {
		if of == d {
			delete(a.notes, id)
		}
	}
}

// release frees what a deal had.
func (a *Agent) release(d *deal) {
	if !a.capacity.release(d.id) {
		return
	}
	select {
	case a.freed <- struct{}{}:
	default: // it is ringing
	}
}

// dealOf returns the deal about an Agreement, nil if there is none.
func (a *Agent) dealOf(id golem.AgreementID) *deal {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.active[id]
}
