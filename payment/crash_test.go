package payment_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
)

// story is what agents do in the tests of crashes and bad networks: two Providers
// with one wallet bill a Requestor, who pays some, rejects some, and some are
// withdrawn. Agents repeat what fails.
type story struct {
	w       *world
	r, p, q *node
	d, e    *deal // with p and q
	done    []string
}

func newStory(w *world, doomed string, doom *dying) *story {
	st := &story{w: w, r: w.dormant(1, ":memory:", nil), p: w.dormant(1, ":memory:", nil), q: w.dormant(1, ":memory:", nil)}
	switch doomed {
	case "requestor":
		st.r.doom = doom
	case "provider":
		st.p.doom = doom
	}
	for _, n := range []*node{st.r, st.p, st.q} {
		n.start()
	}
	wallet := w.keys.add(99).Address().String()
	st.d = w.agree(st.r, st.p, 2, terms{payee: wallet})
	st.e = w.agree(st.r, st.q, 1, terms{payee: wallet})
	return st
}

// try does something as an agent would: again and again, also after its node was
// killed and started again.
func (st *story) try(what string, f func() error) {
	st.w.t.Helper()
	for range 30 {
		err := f()
		if err == nil {
			st.done = append(st.done, what)
			return
		}
		st.revive()
		if !errors.Is(err, errDied) && !errors.Is(err, golem.ErrUnavailable) && !errors.Is(err, golem.ErrNoAnswer) {
			st.w.t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(time.Second)
	}
	st.w.t.Fatalf("%s: does not succeed", what)
}

// revive starts again whoever was killed.
func (st *story) revive() {
	for _, n := range []*node{st.r, st.p, st.q} {
		if n.doom == nil {
			continue
		}
		n.doom.mu.Lock()
		dead := n.doom.dead
		n.doom.mu.Unlock()
		if dead {
			n.doom = nil
			n.restart()
		}
	}
}

// issued returns a document the Provider has issued and not sent: one that was
// written down right before its process was killed.
func (st *story) issued(d *deal, kind payment.DocumentKind, amount golem.Amount) (string, error) {
	docs, err := d.provider.Documents(st.w.t.Context(), d.pid, kind, payment.Page{})
	for _, doc := range docs {
		if doc.Status == golem.DocumentIssued && doc.Amount == amount {
			return doc.ID, nil
		}
	}
	return "", err
}

func (st *story) issueNote(d *deal, activity int, total golem.Amount) (id string) {
	st.try("issue a note", func() (err error) {
		if id, err = st.issued(d, payment.DebitNote, total); id != "" || err != nil {
			return err
		}
		n, err := d.provider.IssueDebitNote(st.w.t.Context(), d.pid, payment.NewDebitNote{Activity: d.activities[activity], Total: total})
		id = string(n.ID)
		return err
	})
	st.send(d, payment.DebitNote, id)
	return id
}

func (st *story) issueInvoice(d *deal, amount golem.Amount) (id string) {
	st.try("issue an invoice", func() (err error) {
		if id, err = st.issued(d, payment.Invoice, amount); id != "" || err != nil {
			return err
		}
		i, err := d.provider.IssueInvoice(st.w.t.Context(), d.pid, payment.NewInvoice{Agreement: d.id, Activities: d.activities, Amount: amount})
		id = string(i.ID)
		return err
	})
	st.send(d, payment.Invoice, id)
	return id
}

// allocate makes the Allocation of the story, one.
func (st *story) allocate(amount golem.Amount) (id golem.AllocationID) {
	st.try("allocate", func() error {
		have, err := st.r.Allocations(st.w.t.Context(), st.r.id, payment.Page{})
		if err != nil {
			return err
		}
		if len(have) > 0 {
			id = have[0].ID
			return nil
		}
		a, err := st.r.Allocate(st.w.t.Context(), st.r.id, payment.NewAllocation{Platform: local.Platform, Total: amount})
		id = a.ID
		return err
	})
	return id
}

func (st *story) send(d *deal, kind payment.DocumentKind, id string) {
	st.try("send "+string(kind), func() error { return d.provider.Send(st.w.t.Context(), d.pid, kind, id, 10*time.Second) })
}

func (st *story) accept(d *deal, kind payment.DocumentKind, id string, amount golem.Amount, al golem.AllocationID) {
	st.try("accept "+string(kind), func() error {
		return d.requestor.Accept(st.w.t.Context(), d.rid, kind, id, golem.Acceptance{Amount: amount, Allocation: al})
	})
}

// run plays the story to its end and checks that all is as it must be.
func (st *story) run() {
	w := st.w
	allocation := st.allocate(tokens(100))
	first := st.issueNote(st.d, 0, tokens(1))
	st.accept(st.d, payment.DebitNote, first, tokens(1), allocation)
	second := st.issueNote(st.d, 0, tokens(3))
	st.accept(st.d, payment.DebitNote, second, tokens(3), allocation)
	refused := st.issueNote(st.d, 1, tokens(7))
	st.try("reject", func() error {
		return st.r.Reject(w.t.Context(), st.r.id, payment.DebitNote, refused, golem.Rejection{Reason: golem.BadService})
	})
	st.try("cancel", func() error {
		return st.p.Cancel(w.t.Context(), st.p.id, payment.DebitNote, refused, 10*time.Second)
	})
	other := st.issueInvoice(st.e, tokens(5))
	st.accept(st.e, payment.Invoice, other, tokens(5), allocation)
	last := st.issueInvoice(st.d, tokens(4))
	st.accept(st.d, payment.Invoice, last, tokens(4), allocation)
	time.Sleep(30 * time.Minute)
	st.revive()
	time.Sleep(3 * time.Hour)

	st.d.both(payment.DebitNote, first, golem.DocumentSettled)
	st.d.both(payment.DebitNote, second, golem.DocumentSettled)
	st.d.both(payment.DebitNote, refused, golem.DocumentCancelled)
	st.d.both(payment.Invoice, last, golem.DocumentSettled)
	st.e.both(payment.Invoice, other, golem.DocumentSettled)
	st.d.totals(tokens(4), tokens(4), tokens(4))
	st.e.totals(tokens(5), tokens(5), tokens(5))
	w.holds(w.keys.add(99).Address(), tokens(9))
	w.holds(st.r.id.Address(), tokens(991))
	w.audit(st.r, st.p, st.q)
	for _, n := range []*node{st.r, st.p, st.q} {
		s, err := n.Status(w.t.Context(), n.id)
		w.must(err)
		if s[0].Undelivered != 0 {
			w.t.Errorf("%s still has %d messages to tell", n.id, s[0].Undelivered)
		}
	}
}

// TestCrashAnywhere kills the Requestor's or a Provider's process at every single
// change it makes: once after the change is written and before anything follows
// from it, and once after what came before it and instead of writing.
func TestCrashAnywhere(t *testing.T) {
	for _, doomed := range []string{"requestor", "provider"} {
		for _, instead := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s instead=%t", doomed, instead), func(t *testing.T) {
				t.Parallel()
				for n := (stride + 1) / 2; ; n += stride {
					doom := &dying{left: n, instead: instead}
					ok := t.Run(fmt.Sprintf("change %d", n), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { newStory(newWorld(t), doomed, doom).run() })
					})
					if !ok {
						return
					}
					if doom.left > 0 { // the story is over before
						if n < 10 {
							t.Fatalf("only %d changes: the test does not reach anything", n)
						}
						return
					}
				}
			})
		}
	}
}

// TestEveryMessageTwice has each message handled twice.
func TestEveryMessageTwice(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.wires.twice = true
		newStory(w, "", nil).run()
	})
}

// TestLossyNetwork loses every n-th request or answer.
func TestLossyNetwork(t *testing.T) {
	for n := 2; n <= 5; n += stride {
		for _, answers := range []bool{false, true} {
			t.Run(fmt.Sprintf("every %d, answers=%t", n, answers), func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					var count atomic.Int64
					synctest.Wait() // for who still looks at it
					w.wires.fault = func(_ p2p.Request, answered bool) error {
						if answered != answers {
							return nil
						}
						if count.Add(1)%int64(n) == 0 {
							time.Sleep(time.Second)
							return golem.Errorf(golem.ErrUnavailable, "lost")
						}
						return nil
					}
					newStory(w, "", nil).run()
				})
			})
		}
	}
}
