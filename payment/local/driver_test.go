package local_test

import (
	"context"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/drivertest"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/sqlite"
)

// newBook returns a ledger in memory and keys to use it with.
func newBook(t testing.TB, path string) (*local.Book, *keyring) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	keys := newKeyring()
	book, err := local.Open(t.Context(), local.BookConfig{Store: db.Ledger(), Verifier: keys, Grant: golem.Tokens(1000)})
	if err != nil {
		t.Fatal(err)
	}
	return book, keys
}

// bench is a bench for the suite on a ledger, as seen by its clients.
func bench(t *testing.T, book *local.Book, seen local.Ledger, keys *keyring) *drivertest.Bench {
	bank := keys.add(200).Address()
	if _, err := book.Fund(t.Context(), bank); err != nil {
		t.Fatal(err)
	}
	funded := 0
	return &drivertest.Bench{
		Open:  func() payment.Driver { return local.New(local.Config{Ledger: seen, Signer: keys, Verifier: keys}) },
		Payer: keys.add(1).Address(),
		Payee: keys.add(2).Address(),
		Fund: func(a golem.Address, amount golem.Amount) {
			funded++
			transfer(t, book, keys, bank, a, amount, "fund "+string(rune('a'+funded)))
		},
	}
}

func transfer(t testing.TB, l local.Ledger, keys *keyring, from, to golem.Address, amount golem.Amount, key string) local.Entry {
	t.Helper()
	o := local.Order{Key: key, Payer: from, Payee: to, Amount: amount}
	if err := local.SignOrder(t.Context(), l, keys, &o); err != nil {
		t.Fatal(err)
	}
	e, err := l.Transfer(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestDriver(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) *drivertest.Bench {
		book, keys := newBook(t, sqlite.Memory)
		return bench(t, book, book, keys)
	})
}

func TestDriverOverBus(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) *drivertest.Bench {
		book, keys := newBook(t, sqlite.Memory)
		hub := gsb.New(gsb.Config{})
		if _, err := local.Serve(hub, book); err != nil {
			t.Fatal(err)
		}
		return bench(t, book, local.NewRemote(hub), keys)
	})
}

// shaky is a ledger whose every third answer gets lost after it has acted.
type shaky struct {
	local.Ledger
	n int
}

func (s *shaky) lost() error {
	if s.n++; s.n%3 == 0 {
		return golem.Errorf(golem.ErrUnavailable, "shaky: the answer got lost")
	}
	return nil
}

func (s *shaky) Transfer(ctx context.Context, o local.Order) (local.Entry, error) {
	e, err := s.Ledger.Transfer(ctx, o)
	if lost := s.lost(); lost != nil {
		return local.Entry{}, lost
	}
	return e, err
}

func TestDriverWithShakyLedger(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) *drivertest.Bench {
		book, keys := newBook(t, sqlite.Memory)
		return bench(t, book, &shaky{Ledger: book}, keys)
	})
}
