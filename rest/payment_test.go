package rest_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/rest"
	"github.com/golem-go/golem/rest/client"
	"github.com/golem-go/golem/sqlite"
)

// payWorld is two nodes that pay on a common ledger: "r" with a Requestor and a
// stranger to its business, "p" with a Provider. Each identity has an app-key of
// its name; "manager" is the Requestor's as well and may administer the node.
type payWorld struct {
	t     testing.TB
	keys  map[string]*identity.Key
	book  *local.Book
	sw    *p2ptest.Switch
	trade payTrade
	nodes map[string]*payNode
	http  *http.Client
}

// payNode is a node with nothing but payments, and its API.
type payNode struct {
	w        *payWorld
	ids      map[string]golem.NodeID // by the name of the app-key
	net      *p2ptest.Node
	payment  *payment.Service
	server   *rest.Server
	listener *pipeListener
}

// payHomes says which node an app-key is used at; nobody's is unknown there.
var payHomes = map[string]string{"requestor": "r", "stranger": "r", "manager": "r", "provider": "p", "nobody": "r"}

// payTrade stands for market and activity.
type payTrade map[golem.AgreementID]*golem.Agreement

func (tr payTrade) Agreement(_ context.Context, who golem.NodeID, id golem.AgreementID) (*golem.Agreement, error) {
	a := tr[id]
	if a == nil {
		return nil, golem.Errorf(golem.ErrNotFound, "agreement %s not found", id)
	}
	_, err := a.RoleOf(who)
	return a, err
}

// AgreementOf goes by the last digit of an id.
func (tr payTrade) AgreementOf(ctx context.Context, who golem.NodeID, id golem.ActivityID) (golem.AgreementID, error) {
	if len(id) != 32 {
		return "", golem.Errorf(golem.ErrNotFound, "activity %s not found", id)
	}
	agreement := payAgreement(int(id[31] - '0'))
	_, err := tr.Agreement(ctx, who, agreement)
	return agreement, err
}

func payAgreement(n int) golem.AgreementID { return golem.AgreementID(fmt.Sprintf("%064d", n)) }
func payActivity(n int) golem.ActivityID   { return golem.ActivityID(fmt.Sprintf("%032d", n)) }

// agree makes Agreement n of the Requestor with the Provider, for a session.
func (w *payWorld) agree(n int, session string) golem.AgreementID {
	now := time.Now().UTC()
	id := payAgreement(n)
	a := &golem.Agreement{ID: id, State: golem.AgreementApproved, Created: now, Approved: now, Session: session}
	a.Demand = golem.NewDemand(w.id("requestor"), `{"golem.com.payment.chosen-platform":"local-devnet-tglm"}`, "()", now, now.Add(time.Hour))
	a.Offer = golem.NewOffer(w.id("provider"), `{}`, "()", now, now.Add(time.Hour))
	w.trade[id] = a
	return id
}

// Sign signs for the identities of the node.
func (n *payNode) Sign(ctx context.Context, id golem.NodeID, digest [32]byte) (golem.Signature, error) {
	for name, own := range n.ids {
		if own == id {
			return n.w.keys[name].Sign(ctx, id, digest)
		}
	}
	return golem.Signature{}, golem.Errorf(golem.ErrNotFound, "identity %s not found", id)
}

func (w *payWorld) Recover(digest [32]byte, sig golem.Signature) (golem.NodeID, error) {
	return identity.Recover(digest, sig)
}

// AppKey knows the app-keys of the node.
func (n *payNode) AppKey(_ context.Context, secret string) (golem.AppKey, error) {
	k := golem.AppKey{Name: secret, Role: "user"}
	if secret == "manager" {
		k.Role, secret = golem.RoleManager, "requestor"
	}
	if k.Identity = n.ids[secret]; k.Identity.IsZero() {
		return k, golem.Errorf(golem.ErrUnauthorized, "unknown app-key")
	}
	return k, nil
}

func (w *payWorld) id(name string) golem.NodeID { return w.keys[name].ID() }

// newPayWorld makes a world where everybody has 100 tokens.
func newPayWorld(t testing.TB) *payWorld {
	w := &payWorld{t: t, keys: map[string]*identity.Key{}, sw: p2ptest.NewSwitch(p2ptest.Config{}), trade: payTrade{}, nodes: map[string]*payNode{}}
	w.book = must[*local.Book](t)(local.Open(t.Context(), local.BookConfig{Store: payDB(t).Ledger(), Verifier: w, Grant: golem.Tokens(100)}))
	for i, name := range []string{"requestor", "provider", "stranger"} {
		secret := [32]byte{31: byte(i + 1)}
		w.keys[name] = must[*identity.Key](t)(identity.ParseKey(golem.Secret(hex.EncodeToString(secret[:]))))
		must[local.Entry](t)(w.book.Fund(t.Context(), w.id(name).Address()))
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return w.nodes[address[:1]].listener.dial(ctx, network, address)
	}}
	w.http = &http.Client{Transport: transport}
	w.start("r", "requestor", "stranger")
	w.start("p", "provider")
	t.Cleanup(transport.CloseIdleConnections) // before the servers end
	return w
}

func payDB(t testing.TB) *sqlite.DB {
	db := must[*sqlite.DB](t)(sqlite.Open(t.Context(), sqlite.Memory))
	t.Cleanup(func() { db.Close() })
	return db
}

// start starts a node with identities.
func (w *payWorld) start(name string, owners ...string) {
	n := &payNode{w: w, ids: map[string]golem.NodeID{}, net: w.sw.Node(), listener: &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}}
	w.nodes[name] = n
	var ids []golem.NodeID
	for _, o := range owners {
		n.ids[o] = w.id(o)
		ids = append(ids, w.id(o))
	}
	s, err := payment.New(payment.Config{
		Store: payDB(w.t).Payment(), Bus: gsb.New(gsb.Config{Network: n.net, Identities: func() []golem.NodeID { return ids }}),
		Agreements: w.trade, Activities: w.trade, Signer: n, Verifier: w,
		Drivers: []payment.Driver{local.New(local.Config{Ledger: w.book, Signer: n, Verifier: w})},
		Rand:    rand.New(rand.NewPCG(1, 2)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	n.payment = s
	n.server = rest.New(rest.Config{Keys: n, Services: rest.Services{Payment: s}})
	server := &http.Server{Handler: n.server}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.net.Run(ctx) })
	running.Go(func() { s.Run(ctx) })
	running.Go(func() { server.Serve(n.listener) })
	w.t.Cleanup(func() { server.Close(); cancel(); running.Wait() })
	for n.net.Status().Since.IsZero() {
		time.Sleep(time.Millisecond)
	}
	if err := n.net.SetIdentities(ctx, ids); err != nil {
		w.t.Fatal(err)
	}
}

func withPayWorld(t *testing.T, f func(t *testing.T, w *payWorld)) {
	synctest.Test(t, func(t *testing.T) { f(t, newPayWorld(t)) })
}

func (w *payWorld) client(key string) *client.Client {
	return client.New("http://"+payHomes[key], key, w.http)
}

// rest lets everything happen that is to happen at once.
func (w *payWorld) rest() {
	for range 3 {
		time.Sleep(time.Second)
		synctest.Wait()
	}
}

// call makes a request and returns the answer.
func (w *payWorld) call(key, method, path, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+payHomes[key]+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, strings.TrimSuffix(string(text), "\n")
}

// payRecord writes down calls with their answers. What is different each time
// gets a name: ids are numbered in the order they appear.
type payRecord struct {
	*payWorld
	text  strings.Builder
	names map[string]string
}

var (
	payID     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{64}\b|\b[0-9a-f]{32}\b`)
	payHidden = []struct {
		pattern *regexp.Regexp
		name    string
	}{
		{regexp.MustCompile(`\b2000-[0-9T:.-]+Z`), "TIME"},
		{regexp.MustCompile(`"details":"[^"]+"`), `"details":"PROOF"`},
		{regexp.MustCompile(`"(signature|signedBytes)":\[[0-9,]+\]`), `"$1":[BYTES]`},
	}
)

func (r *payRecord) hide(text string) string {
	for key, k := range r.keys {
		text = strings.ReplaceAll(text, k.ID().String(), strings.ToUpper(key))
	}
	for _, h := range payHidden {
		text = h.pattern.ReplaceAllString(text, h.name)
	}
	return payID.ReplaceAllStringFunc(text, func(id string) string {
		if strings.HasPrefix(id, "00000") {
			return id[:1] + "…" + id[len(id)-1:]
		}
		if r.names[id] == "" {
			r.names[id] = fmt.Sprintf("ID%d", len(r.names)+1)
		}
		return r.names[id]
	})
}

// ask makes a request, records it, and returns the first id of the answer's own.
func (r *payRecord) ask(key, method, path, body string, header ...string) string {
	r.t.Helper()
	time.Sleep(time.Millisecond) // lists go by time
	resp, answer := r.call(key, method, path, body, header...)
	what := strings.TrimSpace(strings.Join(append([]string{key, method, strings.TrimPrefix(path, "/payment-api/v1"), body}, header...), " "))
	status := fmt.Sprint(resp.StatusCode)
	if kind := resp.Header.Get("Golem-Error"); kind != "" {
		status += " " + kind
	}
	if mediaType := resp.Header.Get("Content-Type"); mediaType != "application/json" {
		status += " " + mediaType
	}
	fmt.Fprintf(&r.text, "%s\n\t%s %s\n", r.hide(what), status, r.hide(answer))
	return payID.FindString(answer)
}

// TestPaymentShapes compares statuses and bodies with the golden file, in which
// each line is a call and the next one its answer.
func TestPaymentShapes(t *testing.T) {
	withPayWorld(t, func(t *testing.T, w *payWorld) {
		w.agree(1, "s1")
		w.agree(2, "s2")
		r := &payRecord{payWorld: w, names: map[string]string{}}
		for _, part := range []struct {
			name string
			run  func(r *payRecord)
		}{
			{"accounts", payAccounts}, {"allocations", payAllocations}, {"decorations", payDecorations}, {"debit notes", payNotes},
			{"invoices", payInvoices}, {"payments", payPayments}, {"books", payBooks}, {"extension", payExtension},
		} {
			fmt.Fprintf(&r.text, "# %s\n", part.name)
			part.run(r)
			r.rest()
		}
		golden(t, "payment", r.text.String())
		for _, n := range w.nodes {
			if report, err := n.payment.Audit(t.Context()); err != nil || len(report.Findings) > 0 {
				t.Errorf("audit: %+v, %v", report, err)
			}
		}
	})
}

const payBase = "/payment-api/v1"

func payAccounts(r *payRecord) {
	r.ask("requestor", "GET", payBase+"/requestorAccounts", "")
	r.ask("provider", "GET", payBase+"/providerAccounts", "")
	r.ask("nobody", "GET", payBase+"/requestorAccounts", "")
}

func payAllocations(r *payRecord) {
	const path = payBase + "/allocations"
	post := func(body string) string { r.t.Helper(); return r.ask("requestor", "POST", path, body) }
	drop := func(id string) { r.t.Helper(); r.ask("requestor", "DELETE", path+"/"+id, "") }

	// what clients send
	drop(post(`{"totalAmount":1}`))
	drop(post(`{"totalAmount":"1.50","paymentPlatform":null,"timeout":null,"deposit":null,"address":null}`))
	drop(post(`{"totalAmount":0.25,"paymentPlatform":"local-devnet-tglm","timeout":"2000-01-02T00:00:00+01:00"}`))
	drop(post(`{"totalAmount":"1e-18","paymentPlatform":{"driver":"local"},"extendTimeout":60}`))
	drop(post(`{"totalAmount":"1","paymentPlatform":{"network":"devnet","token":"tglm"}}`))
	drop(post(`{"totalAmount":"1","paymentPlatform":{}}`))
	drop(r.ask("requestor", "POST", path+"?maxItems=10", `{"totalAmount":"6","paymentPlatform":{"driver":"local","network":"devnet","token":"tglm"},"address":"`+r.id("requestor").String()+
		`","timestamp":"2026-11-22T16:15:17.744Z","timeout":"2036-11-22T16:15:17.744Z","makeDeposit":false,"remainingAmount":"","spentAmount":"","allocationId":""}`))
	drop(post(`{"allocationId":"","address":"` + r.id("requestor").String() +
		`","paymentPlatform":"local-devnet-tglm","totalAmount":"1","spentAmount":"","remainingAmount":"","timestamp":"2026-11-22T16:15:17.958046+00:00","timeout":"2036-11-19T16:15:17.958034+00:00","makeDeposit":false}`))

	// what cannot be had
	post("")
	post(`{"totalAmount":`)
	post(`[]`)
	post(`{}`)
	post(`{"totalAmount":"lots"}`)
	post(`{"totalAmount":-1}`)
	post(`{"totalAmount":"1e12"}`)
	post(`{"totalAmount":"1","timeout":"tomorrow"}`)
	post(`{"totalAmount":"1","timeout":"1999-12-31T00:00:00Z"}`)
	post(`{"totalAmount":"1","timeout":"9999-12-31T00:00:00Z"}`)
	post(`{"totalAmount":"101"}`)
	post(`{"totalAmount":"1","paymentPlatform":"erc20-hoodi-tglm"}`)
	post(`{"totalAmount":"1","paymentPlatform":"local-devnet"}`)
	post(`{"totalAmount":"1","paymentPlatform":{"network":"rinkeby"}}`)
	post(`{"totalAmount":"1","paymentPlatform":{"token":"tGLM"}}`)
	post(`{"totalAmount":"1","paymentPlatform":7}`)
	post(`{"totalAmount":"1","paymentPlatform":{"driver":7}}`)
	post(`{"totalAmount":"1","address":"me"}`)
	post(`{"totalAmount":"1","address":"` + r.id("stranger").String() + `"}`)
	r.ask("manager", "POST", path, `{"totalAmount":"1","address":"`+r.id("provider").String()+`"}`)
	drop(r.ask("manager", "POST", path, `{"totalAmount":"1","address":"`+r.id("stranger").String()+`"}`))
	post(`{"totalAmount":"1","deposit":{"id":"0x1","contract":"0x2"}}`)

	// a life
	id := post(`{"totalAmount":"5","timeout":"2000-01-01T12:00:00Z"}`)
	r.ask("requestor", "GET", path+"/"+id, "")
	r.ask("requestor", "GET", path, "")
	r.ask("requestor", "GET", path+"?afterTimestamp=2000-01-01T00%3A00%3A00.000%2B00%3A00&maxItems=1", "")
	r.ask("requestor", "GET", path+"?afterTimestamp=2001-01-01T00:00:00Z", "")
	r.ask("requestor", "GET", path+"?maxItems=0", "")
	r.ask("requestor", "GET", path+"?afterTimestamp=x", "")
	r.ask("requestor", "PUT", path+"/"+id, `{"totalAmount":"7"}`)
	r.ask("requestor", "PUT", path+"/"+id, `{"timeout":"2000-01-01T06:00:00Z"}`)
	r.ask("requestor", "PUT", path+"/"+id, `{}`)
	r.ask("requestor", "PUT", path+"/"+id, `{"totalAmount":"101"}`)
	r.ask("requestor", "PUT", path+"/"+id, `{"timeout":"1999-01-01T06:00:00Z"}`)
	r.ask("requestor", "PUT", path+"/"+id, `{"deposit":{"id":"0x1","contract":"0x2"}}`)
	r.ask("requestor", "PUT", path+"/"+id, `{"totalAmount":{}}`)
	r.ask("requestor", "PUT", path+"/"+id, ``)
	r.ask("requestor", "GET", path+"/"+id+"/orders", "")
	r.ask("requestor", "GET", path+"/"+id+"/expenditures", "")
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		r.ask("stranger", method, path+"/"+id, "{}")
		r.ask("requestor", method, path+"/x", "{}")
	}
	r.ask("stranger", "GET", path+"/"+id+"/orders", "")
	r.ask("stranger", "GET", path+"/"+id+"/expenditures", "")
	r.ask("stranger", "GET", path, "")
	drop(id)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		r.ask("requestor", method, path+"/"+id, "{}")
	}
	r.ask("requestor", "GET", path+"/"+id+"/orders", "")
	r.ask("requestor", "GET", path+"/"+id+"/expenditures", "")
}

func payDecorations(r *payRecord) {
	const path = payBase + "/demandDecorations"
	post := func() string { return r.ask("requestor", "POST", payBase+"/allocations", `{"totalAmount":"1"}`) }
	a, b := post(), post()
	r.ask("requestor", "GET", path+"?allocationIds="+a, "")
	r.ask("requestor", "GET", path+"?allocationIds="+a+","+b, "")
	r.ask("requestor", "GET", path+"?allocationIds="+a+"&allocationIds="+b, "")
	r.ask("requestor", "GET", path, "")
	r.ask("requestor", "GET", path+"?allocationIds=,", "")
	r.ask("requestor", "GET", path+"?allocationIds="+a+",x", "")
	r.ask("stranger", "GET", path+"?allocationIds="+a, "")
	r.ask("requestor", "DELETE", payBase+"/allocations/"+a, "")
	r.ask("requestor", "GET", path+"?allocationIds="+a, "")
	r.ask("requestor", "DELETE", payBase+"/allocations/"+b, "")
}

func payNotes(r *payRecord) {
	const path = payBase + "/debitNotes"
	post := func(body string) string { r.t.Helper(); return r.ask("provider", "POST", path, body) }
	act := string(payActivity(1))
	post("")
	post(`{"activityId":"` + act + `"}`)
	post(`{"activityId":"x","totalAmountDue":"1"}`)
	post(`{"totalAmountDue":"1"}`)
	post(`{"activityId":"` + act + `","totalAmountDue":"1","paymentDueDate":"soon"}`)
	post(`{"activityId":"` + act + `","totalAmountDue":"1","paymentDueDate":"0001-01-01T00:00:00+01:00"}`)
	r.ask("requestor", "POST", path, `{"activityId":"`+act+`","totalAmountDue":"1"}`)
	r.ask("stranger", "POST", path, `{"activityId":"`+act+`","totalAmountDue":"1"}`)
	first := post(`{"activityId":"` + act + `","totalAmountDue":"0.10","usageCounterVector":[1.0,2.50,3e1],"paymentDueDate":null}`)
	second := post(`{"activityId":"` + act + `","totalAmountDue":0.3,"paymentDueDate":"2000-01-01T06:00:00.123456789+01:00","usageCounterVector":null}`)
	third := post(`{"activityId":"` + act + `","totalAmountDue":"0.4"}`)
	r.ask("requestor", "GET", path+"/"+first, "") // not sent
	r.ask("requestor", "POST", path+"/"+first+"/send", "")
	r.ask("provider", "POST", path+"/"+first+"/send?timeout=x", "")
	for _, id := range []string{first, second, third, first} {
		r.ask("provider", "POST", path+"/"+id+"/send?timeout=5", "")
	}
	r.ask("provider", "POST", path+"/x/send", "")
	r.ask("requestor", "GET", path+"/"+first, "")
	r.ask("requestor", "GET", path+"/"+second, "")
	r.ask("provider", "GET", path+"/"+second, "")
	r.ask("stranger", "GET", path+"/"+first, "")
	r.ask("requestor", "GET", path+"?maxItems=1", "")
	r.ask("requestor", "GET", path+"?afterTimestamp=2001-01-01T00:00:00Z", "")
	r.ask("stranger", "GET", path, "")
	r.ask("requestor", "GET", payBase+"/debitNoteEvents?timeout=5&maxEvents=100&appSessionId=s1&afterTimestamp=2000-01-01T00:00:00.000Z", "")
	r.ask("requestor", "GET", payBase+"/debitNoteEvents?timeout=0&appSessionId=s2", "")
	r.ask("stranger", "GET", payBase+"/debitNoteEvents?timeout=0.5", "")

	alloc := r.ask("requestor", "POST", payBase+"/allocations", `{"totalAmount":"0.35"}`)
	foreign := r.ask("stranger", "POST", payBase+"/allocations", `{"totalAmount":"1"}`)
	gone := r.ask("requestor", "POST", payBase+"/allocations", `{"totalAmount":"1"}`)
	r.ask("requestor", "DELETE", payBase+"/allocations/"+gone, "")
	accept := func(key, id, amount, alloc string) {
		r.t.Helper()
		r.ask(key, "POST", path+"/"+id+"/accept?timeout=5", `{"totalAmountAccepted":"`+amount+`","allocationId":"`+alloc+`"}`)
	}
	accept("requestor", first, "0.2", alloc)
	accept("requestor", first, "0.1", foreign)
	accept("requestor", first, "0.1", gone)
	accept("requestor", first, "0.1", "x")
	accept("stranger", first, "0.1", alloc)
	accept("provider", first, "0.1", alloc)
	accept("requestor", "x", "0.1", alloc)
	r.ask("requestor", "POST", path+"/"+first+"/accept", "")
	r.ask("requestor", "POST", path+"/"+first+"/accept", "{}")
	r.ask("requestor", "POST", path+"/"+first+"/accept", `{"totalAmountAccepted":0.10,"allocationId":"`+alloc+`"}`)
	accept("requestor", first, "0.1", alloc)
	accept("requestor", second, "0.300", alloc)
	accept("requestor", third, "0.4", alloc)
	r.ask("requestor", "POST", path+"/"+third+"/reject", `{"rejectionReason":"NO"}`)
	r.ask("requestor", "POST", path+"/"+third+"/reject?timeout=5", `{"rejectionReason":"INCORRECT_AMOUNT","totalAmountAccepted":"0","message":"<too> much"}`)
	r.ask("requestor", "POST", path+"/"+first+"/reject", `{"rejectionReason":"BAD_SERVICE","totalAmountAccepted":"0"}`)
	r.ask("stranger", "POST", path+"/"+third+"/reject", `{"rejectionReason":"BAD_SERVICE","totalAmountAccepted":"0"}`)
	r.rest()
	r.ask("provider", "GET", path+"/"+first, "")
	r.ask("provider", "GET", path+"/"+third, "")
	r.ask("requestor", "GET", payBase+"/allocations/"+alloc, "")
	r.ask("requestor", "GET", payBase+"/allocations/"+alloc+"/expenditures", "")
	r.ask("requestor", "GET", payBase+"/allocations/"+alloc+"/orders", "")
	r.ask("provider", "GET", payBase+"/debitNoteEvents", "")
	r.ask("provider", "GET", payBase+"/debitNoteEvents?maxEvents=1", "")
	r.ask("provider", "GET", payBase+"/debitNoteEvents", "", "X-Provider-Events", "REJECTED")
	r.ask("provider", "GET", payBase+"/debitNoteEvents", "", "X-Provider-Events", "debitNoteRejectedEvent, DebitNoteSettledEvent,PAYMENT_OK")
	r.ask("provider", "GET", payBase+"/debitNoteEvents?timeout=0", "", "X-Provider-Events", "")
	r.ask("requestor", "GET", payBase+"/debitNoteEvents", "", "X-Requestor-Events", "settled")
	r.ask("requestor", "GET", payBase+"/debitNoteEvents?maxEvents=0", "")
	r.ask("requestor", "GET", path+"/"+first+"/payments", "")
	r.ask("stranger", "GET", path+"/"+first+"/payments", "")
	r.ask("provider", "POST", path+"/"+third+"/cancel", "")
	r.ask("provider", "POST", path+"/"+first+"/cancel", "")
	r.ask("requestor", "POST", path+"/"+third+"/cancel", "")
	accept("requestor", third, "0.4", alloc)
	r.ask("requestor", "GET", payBase+"/debitNoteEvents", "", "X-Requestor-Events", "CANCELLED")
}

func payInvoices(r *payRecord) {
	const path = payBase + "/invoices"
	post := func(body string) string { r.t.Helper(); return r.ask("provider", "POST", path, body) }
	one, two := string(payAgreement(1)), string(payAgreement(2))
	const due = `,"paymentDueDate":"2000-01-01T10:00:00Z"}`
	post("")
	post(`{"agreementId":"` + one + `"` + due)
	post(`{"agreementId":"` + one + `","amount":"1"}`)
	post(`{"agreementId":"x","amount":"1"` + due)
	post(`{"agreementId":"` + one + `","amount":"0.2"` + due)
	post(`{"agreementId":"` + one + `","activityIds":["` + string(payActivity(2)) + `"],"amount":"1"` + due)
	r.ask("requestor", "POST", path, `{"agreementId":"`+one+`","amount":"1"`+due)
	r.ask("stranger", "POST", path, `{"agreementId":"`+one+`","amount":"1"`+due)
	id := post(`{"agreementId":"` + one + `","activityIds":["` + string(payActivity(1)) + `"],"amount":"0.50"` + due)
	other := post(`{"agreementId":"` + two + `","amount":2` + due)

	r.sw.Isolate(r.nodes["r"].net)
	r.ask("provider", "POST", path+"/"+id+"/send?timeout=1", "")
	r.sw.Heal()
	time.Sleep(time.Minute)
	r.ask("requestor", "POST", path+"/"+id+"/send", "")
	r.ask("provider", "POST", path+"/"+id+"/send", "")
	r.ask("provider", "POST", path+"/"+id+"/send", "")
	r.ask("provider", "POST", path+"/"+other+"/send", "")
	r.ask("requestor", "GET", payBase+"/invoiceEvents?afterTimestamp=2000-01-01T00%3A00%3A00.000000%2B00%3A00", "")
	r.ask("requestor", "GET", path+"/"+id, "")
	r.ask("requestor", "GET", path, "")
	r.ask("stranger", "GET", path+"/"+id, "")
	r.ask("requestor", "GET", path+"/"+string(payAgreement(9)), "")

	small := r.ask("requestor", "POST", payBase+"/allocations", `{"totalAmount":"0.15"}`)
	alloc := r.ask("requestor", "POST", payBase+"/allocations", `{"totalAmount":"3"}`)
	accept := func(id, amount, alloc string) {
		r.t.Helper()
		r.ask("requestor", "POST", path+"/"+id+"/accept?timeout=5", `{"totalAmountAccepted":"`+amount+`","allocationId":"`+alloc+`"}`)
	}
	accept(id, "0.5", small)
	accept(id, "0.6", alloc)
	accept(id, "0.5", alloc)
	accept(id, "0.5", alloc)
	r.ask("requestor", "POST", path+"/"+other+"/reject?timeout=5", `{"rejectionReason":"UNSOLICITED_SERVICE","totalAmountAccepted":0}`)
	r.ask("requestor", "POST", path+"/"+other+"/reject?timeout=5", `{"rejectionReason":"UNSOLICITED_SERVICE","totalAmountAccepted":0}`)
	r.ask("requestor", "POST", path+"/"+id+"/reject", `{"rejectionReason":"UNSOLICITED_SERVICE","totalAmountAccepted":0}`)
	r.rest()
	r.ask("provider", "GET", path+"/"+id, "")
	r.ask("provider", "GET", payBase+"/invoiceEvents", "")
	r.ask("provider", "GET", payBase+"/invoiceEvents?appSessionId=s1", "", "X-Provider-Events", "InvoiceAcceptedEvent")
	r.ask("requestor", "GET", payBase+"/invoiceEvents", "", "X-Requestor-Events", "InvoiceReceivedEvent,InvoiceSettledEvent")
	r.ask("requestor", "GET", path+"/"+id+"/payments", "")
	r.ask("provider", "POST", path+"/"+id+"/cancel", "")
	r.ask("requestor", "POST", path+"/"+other+"/cancel", "")
	r.ask("provider", "POST", path+"/"+other+"/cancel?timeout=5", "")
	accept(other, "2", alloc)
	r.ask("requestor", "GET", payBase+"/invoiceEvents", "", "X-Requestor-Events", "CANCELLED")
	r.ask("requestor", "DELETE", payBase+"/allocations/"+alloc, "")
}

func payPayments(r *payRecord) {
	const path = payBase + "/payments"
	id := r.ask("requestor", "GET", path, "")
	r.ask("provider", "GET", path, "")
	r.ask("provider", "GET", path+"?maxEvents=1&appSessionId=s1&network=devnet&driver=local", "")
	r.ask("provider", "GET", path+"?timeout=0&appSessionId=s2", "")
	r.ask("provider", "GET", path+"?timeout=0&network=dev", "")
	r.ask("stranger", "GET", path+"?timeout=1", "")
	r.ask("provider", "GET", path+"?timeout=1&afterTimestamp=2001-01-01T00:00:00Z", "")
	r.ask("provider", "GET", path+"?maxEvents=x", "")
	r.ask("requestor", "GET", path+"/"+id, "")
	r.ask("stranger", "GET", path+"/"+id, "")
	r.ask("requestor", "GET", path+"/status", "")
	r.ask("requestor", "GET", path+"/status?driver=local&network=devnet", "")
	r.ask("requestor", "GET", path+"/status?driver=erc20", "")
	r.ask("requestor", "GET", path+"/status?network=x", "")
}

func payBooks(r *payRecord) {
	agreement, act := string(payAgreement(1)), string(payActivity(1))
	for _, key := range []string{"requestor", "provider", "stranger"} {
		for _, path := range []string{
			"/payAgreements", "/payAgreements/" + agreement, "/payAgreements/" + agreement + "/activities", "/payAgreements/" + agreement + "/orders",
			"/payActivities", "/payActivities/" + act, "/payActivities/" + act + "/debitNotes", "/payActivities/" + act + "/invoice", "/payActivities/" + act + "/orders",
		} {
			r.ask(key, "GET", payBase+path, "")
		}
	}
	r.ask("requestor", "GET", payBase+"/payAgreements?maxItems=1&afterTimestamp=2001-01-01T00:00:00Z", "")
	r.ask("requestor", "GET", payBase+"/payActivities?maxItems=-1", "")
	r.ask("requestor", "GET", payBase+"/payActivities/"+string(payActivity(2))+"/invoice", "")
	order := r.ask("requestor", "GET", payBase+"/batchOrders?maxItems=1", "")
	path := payBase + "/batchOrders/" + order
	r.ask("requestor", "GET", path, "")
	r.ask("requestor", "GET", path+"/items", "")
	r.ask("requestor", "GET", path+"/items/"+r.id("provider").String()+"/details", "")
	r.ask("requestor", "GET", path+"/items/"+r.id("stranger").String()+"/details", "")
	r.ask("requestor", "GET", path+"/items/x/details", "")
	r.ask("stranger", "GET", path, "")
	r.ask("stranger", "GET", path+"/items", "")
	r.ask("provider", "GET", payBase+"/batchOrders", "")
	r.ask("requestor", "GET", payBase+"/batchCycles", "")
	r.ask("requestor", "GET", payBase+"/batchCycle/local-devnet-tglm", "")
	r.ask("requestor", "POST", payBase+"/batchCycle", "{}")
}

func payExtension(r *payRecord) {
	const path = "/golem-api/v1/payment"
	r.ask("requestor", "GET", path+"/status", "")
	r.ask("provider", "GET", path+"/status", "")
	r.ask("requestor", "GET", path+"/audit", "")
	r.ask("manager", "GET", path+"/audit", "")
	r.ask("requestor", "POST", path+"/fund", `{}`)
	r.ask("requestor", "POST", path+"/fund", `{"paymentPlatform":"local-devnet-tglm"}`)
	r.ask("requestor", "POST", path+"/fund", `{"paymentPlatform":"local-x-tglm"}`)
	r.ask("requestor", "POST", path+"/fund", `{"paymentPlatform":1}`)
	r.ask("requestor", "POST", path+"/fund", ``)
}
