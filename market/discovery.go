package market

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/wire"
)

const (
	queryPage   = 150     // ids in one answer to QueryOffers
	maxRetrieve = 4 << 20 // bytes in one answer to RetrieveOffers, roughly
)

// onRetrieve answers with the Offers asked for that are on the market. What does
// not fit is left out, as what is not there.
func (s *Service) onRetrieve(_ context.Context, _ gsb.Peer, m wire.OfferIDs) ([]wire.OfferBody, error) {
	now := s.now()
	bodies, size := []wire.OfferBody{}, 0
	for _, id := range m.IDs[:min(len(m.IDs), s.cfg.Broadcast)] {
		e, err := s.board.offer(id, now)
		if err != nil {
			continue
		}
		if size += textSize(e.sub); size > maxRetrieve {
			break
		}
		bodies = append(bodies, wire.OfferBody{
			ID: e.sub.ID, Properties: e.sub.Properties, Constraints: e.sub.Constraints, Node: e.sub.Node,
			Created: e.sub.Created, Expires: e.sub.Expires, Signature: e.listing.Signature,
		})
	}
	return bodies, nil
}

// onQuery answers which Offers there are, a page at a time. The iterator is the
// number of the last entry of the page before.
func (s *Service) onQuery(_ context.Context, _ gsb.Peer, q wire.OfferQuery) (page wire.OfferPage, err error) {
	page.IDs = []golem.SubscriptionID{}
	var constraint *property.Constraint
	if q.Constraints != nil {
		if constraint, err = property.ParseConstraint(*q.Constraints); err != nil {
			return page, golem.Errorf(golem.ErrInvalid, "%w", err)
		}
	}
	after := int64(0)
	if q.Iterator != nil {
		if len(*q.Iterator) != 8 {
			return page, golem.Errorf(golem.ErrInvalid, "iterator is not of this node")
		}
		after = int64(binary.BigEndian.Uint64(*q.Iterator))
	}
	for _, e := range s.board.listed(after, s.now()) {
		if len(page.IDs) == queryPage {
			it := binary.BigEndian.AppendUint64(nil, uint64(after))
			page.Iterator = &it
			return page, nil
		}
		after = e.seq
		if (q.Node == nil || *q.Node == e.sub.Node) && constraint.Eval(e.party.Properties) == property.Yes {
			page.IDs = append(page.IDs, e.sub.ID)
		}
	}
	return page, nil
}

// onOffers takes a broadcast: what is not known is asked for.
func (s *Service) onOffers(_ context.Context, from gsb.Peer, m wire.OfferIDs) {
	if s.isOwn(from.Node) || len(m.IDs) == 0 {
		return
	}
	now := s.now()
	s.mu.Lock()
	s.heardAt = now
	s.mu.Unlock()
	s.trace.heard(from.Node, len(m.IDs))
	for _, id := range m.IDs[max(0, len(m.IDs)-s.cfg.Broadcast):] {
		if _, err := golem.ParseSubscriptionID(string(id)); err == nil && !s.board.knows(id) {
			s.fetcher.want(id, from.Node, false)
		}
	}
}

// onWithdrawals takes a broadcast of withdrawn Offers. Only the owner can
// withdraw an Offer: it is the sender, or has signed, or is asked.
func (s *Service) onWithdrawals(ctx context.Context, from gsb.Peer, m wire.Withdrawals) {
	for i, id := range m.IDs[:min(len(m.IDs), s.cfg.Broadcast)] {
		e, err := s.board.offer(id, s.now())
		if err != nil || s.isOwn(e.sub.Node) {
			continue
		}
		proof := ""
		if i < len(m.Signatures) && s.cfg.Verifier != nil && s.signed(e.sub.Node, e.sub.WithdrawalDigest(), m.Signatures[i]) {
			proof = m.Signatures[i]
		}
		switch {
		case proof != "", from.Node == e.sub.Node && from.Trust > p2p.TrustClaim:
			s.fetcher.gone(goneOffer{id, e.sub.Node, proof})
		default:
			s.fetcher.want(id, e.sub.Node, true)
		}
	}
}

// withdrawForeign takes another node's Offer off the market and tells others.
func (s *Service) withdrawForeign(ctx context.Context, g goneOffer) {
	err := s.withdraw(ctx, g.id, g.owner, g.proof)
	switch {
	case err == nil:
		s.announceWithdrawals([]golem.SubscriptionID{g.id})
	case !errors.Is(err, golem.ErrExpired):
		s.trace.background("fetch", err)
	}
}

// errForged marks what an honest node does not hand on.
var errForged = errors.New("forged")

// checkOffer decides whether another node's Offer is taken.
func (s *Service) checkOffer(b *wire.OfferBody, now time.Time) (*Listing, property.Party, error) {
	l := &Listing{Inserted: now, Signature: b.Signature}
	l.Subscription = golem.Subscription{
		ID: b.ID, Properties: b.Properties, Constraints: b.Constraints, Node: b.Node,
		Created: b.Created.UTC(), Expires: b.Expires.UTC(),
	}
	invalid := func(text string) error { return golem.Errorf(golem.ErrInvalid, "offer %s %s", b.ID, text) }
	var err error
	switch {
	case textSize(&l.Subscription) > s.cfg.Text:
		err = invalid("is too large")
	case !l.Authentic():
		err = golem.Errorf(golem.ErrInvalid, "offer %s does not have the hash in its id: %w", b.ID, errForged)
	case s.isOwn(b.Node):
		err = invalid("claims to be ours")
	case l.Expired(now):
		err = invalid("has expired")
	case l.Expires.After(now.Add(maxTTL + slack)):
		err = invalid("stays for too long")
	case b.Signature == "" && s.cfg.SignedOnly:
		err = invalid("is not signed")
	case b.Signature != "" && s.cfg.Verifier != nil && !s.signed(b.Node, l.Digest(), b.Signature):
		err = golem.Errorf(golem.ErrInvalid, "offer %s is not signed by %s: %w", b.ID, b.Node, errForged)
	}
	if err != nil {
		return nil, property.Party{}, err
	}
	if s.cfg.Verifier == nil {
		l.Signature = ""
	}
	party, err := property.ParseParty(b.Properties, b.Constraints)
	if err != nil {
		return nil, party, golem.Errorf(golem.ErrInvalid, "offer %s: %w", b.ID, err)
	}
	return l, party, nil
}

// room decides whether there is room for another Offer of a node, beside those
// of the batch that are not on the board yet.
func (s *Service) room(l *Listing, batch []Listing) error {
	p := publisherOf(l)
	ofNode, total, size := s.board.room(p)
	for i := range batch {
		total++
		size += textSize(&batch[i].Subscription)
		if publisherOf(&batch[i]) == p {
			ofNode++
		}
	}
	switch {
	case ofNode >= s.cfg.OffersPerNode:
		return golem.Errorf(golem.ErrExhausted, "node %s has %d offers on the market", p.node, ofNode)
	case total >= s.cfg.Limits.Offers || size >= s.cfg.OfferBytes:
		return golem.Errorf(golem.ErrExhausted, "%d offers of %d bytes are on the market", total, size)
	}
	return nil
}
