package rest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/rest/client"
)

// TestPaymentClient bills and pays with the methods of the client.
func TestPaymentClient(t *testing.T) {
	withPayWorld(t, func(t *testing.T, w *payWorld) {
		w.agree(1, "s1")
		r, p := w.client("requestor"), w.client("provider")
		payClientAllocations(t, w, r)
		alloc := must[client.Allocation](t)(r.Allocate(t.Context(), client.NewAllocation{Platform: local.Platform, Total: golem.Tokens(5)}))
		payClientNotes(t, w, r, p, alloc.ID)
		payClientInvoices(t, w, r, p, alloc.ID)
		payClientPayments(t, w, r, p)
		payClientBooks(t, w, r)
	})
}

func payClientAllocations(t *testing.T, w *payWorld, r *client.Client) {
	ctx := t.Context()
	own := golem.Account{Platform: local.Platform, Address: w.id("requestor").Address(), Driver: "local", Network: "devnet", Token: "tglm", Send: true, Receive: true}
	if as := must[[]golem.Account](t)(r.RequestorAccounts(ctx)); !slices.Equal(as, []golem.Account{own}) {
		t.Errorf("requestor accounts %+v", as)
	}
	if as := must[[]golem.Account](t)(r.ProviderAccounts(ctx)); !slices.Equal(as, []golem.Account{own}) {
		t.Errorf("provider accounts %+v", as)
	}
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	a := must[client.Allocation](t)(r.Allocate(ctx, client.NewAllocation{Address: own.Address, Total: golem.Tokens(3), Timeout: end}))
	if a.ID == "" || a.Platform != local.Platform || a.Address != own.Address || a.Total != golem.Tokens(3) || a.Remaining != golem.Tokens(3) || !a.Timeout.Equal(end) || a.Created.IsZero() {
		t.Errorf("allocation %+v", a)
	}
	if got := must[client.Allocation](t)(r.Allocation(ctx, a.ID)); got != a {
		t.Errorf("allocation %+v, want %+v", got, a)
	}
	if as := must[[]client.Allocation](t)(r.Allocations(ctx)); len(as) != 1 || as[0] != a {
		t.Errorf("allocations %+v", as)
	}
	total := golem.Tokens(4)
	if got := must[client.Allocation](t)(r.AmendAllocation(ctx, a.ID, client.AllocationChange{Total: &total, Timeout: end.Add(time.Hour)})); got.Total != total || !got.Timeout.Equal(end.Add(time.Hour)) {
		t.Errorf("amended %+v", got)
	}
	if got := must[client.Allocation](t)(r.AmendAllocation(ctx, a.ID, client.AllocationChange{})); got.Total != total || !got.Timeout.Equal(end.Add(time.Hour)) {
		t.Errorf("not amended %+v", got)
	}
	b := must[client.Allocation](t)(r.Allocate(ctx, client.NewAllocation{Total: golem.Tokens(1)}))
	d := must[client.Decoration](t)(r.Decorate(ctx, a.ID, b.ID))
	if len(d.Properties) != 2 || d.Properties[0].Key != golem.PropPlatformAddress(local.Platform) || d.Properties[0].Value != own.Address.String() || len(d.Constraints) != 2 {
		t.Errorf("decoration %+v", d)
	}
	_, err := r.Allocate(ctx, client.NewAllocation{Total: golem.Tokens(96)})
	if !errors.Is(err, golem.ErrInvalid) || !strings.Contains(err.Error(), "Insufficient funds") {
		t.Errorf("too much: %v", err)
	}
	if _, err := w.client("stranger").Allocation(ctx, a.ID); !errors.Is(err, golem.ErrNotFound) {
		t.Errorf("a stranger's: %v", err)
	}
	for _, id := range []golem.AllocationID{a.ID, b.ID} {
		if err := r.ReleaseAllocation(ctx, id); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Allocation(ctx, a.ID); !errors.Is(err, golem.ErrExpired) {
		t.Errorf("a released one: %v", err)
	}
	if _, err := r.Decorate(ctx); !errors.Is(err, golem.ErrInvalid) {
		t.Errorf("decoration without allocations: %v", err)
	}
}

func payClientNotes(t *testing.T, w *payWorld, r, p *client.Client, alloc golem.AllocationID) {
	ctx, start := t.Context(), time.Now()
	due := start.Add(time.Hour).UTC()
	issue := func(total uint64, due *time.Time) golem.DebitNote {
		t.Helper()
		time.Sleep(time.Millisecond)
		n := must[golem.DebitNote](t)(p.IssueDebitNote(ctx, client.NewDebitNote{Activity: payActivity(1), Total: golem.Tokens(total), Usage: json.RawMessage(`[1.0]`), Due: due}))
		if err := p.SendDebitNote(ctx, n.ID, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		return n
	}
	first, second, third := issue(1, nil), issue(2, &due), issue(3, nil)
	if first.Due != nil || second.Due == nil || !second.Due.Equal(due) || second.Previous != first.ID || string(first.Usage) != `[1.0]` || first.Status != golem.DocumentIssued {
		t.Errorf("issued %+v, %+v", first, second)
	}
	if got := must[golem.DebitNote](t)(r.DebitNote(ctx, second.ID)); !got.Same(&second) || got.Status != golem.DocumentReceived {
		t.Errorf("received %+v, want %+v", got, second)
	}
	if ns := must[[]golem.DebitNote](t)(r.DebitNotes(ctx, start, 2)); len(ns) != 2 || ns[1].ID != second.ID {
		t.Errorf("notes %+v", ns)
	}
	if ns := must[[]golem.DebitNote](t)(r.DebitNotes(ctx, second.Timestamp, 0)); len(ns) != 1 || ns[0].ID != third.ID {
		t.Errorf("notes after the second %+v", ns)
	}
	es := must[[]client.DebitNoteEvent](t)(r.DebitNoteEvents(ctx, "s1", start.Add(-time.Hour), time.Second, 2))
	if len(es) != 2 || es[0].DebitNote != first.ID || es[0].Type != golem.ReceivedEvent {
		t.Fatalf("events %+v", es)
	}
	if es = must[[]client.DebitNoteEvent](t)(r.DebitNoteEvents(ctx, "", es[1].At, time.Second, 0)); len(es) != 1 || es[0].DebitNote != third.ID {
		t.Errorf("more events %+v", es)
	}
	if err := r.AcceptDebitNote(ctx, second.ID, golem.Acceptance{Amount: golem.Tokens(2), Allocation: alloc}); err != nil {
		t.Fatal(err)
	}
	if err := r.AcceptDebitNote(ctx, third.ID, golem.Acceptance{Amount: golem.Tokens(9), Allocation: alloc}); !errors.Is(err, golem.ErrInvalid) {
		t.Errorf("another amount: %v", err)
	}
	rejection := golem.Rejection{Reason: golem.IncorrectAmount, Amount: golem.Tokens(2), Message: "no"}
	if err := r.RejectDebitNote(ctx, third.ID, rejection); err != nil {
		t.Fatal(err)
	}
	w.rest()
	var got []golem.DocumentEventType
	for _, e := range must[[]client.DebitNoteEvent](t)(p.DebitNoteEvents(ctx, "s1", time.Time{}, time.Second, 0)) {
		if got = append(got, e.Type); e.Type == golem.RejectedEvent && (e.DebitNote != third.ID || *e.Rejection != rejection) {
			t.Errorf("rejection %+v", e)
		}
	}
	slices.Sort(got)
	if want := []golem.DocumentEventType{golem.AcceptedEvent, golem.RejectedEvent, golem.SettledEvent, golem.SettledEvent}; !slices.Equal(got, want) {
		t.Errorf("the provider's events %v, want %v", got, want)
	}
}

func payClientInvoices(t *testing.T, w *payWorld, r, p *client.Client, alloc golem.AllocationID) {
	ctx, start := t.Context(), time.Now()
	issue := func(total uint64) golem.Invoice {
		t.Helper()
		time.Sleep(time.Millisecond)
		return must[golem.Invoice](t)(p.IssueInvoice(ctx, client.NewInvoice{Agreement: payAgreement(1), Activities: []golem.ActivityID{payActivity(1)}, Amount: golem.Tokens(total), Due: start.Add(time.Hour)}))
	}
	first := issue(4)
	w.sw.Isolate(w.nodes["r"].net)
	if err := p.SendInvoice(ctx, first.ID, time.Second); !errors.Is(err, golem.ErrNoAnswer) {
		t.Errorf("to a node that is away: %v", err)
	}
	w.sw.Heal()
	time.Sleep(time.Minute)
	if err := p.SendInvoice(ctx, first.ID, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := r.RejectInvoice(ctx, first.ID, golem.Rejection{Reason: golem.BadService, Message: "bad"}); err != nil {
		t.Fatal(err)
	}
	es := must[[]client.InvoiceEvent](t)(p.InvoiceEvents(ctx, "s1", start, 5*time.Second, 1))
	if len(es) != 1 || es[0].Invoice != first.ID || es[0].Type != golem.RejectedEvent || es[0].Rejection.Message != "bad" {
		t.Errorf("events %+v", es)
	}
	if err := p.CancelInvoice(ctx, first.ID, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	second := issue(3)
	if err := p.SendInvoice(ctx, second.ID, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if got := must[golem.Invoice](t)(r.Invoice(ctx, second.ID)); !got.Same(&second) || got.Status != golem.DocumentReceived {
		t.Errorf("received %+v, want %+v", got, second)
	}
	if is := must[[]golem.Invoice](t)(r.Invoices(ctx, first.Timestamp, 1)); len(is) != 1 || is[0].ID != second.ID {
		t.Errorf("invoices %+v", is)
	}
	for range 2 {
		if err := r.AcceptInvoice(ctx, second.ID, golem.Acceptance{Amount: golem.Tokens(3), Allocation: alloc}); err != nil {
			t.Fatal(err)
		}
	}
	w.rest()
	if got := must[golem.Invoice](t)(p.Invoice(ctx, second.ID)); got.Status != golem.DocumentSettled {
		t.Errorf("invoice %+v", got)
	}
	if err := p.CancelInvoice(ctx, second.ID, time.Second); !errors.Is(err, golem.ErrConflict) {
		t.Errorf("to cancel a paid one: %v", err)
	}
	if a := must[client.Allocation](t)(r.Allocation(ctx, alloc)); a.Spent != golem.Tokens(3) || a.Remaining != golem.Tokens(2) {
		t.Errorf("allocation %+v", a)
	}
}

// payClientPayments reads payments one by one, each after the time of the last.
func payClientPayments(t *testing.T, w *payWorld, r, p *client.Client) {
	ctx := t.Context()
	for _, c := range []*client.Client{r, p} {
		var after time.Time
		for range 2 {
			ps := must[[]golem.Payment](t)(c.Payments(ctx, after, time.Second, 1))
			if len(ps) != 1 || !ps[0].Timestamp.After(after) || ps[0].Payer != w.id("requestor") || ps[0].Payee != w.id("provider") || ps[0].Sum() != ps[0].Amount {
				t.Fatalf("payments %+v", ps)
			}
			after = ps[0].Timestamp
		}
		if ps := must[[]golem.Payment](t)(c.Payments(ctx, after, time.Second, 0)); len(ps) != 0 {
			t.Errorf("payments after the last: %+v", ps)
		}
	}
}

func payClientBooks(t *testing.T, w *payWorld, r *client.Client) {
	ctx := t.Context()
	ss := must[[]client.PaymentStatus](t)(r.PaymentStatus(ctx))
	if len(ss) != 1 || ss[0].Platform != local.Platform || *ss[0].Balance != golem.Tokens(97) || ss[0].Allocated != golem.Tokens(2) || ss[0].Outgoing.Paid != golem.Tokens(3) || ss[0].Outgoing.Agreements != 1 {
		t.Errorf("status %+v", ss)
	}
	for _, platform := range []golem.Platform{{}, local.Platform} {
		if text := must[string](t)(r.Fund(ctx, platform)); !strings.Contains(text, "100 tGLM") {
			t.Errorf("fund: %q", text)
		}
	}
	if _, err := r.Fund(ctx, golem.Platform{Driver: "a", Network: "b", Token: "c"}); !errors.Is(err, golem.ErrInvalid) {
		t.Errorf("funds of another platform: %v", err)
	}
	if _, err := r.Audit(ctx); !errors.Is(err, golem.ErrForbidden) {
		t.Errorf("audit: %v", err)
	}
	if report := must[client.AuditReport](t)(w.client("manager").Audit(ctx)); report.Documents == 0 || len(report.Findings) != 0 {
		t.Errorf("audit: %+v", report)
	}
}

// TestPaymentWaits wants a poll to answer as soon as there is something to tell.
func TestPaymentWaits(t *testing.T) {
	withPayWorld(t, func(t *testing.T, w *payWorld) {
		w.agree(1, "s1")
		start := time.Now()
		got := make(chan []client.InvoiceEvent)
		go func() {
			es, err := w.client("requestor").InvoiceEvents(t.Context(), "s1", start, time.Minute, 10)
			if err != nil {
				t.Error(err)
			}
			got <- es
		}()
		time.Sleep(10 * time.Second)
		p := w.client("provider")
		i := must[golem.Invoice](t)(p.IssueInvoice(t.Context(), client.NewInvoice{Agreement: payAgreement(1), Amount: golem.Tokens(1), Due: start.Add(time.Hour)}))
		if err := p.SendInvoice(t.Context(), i.ID, time.Second); err != nil {
			t.Fatal(err)
		}
		if es := <-got; len(es) != 1 || es[0].Invoice != i.ID || time.Since(start) > 11*time.Second {
			t.Errorf("events %+v after %v", es, time.Since(start))
		}
		// an Allocation ends by itself
		c := w.client("requestor")
		a := must[client.Allocation](t)(c.Allocate(t.Context(), client.NewAllocation{Total: golem.Tokens(1), Timeout: time.Now().Add(time.Minute)}))
		time.Sleep(61 * time.Second)
		if _, err := c.Allocation(t.Context(), a.ID); !errors.Is(err, golem.ErrExpired) {
			t.Errorf("after its timeout: %v", err)
		}
	})
}

// FuzzPaymentBodies sends bodies to all operations that take one. None may fail
// by our fault; that an address is not of this node is upstream's 500.
func FuzzPaymentBodies(f *testing.F) {
	w := newPayWorld(f)
	w.agree(1, "s1")
	r, p := w.id("requestor").String(), w.id("provider").String()
	alloc := string(must[client.Allocation](f)(w.client("requestor").Allocate(f.Context(), client.NewAllocation{Total: golem.Tokens(50)})).ID)
	note := string(must[golem.DebitNote](f)(w.client("provider").IssueDebitNote(f.Context(), client.NewDebitNote{Activity: payActivity(1), Total: golem.Tokens(1)})).ID)
	if err := w.client("provider").SendDebitNote(f.Context(), golem.DebitNoteID(note), time.Minute); err != nil {
		f.Fatal(err)
	}
	operations := []struct{ key, method, path string }{
		{"requestor", "POST", payBase + "/allocations"},
		{"requestor", "PUT", payBase + "/allocations/" + alloc},
		{"provider", "POST", payBase + "/debitNotes"},
		{"provider", "POST", payBase + "/invoices"},
		{"requestor", "POST", payBase + "/debitNotes/" + note + "/accept"},
		{"requestor", "POST", payBase + "/debitNotes/" + note + "/reject"},
		{"requestor", "POST", "/golem-api/v1/payment/fund"},
	}
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `"`, `{"totalAmount":null}`, "\x00", "{\"totalAmount\":\"1\",\"deposit\":{\"id\":\"\xff\"}}",
		`{"totalAmount":"1","paymentPlatform":"local-devnet-tglm","timeout":"2036-11-22T16:15:17.744Z","remainingAmount":"","allocationId":""}`,
		`{"totalAmount":1e2,"paymentPlatform":{"driver":"local","network":null},"address":"` + r + `"}`,
		`{"totalAmount":0,"paymentPlatform":7,"address":"` + p + `"}`,
		`{"totalAmount":"1","timeout":"0001-01-01T00:00:00Z"}`, `{"totalAmount":"79228162514.264337593543950335"}`,
		`{"totalAmount":"1","timeout":"9999-12-31T23:59:59.999999999-23:59","deposit":{"id":"0x1","contract":"` + p + `","validate":{"a":"b"}}}`,
		`{"activityId":"` + string(payActivity(1)) + `","totalAmountDue":"0.1","usageCounterVector":{"a":[1e999,-0]},"paymentDueDate":null}`,
		`{"agreementId":"` + string(payAgreement(1)) + `","amount":"1e-18","activityIds":["` + string(payActivity(1)) + `",""],"paymentDueDate":"2036-11-22T16:15:17Z"}`,
		`{"totalAmountAccepted":"1","allocationId":"` + alloc + `"}`, `{"rejectionReason":"BAD_SERVICE","totalAmountAccepted":"0","message":"\u0000"}`,
	} {
		for i := range operations {
			f.Add(uint8(i), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, body []byte) {
		op := operations[int(i)%len(operations)]
		req := httptest.NewRequestWithContext(t.Context(), op.method, op.path, strings.NewReader(string(body)))
		req.Header.Set("Authorization", "Bearer "+op.key)
		resp := httptest.NewRecorder()
		w.nodes[payHomes[op.key]].server.ServeHTTP(resp, req)
		answer := resp.Body.String()
		if resp.Code >= http.StatusInternalServerError && !strings.Contains(answer, "account-not-registered") {
			t.Errorf("%s %s: %d %s", op.method, op.path, resp.Code, answer)
		}
		if !json.Valid([]byte(answer)) {
			t.Errorf("%s %s: answer %q is no JSON", op.method, op.path, answer)
		}
		var made struct {
			ID golem.AllocationID `json:"allocationId"`
		}
		if json.Unmarshal([]byte(answer), &made); op.method == "POST" && resp.Code == http.StatusCreated && made.ID != "" {
			if err := w.nodes["r"].payment.Release(t.Context(), w.id("requestor"), made.ID); err != nil {
				t.Error(err)
			}
		}
	})
}
