package provider_test

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/provider"
	"github.com/golem-go/golem/rest/client"
)

// TestShutdown ends the Agent in the middle of its work.
func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r, s := w.node("p"), w.node("r"), w.node("s")
		a := p.agent(func(c *provider.Config) { c.Agreements = 2 })
		b, c := r.buyer(nil), s.buyer(nil)
		busy, idle := b.agree(), c.agree()
		act := b.create(busy)
		time.Sleep(30 * time.Second)
		begin := time.Now()
		a.stop()
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		time.Sleep(time.Second)
		wantState(t, p, r, busy, golem.AgreementTerminated, "Provider Shutdown")
		wantState(t, p, s, idle, golem.AgreementTerminated, "Provider Shutdown")
		if a.units.alive() != 0 || len(p.runtimes()) != 0 {
			t.Errorf("left are %d ExeUnits, offers %q", a.units.alive(), p.runtimes())
		}
		if st, err := p.client.ActivityState(t.Context(), act, time.Second); err != nil || st.State.Current != golem.ActivityTerminated {
			t.Errorf("activity is %+v, %v", st, err)
		}
		for _, n := range []*node{r, s} {
			if got := n.bills(payment.Invoice); len(got) != 1 || !strings.HasPrefix(got[0], "RECEIVED") {
				t.Errorf("invoices %q", got)
			}
		}
		if got := r.bills(payment.DebitNote); len(got) != 1 || !strings.HasPrefix(got[0], "RECEIVED 0.56") {
			t.Errorf("debit notes %q", got)
		}
	})
}

// TestShutdownAlone ends the Agent while the Requestor is away: what could not be
// done is done after the next start.
func TestShutdownAlone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		b := r.buyer(nil)
		id := b.agree()
		b.create(id)
		time.Sleep(30 * time.Second)
		w.sw.Isolate(r.net)
		begin := time.Now()
		a.stop()
		if took := time.Since(begin); took > 11*time.Second {
			t.Errorf("took %v", took)
		}
		if got := p.code(id); got != "Provider Shutdown" {
			t.Errorf("agreement was ended by %q", got)
		}
		w.sw.Heal()
		a = p.agent(nil)
		defer a.stop()
		time.Sleep(time.Minute)
		b.payNow(payment.Invoice)
		time.Sleep(time.Minute)
		if got := p.bills(payment.Invoice); len(got) != 1 || !strings.HasPrefix(got[0], "SETTLED 0.56") {
			t.Errorf("invoices %q", got)
		}
		wantLog(t, a, "was paid")
	})
}

// TestRestart kills the Agent at several points of its work. What was used by then
// is billed once, whatever had happened before.
func TestRestart(t *testing.T) {
	tests := map[string]struct {
		until  func(b *buyer, id golem.AgreementID, a *agent)
		code   string
		bill   string
		number int // of notes
	}{
		"before an activity": {
			until: func(*buyer, golem.AgreementID, *agent) {},
			code:  "Provider Shutdown", bill: "SETTLED 0 due 600",
		},
		"in an activity": {
			until: func(b *buyer, id golem.AgreementID, _ *agent) {
				b.create(id)
				time.Sleep(30*time.Second + 500*time.Millisecond)
			},
			code: "Provider Shutdown", bill: "SETTLED 0.56", number: 1,
		},
		"after some notes": {
			until: func(b *buyer, id golem.AgreementID, _ *agent) {
				b.create(id)
				time.Sleep(2*time.Minute + 10*time.Second)
				b.payNow(payment.DebitNote)
				time.Sleep(30 * time.Second)
			},
			code: "Provider Shutdown", bill: "SETTLED 0.8", number: 2,
		},
		"between activities": {
			until: func(b *buyer, id golem.AgreementID, _ *agent) {
				for range 2 {
					act := b.create(id)
					time.Sleep(10 * time.Second)
					b.destroy(act)
					time.Sleep(time.Second)
				}
			},
			code: "Provider Shutdown", bill: "SETTLED 1.04", number: 4, // the final ones are made again
		},
		"at the end": {
			until: func(b *buyer, id golem.AgreementID, a *agent) {
				act := b.create(id)
				time.Sleep(10 * time.Second)
				b.destroy(act)
				time.Sleep(time.Second)
				a.line.cut.Store(true)
				b.terminate(id)
				time.Sleep(time.Second)
			},
			code: "Requestor Success", bill: "SETTLED 0.52", number: 2,
		},
		"when all is done": {
			until: func(b *buyer, id golem.AgreementID, _ *agent) {
				act := b.create(id)
				time.Sleep(10 * time.Second)
				b.destroy(act)
				b.terminate(id)
				time.Sleep(5 * time.Second)
			},
			code: "Requestor Success", bill: "SETTLED 0.52", number: 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p, r := w.node("p"), w.node("r")
				a := p.agent(nil)
				b := r.buyer(nil)
				id := b.agree()
				tt.until(b, id, a)
				a.kill()
				if n := len(p.runtimes()); n != 1 {
					t.Errorf("%d offers are on the market after a crash", n)
				}
				a = p.agent(nil)
				defer a.stop()
				time.Sleep(30 * time.Second)
				b.payNow(payment.DebitNote)
				b.payNow(payment.Invoice)
				time.Sleep(30 * time.Second)
				wantState(t, p, r, id, golem.AgreementTerminated, tt.code)
				if got := p.bills(payment.Invoice); len(got) != 1 || !strings.HasPrefix(got[0], tt.bill) {
					t.Errorf("invoices %q, want %q\n%s", got, tt.bill, a.log)
				}
				if got := p.bills(payment.DebitNote); len(got) != tt.number {
					t.Errorf("debit notes %q, want %d", got, tt.number)
				}
				if diff := cmp.Diff(p.bills(payment.Invoice), r.bills(payment.Invoice)); diff != "" {
					t.Errorf("invoices of the two: %s", diff)
				}
				if n := len(p.runtimes()); n != 1 {
					t.Errorf("%d offers are on the market", n)
				}
				next := b.agreeSomehow()
				b.terminate(next)
				time.Sleep(5 * time.Second)
				if got := p.bills(payment.Invoice); len(got) != 2 {
					t.Errorf("invoices %q, want another one", got)
				}
			})
		})
	}
}

// hiccup is a way to a node on which the first reading of an Agreement fails.
type hiccup struct {
	http.RoundTripper
	once atomic.Bool
}

func (h *hiccup) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/agreements/") && h.once.CompareAndSwap(false, true) {
		return nil, errors.New("hiccup")
	}
	return h.RoundTripper.RoundTrip(r)
}

// TestRestartHiccup has the node fail for a moment while the Agent finds out what
// its predecessor has left.
func TestRestartHiccup(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		b := r.buyer(nil)
		id := b.agree()
		b.create(id)
		time.Sleep(30 * time.Second)
		a.kill()
		h := &hiccup{}
		a = p.agent(func(c *provider.Config) {
			_, h.RoundTripper = p.dial()
			c.Node = client.New("http://node", appKey, &http.Client{Transport: h})
		})
		defer a.stop()
		time.Sleep(30 * time.Second)
		if !h.once.Load() {
			t.Error("there was no hiccup")
		}
		wantState(t, p, r, id, golem.AgreementTerminated, "Provider Shutdown")
		if got := p.bills(payment.Invoice); len(got) != 1 {
			t.Errorf("invoices %q, want one", got)
		}
	})
}

// agreeSomehow negotiates an Agreement, starting over where an Offer is gone.
func (b *buyer) agreeSomehow() golem.AgreementID {
	b.t.Helper()
	for range 20 {
		e := b.next()
		if e == nil || e.Proposal == nil {
			continue
		}
		if e.Proposal.State == golem.ProposalDraft {
			id := b.propose(e.Proposal)
			b.must(b.n.client.WaitForApproval(b.t.Context(), id, time.Minute))
			return id
		}
		_, err := b.n.client.Counter(b.t.Context(), golem.Requestor, b.demand, e.Proposal.ID, b.publication())
		b.t.Logf("countered: %v", err)
	}
	b.t.Fatal("nobody agrees")
	return ""
}

// TestOtherAgents checks that an Agent leaves alone what another one at its node
// is doing.
func TestOtherAgents(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		id := b.agree()
		defer b.pay()()
		b.create(id)
		other := p.agent(func(c *provider.Config) { c.Session, c.Name = "agent-2", "q" })
		time.Sleep(5 * time.Minute)
		other.stop()
		time.Sleep(time.Minute)
		if got := p.state(id); got != golem.AgreementApproved || a.units.alive() != 1 || len(other.units.started) != 0 {
			t.Errorf("agreement is %s, %d and %d ExeUnits", got, a.units.alive(), len(other.units.started))
		}
		if n := len(p.runtimes()); n != 1 {
			t.Errorf("%d offers are on the market", n)
		}
	})
}

// TestSessionIsKept checks that an Agent with a directory knows its Agreements
// again.
func TestSessionIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		dir := t.TempDir()
		p, r := w.node("p"), w.node("r")
		edit := func(c *provider.Config) { c.Dir, c.Session = dir, "" }
		a := p.agent(edit)
		b := r.buyer(nil)
		id := b.agree()
		a.kill()
		a = p.agent(edit)
		defer a.stop()
		time.Sleep(5 * time.Second)
		wantState(t, p, r, id, golem.AgreementTerminated, "Provider Shutdown")
	})
}

// ids are what differs in each run.
var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32,}(-[0-9a-f]{64})?`)

// TestDeterminism plays the same life several times.
func TestDeterminism(t *testing.T) {
	var first []string
	for i := range 8 {
		bubble(t, func(t *testing.T, w *world) {
			p, r, s := w.node("p"), w.node("r"), w.node("s")
			a := p.agent(func(c *provider.Config) { c.Agreements = 2 })
			b, c := r.buyer(nil), s.buyer(props{noteInterval: "45"})
			one := b.agree()
			stop := b.pay()
			a.units.dieAfter(200*time.Second, errors.New("exit code 3"))
			b.create(one)
			two := c.agree()
			a.units.dieAfter(0, nil)
			c.create(two)
			time.Sleep(10 * time.Minute)
			stop()
			a.stop()
			var got []string
			for _, line := range a.log.lines {
				got = append(got, ids.ReplaceAllString(line, "<id>"))
			}
			slices.Sort(got) // what happens at one instant may be told in any order
			if first == nil {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("run %d differs: %s", i, diff)
			}
		})
	}
}
