package payment_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/wire"
)

// TestForeignDocuments sends documents that a Requestor's node must refuse.
func TestForeignDocuments(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(2, nil), w.node(1, nil)
		stranger := w.stranger(func(gsb.Binder) {})
		d, other := w.agree(r, p, 2, terms{}), w.agree(r, p, 1, terms{rid: r.ids[1]})
		none := w.agree(r, p, 1, terms{platform: "erc20-hoodi-tglm"})
		good := golem.DebitNote{
			ID: "n1", Issuer: p.id, Recipient: r.id, Payee: p.id.Address(), Payer: r.id.Address(), Platform: local.Platform,
			Timestamp: time.Now().UTC(), Agreement: d.id, Activity: d.activities[0], Total: tokens(1), Usage: json.RawMessage(`[1.5,2]`), Status: golem.DocumentIssued,
		}
		send := func(from *gsb.Bus, as golem.NodeID, f func(*golem.DebitNote)) error {
			n := good
			f(&n)
			_, err := wire.SendDebitNote.Call(t.Context(), from, as, r.id, n)
			return err
		}
		due := func(y int) *time.Time { t := time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC); return &t }
		for _, test := range []struct {
			name string
			f    func(*golem.DebitNote)
			text string
		}{
			{"no id", func(n *golem.DebitNote) { n.ID = "" }, "id of 0 characters"},
			{"long id", func(n *golem.DebitNote) { n.ID = golem.DebitNoteID(strings.Repeat("x", 200)) }, "id of 200 characters"},
			{"id that is a path", func(n *golem.DebitNote) { n.ID = "../invoices/1" }, "letters, digits"},
			{"id that is a query", func(n *golem.DebitNote) { n.ID = "1?x" }, "letters, digits"},
			{"id of the one before that is a path", func(n *golem.DebitNote) { n.Previous = "./1" }, "letters, digits"},
			{"unknown agreement", func(n *golem.DebitNote) { n.Agreement = "nope" }, "Agreement nope not found"},
			{"agreement of another identity", func(n *golem.DebitNote) { n.Agreement = other.id }, "not found"},
			{"unknown activity", func(n *golem.DebitNote) { n.Activity = "nope" }, "Activity not found: nope"},
			{"no activity", func(n *golem.DebitNote) { n.Activity = "" }, "without an activity"},
			{"activity of another agreement", func(n *golem.DebitNote) { n.Activity = none.activities[0] }, "does not belong to agreement"},
			{"issued by another", func(n *golem.DebitNote) { n.Issuer = stranger.id }, "sent by"},
			{"to nobody here", func(n *golem.DebitNote) { n.Recipient = stranger.id }, "not found"},
			{"to its issuer", func(n *golem.DebitNote) { n.Recipient = p.id }, "not found"},
			{"other payee", func(n *golem.DebitNote) { n.Payee = golem.Address{1} }, "payee address"},
			{"other payer", func(n *golem.DebitNote) { n.Payer = golem.Address{1} }, "payer address"},
			{"other platform", func(n *golem.DebitNote) { n.Platform.Network = "mainnet" }, "payment platform"},
			{"absurd amount", func(n *golem.DebitNote) { n.Total = tokens(2e9) }, "above a billion"},
			{"large usage", func(n *golem.DebitNote) { n.Usage = json.RawMessage(`"` + strings.Repeat("x", 20000) + `"`) }, "usage vector of"},
			{"before the clock", func(n *golem.DebitNote) { n.Timestamp = time.Time{} }, "time in the year 1"},
			{"due in the far future", func(n *golem.DebitNote) { n.Due = due(9999) }, "time in the year 9999"},
		} {
			err := send(p.bus, p.id, test.f)
			if !errors.Is(err, golem.ErrInvalid) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%s: %v, want %q", test.name, err, test.text)
			}
		}
		if err := send(stranger.bus, stranger.id, func(n *golem.DebitNote) { n.Issuer = stranger.id }); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("by a stranger: %v", err)
		}
		for range 3 { // the right one, repeated
			if err := send(p.bus, p.id, func(*golem.DebitNote) {}); err != nil {
				t.Fatal(err)
			}
		}
		if err := send(p.bus, p.id, func(n *golem.DebitNote) { n.Total = tokens(2) }); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("same id, other contents: %v", err)
		}
		got, err := r.Document(t.Context(), r.id, payment.DebitNote, "n1")
		if err != nil || got.Status != golem.DocumentReceived || string(got.Usage) != `[1.5,2]` {
			t.Errorf("document %+v, %v", got, err)
		}
		inv := golem.Invoice{ID: "i1", Issuer: p.id, Recipient: r.id, Payee: p.id.Address(), Payer: r.id.Address(), Platform: local.Platform,
			Timestamp: time.Now().UTC(), Agreement: d.id, Amount: golem.Units(1), Due: time.Now().UTC(), Status: golem.DocumentIssued}
		if _, err := wire.SendInvoice.Call(t.Context(), p.bus, p.id, r.id, inv); !errors.Is(err, golem.ErrInvalid) || !strings.Contains(err.Error(), "cannot be lowered") {
			t.Errorf("invoice below what is due: %v", err)
		}
		all := make([]golem.ActivityID, 1001)
		for i := range all {
			all[i] = "a"
		}
		inv.Activities = all
		if _, err := wire.SendInvoice.Call(t.Context(), p.bus, p.id, r.id, inv); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("a thousand and one activities: %v", err)
		}
		inv.Activities, inv.Amount = nil, tokens(1)
		var refused error
		for i := range 101 {
			inv.ID = golem.InvoiceID(fmt.Sprint("i", i))
			_, refused = wire.SendInvoice.Call(t.Context(), p.bus, p.id, r.id, inv)
			if i < 100 && refused != nil {
				t.Fatalf("invoice %d: %v", i, refused)
			}
		}
		if !errors.Is(refused, golem.ErrInvalid) || !strings.Contains(refused.Error(), "has 100 invoices already") {
			t.Errorf("a hundred and one invoices: %v", refused)
		}
		w.audit(r, p)
	})
}

// TestForeignDecisions sends decisions that a node must refuse.
func TestForeignDecisions(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		stranger := w.stranger(func(gsb.Binder) {})
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		note, inv := d.note(0, tokens(1)), d.invoice(tokens(2))
		ctx := t.Context()
		check := func(name string, err error, want golem.Kind) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
		accept := wire.InvoiceAcceptance{ID: inv, Acceptance: golem.Acceptance{Amount: tokens(2)}, Issuer: p.id}
		_, err := wire.AcceptInvoice.Call(ctx, stranger.bus, stranger.id, p.id, accept)
		check("accepted by a stranger", err, golem.ErrForbidden)
		_, err = wire.AcceptInvoice.Call(ctx, r.bus, r.id, p.id, wire.InvoiceAcceptance{ID: "nope", Acceptance: accept.Acceptance, Issuer: p.id})
		check("unknown invoice", err, golem.ErrNotFound)
		_, err = wire.AcceptInvoice.Call(ctx, r.bus, r.id, p.id, wire.InvoiceAcceptance{ID: inv, Acceptance: accept.Acceptance, Issuer: r.id})
		check("of another issuer", err, golem.ErrNotFound)
		_, err = wire.AcceptInvoice.Call(ctx, r.bus, r.id, p.id, wire.InvoiceAcceptance{ID: inv, Acceptance: golem.Acceptance{Amount: tokens(1)}, Issuer: p.id})
		check("another amount", err, golem.ErrInvalid)
		why := golem.Rejection{Reason: golem.BadService}
		_, err = wire.RejectDebitNote.Call(ctx, stranger.bus, stranger.id, p.id, wire.DebitNoteRejection{ID: note, Rejection: why, Issuer: p.id})
		check("rejected by a stranger", err, golem.ErrForbidden)
		_, err = wire.RejectDebitNote.Call(ctx, r.bus, r.id, p.id, wire.DebitNoteRejection{ID: note, Rejection: why})
		check("rejected as upstream would", err, golem.ErrNotFound)
		_, err = wire.RejectInvoice.Call(ctx, r.bus, r.id, p.id, wire.InvoiceRejection{ID: inv, Rejection: golem.Rejection{Reason: "MOOD"}, Issuer: p.id})
		check("no reason", err, golem.ErrInvalid)
		_, err = wire.RejectInvoice.Call(ctx, r.bus, r.id, p.id, wire.InvoiceRejection{ID: inv, Rejection: golem.Rejection{Reason: golem.BadService, Message: strings.Repeat("x", 9999)}, Issuer: p.id})
		check("a long message", err, golem.ErrInvalid)
		_, err = wire.CancelInvoice.Call(ctx, stranger.bus, stranger.id, r.id, wire.InvoiceCancellation{ID: inv, Recipient: r.id})
		check("cancelled by a stranger", err, golem.ErrForbidden)
		_, err = wire.CancelDebitNote.Call(ctx, p.bus, p.id, r.id, wire.DebitNoteCancellation{ID: note})
		check("cancelled as upstream would", err, golem.ErrNotFound)
		d.both(payment.DebitNote, string(note), golem.DocumentReceived)
		d.both(payment.Invoice, string(inv), golem.DocumentReceived)
		w.must(d.acceptInvoice(inv, tokens(2), al))
		settle()
		_, err = wire.CancelInvoice.Call(ctx, p.bus, p.id, r.id, wire.InvoiceCancellation{ID: inv, Recipient: r.id})
		check("cancelled when settled", err, golem.ErrConflict)
		_, err = wire.RejectInvoice.Call(ctx, r.bus, r.id, p.id, wire.InvoiceRejection{ID: inv, Rejection: why, Issuer: p.id})
		check("rejected when settled", err, golem.ErrInvalid)
		w.audit(r, p)
	})
}

// TestAcceptanceOvertakesDelivery loses the acknowledgement of a delivery: the
// acceptance of a document that its issuer takes for undelivered counts.
func TestAcceptanceOvertakesDelivery(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		id := d.issueInvoice(tokens(2))
		doc, err := p.Document(t.Context(), p.id, payment.Invoice, string(id))
		w.must(err)
		_, err = wire.SendInvoice.Call(t.Context(), p.bus, p.id, r.id, doc.Invoice())
		w.must(err)
		w.must(d.acceptInvoice(id, tokens(2), al))
		settle()
		d.both(payment.Invoice, string(id), golem.DocumentSettled)
		w.must(p.Send(t.Context(), p.id, payment.Invoice, string(id), time.Minute))
		w.audit(r, p)
	})
}

func TestSend(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(2, nil)
		d := w.agree(r, p, 1, terms{})
		id := string(d.issueInvoice(tokens(1)))
		send := func(who golem.NodeID, id string) error {
			return p.Send(t.Context(), who, payment.Invoice, id, 10*time.Second)
		}
		if err := send(p.id, "nope"); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("unknown: %v", err)
		}
		if err := send(p.ids[1], id); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("of another identity: %v", err)
		}
		r.kill()
		if err := send(p.id, id); !errors.Is(err, golem.ErrUnavailable) {
			t.Errorf("nobody there: %v", err)
		}
		r.start()
		w.must(send(p.id, id))
		r.kill()
		w.must(send(p.id, id)) // it is there already
		hang := w.stranger(func(b gsb.Binder) {
			_, err := b.Bind("/public/payment/SendInvoice", hangs)
			w.must(err)
		})
		e := w.agree(&node{w: w, id: hang.id}, p, 1, terms{rid: hang.id})
		late := string(e.issueInvoice(tokens(1)))
		start := time.Now()
		if err := send(p.id, late); !errors.Is(err, golem.ErrNoAnswer) || time.Since(start) != 10*time.Second {
			t.Errorf("no answer: %v after %v", err, time.Since(start))
		}
	})
}
