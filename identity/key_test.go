package identity_test

import (
	"context"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/identity"
)

const (
	devKey golem.Secret = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"
	devID  string       = "0x71562b71999873db5b286df957af199ec94617f7"
)

func parseKey(t testing.TB, text golem.Secret) *identity.Key {
	t.Helper()
	k, err := identity.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestPaymentVector is the signature of a payment in spec payment.md §7.4.
func TestPaymentVector(t *testing.T) {
	const canonical = `{"activityPayments":[],"agreementPayments":[{"agreementId":"ag1","amount":"1.5"}],"amount":"1.5","details":"q6s=","payeeAddr":"0x2222222222222222222222222222222222222222","payeeId":"0x2222222222222222222222222222222222222222","payerAddr":"0x71562b71999873db5b286df957af199ec94617f7","payerId":"0x71562b71999873db5b286df957af199ec94617f7","paymentId":"p1","paymentPlatform":"erc20-hoodi-tglm","timestamp":"2026-01-02T03:04:05.678Z"}`
	const want = "0x01c55fc3df313942e9d9ecd590399134bf0ce1694564278cef9e717f0a8cba6e0e2fc560fa45c0dd505dc9d167a8d27b3d4c9a79f690a894bc7696de1cd8cbd44e"
	digest := sha3.Sum256([]byte(canonical))
	if got := hex.EncodeToString(digest[:]); got != "b45df26f445ca259781777ea594b40559b58f7b4e1086c5e745ff4f2c271669c" {
		t.Fatalf("digest is %s", got)
	}
	k := parseKey(t, devKey)
	if k.ID().String() != devID {
		t.Errorf("id is %s, want %s", k.ID(), devID)
	}
	sig, err := k.Sign(t.Context(), k.ID(), digest)
	if err != nil || sig.String() != want {
		t.Errorf("signature is %s, %v; want %s", sig, err, want)
	}
	if id, err := identity.Recover(digest, sig); err != nil || id != k.ID() {
		t.Errorf("recovered %s, %v", id, err)
	}
}

func TestRecoverIsTheInverseOfSign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digest := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		secret := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "secret")
		k, err := identity.ParseKey(golem.Secret(hex.EncodeToString(secret)))
		if err != nil {
			t.Skip("no key of the curve")
		}
		sig, err := k.Sign(context.Background(), k.ID(), digest)
		if err != nil || sig[0] > 1 {
			t.Fatalf("signature %s, %v", sig, err)
		}
		if id, err := k.Recover(digest, sig); err != nil || id != k.ID() {
			t.Fatalf("recovered %s, %v; want %s", id, err, k.ID())
		}
		at := rapid.IntRange(0, 31).Draw(t, "at")
		digest[at] ^= 1
		if id, err := k.Recover(digest, sig); err == nil && id == k.ID() {
			t.Fatal("the signature is good for another digest")
		}
	})
}

// TestRecoverRefuses checks that a signature has one form only. The order of the
// curve minus s is the other s that everybody can compute.
func TestRecoverRefuses(t *testing.T) {
	digest := [32]byte{1}
	k := parseKey(t, devKey)
	good, err := k.Sign(t.Context(), k.ID(), digest)
	if err != nil {
		t.Fatal(err)
	}
	const order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	tests := map[string]func(s *golem.Signature){
		"v 27":        func(s *golem.Signature) { s[0] += 27 },
		"v 2":         func(s *golem.Signature) { s[0] = 2 },
		"s high":      func(s *golem.Signature) { negate(t, s[33:], order); s[0] ^= 1 },
		"s zero":      func(s *golem.Signature) { clear(s[33:]) },
		"s the order": func(s *golem.Signature) { hex.Decode(s[33:], []byte(order)) },
		"r zero":      func(s *golem.Signature) { clear(s[1:33]) },
		"r the order": func(s *golem.Signature) { hex.Decode(s[1:33], []byte(order)) },
		"zero":        func(s *golem.Signature) { clear(s[:]) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			sig := good
			spoil(&sig)
			if id, err := identity.Recover(digest, sig); !errors.Is(err, golem.ErrInvalid) {
				t.Errorf("got %s, %v; want ErrInvalid", id, err)
			}
		})
	}
}

// negate replaces b by order - b.
func negate(t *testing.T, b []byte, order string) {
	t.Helper()
	n, err := hex.DecodeString(order)
	if err != nil {
		t.Fatal(err)
	}
	borrow := 0
	for i := 31; i >= 0; i-- {
		d := int(n[i]) - int(b[i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		b[i] = byte(d)
	}
}

func TestParseKey(t *testing.T) {
	for _, text := range []golem.Secret{devKey, "0x" + devKey, " " + devKey + "\n"} {
		if k := parseKey(t, text); k.ID().String() != devID {
			t.Errorf("%q is %s", text.Reveal(), k.ID())
		}
	}
	for name, text := range map[string]golem.Secret{
		"empty":         "",
		"short":         devKey[:62],
		"long":          devKey + "00",
		"no hex":        "x" + devKey[1:],
		"zero":          "0000000000000000000000000000000000000000000000000000000000000000",
		"the order":     "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
		"above order":   "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"two prefixes":  "0x0x" + devKey[2:],
		"unicode digit": "１" + devKey[3:],
	} {
		if _, err := identity.ParseKey(text); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

func TestKeyDoesNotPrint(t *testing.T) {
	k := parseKey(t, devKey)
	for _, format := range []string{"%v", "%s", "%+v"} {
		if got := fmt.Sprintf(format, k); got != "key of "+devID {
			t.Errorf("%s prints %q", format, got)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	k := parseKey(b, devKey)
	for b.Loop() {
		k.Sign(b.Context(), k.ID(), [32]byte{1})
	}
}

func BenchmarkRecover(b *testing.B) {
	k := parseKey(b, devKey)
	sig, err := k.Sign(b.Context(), k.ID(), [32]byte{1})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		identity.Recover([32]byte{1}, sig)
	}
}
