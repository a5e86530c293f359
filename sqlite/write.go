package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
)

// Tx is what a write may do: read and change, within one transaction.
type Tx struct {
	ctx context.Context
	db  *DB
}

// job is one write waiting for the writer.
type job struct {
	ctx  context.Context
	f    func(*Tx) error
	err  error
	done chan struct{}
}

// Write runs f in a transaction and returns after it is on the disk, or returns
// the error of f, in which case nothing has changed. f may be run together with
// the writes of others in one transaction; it must not keep tx, and must not call
// Write. While the write waits its turn the end of ctx withdraws it; once begun
// it is finished, so that the caller always knows what happened.
func (db *DB) Write(ctx context.Context, f func(tx *Tx) error) error {
	j := &job{ctx: ctx, f: f, done: make(chan struct{})}
	select {
	case db.queue <- j:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-db.closing:
		return errClosed
	}
	select {
	case <-j.done:
		return j.err
	case <-db.closing:
		db.done.Wait()
	}
	select {
	case <-j.done:
		return j.err
	default:
		return errClosed
	}
}

// write is the writer: it commits what is waiting, group by group.
func (db *DB) write(ctx context.Context) {
	for {
		select {
		case <-db.closing:
			return
		case j := <-db.queue:
			db.commit(ctx, db.gather(j))
		}
	}
}

// gather returns first and whatever else is waiting already.
func (db *DB) gather(first *job) []*job {
	group := []*job{first}
	for len(group) < maxGroup {
		select {
		case j := <-db.queue:
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

// commit runs a group in one transaction and answers its members.
func (db *DB) commit(ctx context.Context, group []*job) {
	err := db.tapped().Enter()
	if err == nil {
		db.connMu.Lock()
		err = db.transact(ctx, group)
		db.connMu.Unlock()
	}
	if err == nil {
		err = db.tapped().Committed()
	}
	for _, j := range group {
		if err != nil && j.err == nil {
			j.err = fmt.Errorf("commit: %w", err)
		}
		close(j.done)
	}
}

func (db *DB) transact(ctx context.Context, group []*job) error {
	tx := &Tx{ctx: ctx, db: db}
	if _, err := tx.exec(sqlBegin); err != nil {
		return err
	}
	for _, j := range group {
		if j.ctx.Err() != nil {
			j.err = context.Cause(j.ctx)
			continue
		}
		if err := tx.step(j); err != nil {
			return errors.Join(err, tx.rollback())
		}
	}
	err := db.tapped().Committing()
	if err == nil {
		_, err = tx.exec(sqlCommit)
	}
	if err != nil {
		return errors.Join(err, tx.rollback())
	}
	return nil
}

const (
	sqlBegin     = "BEGIN IMMEDIATE"
	sqlCommit    = "COMMIT"
	sqlRollback  = "ROLLBACK"
	sqlSavepoint = "SAVEPOINT step"
	sqlUndo      = "ROLLBACK TO step"
	sqlRelease   = "RELEASE step"
)

// step executes one write inside a savepoint. Its own error goes to its caller;
// what is returned spoils the whole group.
func (t *Tx) step(j *job) error {
	if _, err := t.exec(sqlSavepoint); err != nil {
		return err
	}
	if j.err = call(j.f, t); j.err != nil {
		if _, err := t.exec(sqlUndo); err != nil {
			return err
		}
	}
	_, err := t.exec(sqlRelease)
	return err
}

func (t *Tx) rollback() error {
	_, err := t.exec(sqlRollback)
	return err
}

// call turns a panic of a write into an error: one bad write must not stop all
// others for ever.
func call(f func(*Tx) error, t *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return f(t)
}

// exec runs a statement that returns no rows.
func (t *Tx) exec(query string, args ...any) (sql.Result, error) {
	s, err := t.db.prepareConn(t.ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(t.ctx, args...)
}

// query implements querier.
func (t *Tx) query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.db.prepareConn(t.ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

// change runs a statement that must change at least one row, and returns
// conflict where it changed none.
func (t *Tx) change(conflict error, query string, args ...any) error {
	res, err := t.exec(query, args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = conflict
	}
	return err
}

// prepareConn returns the statement on the writer's connection. connMu is held.
func (db *DB) prepareConn(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := db.writes[query]; s != nil {
		return s, nil
	}
	s, err := db.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", query, err)
	}
	db.writes[query] = s
	return s, nil
}
