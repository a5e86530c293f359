package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/activity/activitytest"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/rest"
	"github.com/golem-go/golem/rest/client"
	"github.com/golem-go/golem/sqlite"
	"github.com/golem-go/golem/wire"
)

// activityNode is a node with two identities that have an Agreement with each
// other, and its API on a listener in memory.
type activityNode struct {
	*activity.Service
	agent     *activitytest.Agent
	bus       *gsb.Bus
	agreement golem.AgreementID
	http      *http.Client
	silent    atomic.Bool // ExeUnits that are started do not answer for an hour
}

// The app-keys of the node.
var activityKeys = activityAppKeys{
	"requestor": {Identity: golem.NodeID{1}},
	"provider":  {Identity: golem.NodeID{2}},
	"stranger":  {Identity: golem.NodeID{3}},
}

type activityAppKeys map[string]golem.AppKey

func (ks activityAppKeys) AppKey(_ context.Context, secret string) (golem.AppKey, error) {
	if k, ok := ks[secret]; ok {
		return k, nil
	}
	return golem.AppKey{}, golem.ErrUnauthorized
}

// pipeListener accepts connections that are pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func withActivityNode(t *testing.T, f func(t *testing.T, n *activityNode)) {
	synctest.Test(t, func(t *testing.T) {
		db, err := sqlite.Open(t.Context(), sqlite.Memory)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		bus := gsb.New(gsb.Config{Identities: func() []golem.NodeID { return []golem.NodeID{{1}, {2}} }})
		a := golem.Agreement{ID: golem.AgreementID(strings.Repeat("a", 64)), State: golem.AgreementApproved, Session: "s1"}
		a.Demand.Node, a.Offer.Node = golem.NodeID{1}, golem.NodeID{2}
		var agreements activitytest.Agreements
		agreements.Put(a)
		s, err := activity.New(activity.Config{Store: db.Activity(), Bus: bus, Agreements: &agreements})
		if err != nil {
			t.Fatal(err)
		}
		n := &activityNode{Service: s, bus: bus, agreement: a.ID}
		n.agent = &activitytest.Agent{
			Node: golem.NodeID{2}, Session: "s1", Bus: bus, Gateway: s,
			Unit: func(golem.ProviderEvent) activitytest.UnitConfig {
				start := 100 * time.Millisecond
				if n.silent.Load() {
					start = time.Hour
				}
				return activitytest.UnitConfig{Start: start, Rates: []float64{0.5, 0}}
			},
		}
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: rest.New(rest.Config{Keys: activityKeys, Services: rest.Services{Activity: s}})}
		transport := &http.Transport{DialContext: l.dial}
		n.http = &http.Client{Transport: transport}

		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		running.Go(func() { n.agent.Run(ctx) })
		running.Go(func() { server.Serve(l) })
		synctest.Wait()
		f(t, n)
		transport.CloseIdleConnections()
		server.Close()
		cancel()
		running.Wait()
	})
}

func (n *activityNode) client(key string) *client.Client {
	return client.New("http://node", key, n.http)
}

// do makes a request and returns the answer, ids in it replaced by <id>.
func (n *activityNode) do(t *testing.T, key, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://node/activity-api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := n.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(anyID.ReplaceAllString(string(text), "<id>"))
}

var anyID = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

func (n *activityNode) create(t *testing.T) golem.ActivityID {
	t.Helper()
	id, err := n.client("requestor").CreateActivity(t.Context(), n.agreement, nil, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var activityScript = []golem.Command{
	{Deploy: &golem.DeployCommand{}}, {Start: &golem.StartCommand{}},
	{Run: &golem.RunCommand{EntryPoint: "echo", Args: []string{"<hello>"}}},
}

func TestActivityThroughClient(t *testing.T) {
	withActivityNode(t, func(t *testing.T, n *activityNode) {
		ctx, c, p := t.Context(), n.client("requestor"), n.client("provider")
		id, err := c.CreateActivity(ctx, n.agreement, []byte{1, 2, 0xff}, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		evs, err := p.ActivityEvents(ctx, "s1", time.Time{}, 10, time.Second)
		if err != nil || len(evs) != 1 || evs[0].Activity != id || evs[0].Type.Create.PublicKey != "0102ff" {
			t.Errorf("events: %+v, %v", evs, err)
		}
		if evs, err := p.ActivityEvents(ctx, "s1", evs[0].Date, 10, time.Second); err != nil || len(evs) != 0 {
			t.Errorf("events after that: %v, %v", evs, err)
		}
		st, err := c.ActivityState(ctx, id, time.Second)
		if err != nil || st.State.Current != golem.ActivityInitialized {
			t.Errorf("state: %v, %v", st, err)
		}
		if a, err := c.ActivityAgreement(ctx, id); err != nil || a != n.agreement {
			t.Errorf("agreement: %v, %v", a, err)
		}
		if ids, err := c.Activities(ctx, n.agreement); err != nil || !slices.Equal(ids, []golem.ActivityID{id}) {
			t.Errorf("list: %v, %v", ids, err)
		}
		batch, err := c.Exec(ctx, id, activityScript, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if cs, err := c.RunningCommands(ctx, id, time.Second); err != nil || len(cs) != 1 || cs[0].Command != "deploy" {
			t.Errorf("running: %v, %v", cs, err)
		}
		if _, err := c.CommandResult(ctx, id, batch, 2, time.Second); !errors.Is(err, golem.ErrTimeout) {
			t.Errorf("command 2 within a second: %v", err)
		}
		var kinds []string
		for ev, err := range c.StreamBatch(ctx, id, batch) {
			if err != nil {
				t.Fatal(err)
			}
			data, _ := json.Marshal(ev.Kind)
			kinds = append(kinds, string(data[2:5]))
			if ev.Index == 2 && ev.Kind.Finished != nil {
				break
			}
		}
		if got := strings.Join(kinds, " "); got != "sta fin sta fin sta std fin" {
			t.Errorf("streamed %s", got)
		}
		rs, err := c.BatchResults(ctx, id, batch, 5*time.Second)
		if err != nil || len(rs) != 3 || rs[2].Stdout.Text != "<hello>\n" || !rs[2].IsBatchFinished {
			t.Errorf("results: %+v, %v", rs, err)
		}
		if r, err := c.CommandResult(ctx, id, batch, 2, time.Second); err != nil || r.Index != 2 {
			t.Errorf("command 2: %+v, %v", r, err)
		}
		if _, err := c.RunningCommands(ctx, id, time.Second); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("running at the end: %v", err)
		}
		if u, err := c.ActivityUsage(ctx, id, time.Second); err != nil || len(u.Current) != 2 || u.Current[0] < 1 {
			t.Errorf("usage: %v, %v", u, err)
		}
		if err := c.DestroyActivity(ctx, id, 10*time.Second); err != nil {
			t.Error(err)
		}
		if err := p.SetActivityState(ctx, id, golem.ActivityStatus{State: golem.StatePair{Current: golem.ActivityTerminated}}); err != nil {
			t.Errorf("ended already: %v", err)
		}
		if _, err := c.BatchResults(ctx, id, batch, time.Second); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("results after the end: %v", err)
		}
	})
}

func TestActivityAnswers(t *testing.T) {
	withActivityNode(t, func(t *testing.T, n *activityNode) {
		time.Sleep(time.Second)
		id := string(n.create(t))
		agreement := string(n.agreement)
		tests := []struct {
			key, method, path, body string
			status                  int
			want                    string // a regular expression
		}{
			{"requestor", "POST", "/activity?timeout=5", `"` + agreement + `"`, 200, `"<id>"`},
			{"requestor", "POST", "/activity?timeout=5", `{"agreementId":"` + agreement + `","x":1}`, 200, `{"activityId":"<id>"}`},
			{"requestor", "POST", "/activity", `"` + strings.Repeat("b", 64) + `"`, 404, `{"message":"agreement b+ not found"}`},
			{"requestor", "POST", "/activity", `"b"`, 400, `{"message":"agreement id .*"}`},
			{"requestor", "POST", "/activity", `[]`, 400, `{"message":"request body: .*"}`},
			{"requestor", "POST", "/activity", `"`, 400, `{"message":"request body: .*"}`},
			{"requestor", "POST", "/activity", ``, 400, `{"message":"request body is empty, want JSON"}`},
			{"requestor", "POST", "/activity", `{"agreementId":"` + agreement + `","requestorPubKey":"xx"}`, 400, `{"message":"requestorPubKey: .*"}`},
			{"stranger", "POST", "/activity", `"` + agreement + `"`, 404, `{"message":"agreement a+ not found"}`},
			{"provider", "POST", "/activity", `"` + agreement + `"`, 404, `{"message":"agreement a+ not found"}`},
			{"requestor", "GET", "/activity?agreementId=" + agreement, "", 200, `\["<id>","<id>","<id>"\]`},
			{"requestor", "GET", "/activity?agreementId=x", "", 200, `\[\]`},
			{"stranger", "GET", "/activity", "", 200, `\[\]`},
			{"requestor", "GET", "/activity/" + id + "/agreement", "", 200, `"a{64}"`},
			{"provider", "GET", "/activity/" + id + "/agreement", "", 200, `"a{64}"`},
			{"stranger", "GET", "/activity/" + id + "/agreement", "", 404, `{"message":"activity <id> not found"}`},
			{"requestor", "GET", "/activity/" + id + "/state", "", 200, `{"state":\["Initialized",null\]}`},
			{"provider", "GET", "/activity/" + id + "/state", "", 200, `{"state":\["Initialized",null\]}`},
			{"stranger", "GET", "/activity/" + id + "/state", "", 404, `{"message":"activity <id> not found"}`},
			{"requestor", "GET", "/activity/" + id + "/usage?timeout=x", "", 400, `{"message":"timeout \\"x\\": want seconds"}`},
			{"provider", "GET", "/activity/" + id + "/usage", "", 200, `{"currentUsage":\[0\.?\d*,0\],"timestamp":\d+}`},
			{"requestor", "GET", "/activity/" + id + "/command", "", 404, `{"message":"No running command: .*"}`},
			{"requestor", "POST", "/activity/" + id + "/exec", `{"text":"[{\"deploy\":{}},{\"start\":{\"args\":[]}}]"}`, 200, `"<id>"`},
			{"requestor", "POST", "/activity/" + id + "/exec", `{"text":"[]"}`, 400, `{"message":"Bad request: .*"}`},
			{"requestor", "POST", "/activity/" + id + "/exec", `{"text":"[{\"fly\":{}}]"}`, 400, `{"message":"Bad request: .*"}`},
			{"requestor", "POST", "/activity/" + id + "/exec", `{"text":"[{\"sign\":{}}]"}`, 501, `{"message":"command sign .*"}`},
			{"stranger", "POST", "/activity/" + id + "/exec", `{"text":"[{\"deploy\":{}}]"}`, 404, `{"message":"activity <id> not found"}`},
			{"requestor", "GET", "/activity/" + id + "/exec/none", "", 404, `{"message":"batch none not found"}`},
			{"requestor", "GET", "/activity/" + id + "/exec/none?commandIndex=-1", "", 400, `{"message":"commandIndex .*"}`},
			{"provider", "GET", "/events?timeout=0", "", 400, `{"message":"afterTimestamp is missing"}`},
			{"provider", "GET", "/events?afterTimestamp=2100-01-01T00:00:00%2B00:00&timeout=0.1", "", 408, `{"message":"Timeout"}`},
			{"provider", "GET", "/events?afterTimestamp=2000-01-01T00:00:00Z&maxEvents=101", "", 400, `{"message":"Invalid maxEvents .*"}`},
			{"provider", "GET", "/events?afterTimestamp=2000-01-01T00:00:00Z&maxEvents=1", "", 200,
				`\[{"activityId":"<id>","agreementId":"a{64}","eventType":{"CreateActivity":{}},"eventDate":"2000-01-01T00:00:01Z"}\]`},
			{"requestor", "PUT", "/activity/" + id + "/state", `{"state":["Terminated",null]}`, 404, `{"message":"activity <id> not found"}`},
			{"provider", "PUT", "/activity/" + id + "/state", `{"state":["Gone",null]}`, 400, `{"message":.*}`},
			{"stranger", "DELETE", "/activity/" + id, "", 404, `{"message":"activity <id> not found"}`},
			{"provider", "DELETE", "/activity/" + id, "", 404, `{"message":"activity <id> not found"}`},
			{"requestor", "DELETE", "/activity/" + id + "?timeout=30", "", 200, `null`},
			{"requestor", "DELETE", "/activity/" + id + "?timeout=30", "", 200, `null`},
			{"provider", "PUT", "/activity/" + id + "/state", `{"state":["Terminated",null],"reason":"x"}`, 200, `null`},
			{"provider", "PUT", "/activity/" + id + "/state", `{"state":["Ready",null]}`, 400, `{"message":"activity <id> has ended, .*"}`},
			{"requestor", "GET", "/activity/" + id + "/state", "", 200, `{"state":\["Terminated",null\],"reason":".*"}`},
			{"requestor", "POST", "/activity/" + id + "/encrypted", "x", 501, `{"message":".*"}`},
			{"requestor", "GET", "/activity/" + id + "/proxy-http/a/b", "", 501, `{"message":".*"}`},
			{"requestor", "GET", "/_monitor", "", 501, `{"message":".*"}`},
			{"nobody", "GET", "/activity", "", 401, `Invalid application key`},
		}
		for _, tt := range tests {
			status, answer := n.do(t, tt.key, tt.method, tt.path, tt.body)
			if status != tt.status || !regexp.MustCompile("^"+tt.want+"$").MatchString(answer) {
				t.Errorf("%s %s %s %s:\n got %d %s\nwant %d %s", tt.key, tt.method, anyID.ReplaceAllString(tt.path, "<id>"), tt.body, status, answer, tt.status, tt.want)
			}
		}
	})
}

// createByHand creates an Activity whose ExeUnit does not answer.
func (n *activityNode) createByHand(t *testing.T) golem.ActivityID {
	t.Helper()
	n.silent.Store(true)
	created := make(chan error)
	go func() {
		_, err := n.Create(t.Context(), golem.NodeID{1}, n.agreement, activity.Creation{Timeout: 20 * time.Second})
		created <- err
	}()
	time.Sleep(time.Second)
	as, err := n.Activities(t.Context(), golem.NodeID{2}, "")
	if err != nil || len(as) != 1 {
		t.Fatalf("activities: %v, %v", as, err)
	}
	set := golem.ActivityStatus{State: golem.StatePair{Current: golem.ActivityInitialized}}
	if err := n.SetState(t.Context(), golem.NodeID{2}, as[0].ID, set); err != nil {
		t.Fatal(err)
	}
	if err := <-created; err != nil {
		t.Fatal(err)
	}
	return as[0].ID
}

// An ExeUnit that cannot be reached is what SDKs repeat their polls for.
func TestActivityUnreachable(t *testing.T) {
	withActivityNode(t, func(t *testing.T, n *activityNode) {
		id := n.createByHand(t)
		status, answer := n.do(t, "requestor", "POST", "/activity/"+string(id)+"/exec?timeout=1", `{"text":"[{\"deploy\":{}}]"}`)
		if want := `{"message":"GSB error: endpoint address not found"}`; status != 500 || answer != want {
			t.Errorf("got %d %s, want 500 %s", status, answer, want)
		}
	})
}

// stream opens a stream of events and returns what comes, chunk by chunk.
func (n *activityNode) stream(t *testing.T, path, last string) (*http.Response, *bufio.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://node/activity-api/v1"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer requestor", "Accept": "text/event-stream", "Last-Event-ID": last} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := n.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, bufio.NewReader(resp.Body)
}

// readFrame returns the lines up to an empty one.
func readFrame(t *testing.T, r *bufio.Reader) (frame string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", frame, err)
		}
		if line == "\n" {
			return frame
		}
		frame += line
	}
}

func TestActivityStream(t *testing.T) {
	withActivityNode(t, func(t *testing.T, n *activityNode) {
		id := n.create(t)
		batch, err := n.client("requestor").Exec(t.Context(), id, activityScript, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		path := "/activity/" + string(id) + "/exec/" + string(batch)
		resp, frames := n.stream(t, path, "")
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream" {
			t.Fatalf("%d %s", resp.StatusCode, got)
		}
		first := anyID.ReplaceAllString(readFrame(t, frames), "<id>")
		want := `event: runtime
data: {"batch_id":"<id>","index":0,"timestamp":"2000-01-01T00:00:00.100","kind":{"started":{"command":{"deploy":{}}}}}
id: 0
`
		if first != want {
			t.Errorf("got\n%swant\n%s", first, want)
		}
		var last string
		for range 6 {
			last = readFrame(t, frames)
		}
		if !strings.Contains(last, `"kind":{"finished":{"return_code":0,"message":null}},"printed":{"stdout":8,"stderr":0}}`) || !strings.HasSuffix(last, "\nid: 6\n") {
			t.Errorf("last is %s", last)
		}
		for range 3 { // the connection stays open
			begin := time.Now()
			if ping := readFrame(t, frames); ping != ":ping\n" || time.Since(begin) > 15*time.Second {
				t.Errorf("after %v: %q", time.Since(begin), ping)
			}
		}
		resp.Body.Close()

		resp, frames = n.stream(t, path, "4")
		if next := readFrame(t, frames); !strings.Contains(next, `{"stdout":"\u003chello\u003e\n"}`) || !strings.HasSuffix(next, "id: 5\n") {
			t.Errorf("after 4 comes %s", next)
		}
		resp.Body.Close()
	})
}

func TestActivityStreamRefused(t *testing.T) {
	withActivityNode(t, func(t *testing.T, n *activityNode) {
		id := string(n.create(t))
		tests := map[string]struct {
			last string
			want int
		}{
			"/activity/" + id + "/exec/none":     {"", 404},
			"/activity/unknown/exec/none":        {"", 404},
			"/activity/" + id + "/exec/none?x=1": {"x", 400},
		}
		for _, path := range slices.Sorted(maps.Keys(tests)) {
			resp, _ := n.stream(t, path, tests[path].last)
			if resp.StatusCode != tests[path].want || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
			}
			resp.Body.Close()
		}
	})
}

// A stream of a batch that is silent, as one whose events the client has all got,
// is begun nevertheless.
func TestActivityStreamSilent(t *testing.T) {
	withActivityNode(t, func(t *testing.T, n *activityNode) {
		id := n.create(t)
		batch, err := n.client("requestor").Exec(t.Context(), id, []golem.Command{{Run: &golem.RunCommand{EntryPoint: "x"}}}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		resp, frames := n.stream(t, "/activity/"+string(id)+"/exec/"+string(batch), "100")
		if took := time.Since(begin); resp.StatusCode != 200 || took != time.Second {
			t.Errorf("opened with %d after %v", resp.StatusCode, took)
		}
		if ping := readFrame(t, frames); ping != ":ping\n" {
			t.Errorf("got %q", ping)
		}
		resp.Body.Close()
	})
}

// A stream that cannot go on ends, so that the client asks again and learns why.
func TestActivityStreamBreaks(t *testing.T) {
	withActivityNode(t, func(t *testing.T, n *activityNode) {
		id := n.createByHand(t)
		unit := string(id)
		release, err := wire.Exec.At(unit).Handle(n.bus, func(_ context.Context, _ gsb.Peer, req wire.ExecRequest) (golem.BatchID, error) {
			return req.Batch, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		releaseStream, err := wire.StreamBatch.At(unit).Handle(n.bus, func(ctx context.Context, _ gsb.Peer, _ wire.StreamBatchRequest, send func(golem.RuntimeEvent) error) error {
			if err := send(golem.RuntimeEvent{Kind: golem.RuntimeEventKind{Started: &golem.CommandStarted{Command: activityScript[0]}}}); err != nil {
				return err
			}
			time.Sleep(3 * time.Second)
			return golem.Errorf(golem.ErrInternal, "lagging behind")
		})
		if err != nil {
			t.Fatal(err)
		}
		batch, err := n.client("requestor").Exec(t.Context(), id, activityScript, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		resp, frames := n.stream(t, "/activity/"+unit+"/exec/"+string(batch), "")
		if first := readFrame(t, frames); !strings.Contains(first, "started") {
			t.Errorf("first is %s", first)
		}
		if rest, err := io.ReadAll(frames); err != nil || len(rest) != 0 {
			t.Errorf("then %q, %v", rest, err)
		}
		resp.Body.Close()
		releaseStream()
		var last error
		for _, last = range n.client("requestor").StreamBatch(t.Context(), id, batch) {
		}
		if golem.KindOf(last) != golem.ErrUnavailable || !strings.Contains(last.Error(), "GSB error: endpoint address not found") {
			t.Errorf("asked again: %v", last)
		}
	})
}

func TestActivityEventsWake(t *testing.T) {
	withActivityNode(t, func(t *testing.T, n *activityNode) {
		type answer struct {
			evs  []golem.ProviderEvent
			took time.Duration
		}
		answers := make(chan answer)
		go func() {
			begin := time.Now()
			evs, err := n.client("provider").ActivityEvents(t.Context(), "s1", begin.Add(-time.Second), 10, time.Minute)
			if err != nil {
				t.Error(err)
			}
			answers <- answer{evs, time.Since(begin)}
		}()
		time.Sleep(10 * time.Second)
		n.create(t)
		if a := <-answers; len(a.evs) != 1 || a.took != 10*time.Second {
			t.Errorf("got %d events after %v", len(a.evs), a.took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.client("provider").ActivityEvents(ctx, "other", time.Time{}, 10, time.Minute); err == nil {
			t.Error("a poll that was given up has an answer")
		}
	})
}
