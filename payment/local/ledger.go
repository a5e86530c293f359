package local

import (
	"context"
	"crypto/sha3"
	"encoding/binary"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// Platform is what Allocations and Agreements call this way to pay. SDKs reach it
// with the driver "local" and the network "devnet": the token of networks they do
// not know is tglm.
var Platform = golem.Platform{Driver: "local", Network: "devnet", Token: "tglm"}

// Hash is the SHA3-256 of an entry.
type Hash = wire.LedgerHash

// Entry is one line of the ledger. The first, number 0, moves nothing; its hash
// names the ledger.
type Entry = wire.LedgerEntry

// Order asks the ledger to move tokens; it is signed by its payer.
type Order = wire.LedgerOrder

// Info says which ledger one talks to.
type Info = wire.LedgerStatus

// Ledger is what the driver needs of a ledger, wherever it is. All methods return
// ErrUnavailable where it cannot be reached.
type Ledger interface {
	// Info returns the ledger's name and number of the last entry.
	Info(ctx context.Context) (Info, error)
	// Transfer appends an entry, or returns the one with the same payer and key.
	// It returns ErrInvalid for a malformed or wrongly signed order, ErrConflict
	// where the key stands for another transfer, ErrExhausted for an overdraft.
	Transfer(ctx context.Context, o Order) (Entry, error)
	// Balance returns what an address holds; nothing for an unknown one.
	Balance(ctx context.Context, a golem.Address) (golem.Amount, error)
	// Entry returns the entry of a number, or ErrNotFound.
	Entry(ctx context.Context, seq uint64) (Entry, error)
	// Fund grants an address its first tokens. Asking again returns the same
	// entry.
	Fund(ctx context.Context, a golem.Address) (Entry, error)
}

// transferDigest returns what a payer signs. The ledger is part of it, so that an
// order is good for one ledger only.
func transferDigest(ledger Hash, o *Order) [32]byte {
	h := sha3.New256()
	fields(h.Write, "golem ledger transfer v1", string(ledger[:]), o.Key, string(o.Payer[:]), string(o.Payee[:]), o.Amount.String())
	return [32]byte(h.Sum(nil))
}

// SignOrder signs an order for the ledger l in the name of its payer.
func SignOrder(ctx context.Context, l Ledger, signer golem.Signer, o *Order) error {
	info, err := l.Info(ctx)
	if err != nil {
		return err
	}
	sig, err := signer.Sign(ctx, golem.NodeID(o.Payer), transferDigest(info.ID, o))
	o.Signature = sig[:]
	return err
}

// hashOf returns the hash an entry must have.
func hashOf(e *Entry) Hash {
	h := sha3.New256()
	seq := binary.BigEndian.AppendUint64(nil, e.Seq)
	fields(h.Write, "golem ledger entry v1", string(seq), e.Key, string(e.Payer[:]), string(e.Payee[:]), e.Amount.String(),
		e.Time.UTC().Format(time.RFC3339Nano), string(e.Signature), string(e.Prev[:]))
	return Hash(h.Sum(nil))
}

// fields writes texts, each preceded by its length, so that no two lists of texts
// are written alike.
func fields(write func([]byte) (int, error), texts ...string) {
	for _, s := range texts {
		write(binary.BigEndian.AppendUint64(nil, uint64(len(s)))) // a hash takes everything
		write([]byte(s))
	}
}

// order returns the order an entry fulfils.
func order(e *Entry) Order {
	return Order{Key: e.Key, Payer: e.Payer, Payee: e.Payee, Amount: e.Amount, Signature: e.Signature}
}

// verify checks that an order is signed by its payer.
func verify(v golem.Verifier, ledger Hash, o *Order) error {
	if len(o.Signature) != len(golem.Signature{}) {
		return golem.Errorf(golem.ErrInvalid, "signature of %d bytes, want %d", len(o.Signature), len(golem.Signature{}))
	}
	signer, err := v.Recover(transferDigest(ledger, o), golem.Signature(o.Signature))
	if err != nil || signer.Address() != o.Payer {
		return golem.Errorf(golem.ErrInvalid, "transfer %s is not signed by its payer %s for this ledger", o.Key, o.Payer)
	}
	return nil
}
