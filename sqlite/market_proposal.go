package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
)

const (
	sqlMarketOpenNegotiation = `INSERT INTO market_negotiation (id, role, subscription, offer, demand, requestor, provider, created)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	sqlMarketOpenOnce = `INSERT INTO market_negotiation (id, role, subscription, offer, demand, requestor, provider, created)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
		WHERE NOT EXISTS (SELECT 1 FROM market_negotiation WHERE demand = ?5 AND offer = ?4 AND role = ?2)`
	sqlMarketBegun = `SELECT count(*) FROM market_negotiation WHERE requestor = ? AND created > ? AND role = 'Provider'`

	// OR IGNORE covers an id that exists and a predecessor that is countered.
	sqlMarketAddProposal = `INSERT OR IGNORE INTO market_proposal
		(id, prev, issuer, negotiation, properties, constraints, state, created, expires, telling, due)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlMarketReopen  = `UPDATE market_proposal SET state = ?, telling = NULL, due = NULL WHERE id = ? AND state = ?`
	sqlMarketRetract = `DELETE FROM market_proposal WHERE id = ?1 AND state = 'Draft'
		AND NOT EXISTS (SELECT 1 FROM market_proposal WHERE prev = ?1)`
	sqlMarketReject = `UPDATE market_proposal SET state = 'Rejected', reason = ?, telling = ?, attempts = 0, due = ?
		WHERE id = ? AND state = ?`
	sqlMarketTold     = `UPDATE market_proposal SET telling = NULL, due = NULL WHERE id = ? AND telling = ?`
	sqlMarketRejected = `SELECT reason FROM market_proposal WHERE id = ?`
	sqlMarketProposal = `SELECT p.id, p.prev, p.issuer, p.state, p.created, p.expires, p.telling,
			coalesce(p.properties, o.properties, '{}'), coalesce(p.constraints, o.constraints, '()'),
			n.id, n.role, n.subscription, n.offer, n.demand, n.requestor, n.provider,
			(SELECT c.id FROM market_proposal c WHERE c.prev = p.id)
		FROM market_proposal p
		JOIN market_negotiation n ON n.id = p.negotiation
		LEFT JOIN market_offer o ON p.properties IS NULL AND o.id = n.offer
		WHERE p.id = ?`
)

// Open implements market.NegotiationStore.
func (m *Market) Open(ctx context.Context, ms []market.Match, now time.Time) (opened int, err error) {
	err = m.db.Write(ctx, func(tx *Tx) error {
		opened = 0
		for i := range ms {
			isNew, err := tx.open(&ms[i], now)
			if err != nil {
				return err
			}
			if isNew {
				opened++
			}
		}
		return nil
	})
	return opened, err
}

// open adds a match and its event. It reports whether the match was new.
func (t *Tx) open(m *market.Match, now time.Time) (bool, error) {
	query := sqlMarketOpenNegotiation
	if m.Once {
		query = sqlMarketOpenOnce
	}
	if err := t.change(errFaster, query, negotiationValues(&m.Negotiation, now)...); err == errFaster {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if err := t.addProposal(&m.Initial, "", time.Time{}); err != nil {
		return false, err
	}
	return true, t.addEvent(&market.Event{
		Subscription: m.Negotiation.Subscription, Kind: market.EventProposal, Rank: market.RankMatch,
		Peer: m.Negotiation.Party(m.Negotiation.Role.Other()), Proposal: m.Initial.ID, At: now,
	})
}

func negotiationValues(n *golem.Negotiation, now time.Time) []any {
	return []any{n.ID, n.Role, n.Subscription, n.Offer, n.Demand, text{n.Requestor}, text{n.Provider}, at(now)}
}

// addProposal adds a Proposal. The first of a Negotiation is the Offer, whose
// text is not stored twice.
func (t *Tx) addProposal(p *golem.Proposal, telling market.Telling, due time.Time) error {
	var properties, constraints any
	if p.Prev != "" {
		properties, constraints = p.Properties, p.Constraints
	}
	err := t.change(errFaster, sqlMarketAddProposal, p.ID, orNull(p.Prev), p.Issuer, p.Negotiation, properties, constraints,
		p.State, at(p.Created), at(p.Expires), orNull(telling), at(due))
	if err != nil {
		return fmt.Errorf("proposal %s: %w", p.ID, err)
	}
	return nil
}

// Receive implements market.NegotiationStore.
func (m *Market) Receive(ctx context.Context, n golem.Negotiation, initial golem.Proposal, c market.Counter, limit int, since time.Time) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		begun, err := one(tx, scalar[int], sqlMarketBegun, text{n.Requestor}, at(since))
		if err != nil {
			return err
		}
		if begun >= limit {
			return golem.Errorf(golem.ErrExhausted, "node %s has begun %d negotiations already", n.Requestor, begun)
		}
		if _, err := tx.exec(sqlMarketOpenNegotiation, negotiationValues(&n, initial.Created)...); err != nil {
			return err
		}
		if err := tx.addProposal(&initial, "", time.Time{}); err != nil {
			return err
		}
		return tx.counter(&c)
	})
}

// Counter implements market.NegotiationStore.
func (m *Market) Counter(ctx context.Context, c market.Counter) error {
	return m.db.Write(ctx, func(tx *Tx) error { return tx.counter(&c) })
}

func (t *Tx) counter(c *market.Counter) error {
	p := &c.Proposal
	if err := t.change(errFaster, sqlMarketReopen, c.Reopened, p.Prev, c.Prev); err != nil {
		return fmt.Errorf("proposal %s: %w", p.Prev, err)
	}
	if err := t.addProposal(p, c.Telling, c.Due); err != nil || c.Event == nil {
		return err
	}
	return t.addEvent(c.Event)
}

// Proposal implements market.NegotiationStore.
func (m *Market) Proposal(ctx context.Context, id golem.ProposalID) (*market.Exchange, error) {
	return readOne(ctx, m.db, scanExchange, sqlMarketProposal, id)
}

func scanExchange(r row) (*market.Exchange, error) {
	var x market.Exchange
	n := &x.Negotiation
	err := r.Scan(&x.ID, nullable[golem.ProposalID]{&x.Prev}, &x.Issuer, &x.State, into(&x.Created), into(&x.Expires), nullable[market.Telling]{&x.Telling},
		&x.Properties, &x.Constraints,
		&n.ID, &n.Role, &n.Subscription, &n.Offer, &n.Demand, into(&n.Requestor), into(&n.Provider),
		nullable[golem.ProposalID]{&x.Next})
	x.Proposal.Negotiation = n.ID
	return &x, err
}

// Retract implements market.NegotiationStore.
func (m *Market) Retract(ctx context.Context, id golem.ProposalID) error {
	return m.db.Write(ctx, func(tx *Tx) error { return tx.change(errFaster, sqlMarketRetract, id) })
}

// RejectProposal implements market.NegotiationStore.
func (m *Market) RejectProposal(ctx context.Context, id golem.ProposalID, from golem.ProposalState, t market.Telling, reason *golem.Reason, due time.Time, e *market.Event) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		if err := tx.change(errFaster, sqlMarketReject, reasonText(reason), orNull(t), at(due), id, from); err != nil || e == nil {
			return err
		}
		return tx.addEvent(e)
	})
}

// Told implements market.NegotiationStore.
func (m *Market) Told(ctx context.Context, id golem.ProposalID, t market.Telling) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		_, err := tx.exec(sqlMarketTold, id, t)
		return err
	})
}

// Rejection implements market.NegotiationStore.
func (m *Market) Rejection(ctx context.Context, id golem.ProposalID) (*golem.Reason, error) {
	return readOne(ctx, m.db, func(r row) (reason *golem.Reason, err error) {
		err = r.Scan(reasonInto{&reason})
		return reason, err
	}, sqlMarketRejected, id)
}
