package market_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/property"
)

// TestEachPairOnce publishes Offers and Demands at the same time and wants one
// match for each pair that fits.
func TestEachPairOnce(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		const n = 12
		p, r := w.node("p", nil), w.node("r", nil)
		demands := make([]golem.SubscriptionID, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { p.offerOf() })
			wg.Go(func() { demands[i] = r.demandOf() })
		}
		wg.Wait()
		time.Sleep(30 * time.Second)
		r.restart()
		time.Sleep(30 * time.Second)
		for i, d := range demands {
			c := r.collect(d, 0, 100)
			offers := map[golem.SubscriptionID]int{}
			for _, e := range c.News {
				offers[e.Exchange.Negotiation.Offer]++
			}
			if len(offers) != n || len(c.News) != n {
				t.Errorf("demand %d: %d matches with %d offers, want %d", i, len(c.News), len(offers), n)
			}
			c.Returned()
		}
	})
}

func TestNoMatch(t *testing.T) {
	linear := func(usage, coeffs string) string {
		return `{"golem.com.pricing.model":"linear","golem.com.usage.vector":` + usage + `,"golem.com.pricing.model.linear.coeffs":` + coeffs + `}`
	}
	for name, test := range map[string]struct {
		offer market.Publication
		same  bool // published by the node of the Demand
		why   string
	}{
		"same node":         {offer: market.Publication{Properties: []byte(`{}`), Constraints: "()"}, same: true, why: "same node"},
		"no pricing":        {offer: market.Publication{Properties: []byte(`{"golem.com.pricing.model":"linear"}`), Constraints: "()"}, why: "golem.com.usage.vector"},
		"empty usage":       {offer: market.Publication{Properties: []byte(linear(`[]`, `[0.1]`)), Constraints: "()"}, why: "0 usage counters"},
		"too few prices":    {offer: market.Publication{Properties: []byte(linear(`["a","b"]`, `[0.1]`)), Constraints: "()"}, why: "2 usage counters"},
		"negative price":    {offer: market.Publication{Properties: []byte(linear(`["a"]`, `[-0.1,0]`)), Constraints: "()"}, why: "out of range"},
		"prices are texts":  {offer: market.Publication{Properties: []byte(linear(`["a"]`, `["x","y"]`)), Constraints: "()"}, why: "list of numbers"},
		"constraint unmet":  {offer: market.Publication{Properties: []byte(`{}`), Constraints: "(a=b)"}, why: "a"},
		"usage is no list":  {offer: market.Publication{Properties: []byte(linear(`"a"`, `[0.1]`)), Constraints: "()"}, why: "list of counters"},
		"matching, for one": {offer: market.Publication{Properties: []byte(`{}`), Constraints: "()"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
				p, r := w.node("p", nil), w.node("r", nil)
				from := p
				if test.same {
					from = r
				}
				if _, err := from.PublishOffer(t.Context(), from.id, test.offer); err != nil {
					t.Fatal(err)
				}
				any := market.Publication{Properties: []byte(`{}`), Constraints: "()"}
				d, err := r.PublishDemand(t.Context(), r.id, any)
				if err != nil {
					t.Fatal(err)
				}
				c := r.collect(d, 20*time.Second, 1)
				defer c.Returned()
				if matched := len(c.News) == 1; matched != (test.why == "") {
					t.Errorf("matched: %v", matched)
				}
				xs, err := r.Explain(t.Context(), r.id, any)
				if err != nil || len(xs) != 1 {
					t.Fatalf("explained %+v, %v", xs, err)
				}
				if yes := xs[0].Verdict == property.Yes; yes != (test.why == "") || !strings.Contains(strings.Join(xs[0].Reasons, "\n"), test.why) {
					t.Errorf("explained by %v %q, want %q", xs[0].Verdict, xs[0].Reasons, test.why)
				}
			})
		})
	}
}

func TestCards(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		p, r := w.node("p", nil), w.node("r", nil)
		id := p.offerOf()
		time.Sleep(time.Minute)
		cards, err := r.Cards(t.Context())
		if err != nil || len(cards) != 1 {
			t.Fatalf("got %+v, %v", cards, err)
		}
		c := cards[0]
		if c.ID != id || c.Name != "p" || c.Runtime != "vm" || c.Subnet != "test" || c.Own || c.Signature == "" || c.Age < time.Minute || c.Pricing == nil || c.Pricing.Prices[1] != 0.1 {
			t.Errorf("got %+v", c)
		}
	})
}

// TestFairEvents wants events by turns of the Providers, decisions first.
func TestFairEvents(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		r := w.node("r", nil)
		many, few := w.node("many", nil), w.node("few", nil)
		for range 6 {
			many.offerOf()
		}
		time.Sleep(30 * time.Second)
		d := r.demandOf()
		time.Sleep(time.Second)
		few.offerOf()
		time.Sleep(30 * time.Second)
		names := map[golem.NodeID]string{many.id: "many", few.id: "few"}
		c := r.collect(d, 0, 3)
		var got []string
		for _, e := range c.News {
			got = append(got, names[e.Peer])
		}
		if fmt.Sprint(got) != "[many few many]" {
			t.Errorf("got %v", got)
		}

		// An answer overtakes the matches that wait.
		first := c.News[1]
		kind(t, c.Delivered(t.Context()), "")
		if _, err := r.Counter(t.Context(), r.id, d, first.Proposal, demand); err != nil {
			t.Fatal(err)
		}
		received := few.next(first.Exchange.Negotiation.Offer, market.EventProposal)
		if _, err := few.Counter(t.Context(), few.id, received.Subscription, received.Proposal, offer); err != nil {
			t.Fatal(err)
		}
		if e := r.next(d, market.EventProposal); e.Exchange.State != golem.ProposalDraft {
			t.Errorf("got %+v before the answer", e)
		}
	})
}

func TestCollectAtLeastOnce(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		p, r := w.node("p", nil), w.node("r", nil)
		for range 3 {
			p.offerOf()
		}
		time.Sleep(30 * time.Second)
		d := r.demandOf()
		a := r.collect(d, time.Second, 2)
		b := r.collect(d, time.Second, 2)
		if len(a.News) != 2 || len(b.News) != 1 || b.News[0].Seq == a.News[0].Seq || b.News[0].Seq == a.News[1].Seq {
			t.Fatalf("got %d and %d events, want 2 and the other", len(a.News), len(b.News))
		}
		kind(t, b.Delivered(t.Context()), "")
		a.Returned() // the client has gone
		again := r.collect(d, time.Second, 5)
		if len(again.News) != 2 || again.News[0].Seq != a.News[0].Seq {
			t.Fatalf("got %+v again", again.News)
		}
		r.restart() // the node dies while it answers
		again = r.collect(d, time.Second, 5)
		if len(again.News) != 2 {
			t.Fatalf("got %+v after a restart", again.News)
		}
		kind(t, again.Delivered(t.Context()), "")
		if c := r.collect(d, time.Second, 5); len(c.News) != 0 {
			t.Fatalf("got %+v after all was delivered", c.News)
		}
	})
}

// TestCollectConcurrently wants each event to reach one of many agents.
func TestCollectConcurrently(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		const n = 40
		p, r := w.node("p", nil), w.node("r", nil)
		for range n {
			p.offerOf()
		}
		time.Sleep(30 * time.Second)
		d := r.demandOf()
		var mu sync.Mutex
		seen := map[int64]int{}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					c := r.collect(d, time.Second, 3)
					if len(c.News) == 0 {
						return
					}
					mu.Lock()
					for _, e := range c.News {
						seen[e.Seq]++
					}
					mu.Unlock()
					if err := c.Delivered(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for seq, times := range seen {
			if times != 1 {
				t.Errorf("event %d came %d times", seq, times)
			}
		}
		if len(seen) != n {
			t.Errorf("%d events came, want %d", len(seen), n)
		}
	})
}
