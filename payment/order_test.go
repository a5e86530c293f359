package payment_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/drivertest"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/sqlite"
)

// TestPaymentsAreGathered pays what has been accepted within a while by one
// transfer for each wallet, with a confirmation for each Provider behind it.
func TestPaymentsAreGathered(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.node(1, func(c *payment.Config) { c.PayDelay = time.Hour })
		p, q := w.node(2, nil), w.node(1, nil)
		wallet := w.keys.add(99)
		share := terms{payee: wallet.String()}
		d, e := w.agree(r, p, 1, share), w.agree(r, q, 1, share)
		f := w.agree(r, p, 1, terms{payee: wallet.String(), pid: p.ids[1]})
		g := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(100))
		w.must(d.acceptNote(d.note(0, tokens(1)), tokens(1), al))
		w.must(d.acceptNote(d.note(0, tokens(2)), tokens(2), al))
		w.must(e.acceptInvoice(e.invoice(tokens(4)), tokens(4), al))
		w.must(f.acceptInvoice(f.invoice(tokens(8)), tokens(8), al))
		w.must(g.acceptInvoice(g.invoice(tokens(16)), tokens(16), al))
		r.restart()
		time.Sleep(59 * time.Minute)
		w.holds(r.id.Address(), tokens(1000))
		time.Sleep(2 * time.Minute)
		w.holds(wallet.Address(), tokens(14))
		w.holds(p.id.Address(), tokens(1016))
		os, err := r.Orders(t.Context(), r.id, payment.Page{})
		if err != nil || len(os) != 2 {
			t.Fatalf("orders %+v, %v; want one for each wallet", os, err)
		}
		first, err := r.Orders(t.Context(), r.id, payment.Page{Limit: 1})
		w.must(err)
		rest, err := r.Orders(t.Context(), r.id, payment.Page{After: first[0].Created})
		if err != nil || len(rest) != 1 || rest[0].ID == first[0].ID {
			t.Errorf("orders after the first, which was made with it: %+v, %v", rest, err)
		}
		for _, dl := range []struct {
			d    *deal
			want golem.Amount
		}{{d, tokens(2)}, {e, tokens(4)}, {f, tokens(8)}, {g, tokens(16)}} {
			dl.d.totals(dl.want, dl.want, dl.want)
			ps, err := dl.d.provider.Payments(t.Context(), payment.PaymentQuery{Owner: dl.d.pid}, 0)
			if err != nil {
				t.Fatal(err)
			}
			sum := golem.Amount{}
			for _, p := range ps {
				if p.Payee != dl.d.pid || len(p.Agreements)+len(p.Activities) != 1 {
					t.Errorf("payment %+v", p)
				}
				sum = sum.Add(p.Amount)
			}
			if dl.d.pid != p.id && sum != dl.want || dl.d.pid == p.id && sum != tokens(18) {
				t.Errorf("%s was confirmed %s", dl.d.pid, sum)
			}
		}
		w.audit(r, p, q)
	})
}

// broken is a store that cannot read what one identity is to pay.
type broken struct {
	payment.Store
	owner golem.NodeID
}

func (b broken) Step(ctx context.Context, f func(payment.Reader) (payment.Change, error)) error {
	return b.Store.Step(ctx, func(r payment.Reader) (payment.Change, error) { return f(brokenReader{r, b.owner}) })
}

type brokenReader struct {
	payment.Reader
	owner golem.NodeID
}

func (r brokenReader) OpenObligations(p payment.Purse, limit int) ([]payment.Obligation, error) {
	if p.Owner == r.owner {
		return nil, errors.New("page 7 is damaged")
	}
	return r.Reader.OpenObligations(p, limit)
}

// TestPursesPayAlone damages what one identity is to pay: others pay all the same.
func TestPursesPayAlone(t *testing.T) {
	for i := range 2 { // whichever comes first
		bubble(t, func(t *testing.T, w *world) {
			r := w.dormant(2, sqlite.Memory, nil)
			r.config = func(c *payment.Config) {
				c.Store, c.Trace = broken{c.Store, r.ids[i]}, nil
			}
			r.start()
			p := w.node(1, nil)
			for _, id := range r.ids {
				d := w.agree(r, p, 1, terms{rid: id})
				w.must(d.acceptInvoice(d.invoice(tokens(1)), tokens(1), d.allocate(tokens(2))))
			}
			time.Sleep(time.Second)
			w.holds(r.ids[i].Address(), tokens(1000))
			w.holds(r.ids[1-i].Address(), tokens(999))
		})
	}
}

// TestDueDatesAreKept pays before what is due first, and carries everything of
// the same purse along.
func TestDueDatesAreKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.node(1, func(c *payment.Config) { c.PayDelay = 24 * time.Hour })
		p := w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(100))
		send := func(id golem.DebitNoteID) golem.DebitNoteID {
			w.must(p.Send(t.Context(), p.id, payment.DebitNote, string(id), time.Minute))
			return id
		}
		start := time.Now()
		w.must(d.acceptNote(d.note(0, tokens(1)), tokens(1), al))
		w.must(d.acceptNote(send(d.issueNote(0, tokens(3), start.Add(2*time.Hour))), tokens(3), al))
		time.Sleep(117 * time.Minute)
		w.holds(p.id.Address(), tokens(1000))
		time.Sleep(2 * time.Minute)
		w.holds(p.id.Address(), tokens(1003))
		// What is overdue already is paid at once.
		w.must(d.acceptNote(send(d.issueNote(0, tokens(4), start)), tokens(4), al))
		settle()
		w.holds(p.id.Address(), tokens(1004))
		w.audit(r, p)
	})
}

// TestConcurrentAccepts accepts 64 documents at once against an Allocation that
// suffices for 40, and each of them four times.
func TestConcurrentAccepts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		var deals []*deal
		var ids []golem.InvoiceID
		for range 64 {
			d := w.agree(r, p, 1, terms{})
			deals, ids = append(deals, d), append(ids, d.invoice(tokens(1)))
		}
		al := deals[0].allocate(tokens(40))
		var accepted, refused atomic.Int64
		var all sync.WaitGroup
		for i, d := range deals {
			for range 4 {
				all.Go(func() {
					err := d.acceptInvoice(ids[i], tokens(1), al)
					switch {
					case err == nil:
						accepted.Add(1)
					case errors.Is(err, golem.ErrExhausted):
						refused.Add(1)
					default:
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		if accepted.Load() != 160 || refused.Load() != 96 {
			t.Errorf("%d accepted, %d refused; want 40 and 24 documents, four times each", accepted.Load(), refused.Load())
		}
		got, err := r.Allocation(t.Context(), r.id, al)
		if err != nil || got.Spent != tokens(40) {
			t.Errorf("allocation %+v, %v", got, err)
		}
		time.Sleep(time.Minute)
		w.holds(p.id.Address(), tokens(1040))
		w.audit(r, p)
	})
}

// TestFaultyDrivers plays the story with drivers that lose, repeat and lie.
func TestFaultyDrivers(t *testing.T) {
	for name, fault := range map[string]func(*drivertest.Faulty){
		"loses orders":         func(f *drivertest.Faulty) { f.LosePay = 2 },
		"fails after taking":   func(f *drivertest.Faulty) { f.FailPay = 1 },
		"cannot confirm":       func(f *drivertest.Faulty) { f.FailConfirm = 2 },
		"reports twice":        func(f *drivertest.Faulty) { f.Twice = true },
		"lies":                 func(f *drivertest.Faulty) { f.Lie = true },
		"sometimes no balance": func(f *drivertest.Faulty) { f.FailBalance = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				st := &story{w: w}
				var faulty []*drivertest.Faulty
				config := func(c *payment.Config) {
					f := &drivertest.Faulty{Driver: c.Drivers[0]}
					fault(f)
					faulty = append(faulty, f)
					c.Drivers = []payment.Driver{f}
				}
				st.r, st.p, st.q = w.node(1, config), w.node(1, config), w.node(1, config)
				wallet := w.keys.add(99).Address().String()
				st.d, st.e = w.agree(st.r, st.p, 2, terms{payee: wallet}), w.agree(st.r, st.q, 1, terms{payee: wallet})
				st.run()
				for _, f := range faulty {
					for _, err := range f.Believed() {
						if err == nil {
							t.Error("a lie was booked")
						}
					}
				}
			})
		})
	}
}

// TestSettledRefuses shows that drivers cannot make the books invent payments.
func TestSettledRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		w.must(d.acceptInvoice(d.invoice(tokens(4)), tokens(4), al))
		settle()
		os, err := r.Orders(t.Context(), r.id, payment.Page{})
		w.must(err)
		o := os[0]
		good := payment.Settlement{Order: o.ID, Amount: o.Amount, Proof: o.Proof, Ref: o.Ref}
		for range 2 {
			w.must(r.Settled(t.Context(), good))
		}
		other := good
		other.Ref = "another transfer"
		if err := r.Settled(t.Context(), other); !errors.Is(err, golem.ErrConflict) {
			t.Errorf("another transfer: %v", err)
		}
		unknown := good
		unknown.Order = "nope"
		if err := r.Settled(t.Context(), unknown); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("unknown order: %v", err)
		}
		if _, _, err := r.Order(t.Context(), r.id, o.ID); err != nil {
			t.Error(err)
		}
		if _, _, err := r.Order(t.Context(), p.id, o.ID); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("order of somebody else: %v", err)
		}
		w.audit(r, p)
	})
}

// TestAuditFinds writes books that are wrong behind the service's back.
func TestAuditFinds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		w.must(d.acceptNote(d.note(0, tokens(1)), tokens(1), al))
		w.must(d.acceptInvoice(d.invoice(tokens(4)), tokens(4), al))
		settle()
		w.audit(r)
		side := payment.Side{Owner: r.id, Role: golem.Requestor}
		for _, test := range []struct {
			name string
			f    func(payment.Reader, *payment.Change) error
			want string
		}{
			{"agreement", func(rd payment.Reader, c *payment.Change) error {
				a, err := rd.Agreement(payment.AgreementKey{Side: side, ID: d.id})
				a.Paid = golem.Units(1)
				c.Agreements = []payment.Agreement{a}
				return err
			}, "by its obligations 4, 4, 4"},
			{"activity", func(rd payment.Reader, c *payment.Change) error {
				a, err := rd.Activity(payment.ActivityKey{Side: side, ID: d.activities[0]})
				a.Due = tokens(3)
				c.Activities = []payment.Activity{a}
				return err
			}, "by its debit notes 1"},
			{"allocation", func(rd payment.Reader, c *payment.Change) error {
				a, err := rd.Allocation(al)
				a.Spent = tokens(3)
				c.Allocations = []golem.Allocation{a}
				return err
			}, "spent grows from 0 to 3, its obligations by 4"},
			{"obligation", func(rd payment.Reader, c *payment.Change) error {
				os, err := rd.ObligationsOn(al)
				os[0].State = payment.ObligationOpen
				c.Obligations = os[:1]
				return err
			}, "of its obligation for"},
		} {
			var before payment.Change
			w.must(r.db.Payment().Step(t.Context(), func(rd payment.Reader) (c payment.Change, err error) {
				a, err1 := rd.Agreement(payment.AgreementKey{Side: side, ID: d.id})
				act, err2 := rd.Activity(payment.ActivityKey{Side: side, ID: d.activities[0]})
				alloc, err3 := rd.Allocation(al)
				os, err4 := rd.ObligationsOn(al)
				before = payment.Change{Agreements: []payment.Agreement{a}, Activities: []payment.Activity{act}, Allocations: []golem.Allocation{alloc}, Obligations: append([]payment.Obligation(nil), os...)}
				return c, errors.Join(err1, err2, err3, err4, test.f(rd, &c))
			}))
			rep, err := r.Audit(t.Context())
			if err != nil || !strings.Contains(strings.Join(rep.Findings, "\n"), test.want) {
				t.Errorf("%s: findings %q, %v; want %q", test.name, rep.Findings, err, test.want)
			}
			w.must(r.db.Payment().Step(t.Context(), func(payment.Reader) (payment.Change, error) { return before, nil }))
		}
		w.audit(r)
	})
}

// TestWrongBooksAreRefused breaks the books so that the next step must notice.
func TestWrongBooksAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		id := d.invoice(tokens(4))
		w.must(r.db.Payment().Step(t.Context(), func(rd payment.Reader) (payment.Change, error) {
			a, err := rd.Agreement(payment.AgreementKey{Side: payment.Side{Owner: r.id, Role: golem.Requestor}, ID: d.id})
			a.Due = tokens(3) // less than the invoice is about
			return payment.Change{Agreements: []payment.Agreement{a}}, err
		}))
		err := d.acceptInvoice(id, tokens(4), al)
		if !errors.Is(err, golem.ErrInternal) || !strings.Contains(err.Error(), "accepted 4 is more than due 3") {
			t.Fatalf("got %v", err)
		}
		if r, _ := d.statuses(payment.Invoice, string(id)); r != golem.DocumentReceived {
			t.Errorf("the document is %s", r)
		}
		if a, _ := r.Allocation(context.Background(), r.id, al); !a.Spent.IsZero() {
			t.Errorf("the allocation has spent %s", a.Spent)
		}
	})
}

func TestChecks(t *testing.T) {
	u := golem.Units
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"in order", payment.CheckTotals(golem.Requestor, payment.Totals{Due: u(4), Accepted: u(3), Scheduled: u(2), Paid: u(1)}, "x"), ""},
		{"accepted", payment.CheckTotals(golem.Provider, payment.Totals{Accepted: u(1)}, "x"), "is more than due"},
		{"scheduled", payment.CheckTotals(golem.Requestor, payment.Totals{Due: u(1), Accepted: u(1), Scheduled: u(2)}, "x"), "is more than accepted"},
		{"paid", payment.CheckTotals(golem.Requestor, payment.Totals{Due: u(1), Accepted: u(1), Paid: u(1)}, "x"), "is more than scheduled"},
		{"provider overpaid", payment.CheckTotals(golem.Provider, payment.Totals{Paid: u(1)}, "x"), ""},
		{"absurd", payment.CheckTotals(golem.Requestor, payment.Totals{Due: tokens(2e9)}, "x"), "above a billion"},
		{"grown by obligations", payment.CheckGrowth(golem.Requestor, payment.Totals{}, payment.Totals{Accepted: u(2)}, payment.Totals{Accepted: u(2)}, "x"), ""},
		{"grown by nothing", payment.CheckGrowth(golem.Requestor, payment.Totals{}, payment.Totals{Paid: u(2)}, payment.Totals{}, "x"), "its obligations by 0"},
		{"shrunk", payment.CheckGrowth(golem.Provider, payment.Totals{Paid: u(2)}, payment.Totals{}, payment.Totals{}, "x"), "falls from"},
		{"parts fit", payment.CheckParts(payment.Totals{Due: u(2)}, payment.Totals{Due: u(2)}, "x"), ""},
		{"parts above", payment.CheckParts(payment.Totals{Due: u(2)}, payment.Totals{Due: u(3)}, "x"), "itself only"},
		{"overspent", payment.CheckAllocation(nil, &golem.Allocation{Total: u(1), Spent: u(2)}, u(2)), "is more than its total"},
		{"charged otherwise", payment.CheckAllocation(&golem.Allocation{Spent: u(1)}, &golem.Allocation{Total: u(9), Spent: u(2)}, u(2)), "its obligations by"},
	} {
		if got := test.err; (got == nil) != (test.want == "") || got != nil && !strings.Contains(got.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, got, test.want)
		}
	}
}

// TestOverdraft lets a promise outgrow the account behind the node's back: it is
// paid when there is enough again.
func TestOverdraft(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(900))
		id := d.invoice(tokens(900))
		spend := func(from golem.NodeID, to golem.Address, amount golem.Amount, key string) {
			o := local.Order{Key: key, Payer: from.Address(), Payee: to, Amount: amount}
			w.must(local.SignOrder(t.Context(), w.book, w.keys, &o))
			_, err := w.book.Transfer(t.Context(), o)
			w.must(err)
		}
		spend(r.id, p.id.Address(), tokens(500), "elsewhere")
		w.must(d.acceptInvoice(id, tokens(900), al))
		time.Sleep(time.Hour)
		d.both(payment.Invoice, string(id), golem.DocumentAccepted)
		st, err := r.Status(t.Context(), r.id)
		if err != nil || len(st[0].Problems) != 1 || st[0].Problems[0].Kind != payment.InsufficientToken || *st[0].Problems[0].NeededToken != tokens(900) {
			t.Errorf("status %+v, %v", st, err)
		}
		spend(p.id, r.id.Address(), tokens(500), "back")
		time.Sleep(time.Minute)
		d.both(payment.Invoice, string(id), golem.DocumentSettled)
		w.audit(r, p)
	})
}
