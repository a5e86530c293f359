package golem_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/golem-go/golem"
)

const mostTokens = "79228162514.264337593543950335" // 2⁹⁶-1 units

func amount(t testing.TB, s string) golem.Amount {
	t.Helper()
	a, err := golem.ParseAmount(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParseAmount(t *testing.T) {
	tests := []struct{ in, want string }{
		{"0", "0"},
		{"0.0", "0"},
		{"000", "0"},
		{"00012", "12"},
		{"6", "6"},
		{"6.", "6"},
		{"0.0123", "0.0123"},
		{"1.50", "1.5"},
		{"0.000000000000000001", "0.000000000000000001"},
		{"1.0000000000000000000000", "1"},
		{"18446744073.709551616", "18446744073.709551616"}, // 2⁶⁴ units
		{"18446744073709551616e-18", "18.446744073709551616"},
		{"1e2", "100"},
		{"1.5E-7", "0.00000015"},
		{"15e+0", "15"},
		{"0e999", "0"},
		{"0.0e-999", "0"},
		{"1" + strings.Repeat("0", 100) + "e-100", "1"},
		{"0." + strings.Repeat("0", 100) + "1e101", "1"},
		{mostTokens, mostTokens},
	}
	for _, tt := range tests {
		if got, err := golem.ParseAmount(tt.in); err != nil || got.String() != tt.want {
			t.Errorf("ParseAmount(%q) is %s, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	refused := []string{
		"", ".", ".5", "-1", "+1", "-0", " 1", "1 ", "1,5", "1.2.3", "0x10", "1_000", "NaN", "inf", "1e", "1e+", "1e-", "1e1000", "e5",
		"1e1e1", "1e0.5", "١", "1\x00", "0.0000000000000000001", "1e-19", "79228162514.264337593543950336", "1e11", "1e40", "9e999",
		strings.Repeat("9", 129),
	}
	for _, in := range refused {
		got, err := golem.ParseAmount(in)
		if golem.KindOf(err) != golem.ErrInvalid || !got.IsZero() {
			t.Errorf("ParseAmount(%q) is %s, %v; want ErrInvalid", in, got, err)
		}
	}
	for in, want := range map[string]string{"0.0000000000000000019": "0.000000000000000001", "1e-30": "0", "2.5": "2.5"} {
		if got, err := golem.TruncateAmount(in); err != nil || got.String() != want {
			t.Errorf("TruncateAmount(%q) is %s, %v; want %s", in, got, err, want)
		}
	}
}

// TestAmountJSON checks that amounts are strings in what we say and may be
// numbers in what we hear.
func TestAmountJSON(t *testing.T) {
	for in, want := range map[string]string{`"1.50"`: `"1.5"`, `1.50`: `"1.5"`, `6`: `"6"`, `1e-7`: `"0.0000001"`, `"0"`: `"0"`} {
		var a golem.Amount
		if err := json.Unmarshal([]byte(in), &a); err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if got, err := json.Marshal(a); err != nil || string(got) != want {
			t.Errorf("%s becomes %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{`""`, `"x"`, `true`, `null`, `{}`, `[1]`, `-1`, `"1`} {
		var a golem.Amount
		if err := json.Unmarshal([]byte(in), &a); err == nil {
			t.Errorf("%s is read as %s", in, a)
		}
	}
}

func TestAmountArithmetic(t *testing.T) {
	a, b := amount(t, "1.5"), amount(t, "0.000000000000000001")
	if got := a.Add(b).String(); got != "1.500000000000000001" {
		t.Errorf("sum is %s", got)
	}
	if got, err := a.Sub(b); err != nil || got.String() != "1.499999999999999999" {
		t.Errorf("difference is %s, %v", got, err)
	}
	_, err := b.Sub(a)
	wantKind(t, err, golem.ErrExhausted)
	if got := b.Excess(a); !got.IsZero() {
		t.Errorf("excess is %s", got)
	}
	if got := golem.Sum(a, b, a); got != a.Add(a).Add(b) {
		t.Errorf("sum is %s", got)
	}
	if golem.Tokens(3) != amount(t, "3") || golem.Units(3) != amount(t, "0.000000000000000003") {
		t.Error("constructors disagree with the parser")
	}
	top := golem.Tokens(1<<64 - 1)
	for range 8 {
		top = top.Add(top)
	}
	most := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))
	if top.Add(top).Big().Cmp(most) != 0 {
		t.Errorf("a sum beyond all bounds is %s", top.Add(top))
	}
}

func TestAmountConstructorsRefuse(t *testing.T) {
	_, err := golem.AmountOf(big.NewInt(-1))
	wantKind(t, err, golem.ErrInvalid)
	_, err = golem.AmountOf(new(big.Int).Lsh(big.NewInt(1), 96))
	wantKind(t, err, golem.ErrInvalid)
	_, err = golem.AmountRat(big.NewRat(-1, 1e18+1)) // rounds to nothing, and is still negative
	wantKind(t, err, golem.ErrInvalid)
}

// units draws amounts of every length.
func units() *rapid.Generator[golem.Amount] {
	return rapid.Custom(func(t *rapid.T) golem.Amount {
		b := rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "units")
		a, err := golem.AmountOf(new(big.Int).SetBytes(b))
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}

func TestAmountAgainstRat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := units().Draw(t, "a"), units().Draw(t, "b")
		sum := new(big.Rat).Add(a.Rat(), b.Rat())
		if a.Add(b).Rat().Cmp(sum) != 0 {
			t.Fatalf("%s + %s is %s", a, b, a.Add(b))
		}
		if a.Cmp(b) != a.Rat().Cmp(b.Rat()) || a.Less(b) != (a.Cmp(b) < 0) || (a == b) != (a.Cmp(b) == 0) {
			t.Fatalf("%s and %s compare as %d", a, b, a.Cmp(b))
		}
		if a.Max(b).Less(a) || a.Max(b).Less(b) {
			t.Fatalf("the larger of %s and %s is %s", a, b, a.Max(b))
		}
		d, err := a.Sub(b)
		if (err != nil) != a.Less(b) {
			t.Fatalf("%s - %s: %v", a, b, err)
		}
		if err == nil && (d.Add(b) != a || a.Excess(b) != d) {
			t.Fatalf("%s - %s is %s", a, b, d)
		}
		if back, err := golem.AmountRat(a.Rat()); err != nil || back != a {
			t.Fatalf("%s comes back as %s, %v", a, back, err)
		}
	})
}

// TestAmountText checks that the text form is exact, short, and the one of
// big.Rat.
func TestAmountText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := units().Draw(t, "a")
		s := a.String()
		if back, err := golem.ParseAmount(s); err != nil || back != a {
			t.Fatalf("%s comes back as %s, %v", s, back, err)
		}
		if r, ok := new(big.Rat).SetString(s); !ok || r.Cmp(a.Rat()) != 0 {
			t.Fatalf("%s is %v for big.Rat", s, r)
		}
		if strings.Contains(s, ".") && strings.HasSuffix(s, "0") || strings.HasSuffix(s, ".") {
			t.Fatalf("%s could be shorter", s)
		}
	})
}

// TestAmountRatRoundsDown checks the only rounding there is.
func TestAmountRatRoundsDown(t *testing.T) {
	unit := big.NewRat(1, 1e18)
	rapid.Check(t, func(t *rapid.T) {
		r := big.NewRat(rapid.Int64Range(0, 1e15).Draw(t, "numerator"), rapid.Int64Range(1, 1e15).Draw(t, "denominator"))
		a, err := golem.AmountRat(r)
		if r.Cmp(big.NewRat(79228162514, 1)) > 0 {
			if golem.KindOf(err) != golem.ErrInvalid {
				t.Fatalf("%s is %s, %v", r, a, err)
			}
			return
		}
		rest := new(big.Rat).Sub(r, a.Rat())
		if err != nil || rest.Sign() < 0 || rest.Cmp(unit) >= 0 {
			t.Fatalf("%s is rounded to %s, %v", r, a, err)
		}
	})
}

// FuzzParseAmount checks the parser of foreign money against big.Rat.
func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"0", "1.5", "1e-7", mostTokens, "0.0000000000000000001", "1e999", "-1", ".", "1/2", "0x1p-2", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := golem.ParseAmount(s)
		if err != nil {
			if golem.KindOf(err) != golem.ErrInvalid {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		r, ok := new(big.Rat).SetString(s)
		if !ok || r.Cmp(a.Rat()) != 0 {
			t.Fatalf("%q is %s, for big.Rat it is %v", s, a, r)
		}
		if back, err := golem.ParseAmount(a.String()); err != nil || back != a {
			t.Fatalf("%q is %s, and comes back as %s, %v", s, a, back, err)
		}
	})
}

func BenchmarkParseAmount(b *testing.B) {
	for b.Loop() {
		golem.ParseAmount("1234575.090040123455650212")
	}
}

func BenchmarkAmountString(b *testing.B) {
	a := amount(b, "1234575.090040123455650212")
	for b.Loop() {
		_ = a.String()
	}
}
