package market_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
)

var faultSeeds = flag.Int("faults", 4, "seeds of TestFaults")

// TestFaults lets agents trade at random over a network that loses, repeats and
// reorders messages, with nodes that are cut off and restarted. After a quiet time
// both parties of every Agreement must agree on its state, have been told of it,
// and have nothing left to tell.
func TestFaults(t *testing.T) {
	for seed := range *faultSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := p2ptest.Config{
				Seed: uint64(seed), Latency: 30 * time.Millisecond, Jitter: 20 * time.Millisecond,
				Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Detect: 3 * time.Second,
			}
			bubble(t, cfg, func(t *testing.T, w *world) { newBazaar(t, w, uint64(seed)).run() })
		})
	}
}

// bazaar is a market day.
type bazaar struct {
	t    *testing.T
	w    *world
	rand *rand.Rand // of the weather
	seed uint64

	mu    sync.Mutex
	deals map[golem.AgreementID]bool
}

func newBazaar(t *testing.T, w *world, seed uint64) *bazaar {
	return &bazaar{t: t, w: w, seed: seed, rand: rand.New(rand.NewPCG(seed, 99)), deals: map[golem.AgreementID]bool{}}
}

func (b *bazaar) run() {
	names := []string{"p1", "p2", "r1", "r2"}
	var agents sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	for i, name := range names {
		n := b.w.node(name, func(c *market.Config) { c.BroadcastCycle = 30 * time.Second })
		a := &agent{b: b, n: n, rand: rand.New(rand.NewPCG(b.seed, uint64(i)))}
		agents.Go(func() {
			time.Sleep(time.Duration(i+1) * 1234567) // nobody acts at the same time as another
			a.trade(ctx, name[0] == 'p')
		})
	}
	b.weather(ctx)
	agents.Wait()
	b.w.sw.Heal()
	b.w.sw.Change(func(c *p2ptest.Config) { c.Loss, c.Duplicate, c.Reorder = 0, 0, 0 })
	time.Sleep(40 * time.Minute)
	b.check()
}

// weather cuts nodes off and restarts them.
func (b *bazaar) weather(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(time.Duration(b.rand.Int64N(int64(time.Minute))))
		n := b.w.nodes[b.rand.IntN(len(b.w.nodes))]
		switch b.rand.IntN(3) {
		case 0:
			b.w.sw.Isolate(n.net)
			time.Sleep(time.Duration(b.rand.Int64N(int64(20 * time.Second))))
			b.w.sw.Heal()
		case 1:
			n.mu.Lock()
			n.restart()
			n.mu.Unlock()
		}
	}
}

// check wants the parties to agree.
func (b *bazaar) check() {
	counts := map[golem.AgreementState]int{}
	for id := range b.deals {
		states := map[golem.Role]golem.AgreementState{}
		for _, n := range b.w.nodes {
			for _, role := range []golem.Role{golem.Requestor, golem.Provider} {
				h, err := n.db.Market().Handshake(b.t.Context(), role, id)
				if err != nil || h.Owner() != n.id {
					continue
				}
				states[role] = h.State
				if h.Telling != "" {
					b.t.Errorf("agreement %s: %s %s still tells %s after %d attempts", id, role, h.State, h.Telling, h.Attempts)
				}
				b.checkNews(n, h)
			}
		}
		r, p := states[golem.Requestor], states[golem.Provider]
		counts[r]++
		dead := func(s golem.AgreementState) bool {
			return s == golem.AgreementExpired || s == golem.AgreementCancelled || s == golem.AgreementRejected || s == ""
		}
		if r != p && !(dead(r) && dead(p)) {
			b.t.Errorf("agreement %s: requestor %s, provider %s", id, r, p)
		}
	}
	b.t.Log(counts)
}

// checkNews wants each agent to have been told what its Agreement became.
func (b *bazaar) checkNews(n *node, h *market.Handshake) {
	es, err := n.AgreementEvents(within(b.t, time.Second), market.EventQuery{Owner: n.id, Max: 10_000})
	if err != nil {
		b.t.Error(err)
	}
	told := map[golem.AgreementEventType]int{}
	var last time.Time
	for _, e := range es {
		if !e.At.After(last) {
			b.t.Errorf("event at %v after one at %v", e.At, last)
		}
		if last = e.At; e.Agreement == h.ID {
			told[e.Type]++
		}
	}
	want := map[golem.AgreementState][]golem.AgreementEventType{
		golem.AgreementApproved:   {golem.AgreementApprovedEvent},
		golem.AgreementTerminated: {golem.AgreementApprovedEvent, golem.AgreementTerminatedEvent},
		golem.AgreementRejected:   {golem.AgreementRejectedEvent},
		golem.AgreementCancelled:  {golem.AgreementCancelledEvent},
	}[h.State]
	for _, e := range want {
		if told[e] != 1 {
			b.t.Errorf("agreement %s is %s at the %s: %d times %s", h.ID, h.State, h.Role, told[e], e)
		}
	}
	if len(told) != len(want) {
		b.t.Errorf("agreement %s is %s at the %s: told %v", h.ID, h.State, h.Role, told)
	}
}

// agent trades for a node, without patience or memory.
type agent struct {
	b    *bazaar
	n    *node
	rand *rand.Rand
	busy sync.WaitGroup
}

func (a *agent) trade(ctx context.Context, sells bool) {
	defer a.busy.Wait()
	var sub golem.SubscriptionID
	for ctx.Err() == nil {
		s := a.service()
		poll, cancel := context.WithTimeout(ctx, 5*time.Second)
		var c *market.Collection
		var err error
		switch {
		case sub == "" && sells:
			sub, err = s.PublishOffer(poll, a.n.id, offer)
		case sub == "":
			sub, err = s.PublishDemand(poll, a.n.id, demand)
		case sells:
			c, err = s.CollectOffer(poll, a.n.id, sub, 5)
		default:
			c, err = s.CollectDemand(poll, a.n.id, sub, 5)
		}
		cancel()
		if err != nil || c == nil {
			time.Sleep(time.Second)
			continue
		}
		for _, e := range c.News {
			dice := a.rand.IntN(100)
			delay := time.Duration(a.rand.Int64N(int64(2 * time.Second)))
			a.busy.Go(func() { a.react(ctx, sells, e, dice, delay) })
		}
		if c.Delivered(ctx) != nil {
			time.Sleep(time.Second)
		}
		if a.rand.IntN(8) == 0 {
			sub = "" // publish another one beside
		}
	}
}

// service returns the market of the node, which changes when it restarts.
func (a *agent) service() *market.Service {
	a.n.mu.Lock()
	defer a.n.mu.Unlock()
	return a.n.Service
}

func (a *agent) react(ctx context.Context, sells bool, e market.News, dice int, delay time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	time.Sleep(delay)
	s, who, sub := a.service(), a.n.id, e.Subscription
	switch {
	case e.Kind == market.EventAgreement && dice < 15:
		_ = s.RejectAgreement(ctx, who, e.Event.Agreement, nil)
	case e.Kind == market.EventAgreement:
		err := s.Approve(ctx, who, e.Event.Agreement, "", 4*time.Second)
		if golem.KindOf(err) == golem.ErrTimeout {
			err = a.service().Approve(ctx, who, e.Event.Agreement, "", 4*time.Second)
		}
		if err != nil && dice < 60 {
			_ = a.service().RejectAgreement(ctx, who, e.Event.Agreement, nil)
		}
	case e.Kind != market.EventProposal:
	case dice < 5:
		_ = s.Reject(ctx, who, sub, e.Proposal, nil)
	case sells:
		_, _ = s.Counter(ctx, who, sub, e.Proposal, offer)
	case e.Exchange.State == golem.ProposalInitial:
		_, _ = s.Counter(ctx, who, sub, e.Proposal, demand)
	default:
		a.buy(ctx, e.Proposal, dice)
	}
}

// buy proposes an Agreement, and may change its mind at any time.
func (a *agent) buy(ctx context.Context, proposal golem.ProposalID, dice int) {
	s, who := a.service(), a.n.id
	id, err := s.ProposeAgreement(ctx, who, proposal, time.Now().Add(time.Duration(10+dice)*time.Second))
	if err != nil {
		return
	}
	a.b.mu.Lock()
	a.b.deals[id] = true
	a.b.mu.Unlock()
	if dice < 30 {
		a.busy.Go(func() {
			time.Sleep(time.Duration(dice) * 100 * time.Millisecond)
			_ = a.service().Cancel(ctx, who, id, nil)
		})
	}
	for range 3 {
		if s.Confirm(ctx, who, id, "") == nil {
			break
		}
		s = a.service()
	}
	waiting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if a.service().WaitForApproval(waiting, who, id) == nil && dice > 30 {
		time.Sleep(time.Duration(dice) * 50 * time.Millisecond)
		_ = a.service().Terminate(ctx, who, id, nil)
	}
}

// TestRepeatable wants a market day to be a function of its seed.
func TestRepeatable(t *testing.T) {
	var first []string
	for i := range 3 {
		var mu sync.Mutex
		var lines []string
		say := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, time.Now().Format("04:05.000000000 ")+fmt.Sprintf(format, args...))
		}
		cfg := p2ptest.Config{
			Seed: 5, Latency: 30 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.05, Duplicate: 0.05, Detect: 3 * time.Second,
			Trace: func(d p2ptest.Delivery) { say("%s %s %s %s %d %s", d.Kind, d.From, d.To, d.Addr, d.Bytes, d.Lost) },
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			bubble(t, cfg, func(t *testing.T, w *world) { newBazaar(t, w, 5).run() })
		})
		if i == 0 {
			first = lines
			continue
		}
		for at := range min(len(first), len(lines)) {
			if first[at] != lines[at] {
				t.Fatalf("run %d differs at line %d of %d:\n%s\n%s", i, at, len(first), first[at], lines[at])
			}
		}
		if len(first) != len(lines) {
			t.Fatalf("run %d has %d lines, not %d", i, len(lines), len(first))
		}
	}
}
