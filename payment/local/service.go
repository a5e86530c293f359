package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/golem-go/golem"
)

// BookConfig says what a Book works with.
type BookConfig struct {
	Store    Store
	Verifier golem.Verifier
	Grant    golem.Amount // what the faucet gives an address, once; zero is 1000 tokens
	NoFaucet bool
}

// Book is a ledger kept here, usually in the hub's process. It is safe for
// concurrent use.
type Book struct {
	cfg BookConfig
	id  Hash
}

// Open returns the ledger in a store, which is begun where there is none.
func Open(ctx context.Context, cfg BookConfig) (*Book, error) {
	if cfg.Grant.IsZero() {
		cfg.Grant = golem.Tokens(1000)
	}
	b := &Book{cfg: cfg}
	err := cfg.Store.Append(ctx, func(r Reader) (*Entry, error) {
		first, err := r.Entry(0)
		if err == nil {
			b.id = first.Hash
			return nil, nil
		}
		if !errors.Is(err, golem.ErrNotFound) {
			return nil, err
		}
		seed := make([]byte, 16)
		rand.Read(seed) // never fails, as documented
		first = Entry{Key: hex.EncodeToString(seed), Time: now()}
		first.Hash = hashOf(&first)
		b.id = first.Hash
		return &first, nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return b, nil
}

// now is the clock: UTC, in microseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// maxKey bounds the key of a transfer.
const maxKey = 64

// Info implements [Ledger].
func (b *Book) Info(ctx context.Context) (info Info, err error) {
	err = b.cfg.Store.View(ctx, func(r Reader) error {
		head, err := r.Head()
		info = Info{ID: b.id, Head: head.Seq}
		return err
	})
	return info, err
}

// Transfer implements [Ledger].
func (b *Book) Transfer(ctx context.Context, o Order) (Entry, error) {
	switch {
	case o.Key == "" || len(o.Key) > maxKey:
		return Entry{}, golem.Errorf(golem.ErrInvalid, "key of %d characters, want 1 to %d", len(o.Key), maxKey)
	case o.Payer.IsZero() || o.Payee.IsZero():
		return Entry{}, golem.Errorf(golem.ErrInvalid, "transfer %s: payer or payee is missing", o.Key)
	case o.Amount.IsZero():
		return Entry{}, golem.Errorf(golem.ErrInvalid, "transfer %s: of nothing", o.Key)
	}
	if err := verify(b.cfg.Verifier, b.id, &o); err != nil {
		return Entry{}, err
	}
	return b.append(ctx, o, func(r Reader) error {
		have, err := r.Balance(o.Payer)
		if err == nil && have.Less(o.Amount) {
			err = golem.Errorf(golem.ErrExhausted, "%s holds %s, which is less than %s", o.Payer, have, o.Amount)
		}
		return err
	})
}

// append appends an entry unless its payer and key have one.
func (b *Book) append(ctx context.Context, o Order, check func(Reader) error) (e Entry, err error) {
	err = b.cfg.Store.Append(ctx, func(r Reader) (*Entry, error) {
		e, err = r.EntryOf(o.Payer, o.Key)
		switch {
		case err == nil && (e.Payee != o.Payee || e.Amount != o.Amount):
			return nil, golem.Errorf(golem.ErrConflict, "key %s of %s stands for %s to %s", o.Key, o.Payer, e.Amount, e.Payee)
		case err == nil:
			return nil, nil
		case !errors.Is(err, golem.ErrNotFound):
			return nil, err
		}
		if err := check(r); err != nil {
			return nil, err
		}
		head, err := r.Head()
		if err != nil {
			return nil, err
		}
		e = Entry{
			Seq: head.Seq + 1, Key: o.Key, Payer: o.Payer, Payee: o.Payee, Amount: o.Amount,
			Time: now(), Signature: o.Signature, Prev: head.Hash,
		}
		e.Hash = hashOf(&e)
		return &e, nil
	})
	return e, err
}

// Balance implements [Ledger].
func (b *Book) Balance(ctx context.Context, a golem.Address) (sum golem.Amount, err error) {
	err = b.cfg.Store.View(ctx, func(r Reader) (err error) {
		sum, err = r.Balance(a)
		return err
	})
	return sum, err
}

// Entry implements [Ledger].
func (b *Book) Entry(ctx context.Context, seq uint64) (e Entry, err error) {
	err = b.cfg.Store.View(ctx, func(r Reader) (err error) {
		e, err = r.Entry(seq)
		return err
	})
	if errors.Is(err, golem.ErrNotFound) {
		err = golem.Errorf(golem.ErrNotFound, "no entry %d in the ledger", seq)
	}
	return e, err
}

// Fund implements [Ledger]. It returns ErrUnsupported without a faucet.
func (b *Book) Fund(ctx context.Context, a golem.Address) (Entry, error) {
	switch {
	case b.cfg.NoFaucet:
		return Entry{}, golem.Errorf(golem.ErrUnsupported, "this ledger has no faucet")
	case a.IsZero():
		return Entry{}, golem.Errorf(golem.ErrInvalid, "address is missing")
	}
	key := "faucet " + a.String()
	var have Entry
	err := b.cfg.Store.View(ctx, func(r Reader) (err error) {
		have, err = r.EntryOf(golem.Address{}, key) // the grant may have been another one then
		return err
	})
	if !errors.Is(err, golem.ErrNotFound) {
		return have, err
	}
	return b.append(ctx, Order{Key: key, Payee: a, Amount: b.cfg.Grant}, func(Reader) error { return nil })
}

// auditPage is how many entries an audit reads at a time.
const auditPage = 500

// Audit checks the chain of hashes, every signature and the sum of all balances.
// It returns ErrInternal naming the first entry that is wrong.
func (b *Book) Audit(ctx context.Context) error {
	var prev Hash
	var minted, supply golem.Amount
	for seq := uint64(0); ; {
		var page []Entry
		err := b.cfg.Store.View(ctx, func(r Reader) (err error) {
			if page, err = r.Entries(seq, auditPage); err == nil {
				supply, err = r.Supply()
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			if e.Seq != seq || e.Prev != prev || e.Hash != hashOf(&e) {
				return golem.Errorf(golem.ErrInternal, "ledger: entry %d does not follow from the one before", seq)
			}
			o := order(&e)
			if e.Payer.IsZero() {
				minted = minted.Add(e.Amount)
			} else if err := verify(b.cfg.Verifier, b.id, &o); err != nil {
				return golem.Errorf(golem.ErrInternal, "ledger: entry %d: %w", seq, err)
			}
			prev = e.Hash
			seq++
		}
		if len(page) < auditPage {
			break
		}
	}
	if minted != supply {
		return golem.Errorf(golem.ErrInternal, "ledger: %s were granted, balances add up to %s", minted, supply)
	}
	return nil
}
