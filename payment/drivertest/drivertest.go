package drivertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

// Bench is what the suite needs around a driver.
type Bench struct {
	// Open returns a driver without memory, as after a restart, on the same money.
	Open func() payment.Driver
	// Fund gives an address tokens.
	Fund func(a golem.Address, amount golem.Amount)
	// Payer and Payee are accounts the driver can sign for, without tokens.
	Payer, Payee golem.Address
}

// Run runs the suite. open is called inside a bubble of testing/synctest, once
// for each test, and returns a bench with fresh accounts.
func Run(t *testing.T, open func(t *testing.T) *Bench) {
	tests := []struct {
		name string
		f    func(t *testing.T, b *Bench)
	}{
		{"platforms", platforms},
		{"pays and proves", paysAndProves},
		{"one order is one transfer", oneOrderOneTransfer},
		{"restart repeats nothing", restartRepeatsNothing},
		{"settlement is repeated until taken", settlementRepeated},
		{"overdraft waits and blocks nobody", overdraftWaits},
		{"pays itself", paysItself},
		{"refuses wrong proofs", refusesProofs},
		{"refuses what is not its own", refusesForeign},
		{"ends", ends},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test.f(t, open(t)) })
		})
	}
}

// running is a driver that runs, and what it has reported.
type running struct {
	payment.Driver
	stop func()

	mu      sync.Mutex
	settled []payment.Settlement
	refuse  int // reports that are still to be refused
	ended   bool
	late    bool // a report came after Run had returned
}

func start(t *testing.T, d payment.Driver, refuse int) *running {
	r := &running{Driver: d, refuse: refuse}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		d.Run(ctx, r.take)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = true
	})
	r.stop = func() { cancel(); run.Wait() }
	t.Cleanup(r.stop)
	return r
}

func (r *running) take(_ context.Context, s payment.Settlement) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = r.late || r.ended
	if r.refuse > 0 {
		r.refuse--
		return errors.New("the books are busy")
	}
	r.settled = append(r.settled, s)
	return nil
}

// pause lets virtual time pass.
func pause(t *testing.T, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// wait lets virtual time pass until n settlements were taken.
func (r *running) wait(t *testing.T, n int) []payment.Settlement {
	t.Helper()
	for range 600 {
		synctest.Wait()
		r.mu.Lock()
		got := len(r.settled)
		r.mu.Unlock()
		if got >= n {
			break
		}
		pause(t, time.Second)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.settled) != n {
		t.Fatalf("%d settlements after ten minutes, want %d; problems: %+v", len(r.settled), n, r.Problems(t.Context()))
	}
	return append([]payment.Settlement(nil), r.settled...)
}

func (b *Bench) order(d payment.Driver, id string, amount golem.Amount) payment.Order {
	return payment.Order{ID: payment.OrderID(id), Platform: d.Platforms()[0], Payer: b.Payer, Payee: b.Payee, Amount: amount}
}

func pay(t *testing.T, d payment.Driver, o payment.Order) {
	t.Helper()
	if err := d.Pay(t.Context(), o); err != nil {
		t.Fatalf("pay %s: %v", o.ID, err)
	}
}

func holds(t *testing.T, d payment.Driver, a golem.Address, want golem.Amount) {
	t.Helper()
	b, err := d.Balance(t.Context(), d.Platforms()[0], a)
	if err != nil || b.Amount != want {
		t.Fatalf("%s holds %s, %v; want %s", a, b.Amount, err, want)
	}
}

func platforms(t *testing.T, b *Bench) {
	ps := b.Open().Platforms()
	if len(ps) == 0 {
		t.Fatal("no platforms")
	}
	for _, p := range ps {
		if p.Driver != ps[0].Driver {
			t.Errorf("platform %s is of another driver than %s", p, ps[0])
		}
		if q, err := golem.ParsePlatform(p.String()); err != nil || q != p {
			t.Errorf("platform %s parses as %s, %v", p, q, err)
		}
	}
}

func paysAndProves(t *testing.T, b *Bench) {
	b.Fund(b.Payer, golem.Tokens(10))
	d := start(t, b.Open(), 0)
	o := b.order(d, "a1", golem.Tokens(3))
	pay(t, d, o)
	s := d.wait(t, 1)[0]
	if s.Order != o.ID || s.Amount != o.Amount || s.Ref == "" {
		t.Fatalf("settlement %+v does not fit order %+v", s, o)
	}
	// The payee's own driver, which has never heard of the order, confirms it.
	tr, err := b.Open().Confirm(t.Context(), o.Platform, s.Proof)
	if err != nil || tr.Payer != b.Payer || tr.Payee != b.Payee || tr.Amount != o.Amount || tr.Ref != s.Ref {
		t.Fatalf("proof stands for %+v, %v", tr, err)
	}
	holds(t, d, b.Payer, golem.Tokens(7))
	holds(t, d, b.Payee, golem.Tokens(3))
}

func oneOrderOneTransfer(t *testing.T, b *Bench) {
	b.Fund(b.Payer, golem.Tokens(10))
	d := start(t, b.Open(), 0)
	o := b.order(d, "a1", golem.Tokens(3))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := d.Pay(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	pause(t, time.Minute)
	pay(t, d, o)
	pause(t, time.Minute)
	holds(t, d, b.Payee, golem.Tokens(3))
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.settled {
		if s.Ref != d.settled[0].Ref {
			t.Errorf("settled by transfers %s and %s", d.settled[0].Ref, s.Ref)
		}
	}
	other := o
	other.Amount = golem.Tokens(4)
	if err := d.Pay(t.Context(), other); err == nil {
		pause(t, time.Minute) // it may find out later, but must not pay
		holds(t, d, b.Payee, golem.Tokens(3))
	}
}

func restartRepeatsNothing(t *testing.T, b *Bench) {
	b.Fund(b.Payer, golem.Tokens(10))
	refs := map[string]bool{}
	for i := range 4 {
		d := start(t, b.Open(), 0)
		o := b.order(d, "a1", golem.Tokens(3))
		if i%2 == 0 { // killed while the books do not take the settlement
			d.refuse = 1000
			pay(t, d, o)
			pause(t, time.Minute)
		} else {
			pay(t, d, o)
			refs[d.wait(t, 1)[0].Ref] = true
		}
		d.stop()
	}
	holds(t, b.Open(), b.Payee, golem.Tokens(3))
	if len(refs) != 1 {
		t.Errorf("one order was settled by %d transfers", len(refs))
	}
}

func settlementRepeated(t *testing.T, b *Bench) {
	b.Fund(b.Payer, golem.Tokens(10))
	d := start(t, b.Open(), 3)
	pay(t, d, b.order(d, "a1", golem.Tokens(1)))
	d.wait(t, 1)
	pause(t, 10*time.Minute)
	d.wait(t, 1) // once taken it is not repeated
}

func overdraftWaits(t *testing.T, b *Bench) {
	b.Fund(b.Payer, golem.Tokens(5))
	d := start(t, b.Open(), 0)
	pay(t, d, b.order(d, "big", golem.Tokens(8)))
	pay(t, d, b.order(d, "small", golem.Tokens(2)))
	if s := d.wait(t, 1); s[0].Order != "small" {
		t.Fatalf("settled %s", s[0].Order)
	}
	ps := d.Problems(t.Context())
	if len(ps) != 1 || ps[0].Kind != payment.InsufficientToken || ps[0].Address != b.Payer.String() {
		t.Errorf("problems %+v, want one of insufficient tokens", ps)
	}
	b.Fund(b.Payer, golem.Tokens(5))
	d.wait(t, 2)
	if ps := d.Problems(t.Context()); len(ps) != 0 {
		t.Errorf("problems %+v after all is paid", ps)
	}
	holds(t, d, b.Payer, golem.Amount{})
}

func paysItself(t *testing.T, b *Bench) {
	b.Fund(b.Payer, golem.Tokens(5))
	d := start(t, b.Open(), 0)
	o := b.order(d, "self", golem.Tokens(5))
	o.Payee = o.Payer
	pay(t, d, o)
	s := d.wait(t, 1)[0]
	if tr, err := d.Confirm(t.Context(), o.Platform, s.Proof); err != nil || tr.Payee != o.Payer || tr.Amount != o.Amount {
		t.Errorf("proof stands for %+v, %v", tr, err)
	}
	holds(t, d, b.Payer, golem.Tokens(5))
}

func refusesProofs(t *testing.T, b *Bench) {
	b.Fund(b.Payer, golem.Tokens(5))
	d := start(t, b.Open(), 0)
	pay(t, d, b.order(d, "a1", golem.Tokens(5)))
	good := d.wait(t, 1)[0].Proof
	bad := map[string][]byte{"empty": {}, "short": good[:len(good)-1], "long": append(append([]byte(nil), good...), 0), "text": []byte("paid, trust me")}
	for i := range good {
		b := append([]byte(nil), good...)
		b[i] ^= 0x40
		bad[fmt.Sprintf("byte %d", i)] = b
	}
	for name, proof := range bad {
		tr, err := d.Confirm(t.Context(), d.Platforms()[0], proof)
		if !errors.Is(err, golem.ErrInvalid) && !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("%s: confirmed as %+v, %v", name, tr, err)
		}
	}
}

func refusesForeign(t *testing.T, b *Bench) {
	d := b.Open()
	p := golem.Platform{Driver: "nobody", Network: "nowhere", Token: "nothing"}
	o := b.order(d, "a1", golem.Tokens(1))
	o.Platform = p
	if err := d.Pay(t.Context(), o); err == nil {
		t.Error("takes an order of a foreign platform")
	}
	if _, err := d.Confirm(t.Context(), p, []byte("x")); err == nil {
		t.Error("confirms on a foreign platform")
	}
	if _, err := d.Balance(t.Context(), p, b.Payer); err == nil {
		t.Error("has a balance on a foreign platform")
	}
	if err := d.Pay(t.Context(), payment.Order{Platform: d.Platforms()[0]}); err == nil {
		t.Error("takes an empty order")
	}
}

func ends(t *testing.T, b *Bench) {
	b.Fund(b.Payer, golem.Tokens(5))
	d := start(t, b.Open(), 1000)
	pay(t, d, b.order(d, "a1", golem.Tokens(1)))
	pause(t, 5*time.Second)
	d.stop()
	pause(t, time.Minute)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.late {
		t.Error("reports after Run has returned")
	}
}
