package payment

import (
	"crypto/sha3"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// canonical returns the bytes a payer signs: the canonical JSON (RFC 8785) of
// the Payment without its Allocations (spec payment.md §7.4). Times have 0, 3, 6
// or 9 decimals of a second, as upstream writes them.
func canonical(p *golem.Payment) ([]byte, error) {
	public := p.Public()
	type plain golem.Payment
	text, err := json.Marshal(struct {
		plain
		Timestamp string `json:"timestamp"`
	}{plain(public), timestamp(p.Timestamp)})
	if err != nil {
		return nil, fmt.Errorf("payment %s: %w", p.ID, err)
	}
	return jcs.Transform(text)
}

// timestamp writes t with as many groups of three decimals as it needs.
func timestamp(t time.Time) string {
	layout := "2006-01-02T15:04:05Z"
	switch ns := t.Nanosecond(); {
	case ns == 0:
	case ns%1e6 == 0:
		layout = "2006-01-02T15:04:05.000Z"
	case ns%1e3 == 0:
		layout = "2006-01-02T15:04:05.000000Z"
	default:
		layout = "2006-01-02T15:04:05.000000000Z"
	}
	return t.UTC().Format(layout)
}

// digest returns what is signed of canonical bytes: their SHA3-256.
func digest(signed []byte) [32]byte { return sha3.Sum256(signed) }

// attested checks that signed is the JSON of p and that sig is its payer's
// signature. The bytes are hashed as they came; what they say is compared with
// p field by field, so that nothing can be slipped in beside them.
func attested(v golem.Verifier, p *golem.Payment, sig, signed []byte) error {
	if len(sig) != len(golem.Signature{}) {
		return golem.Errorf(golem.ErrInvalid, "Invalid payment signature: %d bytes, want %d", len(sig), len(golem.Signature{}))
	}
	if len(signed) > maxSigned {
		return golem.Errorf(golem.ErrInvalid, "Invalid payment signature: over %d bytes, at most %d", len(signed), maxSigned)
	}
	var claim golem.Payment
	if err := json.Unmarshal(signed, &claim); err != nil {
		return golem.Errorf(golem.ErrInvalid, "Invalid payment signature: signed bytes: %w", err)
	}
	if !samePayment(p, &claim) {
		return golem.Errorf(golem.ErrInvalid, "Invalid payment signature: it belongs to another payment")
	}
	signer, err := v.Recover(digest(signed), golem.Signature(sig))
	if err != nil || signer != p.Payer {
		return golem.Errorf(golem.ErrInvalid, "Invalid payment signature: not made by %s", p.Payer)
	}
	return nil
}

// ownsWallet checks that the payer may speak for the address the tokens came
// from. Transfers are public and an Agreement names any address as its payer's:
// without this a Requestor could claim what another one has paid.
func ownsWallet(v golem.Verifier, m *wire.SignedPayment) error {
	if m.PayerAddr == m.Payer.Address() {
		return nil
	}
	if len(m.Wallet) == len(golem.Signature{}) {
		signer, err := v.Recover(digest(m.SignedBytes), golem.Signature(m.Wallet))
		if err == nil && signer.Address() == m.PayerAddr {
			return nil
		}
	}
	return golem.Errorf(golem.ErrInvalid, "Invalid payment signature: %s pays from %s, which has not signed the payment too", m.Payer, m.PayerAddr)
}

// samePayment compares two payments but for their Allocations.
func samePayment(p, q *golem.Payment) bool {
	a, b := p.Public(), q.Public()
	return a.ID == b.ID && a.Payer == b.Payer && a.Payee == b.Payee &&
		a.PayerAddr == b.PayerAddr && a.PayeeAddr == b.PayeeAddr && a.Platform == b.Platform &&
		a.Amount == b.Amount && a.Timestamp.Equal(b.Timestamp) && a.Details == b.Details &&
		slices.Equal(a.Agreements, b.Agreements) && slices.Equal(a.Activities, b.Activities)
}
