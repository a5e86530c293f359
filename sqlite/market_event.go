package sqlite

import (
	"context"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
)

const (
	// An event's turn is one after its peer's last waiting one, but not before
	// the turn the subscription is at: who has many waits, who is new does not.
	sqlMarketAddEvent = `INSERT INTO market_event (subscription, rank, turn, peer, kind, proposal, agreement, reason, at)
		VALUES (?1, ?2, max(
			coalesce((SELECT max(turn) + 1 FROM market_event WHERE subscription = ?1 AND rank = ?2 AND peer = ?3), 0),
			coalesce((SELECT min(turn) FROM market_event WHERE subscription = ?1 AND rank = ?2), 0)
		), ?3, ?4, ?5, ?6, ?7, ?8)`
	sqlMarketPending = `SELECT seq FROM market_event WHERE subscription = ? ORDER BY rank, turn, seq LIMIT ?`
	sqlMarketEvents  = `SELECT seq, subscription, rank, peer, kind, proposal, agreement, reason, at
		FROM market_event WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY rank, turn, seq`
	sqlMarketDelivered = `DELETE FROM market_event WHERE seq IN (SELECT value FROM json_each(?))`

	sqlMarketDueProposals = `SELECT p.telling, p.id, n.role, CASE n.role WHEN 'Requestor' THEN n.provider ELSE n.requestor END, p.attempts, p.created, p.due
		FROM market_proposal p JOIN market_negotiation n ON n.id = p.negotiation
		WHERE p.telling IS NOT NULL AND p.due <= ? ORDER BY p.due LIMIT ?`
	sqlMarketDueAgreements = `SELECT telling, id, role, CASE role WHEN 'Requestor' THEN provider ELSE requestor END, attempts, changed, due
		FROM market_agreement WHERE telling IS NOT NULL AND due <= ? ORDER BY due LIMIT ?`
	sqlMarketNextDue = `SELECT min(due) FROM (
		SELECT min(due) AS due FROM market_proposal WHERE telling IS NOT NULL
		UNION ALL SELECT min(due) FROM market_agreement WHERE telling IS NOT NULL)`
	sqlMarketPostponeProposal  = `UPDATE market_proposal SET attempts = attempts + 1, due = ? WHERE id = ? AND telling = ?`
	sqlMarketPostponeAgreement = `UPDATE market_agreement SET attempts = attempts + 1, due = ? WHERE id = ? AND role = ? AND telling = ?`

	sqlMarketCleanNegotiations = `DELETE FROM market_negotiation WHERE id IN (
		SELECT n.id FROM market_proposal p JOIN market_negotiation n ON n.id = p.negotiation
		WHERE p.expires < ?1 AND NOT EXISTS (SELECT 1 FROM market_proposal q WHERE q.negotiation = n.id AND (q.expires >= ?1 OR q.telling IS NOT NULL))
		LIMIT ?2)`
	sqlMarketCleanOffers  = `DELETE FROM market_offer WHERE seq IN (SELECT seq FROM market_offer WHERE expires < ? LIMIT ?)`
	sqlMarketCleanDemands = `DELETE FROM market_demand WHERE seq IN (SELECT seq FROM market_demand WHERE expires < ? LIMIT ?)`
	sqlMarketCleanEvents  = `DELETE FROM market_event WHERE seq IN (SELECT seq FROM market_event WHERE at < ? LIMIT ?)`
	sqlMarketCleanDeals   = `DELETE FROM market_agreement WHERE rowid IN (SELECT rowid FROM market_agreement
		WHERE valid_to < ?1 AND changed < ?1 AND telling IS NULL AND state IN ('Rejected', 'Cancelled', 'Expired', 'Terminated') LIMIT ?2)`
)

// addEvent adds an event for an agent.
func (t *Tx) addEvent(e *market.Event) error {
	_, err := t.exec(sqlMarketAddEvent, e.Subscription, int(e.Rank), text{e.Peer}, e.Kind, orNull(e.Proposal), orNull(e.Agreement), reasonText(e.Reason), at(e.At))
	return err
}

// Pending implements market.EventStore.
func (m *Market) Pending(ctx context.Context, sub golem.SubscriptionID, max int) ([]int64, error) {
	return readAll(ctx, m.db, scalar[int64], sqlMarketPending, sub, max)
}

// Events implements market.EventStore.
func (m *Market) Events(ctx context.Context, seqs []int64) ([]market.Event, error) {
	return readAll(ctx, m.db, scanMarketEvent, sqlMarketEvents, numbers(seqs))
}

func scanMarketEvent(r row) (e market.Event, err error) {
	err = r.Scan(&e.Seq, &e.Subscription, &e.Rank, into(&e.Peer), &e.Kind, nullable[golem.ProposalID]{&e.Proposal},
		nullable[golem.AgreementID]{&e.Agreement}, reasonInto{&e.Reason}, into(&e.At))
	return e, err
}

// Delivered implements market.EventStore.
func (m *Market) Delivered(ctx context.Context, seqs []int64) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		_, err := tx.exec(sqlMarketDelivered, numbers(seqs))
		return err
	})
}

// Errands implements market.EventStore.
func (m *Market) Errands(ctx context.Context, now time.Time, limit int) ([]market.Errand, error) {
	proposals, err := readAll(ctx, m.db, scanProposalErrand, sqlMarketDueProposals, at(now), limit)
	if err != nil {
		return nil, err
	}
	agreements, err := readAll(ctx, m.db, scanAgreementErrand, sqlMarketDueAgreements, at(now), limit)
	return append(agreements, proposals...), err
}

func scanProposalErrand(r row) (e market.Errand, err error) {
	err = r.Scan(&e.Telling, &e.Proposal, &e.Role, into(&e.Peer), &e.Attempts, into(&e.Since), into(&e.Due))
	return e, err
}

func scanAgreementErrand(r row) (e market.Errand, err error) {
	err = r.Scan(&e.Telling, &e.ID, &e.Role, into(&e.Peer), &e.Attempts, into(&e.Since), into(&e.Due))
	return e, err
}

// NextErrand implements market.EventStore.
func (m *Market) NextErrand(ctx context.Context) (time.Time, error) {
	return readOne(ctx, m.db, func(r row) (t time.Time, err error) {
		err = r.Scan(into(&t))
		return t, err
	}, sqlMarketNextDue)
}

// Postpone implements market.EventStore.
func (m *Market) Postpone(ctx context.Context, es []market.Errand, due time.Time) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		for _, e := range es {
			query, args := sqlMarketPostponeAgreement, []any{at(due), e.ID, e.Role, e.Telling}
			if e.Proposal != "" {
				query, args = sqlMarketPostponeProposal, []any{at(due), e.Proposal, e.Telling}
			}
			if _, err := tx.exec(query, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Clean implements market.EventStore.
func (m *Market) Clean(ctx context.Context, c market.Retention, limit int) (removed int, err error) {
	err = m.db.Write(ctx, func(tx *Tx) error {
		removed = 0
		for _, step := range []struct {
			query  string
			before time.Time
		}{
			{sqlMarketCleanNegotiations, c.Subscriptions},
			{sqlMarketCleanOffers, c.Subscriptions},
			{sqlMarketCleanDemands, c.Subscriptions},
			{sqlMarketCleanEvents, c.Events},
			{sqlMarketCleanDeals, c.Agreements},
		} {
			res, err := tx.exec(step.query, at(step.before), limit)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			removed += int(n)
		}
		return nil
	})
	return removed, err
}
