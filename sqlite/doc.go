// Package sqlite keeps everything a node must not forget in one SQLite file. It
// implements the Store of each context; which outside thing it hides is SQLite
// (modernc.org/sqlite, pure Go).
//
// # How it writes
//
// There is one writer. [DB.Write] hands it a function; the writer runs all that
// are waiting, each inside its own savepoint, in one transaction, commits once
// with synchronous=FULL, and only then answers: group commit. What was
// acknowledged is on the disk. A function that fails changes nothing and does
// not disturb its neighbours.
//
// A store method is one atomic step: one call of Write. Updates compare the
// state they expect in their WHERE and answer golem.ErrConflict when somebody
// was faster.
//
// # Forms
//
// Tables are STRICT and prefixed by their context (market_offer). Times are
// RFC 3339 text of fixed width in UTC, so that text order is time order; ids,
// amounts and states are text. A person with the sqlite3 shell can read all.
//
// # Statements
//
// Every statement is a constant named sql…; a test prepares each one against the
// migrated schema and compares its query plan with a golden file.
package sqlite
