package market

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// announcer collects news for other nodes, so that one broadcast carries many.
type announcer struct {
	bell bell

	mu          sync.Mutex
	offers      pile
	withdrawals pile
	greetings   pile
	greeted     time.Time // when the last ones were due
}

// promptly is how soon news are told after a quiet time: at once, but together
// with those that come in the same breath.
const promptly = 100 * time.Millisecond

// greetEvery is the least time between tellings of all to nodes that join, since
// anybody can say that it does.
const greetEvery = 30 * time.Second

// pile is ids waiting to be broadcast.
type pile struct {
	ids []golem.SubscriptionID
	due time.Time // zero while empty

	told time.Time // when ids were broadcast last
}

func (p *pile) add(ids []golem.SubscriptionID, due time.Time) {
	for _, id := range ids {
		if !slices.Contains(p.ids, id) {
			p.ids = append(p.ids, id)
		}
	}
	if p.due.IsZero() {
		p.due = due
	}
}

// take returns the ids if they are due at now, and when they are due otherwise.
func (p *pile) take(now time.Time) ([]golem.SubscriptionID, time.Time) {
	if p.due.IsZero() || now.Before(p.due) {
		return nil, p.due
	}
	ids := p.ids
	*p = pile{told: now}
	return ids, time.Time{}
}

// announceOffers has ids of Offers broadcast soon.
func (s *Service) announceOffers(ids []golem.SubscriptionID) { s.queue(&s.announcer.offers, ids) }

// announceWithdrawals has ids of withdrawn Offers broadcast soon.
func (s *Service) announceWithdrawals(ids []golem.SubscriptionID) {
	s.queue(&s.announcer.withdrawals, ids)
}

func (s *Service) queue(p *pile, ids []golem.SubscriptionID) {
	if len(ids) == 0 {
		return
	}
	now := s.now()
	s.announcer.mu.Lock()
	p.add(ids, later(now.Add(min(promptly, s.cfg.BroadcastDelay)), p.told.Add(s.cfg.BroadcastDelay)))
	s.announcer.mu.Unlock()
	s.announcer.bell.ring()
}

// announce broadcasts what is due and returns when more is.
func (s *Service) announce(ctx context.Context) time.Time {
	now := s.now()
	s.announcer.mu.Lock()
	offers, nextOffers := s.announcer.offers.take(now)
	withdrawals, nextWithdrawals := s.announcer.withdrawals.take(now)
	greetings, nextGreetings := s.announcer.greetings.take(now)
	s.announcer.mu.Unlock()
	s.broadcastOffers(ctx, offers)
	s.broadcastWithdrawals(ctx, withdrawals)
	s.broadcastOffers(ctx, greetings)
	return earlier(earlier(nextOffers, nextWithdrawals), nextGreetings)
}

// earlier returns the earlier of two times, of which zero ones do not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// broadcastOffers tells others which Offers there are, in parts that fit a
// datagram. Losses are repaired by the next cycle.
func (s *Service) broadcastOffers(ctx context.Context, ids []golem.SubscriptionID) {
	for part := range slices.Chunk(ids, wire.MaxOfferIDs) {
		err := wire.OffersBroadcast.Publish(ctx, s.cfg.Bus, s.self(), wire.OfferIDs{IDs: part})
		s.trace.broadcast(wire.OffersBroadcast.Name, len(part), err)
		if err != nil || !pause(ctx, s.cfg.BroadcastPause) {
			return
		}
	}
}

// broadcastWithdrawals tells others which Offers are gone, with the proof.
func (s *Service) broadcastWithdrawals(ctx context.Context, ids []golem.SubscriptionID) {
	for part := range slices.Chunk(ids, wire.MaxOfferIDs) {
		w := wire.Withdrawals{IDs: part, Signatures: s.board.proofs(part)}
		err := wire.WithdrawalsBroadcast.Publish(ctx, s.cfg.Bus, s.self(), w)
		s.trace.broadcast(wire.WithdrawalsBroadcast.Name, len(part), err)
		if err != nil {
			return
		}
	}
}

// self returns the identity in whose name this node broadcasts.
func (s *Service) self() golem.NodeID {
	if ids := s.cfg.Identities(); len(ids) > 0 {
		return ids[0]
	}
	return golem.NodeID{}
}

// share broadcasts all own Offers, and a sample of others' as far as there is room.
func (s *Service) share(ctx context.Context) {
	own, others := s.listed()
	s.broadcastOffers(ctx, s.sample("share", own, others))
}

// listed returns the Offers on the market, own ones and others'.
func (s *Service) listed() (own, others []golem.SubscriptionID) {
	for _, e := range s.board.listed(0, s.now()) {
		if s.isOwn(e.sub.Node) {
			own = append(own, e.sub.ID)
		} else {
			others = append(others, e.sub.ID)
		}
	}
	return own, others
}

// shareWithdrawals likewise broadcasts what is gone.
func (s *Service) shareWithdrawals(ctx context.Context) {
	var own, others []golem.SubscriptionID
	for _, l := range s.board.withdrawals(s.now()) {
		if s.isOwn(l.Node) {
			own = append(own, l.ID)
		} else {
			others = append(others, l.ID)
		}
	}
	s.broadcastWithdrawals(ctx, s.sample("share withdrawals", own, others))
}

// sample returns as many ids as one broadcast may have: own ones first, chosen
// at random where there are too many.
func (s *Service) sample(purpose string, own, others []golem.SubscriptionID) []golem.SubscriptionID {
	chance := s.chance(fmt.Sprint(purpose, s.now().UnixMicro()))
	for _, ids := range [][]golem.SubscriptionID{own, others} {
		chance.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	}
	ids := slices.Concat(own, others)
	return ids[:min(len(ids), s.cfg.Broadcast)]
}

// onNewNeighbour has what there is told to a node that has joined.
func (s *Service) onNewNeighbour(_ context.Context, from gsb.Peer, _ gsb.Unit) {
	own, others := s.listed()
	ids := s.sample("greet "+from.Node.String(), own, others)
	a := &s.announcer
	a.mu.Lock()
	if len(ids) > 0 && a.greetings.due.IsZero() {
		a.greeted = later(s.now().Add(s.cfg.BroadcastDelay), a.greeted.Add(greetEvery))
		a.greetings.add(ids, a.greeted)
	}
	a.mu.Unlock()
	a.bell.ring()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
