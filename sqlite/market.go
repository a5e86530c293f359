package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
)

// Market is the store of package market.
type Market struct{ db *DB }

var _ market.Store = (*Market)(nil)

// Market returns the part of the database that belongs to package market.
func (db *DB) Market() *Market { return &Market{db} }

const (
	sqlMarketAddOffer = `INSERT INTO market_offer (id, node, properties, constraints, created, expires, inserted, signature)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
	sqlMarketOffers = `SELECT id, node, properties, constraints, created, expires, inserted, signature, withdrawn, withdrawal
		FROM market_offer WHERE expires >= ? ORDER BY seq`
	sqlMarketWithdrawOffer = `UPDATE market_offer SET withdrawn = 1, withdrawal = ? WHERE id = ? AND withdrawn = 0`
	sqlMarketAddDemand     = `INSERT INTO market_demand (id, node, properties, constraints, created, expires) VALUES (?, ?, ?, ?, ?, ?)`
	sqlMarketDemands       = `SELECT id, node, properties, constraints, created, expires FROM market_demand WHERE expires >= ? ORDER BY seq`
	sqlMarketDropDemand    = `DELETE FROM market_demand WHERE id = ?`
	sqlMarketDropEvents    = `DELETE FROM market_event WHERE subscription = ?`
)

// Offers implements market.SubscriptionStore.
func (m *Market) Offers(ctx context.Context, now time.Time) ([]market.Listing, error) {
	return readAll(ctx, m.db, scanListing, sqlMarketOffers, at(now))
}

func scanListing(r row) (l market.Listing, err error) {
	err = r.Scan(&l.ID, into(&l.Node), &l.Properties, &l.Constraints, into(&l.Created), into(&l.Expires), into(&l.Inserted),
		nullable[string]{&l.Signature}, &l.Withdrawn, nullable[string]{&l.Withdrawal})
	return l, err
}

// Demands implements market.SubscriptionStore.
func (m *Market) Demands(ctx context.Context, now time.Time) ([]golem.Demand, error) {
	return readAll(ctx, m.db, scanDemand, sqlMarketDemands, at(now))
}

func scanDemand(r row) (d golem.Demand, err error) {
	err = r.Scan(&d.ID, into(&d.Node), &d.Properties, &d.Constraints, into(&d.Created), into(&d.Expires))
	return d, err
}

// AddOffers implements market.SubscriptionStore.
func (m *Market) AddOffers(ctx context.Context, ls []market.Listing) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		for i := range ls {
			l := &ls[i]
			if _, err := tx.exec(sqlMarketAddOffer, l.ID, text{l.Node}, l.Properties, l.Constraints, at(l.Created), at(l.Expires), at(l.Inserted), orNull(l.Signature)); err != nil {
				return fmt.Errorf("offer %s: %w", l.ID, err)
			}
		}
		return nil
	})
}

// AddDemand implements market.SubscriptionStore.
func (m *Market) AddDemand(ctx context.Context, d golem.Demand) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		_, err := tx.exec(sqlMarketAddDemand, d.ID, text{d.Node}, d.Properties, d.Constraints, at(d.Created), at(d.Expires))
		return err
	})
}

// WithdrawOffer implements market.SubscriptionStore.
func (m *Market) WithdrawOffer(ctx context.Context, id golem.SubscriptionID, signature string) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		if err := tx.change(errWithdrawn, sqlMarketWithdrawOffer, orNull(signature), id); err != nil {
			return err
		}
		_, err := tx.exec(sqlMarketDropEvents, id)
		return err
	})
}

var errWithdrawn = golem.Errorf(golem.ErrConflict, "offer is withdrawn already")

// WithdrawDemand implements market.SubscriptionStore.
func (m *Market) WithdrawDemand(ctx context.Context, id golem.SubscriptionID) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		if err := tx.change(errNoRow, sqlMarketDropDemand, id); err != nil {
			return err
		}
		_, err := tx.exec(sqlMarketDropEvents, id)
		return err
	})
}

// errFaster is what a step gets whose expectation does not hold.
var errFaster = golem.Errorf(golem.ErrConflict, "somebody was faster")

// reasonText writes a reason as JSON.
func reasonText(r *golem.Reason) any {
	if r == nil {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil // cannot be: it came from JSON
	}
	return string(b)
}

// reasonInto scans what reasonText wrote.
type reasonInto struct{ dst **golem.Reason }

// Scan implements sql.Scanner.
func (c reasonInto) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		*c.dst = new(golem.Reason)
		return json.Unmarshal([]byte(v), *c.dst)
	}
	return errors.New("reason is not text")
}

// numbers writes a list of numbers for json_each.
func numbers(ns []int64) string {
	b, err := json.Marshal(ns)
	if err != nil || ns == nil {
		return "[]"
	}
	return string(b)
}
