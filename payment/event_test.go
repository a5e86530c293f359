package payment_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

// kinds lists what events are about.
func kinds(es []payment.Event) (ts []golem.DocumentEventType) {
	for _, e := range es {
		ts = append(ts, e.Type)
	}
	return ts
}

func TestEvents(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d, e := w.agree(r, p, 1, terms{session: "a"}), w.agree(r, p, 1, terms{session: "b"})
		al := d.allocate(tokens(10))
		id := d.invoice(tokens(1))
		e.invoice(tokens(1))
		w.must(d.acceptInvoice(id, tokens(1), al))
		settle()
		query := func(n *node, session string, rs, ps []golem.DocumentEventType, page payment.Page) []payment.Event {
			t.Helper()
			es, err := n.Events(t.Context(), payment.EventQuery{Owner: n.id, Kind: payment.Invoice, Session: session, Requestor: rs, Provider: ps, Page: page}, 0)
			w.must(err)
			return es
		}
		all := []golem.DocumentEventType{golem.ReceivedEvent, golem.AcceptedEvent, golem.RejectedEvent, golem.CancelledEvent, golem.SettledEvent}
		for _, test := range []struct {
			name string
			got  []payment.Event
			want []golem.DocumentEventType
		}{
			{"requestor, as usual", query(r, "", payment.RequestorEvents, payment.ProviderEvents, payment.Page{}), []golem.DocumentEventType{"RECEIVED", "RECEIVED"}},
			{"requestor, of a session", query(r, "b", payment.RequestorEvents, payment.ProviderEvents, payment.Page{}), []golem.DocumentEventType{"RECEIVED"}},
			{"requestor, all", query(r, "a", all, all, payment.Page{}), []golem.DocumentEventType{"RECEIVED", "ACCEPTED", "SETTLED"}},
			{"provider, as usual", query(p, "", payment.RequestorEvents, payment.ProviderEvents, payment.Page{}), []golem.DocumentEventType{"ACCEPTED", "SETTLED"}},
			{"provider, one of its kind", query(p, "", nil, []golem.DocumentEventType{golem.SettledEvent}, payment.Page{}), []golem.DocumentEventType{"SETTLED"}},
			{"provider, none", query(p, "", nil, nil, payment.Page{}), nil},
			// The limit counts what is asked for, not what lies between.
			{"provider, limited", query(p, "a", nil, []golem.DocumentEventType{golem.SettledEvent}, payment.Page{Limit: 1}), []golem.DocumentEventType{"SETTLED"}},
		} {
			if diff := cmp.Diff(test.want, kinds(test.got)); diff != "" {
				t.Errorf("%s: %s", test.name, diff)
			}
		}
		// Reading page by page misses nothing, since no two events share a time.
		var paged []payment.Event
		for after := (time.Time{}); ; {
			page := query(r, "", all, all, payment.Page{After: after, Limit: 1})
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
			after = page[0].Time
		}
		if diff := cmp.Diff(kinds(query(r, "", all, all, payment.Page{})), kinds(paged)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEventsAreAwaited(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		start := time.Now()
		q := payment.EventQuery{Owner: r.id, Kind: payment.DebitNote, Requestor: payment.RequestorEvents}
		es, err := r.Events(t.Context(), q, 5*time.Second)
		if err != nil || len(es) != 0 || time.Since(start) != 5*time.Second {
			t.Fatalf("%+v, %v after %v", es, err, time.Since(start))
		}
		got := make(chan time.Duration)
		go func() {
			es, err := r.Events(t.Context(), q, time.Minute)
			if err != nil || len(es) != 1 {
				t.Errorf("%+v, %v", es, err)
			}
			got <- time.Since(start)
		}()
		time.Sleep(5 * time.Second)
		d.note(0, tokens(1))
		if took := <-got; took != 10*time.Second {
			t.Errorf("woken after %v", took)
		}
		if ps, err := p.Payments(t.Context(), payment.PaymentQuery{Owner: p.id}, time.Second); err != nil || len(ps) != 0 {
			t.Errorf("payments %+v, %v", ps, err)
		}
	})
}
