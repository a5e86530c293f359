package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/golem-go/golem"
)

// Memory is the path of a database that exists in memory only, for tests and
// simulations. It lives until Close.
const Memory = ":memory:"

const (
	readers     = 4   // read-only connections of a database on disk
	maxGroup    = 128 // writes committed together at most
	queueLength = 256 // writes waiting; further callers block
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	writer  *sql.DB
	conn    *sql.Conn // the only connection of writer
	reader  *sql.DB   // nil for a database in memory, which has conn alone
	queue   chan *job
	closing chan struct{}
	done    sync.WaitGroup
	tap     atomic.Pointer[Tap]

	mu    sync.Mutex
	reads map[string]*sql.Stmt // prepared on reader

	connMu sync.Mutex           // held for a group of writes, or one read in memory
	writes map[string]*sql.Stmt // prepared on conn
}

// Open opens or creates the database at path and migrates it to the present
// schema.
func Open(ctx context.Context, path string) (*DB, error) {
	db := &DB{
		queue:   make(chan *job, queueLength),
		closing: make(chan struct{}),
		reads:   map[string]*sql.Stmt{},
		writes:  map[string]*sql.Stmt{},
	}
	db.SetTap(nil)
	if err := db.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), db.closePools())
	}
	db.done.Go(func() { db.write(context.WithoutCancel(ctx)) })
	return db, nil
}

func (db *DB) open(ctx context.Context, path string) (err error) {
	if err := create(path); err != nil {
		return err
	}
	if db.writer, err = sql.Open("sqlite", dsn(path, false)); err != nil {
		return err
	}
	db.writer.SetMaxOpenConns(1)
	if err := migrate(ctx, db.writer); err != nil {
		return err
	}
	if db.conn, err = db.writer.Conn(ctx); err != nil || path == Memory {
		return err
	}
	if db.reader, err = sql.Open("sqlite", dsn(path, true)); err != nil {
		return err
	}
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(readers)
	return nil
}

// create makes the file of a new database, which nobody but its owner may read:
// there are keys in it. SQLite gives the files beside it the same mode.
func create(path string) error {
	if path == Memory {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// dsn is the connection string with the settings a crash must not find missing.
func dsn(path string, readOnly bool) string {
	q := url.Values{}
	pragma := func(s string) { q.Add("_pragma", s) }
	pragma("busy_timeout(5000)")
	pragma("journal_mode(WAL)")
	pragma("synchronous(FULL)")
	pragma("foreign_keys(1)")
	pragma("trusted_schema(0)")
	pragma("cell_size_check(1)")
	pragma("journal_size_limit(67108864)")
	pragma("fullfsync(1)") // of effect on macOS only
	if readOnly {
		pragma("query_only(1)")
	} else {
		q.Set("_txlock", "immediate")
	}
	if path == Memory {
		return path + "?" + q.Encode()
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Close finishes the writes that are under way and closes the database. Writes
// still waiting fail with golem.ErrUnavailable.
func (db *DB) Close() error {
	close(db.closing)
	db.done.Wait()
	return db.closePools()
}

func (db *DB) closePools() error {
	var errs []error
	for _, s := range db.reads {
		errs = append(errs, s.Close())
	}
	for _, s := range db.writes {
		errs = append(errs, s.Close())
	}
	if db.conn != nil {
		errs = append(errs, db.conn.Close())
	}
	if db.reader != nil {
		errs = append(errs, db.reader.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.Close())
	}
	return errors.Join(errs...)
}

// errClosed is what writes get that come too late.
var errClosed = golem.Errorf(golem.ErrUnavailable, "database is closed")
