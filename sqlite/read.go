package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/golem-go/golem"
)

// querier runs statements that return rows: a [Tx] or a read.
type querier interface {
	query(query string, args ...any) (*sql.Rows, error)
}

// row is one row of a result.
type row interface{ Scan(dest ...any) error }

// errNoRow is what one returns for an empty result; store methods replace it by
// an error that names what was looked for.
var errNoRow = golem.Errorf(golem.ErrNotFound, "no such row")

// all returns every row of a result. The result is read to its end before all
// returns, so that no connection stays occupied.
func all[T any](q querier, scan func(row) (T, error), query string, args ...any) (ts []T, err error) {
	rows, err := q.query(query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		t, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("row: %w", err)
		}
		ts = append(ts, t)
	}
	return ts, rows.Err()
}

// one returns the first row of a result, or errNoRow.
func one[T any](q querier, scan func(row) (T, error), query string, args ...any) (t T, err error) {
	ts, err := all(q, scan, query, args...)
	if err != nil {
		return t, err
	}
	if len(ts) == 0 {
		return t, errNoRow
	}
	return ts[0], nil
}

// scalar scans a single column.
func scalar[T any](r row) (t T, err error) {
	err = r.Scan(&t)
	return t, err
}

// reading is a [querier] outside of a write.
type reading struct {
	ctx context.Context
	db  *DB
}

func (r reading) query(query string, args ...any) (*sql.Rows, error) {
	prepare := r.db.prepareReader
	if r.db.reader == nil {
		prepare = r.db.prepareConn
	}
	s, err := prepare(r.ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(r.ctx, args...)
}

// read runs f, which must not write, on a connection for reading. f sees what
// was committed before each of its statements.
func (db *DB) read(ctx context.Context, f func(q querier) error) error {
	if err := db.tapped().Enter(); err != nil {
		return err
	}
	if db.reader == nil {
		db.connMu.Lock()
		defer db.connMu.Unlock()
	}
	return f(reading{ctx, db})
}

// readAll is all outside of a write.
func readAll[T any](ctx context.Context, db *DB, scan func(row) (T, error), query string, args ...any) (ts []T, err error) {
	err = db.read(ctx, func(q querier) (err error) {
		ts, err = all(q, scan, query, args...)
		return err
	})
	return ts, err
}

// readOne is one outside of a write.
func readOne[T any](ctx context.Context, db *DB, scan func(row) (T, error), query string, args ...any) (t T, err error) {
	err = db.read(ctx, func(q querier) (err error) {
		t, err = one(q, scan, query, args...)
		return err
	})
	return t, err
}

// prepareReader returns the statement on the pool for reading.
func (db *DB) prepareReader(ctx context.Context, query string) (*sql.Stmt, error) {
	db.mu.Lock()
	s := db.reads[query]
	db.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := db.reader.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", query, err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if other := db.reads[query]; other != nil {
		return other, s.Close()
	}
	db.reads[query] = s
	return s, nil
}
