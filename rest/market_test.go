package rest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/rest"
	"github.com/golem-go/golem/rest/client"
	"github.com/golem-go/golem/sqlite"
)

const (
	marketOffer = `{"properties":{"golem.com.pricing.model":"linear","golem.com.pricing.model.linear.coeffs":[0.0,0.1,0.0],` +
		`"golem.com.usage.vector":["golem.usage.duration_sec","golem.usage.cpu_sec"],"golem.node.id.name":"p","golem.runtime.name":"vm","x":"<&>"},"constraints":"(a=1)"}`
	marketDemand = `{"properties":{"a":{"@tag":1}},"constraints":"(golem.runtime.name=vm)"}`
)

// oneKey knows one app-key, the name of its node.
type oneKey golem.AppKey

func (k oneKey) AppKey(_ context.Context, secret string) (golem.AppKey, error) {
	if golem.Secret(secret) != k.Key {
		return golem.AppKey{}, golem.Errorf(golem.ErrUnauthorized, "unknown app-key")
	}
	return golem.AppKey(k), nil
}

// marketNode is a node with a market and its API.
type marketNode struct {
	*client.Client
	id     golem.NodeID
	key    string
	url    string
	server *rest.Server
}

func newMarketNode(t *testing.T, sw *p2ptest.Switch, name string, number byte) *marketNode {
	t.Helper()
	n := &marketNode{id: golem.NodeID{19: number}, key: name}
	ids := []golem.NodeID{n.id}
	db, err := sqlite.Open(t.Context(), sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	net := sw.Node()
	bus := gsb.New(gsb.Config{Network: net, Identities: func() []golem.NodeID { return ids }})
	m, err := market.New(market.Config{
		Store: db.Market(), Bus: bus, Identities: func() []golem.NodeID { return ids },
		Rand: rand.New(rand.NewPCG(1, uint64(number))), Timing: market.Timing{BroadcastDelay: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- net.Run(ctx) }()
	go func() { done <- m.Run(ctx) }()
	cfg := rest.Config{Keys: oneKey{Key: golem.Secret(name), Identity: n.id}}
	cfg.Market = m
	n.server = rest.New(cfg)
	server := httptest.NewServer(n.server)
	n.url = server.URL
	n.Client = client.New(server.URL, name, nil)
	t.Cleanup(func() {
		server.Close()
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for net.Status().Since.IsZero() {
		time.Sleep(time.Millisecond)
	}
	if err := net.SetIdentities(ctx, ids); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Offers(ctx); err != nil { // returns when the market is open
		t.Fatal(err)
	}
	return n
}

// marketPair is a Provider and a Requestor that know each other.
func marketPair(t *testing.T) (p, r *marketNode) {
	sw := p2ptest.NewSwitch(p2ptest.Config{})
	return newMarketNode(t, sw, "p", 1), newMarketNode(t, sw, "r", 2)
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestMarketClient trades with the methods of the client.
func TestMarketClient(t *testing.T) {
	p, r := marketPair(t)
	ctx := t.Context()
	offer := client.Publication{Properties: []byte(`{"golem.runtime.name":"vm","n":[0.0,1e3]}`), Constraints: "(a=1)"}
	demand := client.Publication{Properties: []byte(`{"a":1}`), Constraints: "(golem.runtime.name=vm)"}
	o := must[golem.SubscriptionID](t)(p.Publish(ctx, golem.Provider, offer, time.Hour))
	d := must[golem.SubscriptionID](t)(r.Publish(ctx, golem.Requestor, demand, 0))
	if os := must[[]golem.Offer](t)(p.Offers(ctx)); len(os) != 1 || os[0].ID != o || os[0].Properties != string(offer.Properties) || os[0].Node != p.id {
		t.Errorf("offers %+v", os)
	}
	if ds := must[[]golem.Demand](t)(r.Demands(ctx)); len(ds) != 1 || ds[0].ID != d {
		t.Errorf("demands %+v", ds)
	}
	one := func(n *marketNode, role golem.Role, sub golem.SubscriptionID, kind string) client.MarketEvent {
		t.Helper()
		es := must[[]client.MarketEvent](t)(n.MarketEvents(ctx, role, sub, 10*time.Second, 1))
		if len(es) != 1 || es[0].Type != kind {
			t.Fatalf("events %+v, want one %s", es, kind)
		}
		return es[0]
	}
	initial := one(r, golem.Requestor, d, client.ProposalEvent).Proposal
	if initial.State != golem.ProposalInitial || initial.Issuer != p.id || string(initial.Properties) != string(offer.Properties) {
		t.Errorf("initial %+v", initial)
	}
	mine := must[golem.ProposalID](t)(r.Counter(ctx, golem.Requestor, d, initial.ID, demand))
	if got := must[client.Proposal](t)(r.Proposal(ctx, golem.Requestor, d, mine)); got.Issuer != r.id || got.Prev != initial.ID {
		t.Errorf("own proposal %+v", got)
	}
	received := one(p, golem.Provider, o, client.ProposalEvent).Proposal
	if err := p.Reject(ctx, golem.Provider, o, received.ID, golem.NewReason("no", "a", 1.0)); err != nil {
		t.Fatal(err)
	}
	if e := one(r, golem.Requestor, d, client.ProposalRejectedEvent); e.Rejected != mine || e.Reason.Message != "no" {
		t.Errorf("rejection %+v", e)
	}
	must[golem.ProposalID](t)(p.Counter(ctx, golem.Provider, o, received.ID, offer))
	answer := one(r, golem.Requestor, d, client.ProposalEvent).Proposal
	id := must[golem.AgreementID](t)(r.ProposeAgreement(ctx, answer.ID, time.Now().Add(time.Hour)))
	if err := r.WaitForApproval(ctx, id, time.Second); !errors.Is(err, golem.ErrInvalid) {
		t.Errorf("wait before confirmation: %v", err)
	}
	if err := r.ConfirmAgreement(ctx, id, "s"); err != nil {
		t.Fatal(err)
	}
	if err := r.WaitForApproval(ctx, id, time.Millisecond); !errors.Is(err, golem.ErrTimeout) {
		t.Errorf("wait without approval: %v", err)
	}
	if a := one(p, golem.Provider, o, client.AgreementEvent).Agreement; a.ID != id || a.State != golem.AgreementPending {
		t.Errorf("agreement event %+v", a)
	}
	if err := p.ApproveAgreement(ctx, id, "t", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := r.WaitForApproval(ctx, id, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	a := must[*golem.Agreement](t)(r.Agreement(ctx, id))
	if a.State != golem.AgreementApproved || a.Session != "s" || a.Approved.IsZero() || a.Offer.Node != p.id || a.Demand.Node != r.id || a.Offer.Properties != string(offer.Properties) {
		t.Errorf("agreement %+v", a)
	}
	if err := p.TerminateAgreement(ctx, id, nil); err != nil {
		t.Fatal(err)
	}
	var after time.Time
	for _, want := range []golem.AgreementEventType{golem.AgreementApprovedEvent, golem.AgreementTerminatedEvent} {
		es := must[[]client.AgreementChange](t)(r.AgreementChanges(ctx, "s", after, 10*time.Second, 1))
		if len(es) != 1 || es[0].Type != want {
			t.Fatalf("changes %+v, want %s", es, want)
		}
		after = es[0].At
	}
	if e := must[client.AgreementChange](t)(r.Termination(ctx, id)); e.Terminator != golem.Provider || e.Reason.Message == "" {
		t.Errorf("termination %+v", e)
	}
	if es := must[[]client.AgreementEntry](t)(r.Agreements(ctx, golem.AgreementTerminated, "")); len(es) != 1 || es[0].ID != id || es[0].Role != golem.Requestor {
		t.Errorf("agreements %+v", es)
	}
	for what, err := range map[string]error{"cancel": r.CancelAgreement(ctx, id, nil), "reject": p.RejectAgreement(ctx, id, nil)} {
		if !errors.Is(err, golem.ErrExpired) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := p.Withdraw(ctx, golem.Provider, o); err != nil {
		t.Fatal(err)
	}
	if _, err := p.MarketEvents(ctx, golem.Provider, o, time.Second, 1); !errors.Is(err, golem.ErrNotFound) {
		t.Errorf("events of a withdrawn offer: %v", err)
	}
}

// hideIDs replaces what is different each time.
func hideIDs(text string) string {
	for _, r := range []struct{ pattern, name string }{
		{`[0-9a-f]{32}-[0-9a-f]{64}`, "SUBSCRIPTION"},
		{`[RP]-[0-9a-f]{64}`, "PROPOSAL"},
		{`[0-9a-f]{64}`, "AGREEMENT"},
		{`\d{4}-\d\d-\d\dT[0-9:.]+Z`, "TIME"},
		{`"ageSeconds":[0-9.e-]+`, `"ageSeconds":AGE`},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.name)
	}
	return text
}

// TestMarketShapes compares statuses and bodies with the golden file. Each line
// of it is a call and its answer.
func TestMarketShapes(t *testing.T) {
	p, r := marketPair(t)
	var out strings.Builder
	ask := func(n *marketNode, method, path, body string) string {
		t.Helper()
		resp, answer := send(t, method, n.url+path, n.key, body, "Content-Type", "application/json")
		fmt.Fprintf(&out, "%s %s %s %s\n\t%d %s\n", n.key, method, hideIDs(path), hideIDs(body), resp.StatusCode, hideIDs(strings.TrimSuffix(answer, "\n")))
		return strings.Trim(strings.TrimSpace(answer), `"`)
	}
	id := func(answer, pattern string) string {
		t.Helper()
		found := regexp.MustCompile(pattern).FindStringSubmatch(answer)
		if found == nil {
			t.Fatalf("no %s in %s", pattern, answer)
		}
		return found[1]
	}
	const base, proposal = "/market-api/v1", `"proposalId":"([^"]+)"`
	o := ask(p, "POST", base+"/offers", marketOffer)
	ask(p, "GET", base+"/offers", "")
	d := ask(r, "POST", base+"/demands", marketDemand)
	ask(r, "GET", base+"/demands", "")
	ask(p, "POST", base+"/offers", `{"properties":{},"constraints":"(a"}`)
	ask(p, "POST", base+"/offers", `{"properties":{}}`)
	ask(p, "POST", base+"/offers", `{"properties":`)
	ask(r, "GET", base+"/demands/x/events", "")
	ask(r, "GET", base+"/demands/"+o+"/events", "")
	ask(r, "GET", base+"/demands/"+d+"/events?maxEvents=0", "")
	ask(r, "GET", base+"/demands/"+d+"/events?timeout=x", "")
	initial := id(ask(r, "GET", base+"/demands/"+d+"/events?timeout=5&maxEvents=10", ""), proposal)
	ask(r, "GET", base+"/demands/"+d+"/events?timeout=0", "")
	ask(r, "GET", base+"/demands/"+d+"/proposals/"+initial, "")
	ask(r, "GET", base+"/demands/"+d+"/proposals/x", "")
	ask(r, "GET", base+"/demands/"+d+"/proposals/P"+initial[1:], "")
	ask(r, "POST", base+"/demands/"+d+"/proposals/"+initial, `{"properties":{},"constraints":"()"}`)
	ask(r, "POST", base+"/agreements", `{"proposalId":"`+initial+`","validTo":"2100-01-01T00:00:00+01:00"}`)
	mine := ask(r, "POST", base+"/demands/"+d+"/proposals/"+initial, marketDemand)
	ask(r, "POST", base+"/demands/"+d+"/proposals/"+initial, marketDemand)
	ask(r, "POST", base+"/demands/"+d+"/proposals/"+mine, marketDemand)
	received := id(ask(p, "GET", base+"/offers/"+o+"/events", ""), proposal)
	ask(p, "POST", base+"/offers/"+o+"/proposals/"+received+"/reject", "")
	ask(p, "POST", base+"/offers/"+o+"/proposals/"+received+"/reject", `{"x":1}`)
	ask(p, "POST", base+"/offers/"+o+"/proposals/"+received+"/reject", "null")
	ask(r, "GET", base+"/demands/"+d+"/events", "")
	ask(p, "POST", base+"/offers/"+o+"/proposals/"+received, marketOffer)
	answer := id(ask(r, "GET", base+"/demands/"+d+"/events", ""), proposal)
	ask(r, "POST", base+"/agreements", `{"proposalId":"`+answer+`","validTo":"tomorrow"}`)
	a := ask(r, "POST", base+"/agreements", `{"proposalId":"`+answer+`","validTo":"2100-01-01T00:00:00Z"}`)
	ask(r, "POST", base+"/agreements", `{"proposalId":"`+answer+`","validTo":"2100-01-01T00:00:00Z"}`)
	ask(r, "POST", base+"/agreements/"+a+"/terminate", `{"message":"x"}`)
	ask(r, "POST", base+"/agreements/"+a+"/wait", "")
	ask(r, "POST", base+"/agreements/"+a+"/confirm?appSessionId=s", "")
	ask(r, "GET", base+"/agreements/"+a, "")
	ask(r, "POST", base+"/agreements/"+a+"/wait?timeout=0.01", "")
	ask(p, "GET", base+"/offers/"+o+"/events", "")
	ask(p, "POST", base+"/agreements/"+a+"/approve?timeout=10", "")
	ask(r, "POST", base+"/agreements/"+a+"/wait?timeout=10", "")
	ask(r, "GET", base+"/agreements/"+a, "")
	ask(r, "GET", base+"/agreements/"+strings.Repeat("0", 64), "")
	ask(r, "GET", base+"/agreements?state=Approved", "")
	ask(r, "GET", base+"/agreements?state=x", "")
	ask(r, "GET", base+"/agreements/"+a+"/terminate/reason", "")
	ask(r, "POST", base+"/agreements/"+a+"/terminate", `{"message":"bye","golem.requestor.code":"Success"}`)
	ask(r, "GET", base+"/agreements/"+a+"/terminate/reason", "")
	ask(r, "GET", base+"/agreementEvents?appSessionId=s&afterTimestamp=2020-01-01T00%3A00%3A00.000%2B00%3A00", "")
	ask(r, "GET", base+"/agreementEvents?timeout=0&afterTimestamp=2100-01-01T00:00:00Z", "")
	ask(r, "GET", base+"/agreementEvents?afterTimestamp=x", "")
	ask(r, "POST", base+"/agreements/"+a+"/cancel", "null")
	ask(r, "POST", "/golem-api/v1/market/explain", `{"properties":{"a":2},"constraints":"(golem.runtime.name=vm)"}`)
	ask(r, "GET", "/golem-api/v1/market/offers", "")
	scan := ask(r, "POST", base+"/scan", `{"type":"offer","timeout":30,"properties":{},"constraints":"(golem.runtime.name=vm)"}`)
	ask(r, "GET", base+"/scan/"+scan+"/events?timeout=5&maxEvents=10", "")
	ask(r, "GET", base+"/scan/"+scan+"/events?timeout=0", "")
	ask(r, "GET", base+"/scan/"+scan+"/events?peerId="+p.id.String(), "")
	ask(r, "GET", base+"/scan/"+scan+"/events?peerId="+golem.NodeID{1}.String(), "")
	ask(r, "GET", base+"/scan/77/events", "")
	ask(r, "DELETE", base+"/scan/"+scan, "")
	ask(r, "GET", base+"/scan/"+scan+"/events", "")
	ask(r, "POST", base+"/scan", `{"type":"offer","constraints":"("}`)
	ask(r, "POST", base+"/scan", `{"type":"x"}`)
	all := ask(r, "POST", base+"/scan", `{"type":"demand"}`)
	ask(r, "GET", base+"/scan/"+all+"/events?timeout=0", "")
	ask(r, "DELETE", base+"/scan/"+all+"/events", "")
	ask(p, "DELETE", base+"/offers/"+o, "")
	ask(p, "DELETE", base+"/offers/"+o, "")
	ask(r, "DELETE", base+"/demands/"+d, "")
	ask(r, "DELETE", base+"/demands/"+d, "")
	ask(r, "GET", base+"/demands/"+d+"/events", "")

	golden(t, "market", out.String())
}

// goneWriter is the connection of a client that has gone.
type goneWriter struct{ *httptest.ResponseRecorder }

func (goneWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestMarketEventsAgain wants events to be kept for a client that was gone when
// they were written.
func TestMarketEventsAgain(t *testing.T) {
	p, r := marketPair(t)
	ctx := t.Context()
	o := must[golem.SubscriptionID](t)(p.Publish(ctx, golem.Provider, client.Publication{Properties: []byte(`{}`), Constraints: "()"}, 0))
	d := must[golem.SubscriptionID](t)(r.Publish(ctx, golem.Requestor, client.Publication{Properties: []byte(`{}`), Constraints: "()"}, 0))
	for range 3 {
		req := httptest.NewRequestWithContext(ctx, "GET", "/market-api/v1/demands/"+string(d)+"/events", nil)
		req.Header.Set("Authorization", "Bearer "+r.key)
		r.server.ServeHTTP(goneWriter{httptest.NewRecorder()}, req)
	}
	es := must[[]client.MarketEvent](t)(r.MarketEvents(ctx, golem.Requestor, d, 5*time.Second, 10))
	if len(es) != 1 || es[0].Proposal == nil {
		t.Fatalf("events %+v, want the match with %s", es, o)
	}
	if es = must[[]client.MarketEvent](t)(r.MarketEvents(ctx, golem.Requestor, d, 0, 10)); len(es) != 0 {
		t.Fatalf("events %+v again", es)
	}
}

// TestMarketScanStream reads Offers as golem-js does.
func TestMarketScanStream(t *testing.T) {
	p, r := marketPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	scan := must[client.ScanID](t)(r.Scan(ctx, "(a=x)", time.Minute))
	req, err := http.NewRequestWithContext(ctx, "GET", r.url+"/market-api/v1/scan/"+string(scan)+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	must[golem.SubscriptionID](t)(p.Publish(ctx, golem.Provider, client.Publication{Properties: []byte(`{"a":"y"}`), Constraints: "()"}, 0))
	want := must[golem.SubscriptionID](t)(p.Publish(ctx, golem.Provider, client.Publication{Properties: []byte(`{"a":"x"}`), Constraints: "()"}, 0))
	lines := bufio.NewScanner(resp.Body)
	var got []string
	for lines.Scan() && len(got) < 2 {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, ":") {
			got = append(got, line)
		}
	}
	if len(got) != 2 || got[0] != "event: offer" || !strings.Contains(got[1], `"offerId":"`+string(want)+`"`) {
		t.Errorf("got %q", got)
	}
	if err := r.EndScan(ctx, scan); err != nil {
		t.Fatal(err)
	}
	if lines.Scan(); lines.Scan() && lines.Text() != "" {
		t.Errorf("the stream goes on: %q", lines.Text())
	}
}

func TestMarketExplain(t *testing.T) {
	p, r := marketPair(t)
	ctx := t.Context()
	must[golem.SubscriptionID](t)(p.Publish(ctx, golem.Provider, client.Publication{Properties: []byte(`{"a":"x","golem.runtime.name":"vm"}`), Constraints: "()"}, 0))
	var cards []client.Card
	for start := time.Now(); len(cards) == 0 && time.Since(start) < 10*time.Second; {
		cards = must[[]client.Card](t)(r.Cards(ctx))
	}
	if len(cards) != 1 || cards[0].Runtime != "vm" || cards[0].Node != p.id || cards[0].Own {
		t.Fatalf("cards %+v", cards)
	}
	xs := must[[]client.Explanation](t)(r.Explain(ctx, client.Publication{Properties: []byte(`{}`), Constraints: "(a=y)"}))
	if len(xs) != 1 || xs[0].Verdict != property.No || len(xs[0].Reasons) != 1 || !strings.Contains(xs[0].Reasons[0], "y") {
		t.Errorf("explanations %+v", xs)
	}
}
