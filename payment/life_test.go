package payment_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
)

func TestInvoiceIsPaid(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		id := d.invoice(tokens(4))
		d.both(payment.Invoice, string(id), golem.DocumentReceived)
		if err := d.acceptInvoice(id, tokens(4), al); err != nil {
			t.Fatal(err)
		}
		settle()
		d.both(payment.Invoice, string(id), golem.DocumentSettled)
		d.totals(tokens(4), tokens(4), tokens(4))
		w.holds(p.id.Address(), tokens(1004))
		w.holds(r.id.Address(), tokens(996))
		for _, n := range []*node{r, p} {
			ps, err := n.PaymentsFor(t.Context(), n.id, payment.Invoice, string(id))
			if err != nil || len(ps) != 1 || ps[0].Amount != tokens(4) || len(ps[0].Signature) != 65 {
				t.Fatalf("payments of %s: %+v, %v", n.id, ps, err)
			}
		}
		a, err := r.Allocation(t.Context(), r.id, al)
		if err != nil || a.Spent != tokens(4) || a.Remaining() != tokens(6) {
			t.Fatalf("allocation %+v, %v", a, err)
		}
		w.audit(r, p)
	})
}

// TestPaidBeforeItIsSent checks that an Invoice arrives also where debit notes have
// paid all of it in the meantime.
func TestPaidBeforeItIsSent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		note := d.note(0, tokens(4))
		i, err := p.IssueInvoice(t.Context(), p.id, payment.NewInvoice{Agreement: d.id, Activities: d.activities, Amount: tokens(4)})
		w.must(err)
		w.must(d.acceptNote(note, tokens(4), al))
		settle()
		d.both(payment.DebitNote, string(note), golem.DocumentSettled)
		w.must(p.Send(t.Context(), p.id, payment.Invoice, string(i.ID), time.Minute))
		d.both(payment.Invoice, string(i.ID), golem.DocumentReceived)
		err = r.Reject(t.Context(), r.id, payment.Invoice, string(i.ID), golem.Rejection{Reason: golem.BadService})
		if golem.KindOf(err) != golem.ErrInvalid {
			t.Errorf("rejected what is paid: %v", err)
		}
		w.must(d.acceptInvoice(i.ID, tokens(4), al))
		settle()
		d.both(payment.Invoice, string(i.ID), golem.DocumentSettled)
		d.totals(tokens(4), tokens(4), tokens(4))
		w.audit(r, p)
	})
}

// TestPaidBeforeItIsAcknowledged checks that both sides settle an Invoice that is paid
// while its Provider does not know that it has arrived.
func TestPaidBeforeItIsAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		note := d.note(0, tokens(4))
		i, err := p.IssueInvoice(t.Context(), p.id, payment.NewInvoice{Agreement: d.id, Activities: d.activities, Amount: tokens(4)})
		w.must(err)
		synctest.Wait() // for who still looks at it
		w.wires.fault = func(q p2p.Request, answered bool) error {
			if answered && strings.Contains(q.Addr, "SendInvoice") {
				return golem.Errorf(golem.ErrUnavailable, "lost")
			}
			return nil
		}
		if err := p.Send(t.Context(), p.id, payment.Invoice, string(i.ID), time.Minute); err == nil {
			t.Error("acknowledged")
		}
		synctest.Wait() // for who still looks at it
		w.wires.fault = nil
		w.must(d.acceptNote(note, tokens(4), al))
		settle()
		w.must(p.Send(t.Context(), p.id, payment.Invoice, string(i.ID), time.Minute))
		settle()
		d.both(payment.Invoice, string(i.ID), golem.DocumentSettled)
	})
}

// TestPaymentOvertakesAcceptance checks that a Provider settles everything also where
// it hears of the payment before it hears that the Invoice has arrived.
func TestPaymentOvertakesAcceptance(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		note := d.note(0, tokens(4))
		i, err := p.IssueInvoice(t.Context(), p.id, payment.NewInvoice{Agreement: d.id, Activities: d.activities, Amount: tokens(4)})
		w.must(err)
		synctest.Wait() // for who still looks at it
		w.wires.fault = func(q p2p.Request, answered bool) error {
			if answered && strings.Contains(q.Addr, "SendInvoice") || strings.Contains(q.Addr, "AcceptInvoice") {
				return golem.Errorf(golem.ErrUnavailable, "lost")
			}
			return nil
		}
		if err := p.Send(t.Context(), p.id, payment.Invoice, string(i.ID), time.Minute); err == nil {
			t.Error("acknowledged")
		}
		w.must(d.acceptInvoice(i.ID, tokens(4), al))
		time.Sleep(time.Minute)
		synctest.Wait() // for who still looks at it
		w.wires.fault = nil
		time.Sleep(3 * time.Hour)
		d.both(payment.Invoice, string(i.ID), golem.DocumentSettled)
		d.both(payment.DebitNote, string(note), golem.DocumentSettled)
	})
}

// TestPaymentOvertakesDelivery checks that an Invoice is settled whose payment comes
// before the acknowledgement that the Requestor has it.
func TestPaymentOvertakesDelivery(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, func(c *payment.Config) { c.PayDelay = 10 * time.Second }), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		note := d.note(0, tokens(4))
		w.must(d.acceptNote(note, tokens(4), al))
		i, err := p.IssueInvoice(t.Context(), p.id, payment.NewInvoice{Agreement: d.id, Activities: d.activities, Amount: tokens(4)})
		w.must(err)
		synctest.Wait() // for who still looks at it
		w.wires.fault = func(q p2p.Request, answered bool) error {
			if answered && strings.Contains(q.Addr, "SendInvoice") {
				time.Sleep(time.Minute)
			}
			return nil
		}
		w.must(p.Send(t.Context(), p.id, payment.Invoice, string(i.ID), 5*time.Minute))
		time.Sleep(time.Hour)
		d.both(payment.Invoice, string(i.ID), golem.DocumentSettled)
		d.both(payment.DebitNote, string(note), golem.DocumentSettled)
	})
}

// TestRejectionIsOvertaken checks that nobody is told of the rejection of a debit
// note that an Invoice has paid in the meantime.
func TestRejectionIsOvertaken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		note := d.note(0, tokens(4))
		synctest.Wait() // for who still looks at it
		w.wires.fault = func(q p2p.Request, _ bool) error {
			if strings.Contains(q.Addr, "RejectDebitNote") {
				return golem.Errorf(golem.ErrUnavailable, "lost")
			}
			return nil
		}
		w.must(r.Reject(t.Context(), r.id, payment.DebitNote, string(note), golem.Rejection{Reason: golem.BadService}))
		invoice := d.invoice(tokens(4))
		w.must(d.acceptInvoice(invoice, tokens(4), al))
		time.Sleep(time.Hour)
		synctest.Wait() // for who still looks at it
		w.wires.fault = nil
		time.Sleep(12 * time.Hour)
		d.both(payment.DebitNote, string(note), golem.DocumentSettled)
		s, err := r.Status(t.Context(), r.id)
		w.must(err)
		if s[0].Undelivered != 0 {
			t.Errorf("%d messages are left", s[0].Undelivered)
		}
	})
}

func TestNotesPayTheDifference(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 2, terms{session: "s1"})
		al := d.allocate(tokens(10))
		for total := uint64(1); total <= 2; total++ {
			id := d.note(0, tokens(total))
			if err := d.acceptNote(id, tokens(total), al); err != nil {
				t.Fatal(err)
			}
			settle()
			d.both(payment.DebitNote, string(id), golem.DocumentSettled)
			d.totals(tokens(total), tokens(total), tokens(total))
		}
		ps, err := p.Payments(t.Context(), payment.PaymentQuery{Owner: p.id, Session: "s1"}, 0)
		if err != nil || len(ps) != 2 || ps[0].Amount != tokens(1) || ps[1].Amount != tokens(1) {
			t.Fatalf("payments %+v, %v; want two of 1", ps, err)
		}
		if ps, _ := p.Payments(t.Context(), payment.PaymentQuery{Owner: p.id, Session: "other"}, 0); len(ps) != 0 {
			t.Fatalf("payments of another session: %+v", ps)
		}
		// The invoice adds the rest, and only that.
		id := d.invoice(tokens(5))
		if err := d.acceptInvoice(id, tokens(5), al); err != nil {
			t.Fatal(err)
		}
		settle()
		d.both(payment.Invoice, string(id), golem.DocumentSettled)
		d.totals(tokens(5), tokens(5), tokens(5))
		w.holds(p.id.Address(), tokens(1005))
		w.audit(r, p)
	})
}

func TestNothingIsSettledAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(1))
		note, invoice := d.note(0, golem.Amount{}), d.invoice(golem.Amount{})
		if err := errors.Join(d.acceptNote(note, golem.Amount{}, al), d.acceptInvoice(invoice, golem.Amount{}, al)); err != nil {
			t.Fatal(err)
		}
		settle()
		d.both(payment.DebitNote, string(note), golem.DocumentSettled)
		d.both(payment.Invoice, string(invoice), golem.DocumentSettled)
		for _, kind := range []payment.DocumentKind{payment.DebitNote, payment.Invoice} {
			es, err := p.Events(t.Context(), payment.EventQuery{Owner: p.id, Kind: kind, Provider: payment.ProviderEvents}, 0)
			if err != nil || len(es) != 2 || es[0].Type != golem.AcceptedEvent || es[1].Type != golem.SettledEvent || !es[1].Time.After(es[0].Time) {
				t.Errorf("%s events %+v, %v", kind, es, err)
			}
		}
		if os, _ := r.Orders(t.Context(), r.id, payment.Page{}); len(os) != 0 {
			t.Errorf("orders %+v", os)
		}
		w.audit(r, p)
	})
}

func TestLateNoteIsCoveredByInvoice(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		early := d.note(0, tokens(1))
		late := d.issueNote(0, tokens(3), time.Time{})
		invoice := d.invoice(tokens(3))
		w.must(d.acceptInvoice(invoice, tokens(3), al))
		w.must(p.Send(t.Context(), p.id, payment.DebitNote, string(late), time.Minute))
		w.must(d.acceptNote(late, tokens(3), al))
		settle()
		d.both(payment.Invoice, string(invoice), golem.DocumentSettled)
		d.both(payment.DebitNote, string(early), golem.DocumentSettled) // never accepted, but paid for
		d.both(payment.DebitNote, string(late), golem.DocumentSettled)
		w.holds(p.id.Address(), tokens(1003))
		if _, err := p.IssueDebitNote(t.Context(), p.id, payment.NewDebitNote{Activity: d.activities[0], Total: tokens(4)}); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("note above the invoice: %v", err)
		}
		w.audit(r, p)
	})
}

func TestAcceptRules(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(2, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(5))
		other, err := r.Allocate(t.Context(), r.ids[1], payment.NewAllocation{Platform: local.Platform, Total: tokens(5)})
		w.must(err)
		wallet, err := r.Allocate(t.Context(), r.id, payment.NewAllocation{Platform: local.Platform, Total: tokens(5), Address: r.ids[1].Address()})
		w.must(err)
		gone := d.allocate(tokens(5))
		w.must(r.Release(t.Context(), r.id, gone))
		id := d.note(0, tokens(6))
		for _, test := range []struct {
			name   string
			amount golem.Amount
			al     golem.AllocationID
			want   golem.Kind
			text   string
		}{
			{"other amount", tokens(5), al, golem.ErrInvalid, "Invalid amount accepted"},
			{"too little left", tokens(6), al, golem.ErrExhausted, "Not enough funds. Allocated: 5 Needed: 6"},
			{"unknown", tokens(6), "nope", golem.ErrInvalid, "Allocation nope not found"},
			{"of somebody else", tokens(6), other.ID, golem.ErrInvalid, "Allocation " + string(other.ID) + " not found"},
			{"of another wallet", tokens(6), wallet.ID, golem.ErrInvalid, "Allocation " + string(wallet.ID) + " is for address " + r.ids[1].Address().String() + ", the document is to be paid from " + r.id.Address().String()},
			{"released", tokens(6), gone, golem.ErrExpired, "allocation " + string(gone) + " is released"},
		} {
			err := d.acceptNote(id, test.amount, test.al)
			if !errors.Is(err, test.want) || err.Error() != test.text {
				t.Errorf("%s: %v, want %s %q", test.name, err, test.want, test.text)
			}
		}
		if err := r.Accept(t.Context(), r.ids[1], payment.DebitNote, string(id), golem.Acceptance{Amount: tokens(6), Allocation: other.ID}); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("not the recipient: %v", err)
		}
		d.both(payment.DebitNote, string(id), golem.DocumentReceived)
		total := tokens(9)
		_, err = r.Amend(t.Context(), r.id, al, payment.AllocationChange{Total: &total})
		w.must(err)
		for range 3 { // accepting again is no error and costs nothing
			w.must(d.acceptNote(id, tokens(6), al))
			settle()
		}
		d.totals(tokens(6), tokens(6), tokens(6))
		w.holds(p.id.Address(), tokens(1006))
		small := d.issueInvoice(tokens(6))
		w.must(p.Send(t.Context(), p.id, payment.Invoice, string(small), time.Minute))
		w.must(d.acceptInvoice(small, tokens(6), "no allocation is needed for nothing"))
		settle()
		d.both(payment.Invoice, string(small), golem.DocumentSettled)
		w.audit(r, p)
	})
}

func TestIssueRules(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(2, nil)
		d, foreign := w.agree(r, p, 1, terms{}), w.agree(r, p, 1, terms{pid: p.ids[1]})
		ctx := t.Context()
		check := func(name string, err error, want golem.Kind) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
		_, err := p.IssueDebitNote(ctx, p.id, payment.NewDebitNote{Activity: "nope"})
		check("unknown activity", err, golem.ErrInvalid)
		_, err = r.IssueDebitNote(ctx, r.id, payment.NewDebitNote{Activity: d.activities[0]})
		check("by the requestor", err, golem.ErrUnauthorized)
		_, err = p.IssueInvoice(ctx, p.id, payment.NewInvoice{Agreement: "nope"})
		check("unknown agreement", err, golem.ErrInvalid)
		_, err = p.IssueInvoice(ctx, p.id, payment.NewInvoice{Agreement: d.id, Activities: []golem.ActivityID{foreign.activities[0]}})
		check("activity of another agreement", err, golem.ErrInvalid)
		_, err = p.IssueInvoice(ctx, p.id, payment.NewInvoice{Agreement: d.id, Amount: tokens(2e9)})
		check("absurd amount", err, golem.ErrInvalid)
		d.note(0, tokens(3))
		_, err = p.IssueInvoice(ctx, p.id, payment.NewInvoice{Agreement: d.id, Amount: tokens(2)})
		check("invoice below what is due", err, golem.ErrInvalid)
		w.trade.agreements[foreign.id].State = golem.AgreementPending
		_, err = p.IssueInvoice(ctx, p.ids[1], payment.NewInvoice{Agreement: foreign.id, Amount: tokens(2)})
		check("agreement never approved", err, golem.ErrInvalid)
		none := w.agree(r, p, 1, terms{platform: "erc20-nowhere"})
		_, err = p.IssueInvoice(ctx, p.id, payment.NewInvoice{Agreement: none.id, Amount: tokens(2)})
		check("malformed platform", err, golem.ErrInvalid)
		w.audit(r, p)
	})
}

// TestIssuedAsBooked wants a Provider to be told of a new document what the books
// of both sides say of it.
func TestIssuedAsBooked(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		due := time.Date(2000, 1, 2, 3, 4, 5, 123456789, time.FixedZone("", 3600))
		note, err := p.IssueDebitNote(t.Context(), p.id, payment.NewDebitNote{Activity: d.activities[0], Total: tokens(1), Due: due, Usage: []byte("null")})
		w.must(err)
		w.must(p.Send(t.Context(), p.id, payment.DebitNote, string(note.ID), time.Minute))
		if note.Due.Location() != time.UTC || note.Due.Nanosecond() != 123456000 || note.Usage != nil {
			t.Errorf("issued: due %s, usage %s", note.Due, note.Usage)
		}
		for _, n := range []*node{r, p} {
			doc, err := n.Document(t.Context(), n.id, payment.DebitNote, string(note.ID))
			if got := doc.DebitNote(); err != nil || !got.Same(&note) || got.Usage != nil {
				t.Errorf("%s has due %s, usage %s, %v", n.id, got.Due, got.Usage, err)
			}
		}
	})
}

func TestRejectAndAcceptLater(t *testing.T) {
	for _, kind := range []payment.DocumentKind{payment.DebitNote, payment.Invoice} {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				r, p := w.node(1, nil), w.node(1, nil)
				d := w.agree(r, p, 1, terms{})
				al := d.allocate(tokens(5))
				id := string(d.note(0, tokens(2)))
				if kind == payment.Invoice {
					id = string(d.invoice(tokens(2)))
				}
				why := golem.Rejection{Reason: golem.BadService, Message: "slow"}
				w.must(r.Reject(t.Context(), r.id, kind, id, why))
				w.must(r.Reject(t.Context(), r.id, kind, id, why))
				settle()
				d.both(kind, id, golem.DocumentRejected)
				es, err := p.Events(t.Context(), payment.EventQuery{Owner: p.id, Kind: kind, Provider: payment.ProviderEvents}, 0)
				if err != nil || len(es) != 1 || es[0].Rejection == nil || *es[0].Rejection != why {
					t.Fatalf("events %+v, %v", es, err)
				}
				w.must(r.Accept(t.Context(), r.id, kind, id, golem.Acceptance{Amount: tokens(2), Allocation: al}))
				settle()
				d.both(kind, id, golem.DocumentSettled)
				if err := r.Reject(t.Context(), r.id, kind, id, why); !errors.Is(err, golem.ErrInvalid) {
					t.Errorf("reject what is settled: %v", err)
				}
				if err := r.Reject(t.Context(), r.id, kind, id, golem.Rejection{Reason: "MOOD"}); !errors.Is(err, golem.ErrInvalid) {
					t.Errorf("unknown reason: %v", err)
				}
				w.audit(r, p)
			})
		})
	}
}

func TestCancel(t *testing.T) {
	for _, kind := range []payment.DocumentKind{payment.DebitNote, payment.Invoice} {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				r, p := w.node(1, nil), w.node(1, nil)
				d := w.agree(r, p, 1, terms{})
				al := d.allocate(tokens(5))
				issue := func(sent bool) string {
					var id string
					if kind == payment.Invoice {
						id = string(d.issueInvoice(tokens(2)))
					} else {
						id = string(d.issueNote(0, tokens(2), time.Time{}))
					}
					if sent {
						w.must(p.Send(t.Context(), p.id, kind, id, time.Minute))
					}
					return id
				}
				id := issue(true)
				for range 2 {
					w.must(p.Cancel(t.Context(), p.id, kind, id, time.Minute))
				}
				d.both(kind, id, golem.DocumentCancelled)
				d.totals(golem.Amount{}, golem.Amount{}, golem.Amount{})
				if err := r.Accept(t.Context(), r.id, kind, id, golem.Acceptance{Amount: tokens(2), Allocation: al}); !errors.Is(err, golem.ErrInvalid) {
					t.Errorf("accept what is cancelled: %v", err)
				}
				// One the requestor has never seen.
				unseen := issue(false)
				w.must(p.Cancel(t.Context(), p.id, kind, unseen, time.Minute))
				if got, _ := p.Document(t.Context(), p.id, kind, unseen); got.Status != golem.DocumentCancelled {
					t.Errorf("never delivered: %s", got.Status)
				}
				// One that is accepted already, which the provider has not heard of.
				id = issue(true)
				w.wires.unplug(p.id)
				w.must(r.Accept(t.Context(), r.id, kind, id, golem.Acceptance{Amount: tokens(2), Allocation: al}))
				settle()
				if err := p.Cancel(t.Context(), p.id, kind, id, time.Minute); !errors.Is(err, golem.ErrConflict) {
					t.Errorf("cancel what is accepted: %v", err)
				}
				p.restart()
				time.Sleep(time.Minute)
				d.both(kind, id, golem.DocumentSettled)
				// An offline requestor is asked again when it is back.
				id = issue(false)
				if kind == payment.Invoice {
					return // its amount is settled already
				}
				r.kill()
				if err := p.Cancel(t.Context(), p.id, kind, id, 10*time.Second); !errors.Is(err, golem.ErrNoAnswer) {
					t.Errorf("nobody there: %v", err)
				}
				p.restart() // the intent survives
				r.start()
				time.Sleep(5 * time.Minute)
				if got, _ := p.Document(t.Context(), p.id, kind, id); got.Status != golem.DocumentCancelled {
					t.Errorf("after the requestor is back: %s", got.Status)
				}
				w.audit(r, p)
			})
		})
	}
}

func TestSelfPayment(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		// One node, one identity, both sides, one wallet.
		n := w.node(1, nil)
		d := w.agree(n, n, 1, terms{})
		al := d.allocate(tokens(5))
		note := d.note(0, tokens(2))
		w.must(d.acceptNote(note, tokens(2), al))
		invoice := d.invoice(tokens(3))
		w.must(d.acceptInvoice(invoice, tokens(3), al))
		settle()
		for _, q := range []payment.DocumentKind{payment.DebitNote, payment.Invoice} {
			es, err := n.Events(t.Context(), payment.EventQuery{
				Owner: n.id, Kind: q, Provider: []golem.DocumentEventType{golem.SettledEvent}, Requestor: []golem.DocumentEventType{golem.SettledEvent},
			}, 0)
			if err != nil || len(es) != 2 || es[0].Role == es[1].Role {
				t.Errorf("%s: settled events %+v, %v; want one for each side", q, es, err)
			}
		}
		w.holds(n.id.Address(), tokens(1000))
		w.audit(n)
	})
}
