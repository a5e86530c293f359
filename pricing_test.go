package golem_test

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/golem-go/golem"
)

// TestCost has upstream's vectors first (spec provider-agent.md §10.1).
func TestCost(t *testing.T) {
	tests := []struct {
		coeffs, usage []float64
		want          string
	}{
		{[]float64{0.0001, 0.00005, 0}, []float64{44.017951, 103.002864998}, "0.0095519383499"},
		{[]float64{0.002, 0.008, 0}, []float64{44.094619588, 0}, "0.088189239176"},
		{[]float64{0.002, 0.008, 0}, []float64{24.141030488, 0}, "0.048282060976"},
		{[]float64{0.1, 0.2, 5}, []float64{0, 0}, "5"},
		{[]float64{0.1, 0.2, 5}, nil, "5"},
		{[]float64{0.1, 0}, []float64{3}, "0.3"}, // in binary it would be 0.30000000000000004
		{[]float64{1e-10, 0}, []float64{1e-9}, "0"},
		{[]float64{1e-10, 0}, []float64{1.9e-8}, "0.000000000000000001"}, // rounded down, once
		{[]float64{1.5e-10, 1.5e-10, 0}, []float64{1e-8, 1e-8}, "0.000000000000000003"},
	}
	for _, tt := range tests {
		p, err := golem.ParseCoefficients(tt.coeffs, len(tt.coeffs)-1)
		if err != nil {
			t.Errorf("%v: %v", tt.coeffs, err)
			continue
		}
		if got, err := p.Cost(tt.usage); err != nil || got.String() != tt.want {
			t.Errorf("%v·%v is %s, %v; want %s", tt.coeffs, tt.usage, got, err, tt.want)
		}
		if back := p.Coefficients(); len(back) != len(tt.coeffs) || back[len(back)-1] != p.Start {
			t.Errorf("coefficients come back as %v", back)
		}
	}
}

func TestCostRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		coeffs   []float64
		counters int
	}{
		"none":           {nil, 0},
		"no counters":    {[]float64{1}, 0},
		"too few":        {[]float64{1}, 1},
		"too many":       {[]float64{1, 2, 3}, 1},
		"negative":       {[]float64{-1e-9, 0}, 1},
		"not a number":   {[]float64{math.NaN(), 0}, 1},
		"infinite":       {[]float64{1, math.Inf(1)}, 1},
		"beyond measure": {[]float64{1e10, 0}, 1},
	} {
		if _, err := golem.ParseCoefficients(tt.coeffs, tt.counters); golem.KindOf(err) != golem.ErrInvalid {
			t.Errorf("coefficients %s: got %v, want ErrInvalid", name, err)
		}
	}
	p := golem.LinearPricing{Prices: []float64{1, 1}, Start: 1}
	for name, usage := range map[string][]float64{
		"short": {1}, "long": {1, 2, 3}, "negative": {-1, 0}, "not a number": {math.NaN(), 0}, "infinite": {0, math.Inf(1)}, "astronomic": {9e17, 0},
	} {
		if got, err := p.Cost(usage); golem.KindOf(err) != golem.ErrInvalid {
			t.Errorf("usage %s: got %s, %v; want ErrInvalid", name, got, err)
		}
	}
	_, err := golem.LinearPricing{Start: -1}.Cost(nil)
	wantKind(t, err, golem.ErrInvalid)
}

// TestCostIsExact compares with the same sum in decimals.
func TestCostIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "counters")
		prices := rapid.SliceOfN(rapid.Float64Range(0, 1), n, n).Draw(t, "prices")
		usage := rapid.SliceOfN(rapid.Float64Range(0, 1e6), n, n).Draw(t, "usage")
		start := rapid.Float64Range(0, 10).Draw(t, "start")
		want := decimal(t, start)
		for i := range n {
			want.Add(want, new(big.Rat).Mul(decimal(t, prices[i]), decimal(t, usage[i])))
		}
		got, err := golem.LinearPricing{Prices: prices, Start: start}.Cost(usage)
		if err != nil {
			t.Fatal(err)
		}
		if rest := want.Sub(want, got.Rat()); rest.Sign() < 0 || rest.Cmp(big.NewRat(1, 1e18)) >= 0 {
			t.Fatalf("cost %s is off by %s", got, rest.FloatString(25))
		}
	})
}

func decimal(t *rapid.T, f float64) *big.Rat {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	if !ok {
		t.Fatalf("%v is no number", f)
	}
	return r
}

// TestSpend checks that an Allocation is never overdrawn.
func TestSpend(t *testing.T) {
	now := time.Unix(100, 0)
	a := golem.Allocation{Total: golem.Tokens(3), State: golem.AllocationActive}
	a, err := a.Spend(golem.Tokens(2), now)
	if err != nil || a.Spent != golem.Tokens(2) || a.Remaining() != golem.Tokens(1) || !a.Updated.Equal(now) {
		t.Fatalf("got %+v, %v", a, err)
	}
	b, err := a.Spend(golem.Tokens(1).Add(golem.Units(1)), now)
	wantKind(t, err, golem.ErrExhausted)
	if b.Spent != a.Spent {
		t.Error("a refused spending was counted")
	}
	const text = "Not enough funds. Allocated: 1 Needed: 1.000000000000000001"
	if err.Error() != text {
		t.Errorf("text is %q, want upstream's %q", err, text)
	}
	a.State = golem.AllocationReleased
	_, err = a.Spend(golem.Units(1), now)
	if !errors.Is(err, golem.ErrExpired) {
		t.Errorf("got %v, want ErrExpired", err)
	}
	a.Total = golem.Tokens(1) // amended below what is spent
	if !a.Remaining().IsZero() {
		t.Errorf("remaining is %s", a.Remaining())
	}
}
