package golem

import (
	"bytes"
	"fmt"
	"math/big"
	"math/bits"
	"strings"
)

// Decimals is the number of digits after the point of every token.
const Decimals = 18

// Amount is an exact, non-negative sum of tokens, counted in units of 10⁻¹⁸.
// Amounts compare with ==. The zero value is no tokens.
//
// Parsed amounts are below 2⁹⁶ units (7.9·10¹⁰ tokens, the most a packed transfer
// on chain can carry); the 32 bits above that are head-room for sums, so adding
// up fewer than four billion parsed amounts cannot overflow.
type Amount struct{ hi, lo uint64 }

// maxDigits bounds foreign decimal texts before they are parsed.
const maxDigits = 128

// Units returns the amount of n times 10⁻¹⁸ tokens.
func Units(n uint64) Amount { return Amount{lo: n} }

// Tokens returns the amount of n whole tokens.
func Tokens(n uint64) Amount {
	hi, lo := bits.Mul64(n, 1e18)
	return Amount{hi, lo}
}

// AmountOf returns the amount of n units of 10⁻¹⁸ tokens. It returns ErrInvalid
// where n is negative or 2⁹⁶ or more.
func AmountOf(n *big.Int) (Amount, error) {
	if n.Sign() < 0 {
		return Amount{}, Errorf(ErrInvalid, "amount is negative")
	}
	if n.BitLen() > 96 {
		return Amount{}, Errorf(ErrInvalid, "amount is above 79 billion tokens")
	}
	var b [16]byte
	n.FillBytes(b[:])
	return amountBytes(b), nil
}

// AmountRat returns r tokens, rounded down to 10⁻¹⁸. It is the one place where
// an amount is rounded; whoever computes a price rounds once, here, in favour of
// the payer. It returns ErrInvalid where r is negative or too large.
func AmountRat(r *big.Rat) (Amount, error) {
	if r.Sign() < 0 {
		return Amount{}, Errorf(ErrInvalid, "amount is negative")
	}
	n := new(big.Int).Mul(r.Num(), big.NewInt(1e18))
	return AmountOf(n.Quo(n, r.Denom()))
}

// ParseAmount parses a decimal number of tokens: digits, optionally a point and
// more digits, optionally an exponent. More than 18 decimals are ErrInvalid
// unless the rest is zeros.
func ParseAmount(s string) (Amount, error) {
	a, exact, err := parseAmount(s)
	if err == nil && !exact {
		err = Errorf(ErrInvalid, "amount %q has more than %d decimals", clip(s), Decimals)
	}
	if err != nil {
		return Amount{}, err
	}
	return a, nil
}

// TruncateAmount is [ParseAmount] for what a person or program asks for in
// computed decimals: digits after the 18th are dropped.
func TruncateAmount(s string) (Amount, error) {
	a, _, err := parseAmount(s)
	return a, err
}

func parseAmount(s string) (a Amount, exact bool, err error) {
	mantissa, exp, err := splitExponent(s)
	if err != nil {
		return Amount{}, false, err
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	digits := whole + frac
	if whole == "" || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return Amount{}, false, Errorf(ErrInvalid, "amount %q: want a decimal number such as 1.25", clip(s))
	}
	shift := Decimals + exp - len(frac) // zeros to append, or digits to drop
	exact = true
	if shift < 0 {
		cut := max(len(digits)+shift, 0)
		exact = strings.Trim(digits[cut:], "0") == ""
		digits, shift = digits[:cut], 0
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return Amount{}, exact, nil
	}
	if len(digits)+shift > 40 {
		return Amount{}, false, Errorf(ErrInvalid, "amount %q is above 79 billion tokens", clip(s))
	}
	n, _ := new(big.Int).SetString(digits+strings.Repeat("0", shift), 10)
	a, err = AmountOf(n)
	return a, exact, err
}

// splitExponent separates 1.5e-7 into 1.5 and -7.
func splitExponent(s string) (mantissa string, exp int, err error) {
	if len(s) > maxDigits {
		return "", 0, Errorf(ErrInvalid, "amount of %d characters is too long", len(s))
	}
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		return s, 0, nil
	}
	digits, sign := s[i+1:], 1
	if rest, ok := strings.CutPrefix(digits, "-"); ok {
		digits, sign = rest, -1
	} else {
		digits = strings.TrimPrefix(digits, "+")
	}
	if digits == "" || len(digits) > 3 || strings.Trim(digits, "0123456789") != "" {
		return "", 0, Errorf(ErrInvalid, "amount %q: exponent out of range", clip(s))
	}
	for _, d := range digits {
		exp = exp*10 + int(d-'0')
	}
	return s[:i], sign * exp, nil
}

// String returns the shortest decimal form: no exponent, no trailing zeros.
// ParseAmount(a.String()) is a.
func (a Amount) String() string { return string(a.append(nil)) }

func (a Amount) append(dst []byte) []byte {
	whole, frac := a.divMod1e18()
	dst = append(dst, whole.digits()...)
	if frac == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = fmt.Appendf(dst, "%018d", frac)
	return bytes.TrimRight(dst, "0")
}

// divMod1e18 splits a into whole tokens and units below one token.
func (a Amount) divMod1e18() (whole Amount, frac uint64) {
	hi, rem := a.hi/1e18, a.hi%1e18
	lo, rem := bits.Div64(rem, a.lo, 1e18)
	return Amount{hi, lo}, rem
}

// digits returns the decimal digits of a taken as a plain integer.
func (a Amount) digits() string {
	if a.hi == 0 {
		return fmt.Sprint(a.lo)
	}
	whole, frac := a.divMod1e18()
	return whole.digits() + fmt.Sprintf("%018d", frac)
}

// IsZero reports whether a is no tokens at all.
func (a Amount) IsZero() bool { return a == Amount{} }

// Cmp returns -1, 0 or +1 as a is less than, equal to or greater than b.
func (a Amount) Cmp(b Amount) int {
	switch {
	case a == b:
		return 0
	case a.hi < b.hi, a.hi == b.hi && a.lo < b.lo:
		return -1
	}
	return 1
}

// Less reports whether a < b.
func (a Amount) Less(b Amount) bool { return a.Cmp(b) < 0 }

// Add returns a + b. A sum above 2¹²⁸ units, which no sum of parsed amounts
// reaches, stays at the largest amount.
func (a Amount) Add(b Amount) Amount {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, carry := bits.Add64(a.hi, b.hi, carry)
	if carry != 0 {
		return Amount{^uint64(0), ^uint64(0)}
	}
	return Amount{hi, lo}
}

// Sub returns a - b, or ErrExhausted where b is more than a.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.Less(b) {
		return Amount{}, Errorf(ErrExhausted, "%s is less than %s", a, b)
	}
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(a.hi, b.hi, borrow)
	return Amount{hi, lo}, nil
}

// Excess returns a - b, or zero where b is more than a.
func (a Amount) Excess(b Amount) Amount {
	if a.Less(b) {
		return Amount{}
	}
	d, _ := a.Sub(b)
	return d
}

// Max returns the larger of a and b.
func (a Amount) Max(b Amount) Amount {
	if a.Less(b) {
		return b
	}
	return a
}

// Sum returns the sum of all amounts.
func Sum(as ...Amount) (total Amount) {
	for _, a := range as {
		total = total.Add(a)
	}
	return total
}

// Big returns a in units of 10⁻¹⁸ tokens.
func (a Amount) Big() *big.Int {
	n := new(big.Int).SetUint64(a.hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a.lo))
}

// Rat returns a in tokens.
func (a Amount) Rat() *big.Rat { return new(big.Rat).SetFrac(a.Big(), big.NewInt(1e18)) }

// MarshalText returns the form of [Amount.String]. In JSON an amount is thus a
// string, as upstream's API has it.
func (a Amount) MarshalText() ([]byte, error) { return a.append(nil), nil }

// UnmarshalText parses the form of [ParseAmount].
func (a *Amount) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAmount(string(b))
	return err
}

// UnmarshalJSON accepts a JSON string or a JSON number, as upstream does.
func (a *Amount) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	return a.UnmarshalText(b)
}

func amountBytes(b [16]byte) (a Amount) {
	for i := range 8 {
		a.hi, a.lo = a.hi<<8|uint64(b[i]), a.lo<<8|uint64(b[8+i])
	}
	return a
}
