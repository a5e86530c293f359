package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/golem-go/golem/payment"
)

// Payment is the Store of package payment.
type Payment struct{ db *DB }

var _ payment.Store = (*Payment)(nil)

// Payment returns the books in the database.
func (db *DB) Payment() *Payment { return &Payment{db} }

// View implements payment.Store.
func (p *Payment) View(ctx context.Context, f func(payment.Reader) error) error {
	return p.db.read(ctx, func(q querier) error { return f(books{q}) })
}

// Step implements payment.Store. There is one writer, so what f has read does
// not change before its Change is written.
func (p *Payment) Step(ctx context.Context, f func(payment.Reader) (payment.Change, error)) error {
	return p.db.Write(ctx, func(tx *Tx) error {
		c, err := f(books{tx})
		if err != nil {
			return err
		}
		return tx.writeBooks(&c)
	})
}

// books implements payment.Reader, inside a write or outside.
type books struct{ q querier }

// writeBooks writes a change of the books. Agreements and Activities come first:
// the parts of payments refer to them.
func (t *Tx) writeBooks(c *payment.Change) error {
	return firstError(
		func() error { return putAll(t, c.Agreements, (*Tx).putBookAgreement) },
		func() error { return putAll(t, c.Activities, (*Tx).putBookActivity) },
		func() error { return putAll(t, c.Documents, (*Tx).putDocument) },
		func() error { return putAll(t, c.Allocations, (*Tx).putAllocation) },
		func() error { return putAll(t, c.Obligations, (*Tx).putObligation) },
		func() error { return putAll(t, c.Orders, (*Tx).putOrder) },
		func() error { return putAll(t, c.Payments, (*Tx).putPayment) },
		func() error { return putAll(t, c.Events, (*Tx).putDocumentEvent) },
		func() error { return putAll(t, c.Messages, (*Tx).putMessage) },
		func() error { return putAll(t, c.Done, (*Tx).dropMessage) },
	)
}

func putAll[T any](t *Tx, vs []T, put func(*Tx, *T) error) error {
	for i := range vs {
		if err := put(t, &vs[i]); err != nil {
			return fmt.Errorf("%T: %w", vs[i], err)
		}
	}
	return nil
}

// firstError runs the steps until one fails.
func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// asJSON writes a value as JSON, a nil pointer as NULL.
type asJSON[T any] struct{ v *T }

// Value implements driver.Valuer.
func (j asJSON[T]) Value() (driver.Value, error) {
	if j.v == nil {
		return nil, nil
	}
	b, err := json.Marshal(j.v)
	return string(b), err
}

// fromJSON scans a column of JSON into *T; NULL leaves it as it is.
type fromJSON struct{ dst any }

// Scan implements sql.Scanner.
func (j fromJSON) Scan(src any) error {
	if src == nil {
		return nil
	}
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("column is %T, want text", src)
	}
	return json.Unmarshal([]byte(text), j.dst)
}

// limit is a number of rows for LIMIT, where -1 is all.
func limit(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}

// since is a time to compare with; the zero time is before all others.
func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return at(t).(string)
}

// maybeTime scans a column with a time, where NULL is the zero time.
func maybeTime(r row) (t time.Time, err error) { return t, r.Scan(into(&t)) }
