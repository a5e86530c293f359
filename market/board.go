package market

import (
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

// board is everything on the market as far as this node knows it, compiled once
// and indexed. It is a cache of the store, filled when Run begins.
type board struct {
	mu        sync.RWMutex
	seq       int64
	offers    side
	demands   side
	withdrawn map[golem.SubscriptionID]Listing // without text, until they expire
	size      int                              // bytes of text of the Offers
	perNode   map[publisher]int                // Offers on the market
}

// publisher is a node as Offers name it. Offers it has signed are counted apart:
// others can be anybody's and must not take their room.
type publisher struct {
	node   golem.NodeID
	signed bool
}

func publisherOf(l *Listing) publisher { return publisher{l.Node, l.Signature != ""} }

// entry is one Offer or Demand on the board. It does not change, but for gone.
type entry struct {
	seq     int64
	party   property.Party
	sub     *golem.Subscription
	listing *Listing // of an Offer
	gone    bool     // off the board; guarded by board.mu
}

func newBoard() *board {
	return &board{
		offers: newSide(), demands: newSide(),
		withdrawn: map[golem.SubscriptionID]Listing{}, perNode: map[publisher]int{},
	}
}

// addOffer puts an Offer on the board, unless it is or was there.
func (b *board) addOffer(l *Listing, party property.Party) *entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.knowsLocked(l.ID) {
		return nil
	}
	e := b.enter(&b.offers, &entry{party: party, sub: &l.Subscription, listing: l})
	b.size += textSize(e.sub)
	b.perNode[publisherOf(l)]++
	return e
}

// addDemand puts a Demand on the board.
func (b *board) addDemand(d *golem.Demand, party property.Party) *entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.enter(&b.demands, &entry{party: party, sub: &d.Subscription})
}

func (b *board) enter(s *side, e *entry) *entry {
	b.seq++
	e.seq = b.seq
	s.add(e)
	return e
}

func textSize(s *golem.Subscription) int { return len(s.Properties) + len(s.Constraints) }

// knowsLocked reports whether an Offer is or was on the market.
func (b *board) knowsLocked(id golem.SubscriptionID) bool {
	_, gone := b.withdrawn[id]
	return gone || b.offers.byID[id] != nil
}

// knows reports whether an Offer is or was on the market.
func (b *board) knows(id golem.SubscriptionID) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.knowsLocked(id)
}

// room returns how many Offers of a publisher, how many Offers and how many bytes
// of them there are.
func (b *board) room(p publisher) (ofPublisher, total, bytes int) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.perNode[p], len(b.offers.byID), b.size
}

// offer returns an Offer that is on the market at now, or the withdrawn Listing
// of one that was, or the reason why there is none.
func (b *board) offer(id golem.SubscriptionID, now time.Time) (*entry, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if e := b.offers.byID[id]; e != nil {
		if e.sub.Expired(now) {
			return e, subscriptionExpired(id)
		}
		return e, nil
	}
	if _, gone := b.withdrawn[id]; gone {
		return nil, unsubscribed(id)
	}
	return nil, noSubscription(id)
}

// demand returns a Demand that is on the market at now.
func (b *board) demand(id golem.SubscriptionID, now time.Time) (*entry, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	e := b.demands.byID[id]
	switch {
	case e == nil:
		return nil, noSubscription(id)
	case e.sub.Expired(now):
		return e, subscriptionExpired(id)
	}
	return e, nil
}

// withdrawnBy returns the owner of an Offer that was withdrawn.
func (b *board) withdrawnBy(id golem.SubscriptionID) (golem.NodeID, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	l, ok := b.withdrawn[id]
	return l.Node, ok
}

// withdrawOffer takes an Offer off the board and remembers that it was there.
func (b *board) withdrawOffer(id golem.SubscriptionID, signature string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.offers.byID[id]
	if e == nil {
		return
	}
	l := Listing{Signature: e.listing.Signature, Withdrawn: true, Withdrawal: signature}
	l.ID, l.Node, l.Expires = id, e.sub.Node, e.sub.Expires
	b.withdrawn[id] = l
	b.dropOffer(e)
}

// remember notes an Offer that was withdrawn before this node started.
func (b *board) remember(l Listing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.Properties, l.Constraints = "", ""
	b.withdrawn[l.ID] = l
}

func (b *board) dropOffer(e *entry) {
	b.offers.drop(e)
	b.size -= textSize(e.sub)
	p := publisherOf(e.listing)
	if b.perNode[p]--; b.perNode[p] == 0 {
		delete(b.perNode, p)
	}
}

// dropDemand takes a Demand off the board.
func (b *board) dropDemand(id golem.SubscriptionID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.demands.byID[id]; e != nil {
		b.demands.drop(e)
	}
}

// expire takes off the board what expired before now and returns it.
func (b *board) expire(now time.Time) []*entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, l := range b.withdrawn {
		if l.Expired(now) {
			delete(b.withdrawn, id)
		}
	}
	offers, demands := b.offers.expired(now), b.demands.expired(now)
	for _, e := range offers {
		b.dropOffer(e)
	}
	for _, e := range demands {
		b.demands.drop(e)
	}
	return append(offers, demands...)
}

// counterparts returns those on the other side that e may match and that were
// there before it, so that each pair is looked at once, by whoever comes second.
func (b *board) counterparts(e *entry) []*entry {
	b.mu.RLock()
	defer b.mu.RUnlock()
	others := &b.offers
	if e.listing != nil {
		others = &b.demands
	}
	return others.candidates(e)
}

// listed returns the Offers on the market at now that were put on the board
// after the one of the given number, oldest first.
func (b *board) listed(after int64, now time.Time) []*entry {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return onMarket(b.offers.since(after), now)
}

// demandsOf returns the Demands of a node that are on the market at now.
func (b *board) demandsOf(node golem.NodeID, now time.Time) (es []*entry) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, e := range onMarket(b.demands.since(0), now) {
		if e.sub.Node == node {
			es = append(es, e)
		}
	}
	return es
}

func onMarket(all []*entry, now time.Time) []*entry {
	var es []*entry
	for _, e := range all {
		if !e.sub.Expired(now) {
			es = append(es, e)
		}
	}
	return es
}

// proofs returns the owners' signatures of withdrawals, or nil if there are none.
func (b *board) proofs(ids []golem.SubscriptionID) (ps []string) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	some := false
	for _, id := range ids {
		p := b.withdrawn[id].Withdrawal
		some = some || p != ""
		ps = append(ps, p)
	}
	if !some {
		return nil
	}
	return ps
}

// withdrawals returns what is known to be withdrawn and has not expired, in the
// order of ids.
func (b *board) withdrawals(now time.Time) (ls []Listing) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, id := range sortedKeys(b.withdrawn) {
		if l := b.withdrawn[id]; !l.Expired(now) {
			ls = append(ls, l)
		}
	}
	return ls
}
