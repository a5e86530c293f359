package market

import (
	"context"
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/wire"
)

// Publication is what an agent puts on the market.
type Publication struct {
	Properties  []byte // JSON, nested or flat
	Constraints string
	TTL         time.Duration // 0: the node's; at most 24 h
}

// compile checks what an agent wants to publish or propose. It returns the flat
// properties, which is the text that is hashed and sent.
func (s *Service) compile(properties []byte, constraints string) (flat string, party property.Party, err error) {
	if flat, err = property.Flatten(properties); err != nil {
		return "", party, golem.Errorf(golem.ErrInvalid, "properties: %w", err)
	}
	if n := len(flat) + len(constraints); n > s.cfg.Text {
		return "", party, golem.Errorf(golem.ErrInvalid, "properties and constraints have %d bytes, at most %d", n, s.cfg.Text)
	}
	if party, err = property.ParseParty(flat, constraints); err != nil {
		return "", party, golem.Errorf(golem.ErrInvalid, "%w", err)
	}
	return flat, party, nil
}

// PublishOffer puts an Offer of an identity on the market. It returns ErrInvalid
// where the properties or constraints are malformed, saying where.
func (s *Service) PublishOffer(ctx context.Context, who golem.NodeID, p Publication) (golem.SubscriptionID, error) {
	if err := s.enter(ctx); err != nil {
		return "", err
	}
	flat, party, err := s.compile(p.Properties, p.Constraints)
	if err != nil {
		return "", err
	}
	now := s.now()
	expires, err := s.expiry(now, p.TTL)
	if err != nil {
		return "", err
	}
	l := &Listing{Offer: golem.NewOffer(who, flat, p.Constraints, now, expires), Inserted: now}
	if l.Signature, err = s.signText(ctx, who, l.Digest()); err != nil {
		return "", err
	}
	if err := s.store.AddOffers(ctx, []Listing{*l}); err != nil {
		return "", err
	}
	s.list(l, party)
	s.trace.published(l.Subscription, golem.Provider)
	s.announceOffers([]golem.SubscriptionID{l.ID})
	return l.ID, nil
}

// expiry returns when a subscription of the given time to live ends.
func (s *Service) expiry(now time.Time, ttl time.Duration) (time.Time, error) {
	switch {
	case ttl == 0:
		ttl = s.cfg.TTL
	case ttl < 0 || ttl > maxTTL:
		return now, golem.Errorf(golem.ErrInvalid, "time to live %v: want at most %v", ttl, maxTTL)
	}
	return now.Add(ttl), nil
}

// list puts an Offer on the board and wakes who waits for one.
func (s *Service) list(l *Listing, party property.Party) {
	if e := s.board.addOffer(l, party); e != nil {
		s.matcher.add(e)
		s.browsing.Wake(struct{}{})
	}
}

// PublishDemand puts a Demand of an identity on the market.
func (s *Service) PublishDemand(ctx context.Context, who golem.NodeID, p Publication) (golem.SubscriptionID, error) {
	if err := s.enter(ctx); err != nil {
		return "", err
	}
	flat, party, err := s.compile(p.Properties, p.Constraints)
	if err != nil {
		return "", err
	}
	now := s.now()
	expires, err := s.expiry(now, p.TTL)
	if err != nil {
		return "", err
	}
	d := golem.NewDemand(who, flat, p.Constraints, now, expires)
	if err := s.store.AddDemand(ctx, d); err != nil {
		return "", err
	}
	s.matcher.add(s.board.addDemand(&d, party))
	s.trace.published(d.Subscription, golem.Requestor)
	return d.ID, nil
}

// WithdrawOffer takes an Offer of an identity off the market. It returns
// ErrNotFound for an unknown Offer and ErrExpired for one that is not on the
// market any more.
func (s *Service) WithdrawOffer(ctx context.Context, who golem.NodeID, id golem.SubscriptionID) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	if owner, was := s.board.withdrawnBy(id); was && owner == who {
		return golem.Errorf(golem.ErrExpired, "%w", unsubscribed(id))
	}
	e, err := s.board.offer(id, s.now())
	if e == nil || e.sub.Node != who {
		return golem.Errorf(golem.ErrNotFound, "%w", noSubscription(id))
	}
	if err != nil {
		return err
	}
	signature, err := s.signText(ctx, who, e.sub.WithdrawalDigest())
	if err != nil {
		return err
	}
	if err := s.withdraw(ctx, id, who, signature); err != nil {
		return err
	}
	s.announceWithdrawals([]golem.SubscriptionID{id})
	return nil
}

// withdraw takes an Offer off the market, be it ours or another node's.
func (s *Service) withdraw(ctx context.Context, id golem.SubscriptionID, owner golem.NodeID, signature string) error {
	if err := s.store.WithdrawOffer(ctx, id, signature); err != nil {
		if errors.Is(err, golem.ErrConflict) {
			return golem.Errorf(golem.ErrExpired, "%w", unsubscribed(id))
		}
		return err
	}
	s.board.withdrawOffer(id, signature)
	s.collecting.Wake(id)
	s.trace.withdrawn(id, owner)
	return nil
}

// WithdrawDemand takes a Demand of an identity off the market. It returns
// ErrNotFound for an unknown Demand.
func (s *Service) WithdrawDemand(ctx context.Context, who golem.NodeID, id golem.SubscriptionID) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	e, _ := s.board.demand(id, s.now())
	if e == nil || e.sub.Node != who {
		return golem.Errorf(golem.ErrNotFound, "%w", noSubscription(id))
	}
	if err := s.store.WithdrawDemand(ctx, id); err != nil && !errors.Is(err, golem.ErrNotFound) {
		return err
	}
	s.board.dropDemand(id)
	s.collecting.Wake(id)
	s.trace.withdrawn(id, who)
	return nil
}

// OffersOf returns the Offers an identity has on the market.
func (s *Service) OffersOf(ctx context.Context, who golem.NodeID) ([]Listing, error) {
	all, err := s.Offers(ctx)
	if err != nil {
		return nil, err
	}
	var own []Listing
	for _, l := range all {
		if l.Node == who {
			own = append(own, l)
		}
	}
	return own, nil
}

// Offers returns all Offers this node knows to be on the market, in the order
// it learned of them.
func (s *Service) Offers(ctx context.Context) ([]Listing, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	es := s.board.listed(0, s.now())
	ls := make([]Listing, len(es))
	for i, e := range es {
		ls[i] = *e.listing
	}
	return ls, nil
}

// DemandsOf returns the Demands an identity has on the market.
func (s *Service) DemandsOf(ctx context.Context, who golem.NodeID) ([]golem.Demand, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	es := s.board.demandsOf(who, s.now())
	ds := make([]golem.Demand, len(es))
	for i, e := range es {
		ds[i] = golem.Demand{Subscription: *e.sub}
	}
	return ds, nil
}

// load fills the board from the store, and has own Offers announced: neighbours
// may have forgotten them.
func (s *Service) load(ctx context.Context) error {
	now := s.now()
	offers, err := s.store.Offers(ctx, now)
	if err != nil {
		return err
	}
	var own []golem.SubscriptionID
	for i := range offers {
		l := &offers[i]
		if l.Withdrawn {
			s.board.remember(*l)
		} else if party, err := property.ParseParty(l.Properties, l.Constraints); err == nil {
			s.board.addOffer(l, party)
			if s.isOwn(l.Node) {
				own = append(own, l.ID)
			}
		}
	}
	s.announceOffers(own)
	demands, err := s.store.Demands(ctx, now)
	if err != nil {
		return err
	}
	for i := range demands {
		// Pairs that were not looked at before the restart are looked at now.
		if party, err := property.ParseParty(demands[i].Properties, demands[i].Constraints); err == nil {
			s.matcher.add(s.board.addDemand(&demands[i], party))
		}
	}
	return nil
}

// expire takes off the market what time has taken, and moves Agreements on.
func (s *Service) expire(ctx context.Context) time.Time {
	now := s.now()
	for _, e := range s.board.expire(now) {
		s.collecting.Wake(e.sub.ID)
		if s.isOwn(e.sub.Node) {
			s.trace.expired(*e.sub)
		}
	}
	s.trace.background("expire", s.expireAgreements(ctx, now))
	s.scans.drop(now)
	return time.Time{}
}

// clean removes from the store what is of no use any more.
func (s *Service) clean(ctx context.Context) {
	const batch = 500
	now := s.now()
	keep := Retention{
		Subscriptions: now.Add(-slack),
		Events:        now.Add(-s.cfg.KeepEvents),
		Agreements:    now.Add(-s.cfg.KeepAgreements),
	}
	for ctx.Err() == nil {
		n, err := s.store.Clean(ctx, keep, batch)
		s.trace.background("clean", err)
		if n == 0 || err != nil {
			return
		}
	}
}

// The reasons why a subscription cannot be used, which agents and peers are
// told alike.
func noSubscription(id golem.SubscriptionID) error {
	return &wire.Refusal{Why: wire.WhyNoSubscription, ID: string(id)}
}

func unsubscribed(id golem.SubscriptionID) error {
	return &wire.Refusal{Why: wire.WhyUnsubscribed, ID: string(id)}
}

func subscriptionExpired(id golem.SubscriptionID) error {
	return &wire.Refusal{Why: wire.WhySubscriptionExpired, ID: string(id)}
}
