package market_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/wire"
)

// knows reports whether n knows an Offer.
func (n *node) knows(id golem.SubscriptionID) bool {
	n.w.t.Helper()
	ls, err := n.Offers(n.w.t.Context())
	if err != nil {
		n.w.t.Fatal(err)
	}
	return slices.ContainsFunc(ls, func(l market.Listing) bool { return l.ID == id })
}

// outsider is a node without a market: it announces and answers what a test says.
type outsider struct {
	w    *world
	id   golem.NodeID
	keys signer
	net  *p2ptest.Node
	bus  *gsb.Bus

	mu    sync.Mutex
	has   []wire.OfferBody // what it hands on
	extra []wire.OfferBody // what it hands on unasked
	asked int
	dead  bool
}

// change changes what the outsider does when it is asked.
func (o *outsider) change(f func(o *outsider)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(o)
}

// hands makes it hand something on.
func (o *outsider) hands(bodies ...wire.OfferBody) {
	o.change(func(o *outsider) { o.has = append(o.has, bodies...) })
}

func (o *outsider) times() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

func (w *world) outsider(name string) *outsider {
	w.t.Helper()
	o := &outsider{w: w, keys: signer{}, net: w.sw.Node()}
	o.id = o.keys.add(w.t, name)
	ids := []golem.NodeID{o.id}
	o.bus = gsb.New(gsb.Config{Network: o.net, Identities: func() []golem.NodeID { return ids }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = o.net.Run(ctx) }()
	w.others = append(w.others, func() { cancel(); <-done })
	time.Sleep(time.Millisecond)
	if err := o.net.SetIdentities(ctx, ids); err != nil {
		w.t.Fatal(err)
	}
	if _, err := wire.RetrieveOffers.Handle(o.bus, o.retrieve); err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (o *outsider) retrieve(ctx context.Context, _ gsb.Peer, m wire.OfferIDs) ([]wire.OfferBody, error) {
	o.mu.Lock()
	o.asked++
	dead, has, bodies := o.dead, slices.Clone(o.has), slices.Clone(o.extra)
	o.mu.Unlock()
	if dead {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	for _, b := range has {
		if slices.Contains(m.IDs, b.ID) {
			bodies = append(bodies, b)
		}
	}
	return bodies, nil
}

// body makes an Offer of the outsider.
func (o *outsider) body(properties string, ttl time.Duration) wire.OfferBody {
	now := time.Now().UTC().Truncate(time.Microsecond)
	return bodyOf(golem.NewOffer(o.id, properties, "()", now, now.Add(ttl)))
}

func bodyOf(of golem.Offer) wire.OfferBody {
	return wire.OfferBody{ID: of.ID, Properties: of.Properties, Constraints: of.Constraints, Node: of.Node, Created: of.Created, Expires: of.Expires}
}

func (o *outsider) announce(ids ...golem.SubscriptionID) {
	o.w.t.Helper()
	if err := wire.OffersBroadcast.Publish(context.Background(), o.bus, o.id, wire.OfferIDs{IDs: ids}); err != nil {
		o.w.t.Fatal(err)
	}
	time.Sleep(time.Second)
}

func (o *outsider) withdraw(w wire.Withdrawals) {
	o.w.t.Helper()
	if err := wire.WithdrawalsBroadcast.Publish(context.Background(), o.bus, o.id, w); err != nil {
		o.w.t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
}

func TestForeignOffers(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(o *outsider, b *wire.OfferBody)
		take bool
	}{
		"as it should be":  {func(*outsider, *wire.OfferBody) {}, true},
		"signed":           {func(o *outsider, b *wire.OfferBody) { b.Signature = o.sign(b) }, true},
		"wrong hash":       {func(_ *outsider, b *wire.OfferBody) { b.Properties = `{"a":2}` }, false},
		"another's node":   {func(_ *outsider, b *wire.OfferBody) { b.Node = golem.NodeID{1} }, false},
		"wrong signature":  {func(o *outsider, b *wire.OfferBody) { b.Signature = golem.Signature{1}.String() }, false},
		"signed by others": {func(o *outsider, b *wire.OfferBody) { b.Node = golem.NodeID{1}; rehash(b); b.Signature = o.sign(b) }, false},
		"expired":          {func(_ *outsider, b *wire.OfferBody) { b.Expires = b.Created.Add(-time.Hour); rehash(b) }, false},
		"for ever":         {func(_ *outsider, b *wire.OfferBody) { b.Expires = b.Created.Add(25 * time.Hour); rehash(b) }, false},
		"for a day":        {func(_ *outsider, b *wire.OfferBody) { b.Expires = b.Created.Add(24 * time.Hour); rehash(b) }, true},
		"no constraint":    {func(_ *outsider, b *wire.OfferBody) { b.Constraints = "("; rehash(b) }, false},
		"no properties":    {func(_ *outsider, b *wire.OfferBody) { b.Properties = "{"; rehash(b) }, false},
		"too large":        {func(_ *outsider, b *wire.OfferBody) { b.Properties = fmt.Sprintf(`{"a":"%070000d"}`, 1); rehash(b) }, false},
		"upper-case id":    {func(_ *outsider, b *wire.OfferBody) { b.ID = "ABCDEF" + b.ID[6:] }, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
				n, o := w.node("n", nil), w.outsider("o")
				b := o.body(`{"a":1.0}`, time.Hour)
				test.edit(o, &b)
				o.hands(b)
				o.announce(b.ID)
				if got := n.knows(b.ID); got != test.take {
					t.Errorf("taken: %v", got)
				}
				if o.times() != 1 {
					t.Errorf("asked %d times", o.times())
				}
			})
		})
	}
}

// rehash gives a body the id it must have.
func rehash(b *wire.OfferBody) {
	b.ID = golem.NewOffer(b.Node, b.Properties, b.Constraints, b.Created, b.Expires).ID
}

func (o *outsider) sign(b *wire.OfferBody) string {
	s := golem.Subscription{ID: b.ID, Node: b.Node}
	sig, err := o.keys.Sign(context.Background(), o.id, s.Digest())
	if err != nil {
		o.w.t.Fatal(err)
	}
	return sig.String()
}

// TestUnasked wants a node that hands on what nobody asked for to be ignored for
// a while.
func TestUnasked(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n, o := w.node("n", nil), w.outsider("o")
		good, evil := o.body(`{"a":1}`, time.Hour), o.body(`{"b":1}`, time.Hour)
		o.change(func(o *outsider) { o.has, o.extra = []wire.OfferBody{good}, []wire.OfferBody{evil} })
		o.announce(good.ID)
		if n.knows(good.ID) || n.knows(evil.ID) {
			t.Error("took something")
		}
		o.change(func(o *outsider) { o.extra = nil })
		o.announce(good.ID)
		if o.times() != 1 {
			t.Errorf("asked %d times at once", o.times())
		}
		time.Sleep(time.Minute)
		if !n.knows(good.ID) {
			t.Error("never asked again")
		}
	})
}

// TestAnnouncers wants an Offer to be fetched from another announcer where the
// first does not answer.
func TestAnnouncers(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n, dead, liar, honest := w.node("n", nil), w.outsider("dead"), w.outsider("liar"), w.outsider("honest")
		b := honest.body(`{"a":1}`, time.Hour)
		dead.change(func(o *outsider) { o.dead = true })
		forged := b
		forged.Properties = `{"a":2}`
		liar.hands(forged)
		honest.hands(b)
		for _, o := range []*outsider{dead, liar, honest} {
			if err := wire.OffersBroadcast.Publish(t.Context(), o.bus, o.id, wire.OfferIDs{IDs: []golem.SubscriptionID{b.ID}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		if !n.knows(b.ID) {
			t.Error("not fetched")
		}
		if dead.times() != 1 || liar.times() != 1 || honest.times() != 1 {
			t.Errorf("asked %d, %d and %d times", dead.times(), liar.times(), honest.times())
		}
	})
}

func TestWithdrawals(t *testing.T) {
	for name, test := range map[string]struct {
		say  func(p, q *outsider, b wire.OfferBody)
		gone bool
	}{
		"by its owner":             {func(p, _ *outsider, b wire.OfferBody) { p.withdraw(withdrawal(b.ID)) }, true},
		"by another, owner has it": {func(_, q *outsider, b wire.OfferBody) { q.withdraw(withdrawal(b.ID)) }, false},
		"by another, owner has not": {func(p, q *outsider, b wire.OfferBody) {
			p.change(func(o *outsider) { o.has = nil })
			q.withdraw(withdrawal(b.ID))
		}, true},
		"by another, owner is away": {func(p, q *outsider, b wire.OfferBody) {
			p.change(func(o *outsider) { o.dead = true })
			q.withdraw(withdrawal(b.ID))
		}, false},
		"by another, signed": {func(p, q *outsider, b wire.OfferBody) {
			p.change(func(o *outsider) { o.dead = true })
			q.withdraw(wire.Withdrawals{IDs: []golem.SubscriptionID{b.ID}, Signatures: []string{p.proof(b)}})
		}, true},
		"by another, signed by itself": {func(p, q *outsider, b wire.OfferBody) {
			q.withdraw(wire.Withdrawals{IDs: []golem.SubscriptionID{b.ID}, Signatures: []string{q.proof(b)}})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
				n, p, q := w.node("n", nil), w.outsider("p"), w.outsider("q")
				b := p.body(`{"a":1}`, time.Hour)
				p.hands(b)
				p.announce(b.ID)
				if !n.knows(b.ID) {
					t.Fatal("not taken")
				}
				test.say(p, q, b)
				if gone := !n.knows(b.ID); gone != test.gone {
					t.Errorf("gone: %v", gone)
				}
				asked := p.times()
				p.announce(b.ID)
				if test.gone && (n.knows(b.ID) || p.times() != asked) {
					t.Error("taken again")
				}
			})
		})
	}
}

func withdrawal(id golem.SubscriptionID) wire.Withdrawals {
	return wire.Withdrawals{IDs: []golem.SubscriptionID{id}}
}

func (o *outsider) proof(b wire.OfferBody) string {
	s := golem.Subscription{ID: b.ID, Node: b.Node}
	sig, err := o.keys.Sign(context.Background(), o.id, s.WithdrawalDigest())
	if err != nil {
		o.w.t.Fatal(err)
	}
	return sig.String()
}

// TestOwnOffersStay wants nobody else to withdraw an Offer of this node.
func TestOwnOffersStay(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n, q := w.node("n", nil), w.outsider("q")
		id := n.offerOf()
		q.withdraw(withdrawal(id))
		if !n.knows(id) {
			t.Error("withdrawn")
		}
	})
}

// TestSpread wants Offers and withdrawals to reach everybody, over nodes that
// know each other only in part, and to be repaired after an outage.
func TestSpread(t *testing.T) {
	bubble(t, p2ptest.Config{Latency: 20 * time.Millisecond, Loss: 0.2}, func(t *testing.T, w *world) {
		var ns []*node
		for i := range 4 {
			ns = append(ns, w.node(fmt.Sprint("n", i), nil))
		}
		first := ns[0].offerOf()
		time.Sleep(15 * time.Minute)
		for i, n := range ns {
			if !n.knows(first) {
				t.Errorf("node %d does not know the offer", i)
			}
		}
		w.sw.Isolate(ns[3].net)
		second := ns[1].offerOf()
		kind(t, ns[0].WithdrawOffer(t.Context(), ns[0].id, first), "")
		time.Sleep(15 * time.Minute)
		if !ns[3].knows(first) || ns[3].knows(second) {
			t.Error("news reached a node that is cut off")
		}
		w.sw.Heal()
		time.Sleep(15 * time.Minute)
		for i, n := range ns {
			if n.knows(first) || !n.knows(second) {
				t.Errorf("node %d: knows the withdrawn %v, the other %v", i, n.knows(first), n.knows(second))
			}
		}
	})
}

// TestHandOn wants withdrawn and unknown Offers not to be handed on, and the
// signature of the owner to travel along.
func TestHandOn(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		p, n, o := w.node("p", nil), w.node("n", nil), w.outsider("o")
		stays, goes := p.offerOf(), p.offerOf()
		time.Sleep(time.Minute)
		kind(t, p.WithdrawOffer(t.Context(), p.id, goes), "")
		time.Sleep(time.Minute)
		ids := wire.OfferIDs{IDs: []golem.SubscriptionID{stays, goes, "x"}}
		bodies, err := wire.RetrieveOffers.Call(t.Context(), o.bus, o.id, n.id, ids)
		if err != nil || len(bodies) != 1 || bodies[0].ID != stays || bodies[0].Signature == "" {
			t.Errorf("got %+v, %v", bodies, err)
		}
		var seen []golem.SubscriptionID
		var query wire.OfferQuery
		for range 300 {
			p.offerOf()
		}
		for range 4 {
			page, err := wire.QueryOffers.Call(t.Context(), o.bus, o.id, p.id, query)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, page.IDs...)
			if query.Iterator = page.Iterator; query.Iterator == nil {
				break
			}
		}
		slices.Sort(seen)
		if len(seen) != 301 || len(slices.Compact(seen)) != 301 {
			t.Errorf("query found %d offers", len(seen))
		}
		none := "(golem.runtime.name=wasm)"
		page, err := wire.QueryOffers.Call(t.Context(), o.bus, o.id, p.id, wire.OfferQuery{Constraints: &none})
		if err != nil || len(page.IDs) != 0 {
			t.Errorf("got %+v, %v", page, err)
		}
		bad := "("
		_, err = wire.QueryOffers.Call(t.Context(), o.bus, o.id, p.id, wire.OfferQuery{Constraints: &bad})
		if err == nil {
			t.Error("a malformed constraint was taken")
		}
	})
}

// TestLimits wants one node not to fill the market of another.
func TestLimits(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n := w.node("n", func(c *market.Config) { c.OffersPerNode, c.Limits.Offers = 5, 7 })
		a, b := w.outsider("a"), w.outsider("b")
		for _, o := range []*outsider{a, b} {
			var ids []golem.SubscriptionID
			for i := range 20 {
				body := o.body(fmt.Sprintf(`{"a":%d}`, i), time.Hour)
				o.hands(body)
				ids = append(ids, body.ID)
			}
			o.announce(ids...)
		}
		ls, err := n.Offers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		per := map[golem.NodeID]int{}
		for _, l := range ls {
			per[l.Node]++
		}
		if per[a.id] != 5 || len(ls) > 7 {
			t.Errorf("took %d of the first and %d in all", per[a.id], len(ls))
		}
	})
}

// TestCrowdedOut wants Offers that others publish in the name of a node not to
// take the room of those it has signed.
func TestCrowdedOut(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n := w.node("n", func(c *market.Config) { c.OffersPerNode = 5 })
		victim, liar := w.outsider("victim"), w.outsider("liar")
		var ids []golem.SubscriptionID
		for i := range 10 {
			body := victim.body(fmt.Sprintf(`{"a":%d}`, i), time.Hour)
			liar.has, ids = append(liar.has, body), append(ids, body.ID)
		}
		liar.announce(ids...)
		own := victim.body(`{"a":"own"}`, time.Hour)
		own.Signature = victim.sign(&own)
		victim.hands(own)
		victim.announce(own.ID)
		if !n.knows(own.ID) {
			t.Error("the offer of the victim was not taken")
		}
	})
}

// TestNewNeighbour wants a node that joins to learn of Offers without waiting for
// the next cycle.
func TestNewNeighbour(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		p := w.node("p", func(c *market.Config) { c.BroadcastCycle = -1 })
		id := p.offerOf()
		time.Sleep(time.Minute)
		n := w.node("n", nil)
		time.Sleep(time.Minute)
		if n.knows(id) {
			t.Fatal("knows already")
		}
		if err := wire.NewNeighbour.Publish(t.Context(), n.bus, n.id, gsb.Unit{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if !n.knows(id) {
			t.Error("does not know the offer")
		}
		at, err := wire.LastBroadcast.Call(t.Context(), n.bus, golem.NodeID{}, golem.NodeID{}, struct{}{})
		if err != nil || time.Since(at) > 10*time.Second {
			t.Errorf("last broadcast %v, %v", at, err)
		}
	})
}

func TestPolicy(t *testing.T) {
	bubble(t, p2ptest.Config{Claimed: true}, func(t *testing.T, w *world) {
		strict := w.node("strict", func(c *market.Config) { c.ProvenOnly, c.SignedOnly = true, true })
		lax, o := w.node("lax", nil), w.outsider("o")
		b := o.body(`{}`, time.Hour)
		o.hands(b)
		o.announce(b.ID)
		if strict.knows(b.ID) || !lax.knows(b.ID) {
			t.Errorf("strict knows an unsigned offer: %v, lax does: %v", strict.knows(b.ID), lax.knows(b.ID))
		}
		_, err := wire.RetrieveOffers.Call(t.Context(), o.bus, o.id, strict.id, wire.OfferIDs{})
		if err == nil {
			t.Error("a claimed identity was served")
		}
		// A withdrawal by a claimed owner is not believed; the owner is asked.
		o.withdraw(withdrawal(b.ID))
		if !lax.knows(b.ID) {
			t.Error("a claimed owner was believed")
		}
	})
}
