package activity_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/activity/activitytest"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/sqlite"
)

// fault is what goes wrong with a call.
type fault struct{ loseRequest, loseReply, double bool }

// faults decides what goes wrong on top of what the Switch does.
type faults struct {
	mu     sync.Mutex
	decide func(r p2p.Request) fault
}

// set makes f decide; it is called for one call at a time. nil is no fault.
func (fs *faults) set(f func(r p2p.Request) fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.decide = f
}

func (fs *faults) of(r p2p.Request) fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.decide == nil {
		return fault{}
	}
	return fs.decide(r)
}

// line is the way of a node to the Switch.
type line struct {
	p2p.Network
	faults *faults
}

const detect = time.Second // after which a lost message is noticed

// Call implements p2p.Network.
func (l *line) Call(ctx context.Context, r p2p.Request, w func(p2p.Reply) error) error {
	f := l.faults.of(r)
	silent := func(p2p.Reply) error { return nil }
	switch {
	case f.loseReply:
		l.Network.Call(ctx, r, silent)
		return lost(ctx)
	case f.loseRequest:
		return lost(ctx)
	case f.double:
		var other sync.WaitGroup
		defer other.Wait()
		other.Go(func() { l.Network.Call(ctx, r, silent) })
	}
	return l.Network.Call(ctx, r, w)
}

func lost(ctx context.Context) error {
	select {
	case <-time.After(detect):
		return golem.Errorf(golem.ErrUnavailable, "lost connection")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// node is a node as far as activities go.
type node struct {
	*activity.Service
	id         golem.NodeID
	net        *p2ptest.Node
	db         *sqlite.DB
	bus        *gsb.Bus
	agreements activitytest.Agreements
	limits     activity.Limits
	trace      activity.Trace
	gateway    gateway
	stop       func() // the Service
	unplug     func() // the node from the network
}

// gateway is the way of an agent to whichever process of its node is running.
type gateway struct {
	service atomic.Pointer[activity.Service]
}

func (g *gateway) Events(ctx context.Context, q activity.EventQuery, timeout time.Duration) ([]golem.ProviderEvent, error) {
	return g.service.Load().Events(ctx, q, timeout)
}

func (g *gateway) SetState(ctx context.Context, who golem.NodeID, id golem.ActivityID, st golem.ActivityStatus) error {
	return g.service.Load().SetState(ctx, who, id, st)
}

// start makes the node work, as after a restart of its process.
func (n *node) start(t testing.TB) {
	t.Helper()
	s, err := activity.New(activity.Config{
		Store: n.db.Activity(), Bus: n.bus, Agreements: &n.agreements, Limits: n.limits,
		Rand: rand.New(rand.NewPCG(1, 2)), Trace: n.trace,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	n.Service = s
	n.gateway.service.Store(s)
	n.stop = func() { cancel(); running.Wait() }
	synctest.Wait()
}

// world is a Requestor and a Provider with an approved Agreement.
type world struct {
	t         *testing.T
	net       *p2ptest.Switch
	faults    faults
	requestor *node
	provider  *node
	nodes     []*node
	agent     *activitytest.Agent
	agreement golem.AgreementID
	stopAgent func()
}

const session = "provider-1"

// inWorld runs f in a bubble with a world, whose agent starts to work when f
// calls w.startAgent.
func inWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f(t, w)
		w.close()
	})
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, net: p2ptest.NewSwitch(p2ptest.Config{Seed: 1, Latency: 5 * time.Millisecond, Detect: detect})}
	w.requestor, w.provider = w.node(1), w.node(2)
	w.agent = &activitytest.Agent{Node: w.provider.id, Session: session, Bus: w.provider.bus, Gateway: &w.provider.gateway}
	w.agreement = w.agree(1)
	return w
}

func (w *world) node(number byte) *node {
	n := &node{id: golem.NodeID{number}, net: w.net.Node()}
	n.bus = gsb.New(gsb.Config{
		Network:    &line{n.net, &w.faults},
		Identities: func() []golem.NodeID { return []golem.NodeID{n.id} },
	})
	if err := n.net.SetIdentities(w.t.Context(), []golem.NodeID{n.id}); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	var up sync.WaitGroup
	up.Go(func() { n.net.Run(ctx) })
	n.unplug = func() { cancel(); up.Wait() }
	db, err := sqlite.Open(w.t.Context(), sqlite.Memory)
	if err != nil {
		w.t.Fatal(err)
	}
	n.db = db
	n.start(w.t)
	w.nodes = append(w.nodes, n)
	return n
}

// stranger adds a node that is no party of anything.
func (w *world) stranger() *node { return w.node(3) }

// agree makes an approved Agreement between Requestor and Provider.
func (w *world) agree(number int) golem.AgreementID {
	a := golem.Agreement{ID: golem.AgreementID(fmt.Sprintf("%064x", number)), State: golem.AgreementApproved}
	a.Demand.Node, a.Offer.Node = w.requestor.id, w.provider.id
	w.requestor.agreements.Put(a)
	a.Session = session
	w.provider.agreements.Put(a)
	return a.ID
}

func (w *world) startAgent() {
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.agent.Run(ctx) })
	w.stopAgent = func() { cancel(); running.Wait(); w.stopAgent = nil }
	synctest.Wait()
}

func (w *world) close() {
	if w.stopAgent != nil {
		w.stopAgent()
	}
	for _, n := range w.nodes {
		n.stop()
		n.unplug()
		if err := n.db.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

func (w *world) create(t *testing.T) golem.ActivityID {
	t.Helper()
	id, err := w.requestor.Create(t.Context(), w.requestor.id, w.agreement, activity.Creation{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// run executes a script and returns its results when it has ended.
func (w *world) run(t *testing.T, id golem.ActivityID, script ...golem.Command) []golem.CommandResult {
	t.Helper()
	batch, err := w.requestor.Exec(t.Context(), w.requestor.id, id, script, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := w.requestor.Results(t.Context(), w.requestor.id, id, activity.ResultsQuery{Batch: batch, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func (w *world) state(t *testing.T, n *node, id golem.ActivityID) golem.StatePair {
	t.Helper()
	st, err := n.State(t.Context(), n.id, id, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return st.State
}

func (w *world) events(t *testing.T) []golem.ProviderEvent {
	t.Helper()
	evs, err := w.provider.Events(t.Context(), activity.EventQuery{Owner: w.provider.id, Most: 1000}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return evs
}

// eventNames says of which kinds events are.
func eventNames(evs []golem.ProviderEvent) (names []string) {
	for _, ev := range evs {
		if ev.Type.Create != nil {
			names = append(names, "create")
		} else {
			names = append(names, "destroy")
		}
	}
	return names
}

var (
	deploy = golem.Command{Deploy: &golem.DeployCommand{}}
	start  = golem.Command{Start: &golem.StartCommand{}}
)

func program(words ...string) golem.Command {
	return golem.Command{Run: &golem.RunCommand{EntryPoint: words[0], Args: words[1:]}}
}

func pair(current, pending golem.ActivityState) golem.StatePair {
	return golem.StatePair{Current: current, Pending: pending}
}

func wantKind(t *testing.T, err error, want golem.Kind) {
	t.Helper()
	if got := golem.KindOf(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func wantEvents(t *testing.T, w *world, want ...string) {
	t.Helper()
	if got := eventNames(w.events(t)); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}
