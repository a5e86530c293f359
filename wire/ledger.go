package wire

import (
	"encoding/hex"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
)

const ledgerService = "/hub/ledger"

// Messages from a node of a devnet to the ledger its hub keeps. All but
// LedgerTransfer may be asked by anybody; a transfer is as good as its signature.
var (
	// LedgerInfo asks which ledger this is.
	LedgerInfo = gsb.Method[gsb.Unit, LedgerStatus]{Service: ledgerService, Name: "Info"}

	// LedgerTransfer moves tokens. The pair of payer and key names the transfer:
	// asking again answers with the entry there is.
	LedgerTransfer = gsb.Method[LedgerOrder, LedgerEntry]{Service: ledgerService, Name: "Transfer"}

	// LedgerBalance asks what an address holds.
	LedgerBalance = gsb.Method[LedgerAddress, LedgerHolding]{Service: ledgerService, Name: "Balance"}

	// LedgerEntryAt asks for the entry of a number.
	LedgerEntryAt = gsb.Method[LedgerSeq, LedgerEntry]{Service: ledgerService, Name: "Entry"}

	// LedgerFund grants an address its first tokens, once.
	LedgerFund = gsb.Method[LedgerAddress, LedgerEntry]{Service: ledgerService, Name: "Fund"}
)

// LedgerStatus is the answer to [LedgerInfo].
type LedgerStatus struct {
	ID   LedgerHash `flex:"id" json:"id"`     // the hash of the first entry, covered by every signature
	Head uint64     `flex:"head" json:"head"` // number of the last entry
}

// LedgerOrder is the body of [LedgerTransfer].
type LedgerOrder struct {
	Key       string        `flex:"key"`
	Payer     golem.Address `flex:"payer"`
	Payee     golem.Address `flex:"payee"`
	Amount    golem.Amount  `flex:"amount"`
	Signature []byte        `flex:"signature"`
}

// LedgerAddress is the body of [LedgerBalance] and [LedgerFund].
type LedgerAddress struct {
	Address golem.Address `flex:"address"`
}

// LedgerHolding is the answer to [LedgerBalance].
type LedgerHolding struct {
	Amount golem.Amount `flex:"amount"`
}

// LedgerSeq is the body of [LedgerEntryAt].
type LedgerSeq struct {
	Seq uint64 `flex:"seq"`
}

// LedgerEntry is one line of a devnet's ledger. Each contains the hash of the one
// before it, so that nothing can be taken out or put in later.
type LedgerEntry struct {
	Seq       uint64        `flex:"seq" json:"seq"`
	Key       string        `flex:"key" json:"key"`     // chosen by the payer
	Payer     golem.Address `flex:"payer" json:"payer"` // zero: new tokens
	Payee     golem.Address `flex:"payee" json:"payee"`
	Amount    golem.Amount  `flex:"amount" json:"amount"`
	Time      time.Time     `flex:"time" json:"time"`
	Signature []byte        `flex:"signature" json:"signature,omitempty"` // of the payer
	Prev      LedgerHash    `flex:"prev" json:"prev"`
	Hash      LedgerHash    `flex:"hash" json:"hash"`
}

// LedgerHash is the SHA3-256 of an entry of a ledger.
type LedgerHash [32]byte

// String returns 64 hex digits.
func (h LedgerHash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns the form of [LedgerHash.String].
func (h LedgerHash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText parses the form of [LedgerHash.String].
func (h *LedgerHash) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(h) {
		return golem.Errorf(golem.ErrInvalid, "hash %.70q: want 64 hex digits", b)
	}
	*h = LedgerHash(raw)
	return nil
}
