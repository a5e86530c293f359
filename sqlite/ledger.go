package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment/local"
)

const (
	columnsEntry = "seq, key, payer, payee, amount, time, signature, prev, hash"

	sqlAddEntry   = "INSERT INTO ledger_entry (" + columnsEntry + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	sqlHead       = "SELECT " + columnsEntry + " FROM ledger_entry WHERE seq = (SELECT max(seq) FROM ledger_entry)"
	sqlEntry      = "SELECT " + columnsEntry + " FROM ledger_entry WHERE seq = ?"
	sqlEntryOf    = "SELECT " + columnsEntry + " FROM ledger_entry WHERE payer = ? AND key = ?"
	sqlEntries    = "SELECT " + columnsEntry + " FROM ledger_entry WHERE seq >= ? ORDER BY seq LIMIT ?"
	sqlBalance    = "SELECT amount FROM ledger_balance WHERE address = ?"
	sqlSetBalance = "INSERT INTO ledger_balance (address, amount) VALUES (?, ?) ON CONFLICT (address) DO UPDATE SET amount = excluded.amount"
	sqlBalances   = "SELECT address, amount FROM ledger_balance WHERE address > ? ORDER BY address LIMIT ?"
)

// Ledger is the Store of package payment/local.
type Ledger struct{ db *DB }

var _ local.Store = (*Ledger)(nil)

// Ledger returns the ledger in the database.
func (db *DB) Ledger() *Ledger { return &Ledger{db} }

// View implements local.Store.
func (l *Ledger) View(ctx context.Context, f func(local.Reader) error) error {
	return l.db.read(ctx, func(q querier) error { return f(ledger{q}) })
}

// Append implements local.Store.
func (l *Ledger) Append(ctx context.Context, f func(local.Reader) (*local.Entry, error)) error {
	return l.db.Write(ctx, func(tx *Tx) error {
		e, err := f(ledger{tx})
		if err != nil || e == nil {
			return err
		}
		if _, err := tx.exec(sqlAddEntry, int64(e.Seq), e.Key, text{e.Payer}, text{e.Payee}, text{e.Amount}, at(e.Time), e.Signature, text{e.Prev}, text{e.Hash}); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		return tx.book(e)
	})
}

// book applies an entry to the balances, one after the other, so that a transfer
// to oneself comes out right.
func (t *Tx) book(e *local.Entry) error {
	if !e.Payer.IsZero() {
		have, err := ledger{t}.Balance(e.Payer)
		if err != nil {
			return err
		}
		left, err := have.Sub(e.Amount)
		if err != nil {
			return fmt.Errorf("balance of %s: %w", e.Payer, err)
		}
		if _, err := t.exec(sqlSetBalance, text{e.Payer}, text{left}); err != nil {
			return err
		}
	}
	if e.Payee.IsZero() {
		return nil
	}
	have, err := ledger{t}.Balance(e.Payee)
	if err == nil {
		_, err = t.exec(sqlSetBalance, text{e.Payee}, text{have.Add(e.Amount)})
	}
	return err
}

// ledger implements local.Reader, inside a write or outside.
type ledger struct{ q querier }

func scanEntry(r row) (e local.Entry, err error) {
	var seq int64
	err = r.Scan(&seq, &e.Key, into(&e.Payer), into(&e.Payee), into(&e.Amount), into(&e.Time), &e.Signature, into(&e.Prev), into(&e.Hash))
	e.Seq = uint64(seq)
	return e, err
}

// Head implements local.Reader.
func (l ledger) Head() (local.Entry, error) { return one(l.q, scanEntry, sqlHead) }

// Entry implements local.Reader.
func (l ledger) Entry(seq uint64) (local.Entry, error) {
	return one(l.q, scanEntry, sqlEntry, int64(seq))
}

// EntryOf implements local.Reader.
func (l ledger) EntryOf(payer golem.Address, key string) (local.Entry, error) {
	return one(l.q, scanEntry, sqlEntryOf, text{payer}, key)
}

// Entries implements local.Reader.
func (l ledger) Entries(from uint64, n int) ([]local.Entry, error) {
	return all(l.q, scanEntry, sqlEntries, int64(from), n)
}

// Balance implements local.Reader.
func (l ledger) Balance(a golem.Address) (golem.Amount, error) {
	amount, err := one(l.q, scanAmount, sqlBalance, text{a})
	if errors.Is(err, errNoRow) {
		err = nil
	}
	return amount, err
}

// Supply implements local.Reader.
func (l ledger) Supply() (sum golem.Amount, err error) {
	const some = 1000
	for last := ""; ; {
		page, err := all(l.q, scanHolding, sqlBalances, last, some)
		if err != nil {
			return sum, err
		}
		for _, h := range page {
			sum, last = sum.Add(h.amount), h.address
		}
		if len(page) < some {
			return sum, nil
		}
	}
}

type holding struct {
	address string
	amount  golem.Amount
}

func scanHolding(r row) (h holding, err error) { return h, r.Scan(&h.address, into(&h.amount)) }
