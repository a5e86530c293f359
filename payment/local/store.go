package local

import (
	"context"

	"github.com/golem-go/golem"
)

// Store keeps the entries and balances of a ledger.
type Store interface {
	// View runs f, which only reads.
	View(ctx context.Context, f func(Reader) error) error

	// Append runs f and appends the entry it returns, if any, with its effect on
	// the balances, in one transaction that no other Append interleaves with.
	Append(ctx context.Context, f func(Reader) (*Entry, error)) error
}

// Reader reads a ledger. What is not there is ErrNotFound.
type Reader interface {
	// Head returns the last entry.
	Head() (Entry, error)
	// Entry returns the entry of a number.
	Entry(seq uint64) (Entry, error)
	// EntryOf returns the entry of a payer and a key.
	EntryOf(payer golem.Address, key string) (Entry, error)
	// Balance returns what an address holds; nothing for an unknown one.
	Balance(a golem.Address) (golem.Amount, error)
	// Entries returns entries in their order, beginning with the given number.
	Entries(from uint64, limit int) ([]Entry, error)
	// Supply returns the sum of all balances.
	Supply() (golem.Amount, error)
}
