package provider_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/provider"
)

// amount parses a number of tokens.
func amount(t testing.TB, s string) golem.Amount {
	t.Helper()
	a, err := golem.ParseAmount(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// bills describes the documents of a node: status, amount, and in how many
// seconds they are due.
func (n *node) bills(kind payment.DocumentKind) (lines []string) {
	n.w.t.Helper()
	for _, d := range n.documents(kind) {
		line := fmt.Sprintf("%s %s", d.Status, d.Amount)
		if !d.Due.IsZero() {
			line += fmt.Sprintf(" due %.0f", d.Due.Sub(d.Timestamp).Seconds())
		}
		lines = append(lines, line)
	}
	return lines
}

// wantBills checks that both parties have the same documents.
func wantBills(t *testing.T, p, r *node, kind payment.DocumentKind, want ...string) {
	t.Helper()
	for _, n := range []*node{p, r} {
		if diff := cmp.Diff(want, n.bills(kind)); diff != "" {
			t.Errorf("%s of %s: %s", kind, n.id, diff)
		}
	}
}

func wantState(t *testing.T, p, r *node, id golem.AgreementID, state golem.AgreementState, code string) {
	t.Helper()
	for _, n := range []*node{p, r} {
		if got := n.state(id); got != state {
			t.Errorf("agreement is %s at %s, want %s", got, n.id, state)
		}
		if got := n.code(id); code != "" && got != code {
			t.Errorf("agreement was terminated by %q at %s, want %q", got, n.id, code)
		}
	}
}

// wantLog checks that a line was logged once.
func wantLog(t *testing.T, a *agent, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if n := a.log.count(line); n != 1 {
			t.Errorf("log has %d lines with %q in\n%s", n, line, a.log)
		}
	}
}

// TestLife leads one Agreement from the Offer to its payment.
func TestLife(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		id := b.agree()
		stop := b.pay()
		act := b.create(id)
		time.Sleep(5*time.Minute + 30*time.Second)
		b.destroy(act)
		if n := a.units.alive(); n != 0 {
			t.Errorf("%d ExeUnits are left", n)
		}
		time.Sleep(10 * time.Second)
		b.terminate(id)
		time.Sleep(time.Minute)
		stop()
		wantState(t, p, r, id, golem.AgreementTerminated, "Requestor Success")
		// 0.5 to start, 0.001 a second and 0.002 for each of the half CPU seconds.
		wantBills(t, p, r, payment.DebitNote, "SETTLED 0.738", "SETTLED 0.978", "SETTLED 1.16 due 600")
		wantBills(t, p, r, payment.Invoice, "SETTLED 1.16 due 600")
		have, err := w.book.Balance(t.Context(), p.id.Address())
		if want := golem.Tokens(1000).Add(amount(t, "1.16")); err != nil || have != want {
			t.Errorf("provider has %v, %v; want %v", have, err, want)
		}
		wantLog(t, a, "Subscribed offer", "Decided to CounterProposal", "Decided to ApproveAgreement",
			"ExeUnit initialized", "ExeUnit process exited", "Agreement ["+string(id)+"] terminated by Requestor",
			"Agreement ["+string(id)+"] cleanup finished.",
			"Invoice "+p.documents(payment.Invoice)[0].ID+" sent",
			"Invoice "+p.documents(payment.Invoice)[0].ID+" for agreement "+string(id)+" was paid")
	})
}

// TestNotesFollowTheSchedule checks when notes come, counted from the approval, and
// which are to be paid.
func TestNotesFollowTheSchedule(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(props{noteInterval: "60", paymentTimeout: "150"})
		id := b.agree()
		ag, err := p.client.Agreement(t.Context(), id)
		b.must(err)
		defer b.pay()()
		time.Sleep(30 * time.Second) // the schedule does not begin with the Activity
		act := b.create(id)
		time.Sleep(9 * time.Minute)
		b.destroy(act)
		time.Sleep(time.Second)
		var got []string
		for _, d := range p.documents(payment.DebitNote) {
			line := d.Timestamp.Sub(ag.Approved).Round(time.Second).String()
			if !d.Due.IsZero() {
				line += " payable"
			}
			got = append(got, line)
		}
		want := []string{"1m0s", "2m0s", "3m0s payable", "4m0s", "5m0s", "6m0s payable", "7m0s", "8m0s", "9m0s payable", "9m30s payable"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		var last golem.Amount
		for _, d := range p.documents(payment.DebitNote) {
			if d.Amount.Less(last) {
				t.Errorf("%s after %s", d.Amount, last)
			}
			last = d.Amount
		}
	})
}

// TestSeveralActivities checks that Activities follow each other, never at a time.
func TestSeveralActivities(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		id := b.agree()
		defer b.pay()()
		first := b.create(id)
		if _, err := r.client.CreateActivity(t.Context(), id, nil, 10*time.Second); err == nil {
			t.Error("there are two activities at a time")
		}
		time.Sleep(10 * time.Second)
		b.destroy(first)
		time.Sleep(80 * time.Second)
		second := b.create(id)
		time.Sleep(10 * time.Second)
		b.destroy(second)
		b.terminate(id)
		time.Sleep(10 * time.Second)
		if a.units.most != 1 || len(a.units.started) != 2 {
			t.Errorf("started %d, %d at a time", len(a.units.started), a.units.most)
		}
		i := p.documents(payment.Invoice)
		if len(i) != 1 || len(i[0].Activities) != 2 || i[0].Amount.Less(golem.Tokens(1)) {
			t.Errorf("invoices %+v, want one with both start fees", i)
		}
		var notes golem.Amount
		for _, d := range p.documents(payment.DebitNote) {
			notes = notes.Add(d.Amount)
		}
		if i[0].Amount != notes {
			t.Errorf("the invoice is about %s, the notes about %s", i[0].Amount, notes)
		}
	})
}

// TestSingleActivity checks that an Agreement for one Activity ends with it.
func TestSingleActivity(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(props{"golem.srv.caps.multi-activity": ""})
		id := b.agree()
		act := b.create(id)
		time.Sleep(10 * time.Second)
		b.destroy(act)
		time.Sleep(5 * time.Second)
		b.payNow(payment.Invoice)
		time.Sleep(5 * time.Second)
		wantState(t, p, r, id, golem.AgreementTerminated, "Provider Success")
		if got := p.bills(payment.Invoice); len(got) != 1 || !strings.HasPrefix(got[0], "SETTLED 0.52") {
			t.Errorf("invoices %q", got)
		}
		wantLog(t, a, "was paid", "Agreement ["+string(id)+"] terminated by Provider")
	})
}

// TestBroken leads deals that the Agent breaks for a reason.
func TestBroken(t *testing.T) {
	tests := map[string]struct {
		demand  props
		happens func(b *buyer, p *node, id golem.AgreementID)
		code    string
		after   time.Duration // the Agreement
	}{
		"no activity": {
			happens: func(*buyer, *node, golem.AgreementID) {},
			code:    "NoActivity", after: 90 * time.Second,
		},
		"idle after an activity": {
			happens: func(b *buyer, _ *node, id golem.AgreementID) {
				act := b.create(id)
				time.Sleep(30 * time.Second)
				b.destroy(act)
				time.Sleep(5 * time.Second)
				b.payNow(payment.DebitNote)
			},
			code: "NoActivity", after: 120 * time.Second,
		},
		"notes are not accepted": {
			happens: func(b *buyer, _ *node, id golem.AgreementID) { b.create(id) },
			code:    "DebitNotesDeadline", after: 240 * time.Second,
		},
		"notes are not paid": {
			demand: props{noteInterval: "60", paymentTimeout: "100"},
			happens: func(b *buyer, _ *node, id golem.AgreementID) {
				b.create(id)
				b.n.ledger.on.Store(true)
				time.Sleep(100 * time.Second)
				b.payNow(payment.DebitNote)
				time.Sleep(60 * time.Second)
				b.payNow(payment.DebitNote)
				time.Sleep(40 * time.Second)
				b.payNow(payment.DebitNote)
			},
			code: "DebitNoteNotPaid", after: 220 * time.Second,
		},
		"a note is rejected": {
			happens: func(b *buyer, _ *node, id golem.AgreementID) {
				b.create(id)
				time.Sleep(125 * time.Second)
				b.reject(payment.DebitNote)
			},
			code: "DebitNoteRejected", after: 125 * time.Second,
		},
		"expired": {
			demand: props{expiration: "320"},
			happens: func(b *buyer, _ *node, id golem.AgreementID) {
				b.create(id)
				time.Sleep(125 * time.Second)
				b.payNow(payment.DebitNote)
				time.Sleep(120 * time.Second)
				b.payNow(payment.DebitNote)
			},
			code: "Expired", after: 314 * time.Second,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p, r := w.node("p"), w.node("r")
				a := p.agent(nil)
				defer a.stop()
				if tt.demand[expiration] != "" {
					tt.demand = props{expiration: fmt.Sprint(time.Now().Add(320 * time.Second).UnixMilli())}
				}
				b := r.buyer(tt.demand)
				id := b.agree()
				approved := time.Now()
				tt.happens(b, p, id)
				time.Sleep(time.Until(approved.Add(tt.after - 2*time.Second)))
				if got := p.state(id); tt.code != "DebitNoteRejected" && got != golem.AgreementApproved {
					t.Fatalf("agreement is %s two seconds too early; %s\n%s", got, p.code(id), a.log)
				}
				time.Sleep(10 * time.Second)
				wantState(t, p, r, id, golem.AgreementTerminated, "Provider "+tt.code)
				wantLog(t, a, "Breaking agreement "+string(id)+", reason: "+tt.code)
				if is := p.documents(payment.Invoice); len(is) != 1 || is[0].Status != golem.DocumentReceived {
					t.Errorf("invoices %q", p.bills(payment.Invoice))
				}
				if a.units.alive() != 0 {
					t.Error("an ExeUnit is left")
				}
			})
		})
	}
}

// TestUnitDies checks that the Requestor learns how an ExeUnit has ended, and that
// what it has used is billed.
func TestUnitDies(t *testing.T) {
	crash := golem.Errorf(golem.ErrUnavailable, "exit code 7")
	tests := map[string]struct {
		multi   string
		prepare func(u *units)
		reason  string
		code    string // of the Agreement's end, "" where it goes on
		invoice string
	}{
		"several activities": {multi: "true", reason: "exit code 7"},
		"one activity":       {reason: "exit code 7", code: "Provider Success", invoice: "RECEIVED 0.51"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p, r := w.node("p"), w.node("r")
				a := p.agent(nil)
				defer a.stop()
				b := r.buyer(props{"golem.srv.caps.multi-activity": tt.multi})
				id := b.agree()
				a.units.dieAfter(10*time.Second, crash)
				act := b.create(id)
				time.Sleep(15 * time.Second)
				st, err := p.client.ActivityState(t.Context(), act, 5*time.Second)
				if err != nil || st.State.Current != golem.ActivityTerminated || st.Reason != tt.reason {
					t.Errorf("activity is %+v, %v", st, err)
				}
				if tt.code == "" {
					if got := p.state(id); got != golem.AgreementApproved {
						t.Errorf("agreement is %s", got)
					}
					a.units.dieAfter(0, nil)
					b.destroy(b.create(id))
					return
				}
				wantState(t, p, r, id, golem.AgreementTerminated, tt.code)
				if got := p.bills(payment.Invoice); len(got) != 1 || !strings.HasPrefix(got[0], tt.invoice) {
					t.Errorf("invoices %q", got)
				}
			})
		})
	}
}

func TestUnitDoesNotStart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(props{"golem.srv.caps.multi-activity": ""})
		id := b.agree()
		a.units.refuse = func(int) error { return fmt.Errorf("%w: no such file", provider.ErrNotStarted) }
		_, err := r.client.CreateActivity(t.Context(), id, nil, 10*time.Second)
		if err == nil || strings.Contains(err.Error(), "file") {
			t.Errorf("created with %v", err)
		}
		time.Sleep(time.Second)
		wantState(t, p, r, id, golem.AgreementTerminated, "Provider InitializationError")
		wantBills(t, p, r, payment.Invoice, "RECEIVED 0 due 600")
		wantBills(t, p, r, payment.DebitNote)
	})
}

// TestRequestorVanishes checks that nothing runs for nobody, and that the bill
// arrives when the Requestor is back.
func TestRequestorVanishes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		id := b.agree()
		b.create(id)
		w.sw.Isolate(r.net)
		time.Sleep(4*time.Minute + 20*time.Second)
		if got := p.code(id); got != "Provider RequestorUnreachable" {
			t.Errorf("agreement was ended by %q", got)
		}
		if a.units.alive() != 0 {
			t.Error("the ExeUnit is left")
		}
		if got := p.bills(payment.Invoice); len(got) != 0 {
			t.Errorf("invoices %q, though nobody knows whether the requestor knows the activity", got)
		}
		w.sw.Heal()
		time.Sleep(30 * time.Minute)
		b.payNow(payment.Invoice)
		time.Sleep(time.Minute)
		wantState(t, p, r, id, golem.AgreementTerminated, "Provider RequestorUnreachable")
		if got := p.bills(payment.Invoice); len(got) != 1 || !strings.HasPrefix(got[0], "SETTLED") {
			t.Errorf("invoices %q", got)
		}
		wantLog(t, a, "cleanup finished.", "was paid")
	})
}

// TestUnknownActivity checks that an Activity whose creation the Requestor has not
// heard of does not keep the Invoice from arriving, however late that turns out.
func TestUnknownActivity(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		id := b.agree()
		known := b.create(id)
		time.Sleep(10 * time.Second)
		b.destroy(known)
		time.Sleep(10 * time.Second)
		time.AfterFunc(50*time.Millisecond, func() { w.sw.Isolate(r.net) })
		if _, err := r.client.CreateActivity(t.Context(), id, nil, 10*time.Second); err == nil {
			t.Fatal("created without an answer")
		}
		time.Sleep(4 * time.Minute)
		if got := p.state(id); got != golem.AgreementTerminated {
			t.Errorf("agreement is %s", got)
		}
		w.sw.Heal()
		time.Sleep(30 * time.Minute)
		if got := r.bills(payment.Invoice); len(got) != 1 || !strings.HasPrefix(got[0], "RECEIVED") {
			t.Errorf("invoices %q\n%s", got, a.log)
		}
	})
}

// TestInvoiceIsMadeOnce checks that there is one Invoice also where the node did not
// live to say that it has made it.
func TestInvoiceIsMadeOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		id := b.agree()
		act := b.create(id)
		time.Sleep(10 * time.Second)
		a.line.lose.Store(new("/payment-api/v1/invoices"))
		b.destroy(act)
		b.terminate(id)
		time.Sleep(time.Minute)
		if a.line.lose.Load() != nil {
			t.Error("no answer was lost")
		}
		wantBills(t, p, r, payment.Invoice, "RECEIVED 0.52 due 600")
	})
}

// TestNothingIsSoldTwice checks that what an Agreement has is not sold again before
// the node knows that it has ended.
func TestNothingIsSoldTwice(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r, s := w.node("p"), w.node("r"), w.node("s")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		id := b.agree()
		b.create(id)
		time.Sleep(2*time.Minute + 10*time.Second)
		a.line.bar.Store(new("/market-api/v1/agreements/" + string(id) + "/terminate"))
		b.reject(payment.DebitNote)
		time.Sleep(10 * time.Second)
		if a.units.alive() != 0 {
			t.Error("the ExeUnit goes on")
		}
		time.AfterFunc(time.Minute, func() { a.line.bar.Store(nil) })
		next := s.buyer(nil).agreeSomehow()
		if got := p.state(id); got != golem.AgreementTerminated {
			t.Errorf("agreement is %s while there is another one, %s", got, next)
		}
	})
}

// TestInvoiceRejected checks that the Agent gives up, and goes on selling.
func TestInvoiceRejected(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		id := b.agree()
		b.terminate(id)
		time.Sleep(time.Second)
		b.reject(payment.Invoice)
		time.Sleep(time.Second)
		wantLog(t, a, "invoice was rejected, giving up")
		next := b.agree()
		b.terminate(next)
		time.Sleep(time.Second)
	})
}

// TestApprovalNotConfirmed checks that what was set aside for an Agreement is free
// again when the Requestor does not confirm it.
func TestApprovalNotConfirmed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r, s := w.node("p"), w.node("r"), w.node("s")
		a := p.agent(nil)
		defer a.stop()
		b, c := r.buyer(nil), s.buyer(nil)
		b.counter(b.proposal())
		id := b.propose(b.proposal())
		w.sw.Isolate(r.net) // before the Agent has answered
		time.Sleep(time.Minute)
		if got := p.state(id); got == golem.AgreementApproved {
			t.Errorf("agreement is %s", got)
		}
		other := c.agree()
		if got := s.state(other); got != golem.AgreementApproved {
			t.Errorf("the other agreement is %s", got)
		}
	})
}

// TestNodeOutage checks that a node that does not answer for a while costs nothing.
func TestNodeOutage(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		id := b.agree()
		defer b.pay()()
		act := b.create(id)
		time.Sleep(100 * time.Second)
		a.line.cut.Store(true)
		time.Sleep(time.Minute) // a note is due meanwhile
		a.line.cut.Store(false)
		time.Sleep(3 * time.Minute)
		b.destroy(act)
		b.terminate(id)
		time.Sleep(30 * time.Second)
		if got := p.bills(payment.Invoice); len(got) != 1 || !strings.HasPrefix(got[0], "SETTLED 1.18") {
			t.Errorf("invoices %q\n%s", got, a.log)
		}
	})
}

func TestRunFails(t *testing.T) {
	tests := map[string]struct {
		edit func(*provider.Config)
		want golem.Kind
	}{
		"no runtime": {func(c *provider.Config) { c.Runtimes = nil }, golem.ErrUnavailable},
		"no runtime works": {func(c *provider.Config) {
			c.Launcher.(*units).broken = map[string]error{"wasmtime": errors.New("no KVM")}
		}, golem.ErrUnavailable},
		"no preset":          {func(c *provider.Config) { c.Presets = nil }, golem.ErrInvalid},
		"preset without use": {func(c *provider.Config) { c.Presets[0].ExeUnit = "vm" }, golem.ErrInvalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p := w.node("p")
				c, _ := p.dial()
				cfg := provider.Config{Node: c, Launcher: newUnits(p.bus), Runtimes: []provider.Descriptor{wasm}, Presets: []provider.Preset{cheap}}
				tt.edit(&cfg)
				a, err := provider.New(cfg)
				b := err
				if b == nil {
					b = a.Run(t.Context())
				}
				if golem.KindOf(b) != tt.want {
					t.Errorf("got %v, want %s", b, tt.want)
				}
			})
		})
	}
}
