package market

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/longpoll"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/wire"
)

const (
	maxScans    = 1000             // open at the same time
	scanIdle    = 5 * time.Minute  // before a scan that nobody reads is dropped
	scanTimeout = 30 * time.Second // for another node's answers
)

// ScanID names a scan of an agent.
type ScanID string

// scan browses Offers without a Demand.
type scan struct {
	owner      golem.NodeID
	constraint *property.Constraint
	idle       time.Duration

	mu    sync.Mutex
	after int64 // number of the last entry that was read
	used  time.Time
	peers map[golem.NodeID]*peerScan
}

// peerScan is where browsing the Offers of another node stands.
type peerScan struct {
	iterator *[]byte
	ended    bool
	ready    []Listing // read and not returned yet
}

// scans are the scans of all agents; they do not survive a restart.
type scans struct {
	mu   sync.Mutex
	last int
	open map[ScanID]*scan
}

func (ss *scans) drop(now time.Time) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for id, sc := range ss.open {
		if sc.usedBefore(now.Add(-sc.idle)) {
			delete(ss.open, id)
		}
	}
}

func (sc *scan) usedBefore(t time.Time) bool {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.used.Before(t)
}

func (sc *scan) touch(now time.Time) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.used = now
}

// Scan begins to browse the Offers that meet a constraint, "" for all. The scan
// is dropped when it was not read for the time idle; 0 is five minutes.
func (s *Service) Scan(ctx context.Context, who golem.NodeID, constraints string, idle time.Duration) (ScanID, error) {
	if constraints == "" {
		constraints = "()"
	}
	constraint, err := property.ParseConstraint(constraints)
	if err != nil {
		return "", golem.Errorf(golem.ErrInvalid, "%w", err)
	}
	if idle <= 0 {
		idle = scanIdle
	}
	s.scans.mu.Lock()
	defer s.scans.mu.Unlock()
	if len(s.scans.open) >= maxScans {
		return "", golem.Errorf(golem.ErrExhausted, "%d scans are open", maxScans)
	}
	if s.scans.open == nil {
		s.scans.open = map[ScanID]*scan{}
	}
	id := ScanID(strconv.Itoa(s.scans.last))
	s.scans.last++
	s.scans.open[id] = &scan{owner: who, constraint: constraint, idle: idle, used: s.now(), peers: map[golem.NodeID]*peerScan{}}
	return id, nil
}

// EndScan ends a scan.
func (s *Service) EndScan(ctx context.Context, who golem.NodeID, id ScanID) error {
	if _, err := s.scan(who, id); err != nil {
		return err
	}
	s.scans.mu.Lock()
	delete(s.scans.open, id)
	s.scans.mu.Unlock()
	s.browsing.Wake(struct{}{}) // who reads it learns that it is gone
	return nil
}

// scan returns a scan of who: ErrNotFound, ErrExpired for one that was dropped,
// ErrForbidden for another's.
func (s *Service) scan(who golem.NodeID, id ScanID) (*scan, error) {
	s.scans.mu.Lock()
	defer s.scans.mu.Unlock()
	sc := s.scans.open[id]
	n, err := strconv.Atoi(string(id))
	switch {
	case sc != nil && sc.owner == who:
		return sc, nil
	case sc != nil:
		return nil, golem.Errorf(golem.ErrForbidden, "scan %s is somebody else's", id)
	case err == nil && n >= 0 && n < s.scans.last && strconv.Itoa(n) == string(id):
		return nil, golem.Errorf(golem.ErrExpired, "scan %s has ended", id)
	}
	return nil, golem.Errorf(golem.ErrNotFound, "scan %s not found", id)
}

// Scanned waits for Offers a scan has not returned yet, until there is one or
// ctx ends, and returns at most max.
func (s *Service) Scanned(ctx context.Context, who golem.NodeID, id ScanID, max int) ([]Listing, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	ls, _, err := longpoll.Wait(ctx, &s.browsing, struct{}{}, func(context.Context) ([]Listing, bool, error) {
		sc, err := s.scan(who, id)
		if err != nil {
			return nil, false, err
		}
		ls := sc.next(s.board, s.now(), max)
		return ls, len(ls) > 0, nil
	})
	return ls, err
}

// next returns the next Offers of the board.
func (sc *scan) next(b *board, now time.Time, max int) (ls []Listing) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.used = now
	for _, e := range b.listed(sc.after, now) {
		if len(ls) == max {
			break
		}
		sc.after = e.seq
		if sc.constraint.Eval(e.party.Properties) == property.Yes {
			ls = append(ls, *e.listing)
		}
	}
	return ls
}

// ScannedAt likewise returns Offers that another node knows, asking it. It
// returns none once the scan has seen all.
func (s *Service) ScannedAt(ctx context.Context, who golem.NodeID, id ScanID, peer golem.NodeID, max int) ([]Listing, error) {
	sc, err := s.scan(who, id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	sc.touch(s.now())
	at := sc.at(peer)
	for len(at.ready) == 0 && !at.ended {
		if at, err = s.readPage(ctx, sc, peer, at); err != nil {
			return nil, err
		}
	}
	n := min(max, len(at.ready))
	ls := at.ready[:n]
	at.ready = at.ready[n:]
	sc.set(peer, at)
	return ls, nil
}

func (sc *scan) at(peer golem.NodeID) peerScan {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if at := sc.peers[peer]; at != nil {
		return *at
	}
	return peerScan{}
}

func (sc *scan) set(peer golem.NodeID, at peerScan) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.peers[peer] = &at
}

// readPage asks a node for its next Offers. The constraint is applied here too,
// since upstream's nodes do not apply it.
func (s *Service) readPage(ctx context.Context, sc *scan, peer golem.NodeID, at peerScan) (peerScan, error) {
	text := sc.constraint.Text()
	page, err := wire.QueryOffers.Call(ctx, s.cfg.Bus, s.self(), peer, wire.OfferQuery{Constraints: &text, Iterator: at.iterator})
	if err != nil {
		return at, err
	}
	at.iterator, at.ended = page.Iterator, page.Iterator == nil || len(page.IDs) > s.cfg.Broadcast
	for ids := page.IDs; len(ids) > 0; ids = ids[min(len(ids), maxAsked):] {
		bodies, err := wire.RetrieveOffers.Call(ctx, s.cfg.Bus, s.self(), peer, wire.OfferIDs{IDs: ids[:min(len(ids), maxAsked)]})
		if err != nil {
			return at, err
		}
		for i := range bodies {
			if l, ok := s.readOffer(&bodies[i], sc.constraint); ok {
				at.ready = append(at.ready, l)
			}
		}
	}
	return at, nil
}

// readOffer returns another node's Offer if it is what it says and meets a
// constraint. It does not come to the market here.
func (s *Service) readOffer(b *wire.OfferBody, c *property.Constraint) (Listing, bool) {
	now := s.now()
	l := Listing{Inserted: now}
	l.Subscription = golem.Subscription{ID: b.ID, Properties: b.Properties, Constraints: b.Constraints, Node: b.Node, Created: b.Created, Expires: b.Expires}
	if textSize(&l.Subscription) > s.cfg.Text || !l.Authentic() || l.Expired(now) {
		return l, false
	}
	set, err := property.ParseSet(b.Properties)
	return l, err == nil && c.Eval(set) == property.Yes
}
