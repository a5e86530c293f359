package payment_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/wire"
)

// recorder notes the requests that arrive, by address.
type recorder struct {
	mu    sync.Mutex
	count map[string]int
}

func (w *world) record() *recorder {
	rec := &recorder{count: map[string]int{}}
	w.wires.mu.Lock()
	defer w.wires.mu.Unlock()
	w.wires.seen = func(r p2p.Request) {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		rec.count[r.Addr]++
	}
	return rec
}

func (rec *recorder) take() map[string]int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	got := maps.Clone(rec.count)
	clear(rec.count)
	return got
}

// TestProviderOfflineForDays accepts and pays while the Provider is away; what it
// missed it gets when it is back, in one message.
func TestProviderOfflineForDays(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		note, invoice := d.note(0, tokens(1)), d.invoice(tokens(4))
		refused := d.issueInvoice(tokens(6))
		w.must(p.Send(t.Context(), p.id, payment.Invoice, string(refused), time.Minute))
		p.kill()
		w.must(d.acceptNote(note, tokens(1), al))
		w.must(d.acceptInvoice(invoice, tokens(4), al))
		w.must(r.Reject(t.Context(), r.id, payment.Invoice, string(refused), golem.Rejection{Reason: golem.IncorrectAmount}))
		time.Sleep(36 * time.Hour)
		r.restart()
		time.Sleep(36 * time.Hour)
		if s, err := r.Status(t.Context(), r.id); err != nil || s[0].Undelivered != 4 {
			t.Errorf("status %+v, %v; want two acceptances, a rejection and a payment to tell", s, err)
		}
		rec := w.record()
		p.start()
		time.Sleep(40 * time.Second) // it asks 30 seconds after its start
		want := map[string]int{"payment/PaymentSyncNeeded": 1, "payment/PaymentSyncWithBytes": 1}
		if diff := cmp.Diff(want, rec.take()); diff != "" {
			t.Errorf("messages: %s", diff)
		}
		d.both(payment.DebitNote, string(note), golem.DocumentSettled)
		d.both(payment.Invoice, string(invoice), golem.DocumentSettled)
		d.both(payment.Invoice, string(refused), golem.DocumentRejected)
		d.totals(tokens(6), tokens(4), tokens(4)) // the rejected invoice is still claimed
		time.Sleep(48 * time.Hour)
		if got := rec.take(); len(got) != 0 {
			t.Errorf("later messages: %v", got)
		}
		w.audit(r, p)
	})
}

// TestBackoffGrows counts attempts to reach somebody who never answers.
func TestBackoffGrows(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var untold []time.Duration
		start := time.Now()
		r := w.node(1, func(c *payment.Config) {
			c.Trace.Untold = func(payment.Message, error) {
				mu.Lock()
				defer mu.Unlock()
				untold = append(untold, time.Since(start).Round(time.Second))
			}
		})
		p := w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		id := d.invoice(tokens(1))
		p.kill()
		w.must(r.Reject(t.Context(), r.id, payment.Invoice, string(id), golem.Rejection{Reason: golem.BadService}))
		time.Sleep(24 * time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if len(untold) < 25 || len(untold) > 40 {
			t.Errorf("%d attempts in a day: %v", len(untold), untold)
		}
		for i := 1; i < len(untold); i++ {
			if gap := untold[i] - untold[i-1]; gap > 67*time.Minute {
				t.Errorf("a gap of %v", gap)
			}
		}
	})
}

// stand is somebody else's node, whose payment service a test writes itself.
type stand struct {
	id  golem.NodeID
	bus *gsb.Bus
}

// stranger adds a node with a payment service of the test's own.
func (w *world) stranger(bind func(b gsb.Binder)) *stand {
	w.count++
	s := &stand{id: w.keys.add(w.count)}
	e := &end{wires: w.wires}
	s.bus = gsb.New(gsb.Config{Network: e, Identities: func() []golem.NodeID { return []golem.NodeID{s.id} }})
	bind(s.bus)
	w.wires.plug(s.id, e)
	return s
}

// handle binds a method, or fails the test.
func handle[Req, Resp any](w *world, b gsb.Binder, m gsb.Method[Req, Resp], f func(context.Context, Req) (Resp, error)) {
	w.t.Helper()
	_, err := m.Handle(b, func(ctx context.Context, _ gsb.Peer, req Req) (Resp, error) { return f(ctx, req) })
	w.must(err)
}

// billed sends an invoice from a stranger for a new agreement with it.
func (w *world) billed(r *node, s *stand, amount golem.Amount) (*deal, golem.InvoiceID) {
	w.t.Helper()
	d := w.agree(r, &node{id: s.id}, 1, terms{pid: s.id})
	inv := golem.Invoice{
		ID: golem.NewInvoiceID(), Issuer: s.id, Recipient: d.rid, Payee: s.id.Address(), Payer: d.rid.Address(), Platform: local.Platform,
		Timestamp: time.Now().UTC(), Agreement: d.id, Activities: d.activities, Amount: amount, Due: time.Now().UTC(), Status: golem.DocumentIssued,
	}
	_, err := wire.SendInvoice.Call(w.t.Context(), s.bus, s.id, d.rid, inv)
	w.must(err)
	return d, inv.ID
}

// TestPoisonBlocksNobody has a peer that refuses one message for ever, live and
// in a sync; all others to it are acknowledged and told once more at most.
func TestPoisonBlocksNobody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.node(1, nil)
		var poison golem.InvoiceID
		var mu sync.Mutex
		var back atomic.Bool
		took := map[string]int{}
		take := func(what string, refuse bool) (wire.PaymentAck, error) {
			mu.Lock()
			defer mu.Unlock()
			if refuse {
				return wire.PaymentAck{}, golem.Errorf(golem.ErrInvalid, "I do not like it")
			}
			took[what]++
			return wire.PaymentAck{}, nil
		}
		s := w.stranger(func(b gsb.Binder) {
			handle(w, b, wire.AcceptInvoice, func(_ context.Context, m wire.InvoiceAcceptance) (wire.PaymentAck, error) {
				return take("accept", m.ID == poison)
			})
			handle(w, b, wire.SendPayment, func(context.Context, wire.SignedPayment) (wire.PaymentAck, error) {
				return take("payment", false)
			})
			handle(w, b, wire.SyncPayments, func(_ context.Context, m wire.PaymentSync) (wire.PaymentAck, error) {
				if slices.ContainsFunc(m.InvoiceAccepts, func(a wire.InvoiceAcceptance) bool { return a.ID == poison }) {
					return wire.PaymentAck{}, &wire.SyncError{Acceptances: []error{golem.Errorf(golem.ErrInvalid, "one of them")}}
				}
				for range m.InvoiceAccepts {
					take("accept", false)
				}
				for range m.Payments {
					take("payment", false)
				}
				return wire.PaymentAck{}, nil
			})
		})
		synctest.Wait() // for who still looks at it
		w.wires.fault = func(q p2p.Request, _ bool) error {
			if !back.Load() && q.To == s.id {
				return golem.Errorf(golem.ErrUnavailable, "away")
			}
			return nil
		}
		al, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(100)})
		w.must(err)
		for i := range 10 {
			d, id := w.billed(r, s, tokens(1))
			if i == 0 {
				poison = id
			}
			w.must(d.acceptInvoice(id, tokens(1), al.ID))
		}
		time.Sleep(time.Hour) // nothing gets through
		back.Store(true)
		time.Sleep(3 * time.Hour)
		mu.Lock()
		got := maps.Clone(took)
		mu.Unlock()
		st, err := r.Status(t.Context(), r.id)
		if err != nil || st[0].Undelivered != 1 || st[0].Refused != 1 || got["accept"] != 9 || got["payment"] == 0 {
			t.Fatalf("took %v, status %+v, %v; want all but the poison", got, st, err)
		}
		// More still gets through, and what is refused is not repeated for ever.
		d, id := w.billed(r, s, tokens(1))
		w.must(d.acceptInvoice(id, tokens(1), al.ID))
		time.Sleep(30 * 24 * time.Hour)
		rec := w.record()
		time.Sleep(30 * 24 * time.Hour)
		if got := rec.take(); len(got) != 0 {
			t.Errorf("after months: %v", got)
		}
		mu.Lock()
		poison = ""
		mu.Unlock()
		_, err = wire.RequestPaymentSync.Call(t.Context(), s.bus, s.id, r.id, gsb.Unit{}) // unless asked for
		w.must(err)
		settle()
		if st, _ := r.Status(t.Context(), r.id); st[0].Undelivered != 0 {
			t.Errorf("after asking: %+v", st)
		}
	})
}

// TestHangingPeerDelaysNobody has one peer that never answers while another gets
// its acceptance at once.
func TestHangingPeerDelaysNobody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		hang := w.stranger(func(b gsb.Binder) {
			handle(w, b, wire.AcceptInvoice, func(ctx context.Context, _ wire.InvoiceAcceptance) (wire.PaymentAck, error) {
				<-ctx.Done()
				return wire.PaymentAck{}, ctx.Err()
			})
		})
		al, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(100)})
		w.must(err)
		d, id := w.billed(r, hang, tokens(1))
		w.must(d.acceptInvoice(id, tokens(1), al.ID))
		settle()
		e := w.agree(r, p, 1, terms{})
		inv := e.invoice(tokens(2))
		start := time.Now()
		w.must(e.acceptInvoice(inv, tokens(2), al.ID))
		settle()
		e.both(payment.Invoice, string(inv), golem.DocumentSettled)
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestHangingPeersDelayNoPayment has more peers that never answer than are told
// something at a time: orders go to the driver all the same.
func TestHangingPeersDelayNoPayment(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.node(1, nil)
		al, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(100)})
		w.must(err)
		var payees []golem.Address
		for range 40 {
			s := w.stranger(func(b gsb.Binder) {
				_, err := b.Bind("/public/payment", hangs)
				w.must(err)
			})
			d, id := w.billed(r, s, tokens(1))
			w.must(d.acceptInvoice(id, tokens(1), al.ID))
			settle()
			payees = append(payees, s.id.Address())
		}
		for _, a := range payees {
			w.holds(a, tokens(1))
		}
	})
}

// TestOldPeerWithoutSync has a peer that does not know the sync message.
func TestOldPeerWithoutSync(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.node(1, nil)
		var took atomic.Int64
		var back atomic.Bool
		s := w.stranger(func(b gsb.Binder) {
			handle(w, b, wire.AcceptInvoice, func(context.Context, wire.InvoiceAcceptance) (wire.PaymentAck, error) {
				took.Add(1)
				return wire.PaymentAck{}, nil
			})
			handle(w, b, wire.SendPayment, func(context.Context, wire.SignedPayment) (wire.PaymentAck, error) {
				took.Add(1)
				return wire.PaymentAck{}, nil
			})
		})
		synctest.Wait() // for who still looks at it
		w.wires.fault = func(q p2p.Request, _ bool) error {
			if !back.Load() && q.To == s.id {
				return golem.Errorf(golem.ErrUnavailable, "away")
			}
			return nil
		}
		al, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(100)})
		w.must(err)
		d, id := w.billed(r, s, tokens(1))
		w.must(d.acceptInvoice(id, tokens(1), al.ID))
		time.Sleep(time.Hour)
		back.Store(true)
		time.Sleep(2 * time.Hour)
		if st, err := r.Status(t.Context(), r.id); err != nil || st[0].Undelivered != 0 || took.Load() != 2 {
			t.Fatalf("took %d, status %+v, %v", took.Load(), st, err)
		}
	})
}

// TestLockedIdentityPaysLater locks the payer's key: what is accepted is paid,
// and confirmed, once it is unlocked.
func TestLockedIdentityPaysLater(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(5))
		id := d.invoice(tokens(3))
		w.keys.lock(r.id, true)
		w.must(d.acceptInvoice(id, tokens(3), al))
		time.Sleep(time.Minute)
		d.both(payment.Invoice, string(id), golem.DocumentAccepted)
		ps, err := r.Problems(t.Context(), payment.PlatformChoice{})
		if err != nil || len(ps) != 1 || ps[0].Kind != payment.CantSign || ps[0].Address != r.id.String() {
			t.Errorf("problems %+v, %v", ps, err)
		}
		r.restart()
		time.Sleep(time.Minute)
		w.keys.lock(r.id, false)
		time.Sleep(time.Hour)
		d.both(payment.Invoice, string(id), golem.DocumentSettled)
		if ps, _ := r.Problems(t.Context(), payment.PlatformChoice{}); len(ps) != 0 {
			t.Errorf("problems %+v", ps)
		}
		if _, err := r.Problems(t.Context(), payment.PlatformChoice{Network: "mainnet"}); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("problems elsewhere: %v", err)
		}
	})
}

// TestManyPeers settles with more peers at once than are told something at a time.
func TestManyPeers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.node(1, nil)
		var mu sync.Mutex
		told := map[string]int{}
		al, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(100)})
		w.must(err)
		for i := range 40 {
			s := w.stranger(func(b gsb.Binder) {
				note := func(what string) (wire.PaymentAck, error) {
					mu.Lock()
					defer mu.Unlock()
					told[fmt.Sprintf("%d %s", i, what)]++
					return wire.PaymentAck{}, nil
				}
				handle(w, b, wire.AcceptInvoice, func(context.Context, wire.InvoiceAcceptance) (wire.PaymentAck, error) { return note("accept") })
				handle(w, b, wire.SendPayment, func(context.Context, wire.SignedPayment) (wire.PaymentAck, error) { return note("payment") })
			})
			d, id := w.billed(r, s, tokens(1))
			w.must(d.acceptInvoice(id, tokens(1), al.ID))
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for what, n := range told {
			if n != 1 {
				t.Errorf("%s told %d times", what, n)
			}
		}
		if len(told) != 80 {
			t.Errorf("%d messages arrived, want 80", len(told))
		}
		w.audit(r)
	})
}

// hangs answers nothing until its caller gives up.
func hangs(ctx context.Context, _ gsb.Request, _ func(gsb.Reply) error) error {
	<-ctx.Done()
	return ctx.Err()
}
