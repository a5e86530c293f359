package market

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/wire"
)

const (
	fetchWorkers  = 4
	maxAsked      = 50     // ids in one request
	maxWanted     = 20_000 // ids of all peers
	maxWantedOf   = 2_000  // ids of one peer
	maxAnnouncers = 4      // remembered for one id
	maxFetchPause = 5 * time.Minute

	firstFetchPause = 8 * time.Second // for a node that did not answer; doubled each time
)

// fetcher knows which Offers to ask which node for. Every node that announces
// something has a queue of its own, so that one that does not answer, or that
// announces what it does not have, delays nobody else.
type fetcher struct {
	bell bell

	mu      sync.Mutex
	wanted  map[golem.SubscriptionID]*wanted
	sources map[golem.NodeID]*source
	order   []*source   // those with something to ask, in turn
	removed []goneOffer // known to be withdrawn
}

// wanted is an Offer to ask for.
type wanted struct {
	id      golem.SubscriptionID
	gone    bool           // not to have it, but to learn from its owner whether it still stands
	others  []golem.NodeID // who else may be asked
	current golem.NodeID
}

// source is a node that may be asked.
type source struct {
	node     golem.NodeID
	ids      []golem.SubscriptionID // waiting
	queued   bool                   // in fetcher.order
	asking   bool
	failures int
	notUntil time.Time
}

// goneOffer is an Offer that its owner has withdrawn.
type goneOffer struct {
	id    golem.SubscriptionID
	owner golem.NodeID
	proof string
}

func (f *fetcher) init() {
	f.bell = newBell()
	f.wanted, f.sources = map[golem.SubscriptionID]*wanted{}, map[golem.NodeID]*source{}
}

// want notes that from has an Offer that is unknown here, or, where gone is set,
// that its owner from is to be asked whether it stands.
func (f *fetcher) want(id golem.SubscriptionID, from golem.NodeID, gone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.bell.ring()
	if w := f.wanted[id]; w != nil {
		if !w.gone && w.current != from && !slices.Contains(w.others, from) && len(w.others) < maxAnnouncers {
			w.others = append(w.others, from)
		}
		return
	}
	if len(f.wanted) >= maxWanted {
		return
	}
	f.assign(&wanted{id: id, gone: gone}, from)
}

// assign puts w in the queue of a node.
func (f *fetcher) assign(w *wanted, from golem.NodeID) {
	src := f.sources[from]
	if src == nil {
		src = &source{node: from}
		f.sources[from] = src
	}
	if len(src.ids) >= maxWantedOf {
		delete(f.wanted, w.id)
		return
	}
	w.current = from
	f.wanted[w.id] = w
	src.ids = append(src.ids, w.id)
	f.enqueue(src)
}

func (f *fetcher) enqueue(src *source) {
	if !src.queued && !src.asking && len(src.ids) > 0 {
		src.queued = true
		f.order = append(f.order, src)
	}
}

// gone notes that an Offer is withdrawn; a worker removes it.
func (f *fetcher) gone(g goneOffer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.removed) < maxWanted {
		f.removed = append(f.removed, g)
	}
	f.bell.ring()
}

// takeRemoved returns what is to be removed.
func (f *fetcher) takeRemoved() []goneOffer {
	f.mu.Lock()
	defer f.mu.Unlock()
	gs := f.removed
	f.removed = nil
	return gs
}

// next returns a node to ask now and what for, or when there may be one.
func (f *fetcher) next(now time.Time) (src *source, ids []golem.SubscriptionID, when time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, src := range f.order {
		if src.notUntil.After(now) {
			when = earlier(when, src.notUntil)
			continue
		}
		f.order = slices.Delete(f.order, i, i+1)
		src.queued, src.asking = false, true
		n := min(len(src.ids), maxAsked)
		ids, src.ids = src.ids[:n:n], src.ids[n:]
		if len(f.order) > 0 {
			f.bell.ring() // for another worker
		}
		return src, ids, when
	}
	return nil, nil, when
}

// done ends asking a node. After a failure the node is left alone for a while,
// longer each time, and what it was asked for is expected of others.
func (f *fetcher) done(src *source, ids, got []golem.SubscriptionID, failed bool, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	src.asking = false
	src.failures++
	src.notUntil = until
	if !failed {
		src.failures, src.notUntil = 0, time.Time{}
	}
	for _, id := range ids {
		w := f.wanted[id]
		if w == nil {
			continue
		}
		if w.gone || len(w.others) == 0 || slices.Contains(got, id) {
			delete(f.wanted, id)
			continue
		}
		other := w.others[0]
		w.others = w.others[1:]
		f.assign(w, other)
	}
	f.enqueue(src)
	if len(src.ids) == 0 && src.failures == 0 {
		delete(f.sources, src.node)
	}
	f.bell.ring()
}

// forget drops nodes that failed long ago and announce nothing any more.
func (f *fetcher) forget(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, src := range f.sources {
		if len(src.ids) == 0 && !src.asking && src.notUntil.Before(now) {
			delete(f.sources, id)
		}
	}
}

// isGone reports whether an id is asked for to learn that it does not stand.
func (f *fetcher) isGone(id golem.SubscriptionID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.wanted[id]
	return w != nil && w.gone
}

// fetch asks nodes for Offers until there is nobody to ask.
func (s *Service) fetch(ctx context.Context) time.Time {
	for ctx.Err() == nil {
		for _, g := range s.fetcher.takeRemoved() {
			s.withdrawForeign(ctx, g)
		}
		now := s.now()
		src, ids, when := s.fetcher.next(now)
		if src == nil {
			s.fetcher.forget(now.Add(-maxFetchPause))
			return when
		}
		got, failed := s.fetchFrom(ctx, src.node, ids)
		pause := maxFetchPause
		if src.failures < 8 {
			pause = min(maxFetchPause, firstFetchPause<<src.failures)
		}
		pause = jitter(s.chance(fmt.Sprint(src.node, src.failures)), pause)
		s.fetcher.done(src, ids, got, failed, s.now().Add(pause))
	}
	return time.Time{}
}

// fetchFrom asks a node for Offers and takes those that are right. It returns
// which were answered, and whether the node is to be left alone for a while: it
// has not answered, or by forgeries, or has nothing of the much it announced.
func (s *Service) fetchFrom(ctx context.Context, node golem.NodeID, ids []golem.SubscriptionID) (got []golem.SubscriptionID, failed bool) {
	ask, cancel := context.WithTimeout(ctx, s.cfg.FetchTimeout)
	defer cancel()
	bodies, err := wire.RetrieveOffers.Call(ask, s.cfg.Bus, s.self(), node, wire.OfferIDs{IDs: ids})
	s.trace.fetched(node, len(ids), len(bodies), err)
	if err != nil {
		return nil, true
	}
	for _, b := range bodies {
		if !slices.Contains(ids, b.ID) {
			s.trace.refused(node, "Offer", golem.Errorf(golem.ErrInvalid, "offer %s was not asked for", b.ID))
			return nil, true
		}
		got = append(got, b.ID)
	}
	for _, id := range ids {
		if s.fetcher.isGone(id) && !slices.Contains(got, id) {
			s.withdrawForeign(ctx, goneOffer{id: id, owner: node})
		}
	}
	forged := s.takeOffers(ctx, node, bodies)
	got = slices.DeleteFunc(got, func(id golem.SubscriptionID) bool { return slices.Contains(forged, id) })
	return got, len(forged) > 0 || len(got) == 0 && len(ids) > wire.MaxOfferIDs
}

// takeOffers puts other nodes' Offers on the market. It returns those that no
// honest node would have handed on.
func (s *Service) takeOffers(ctx context.Context, from golem.NodeID, bodies []wire.OfferBody) (forged []golem.SubscriptionID) {
	now := s.now()
	var ls []Listing
	var parties []property.Party
	for i := range bodies {
		b := &bodies[i]
		if s.board.knows(b.ID) || slices.ContainsFunc(ls, func(l Listing) bool { return l.ID == b.ID }) {
			continue
		}
		l, party, err := s.checkOffer(b, now)
		if err == nil {
			err = s.room(l, ls)
		}
		if err != nil {
			if errors.Is(err, errForged) {
				forged = append(forged, b.ID)
			}
			s.trace.refused(from, "Offer", err)
			continue
		}
		ls, parties = append(ls, *l), append(parties, party)
	}
	if len(ls) == 0 {
		return forged
	}
	if err := s.store.AddOffers(ctx, ls); err != nil {
		s.trace.background("fetch", err)
		return forged
	}
	var fresh []golem.SubscriptionID
	for i := range ls {
		fresh = append(fresh, ls[i].ID)
		s.list(&ls[i], parties[i])
		s.trace.listed(&ls[i])
	}
	s.announceOffers(fresh)
	return forged
}
