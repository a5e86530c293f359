package golem

import (
	"math/big"
	"strconv"
)

// Property names of pricing (spec provider-agent.md §13.1).
const (
	PropPricingModel = "golem.com.pricing.model"
	PropCoefficients = "golem.com.pricing.model.linear.coeffs"
	PropUsageVector  = "golem.com.usage.vector"
	PropScheme       = "golem.com.scheme"
)

// LinearPricing is the price of an Activity: so many tokens for each unit of
// each counter, and a fee for having started it.
type LinearPricing struct {
	Prices []float64 // tokens per unit, in the order of the usage vector
	Start  float64   // tokens per Activity
}

// ParseCoefficients splits the coefficients of an Offer, of which the last one
// is the start fee, for a usage vector of the given length. Coefficients must
// be finite and not negative.
func ParseCoefficients(coeffs []float64, counters int) (LinearPricing, error) {
	if counters == 0 || len(coeffs) != counters+1 {
		return LinearPricing{}, Errorf(ErrInvalid, "pricing has %d coefficients for %d usage counters: want one for each and the start fee", len(coeffs), counters)
	}
	for _, c := range coeffs {
		if !(c >= 0 && c < 1e10) {
			return LinearPricing{}, Errorf(ErrInvalid, "price %v is out of range", c)
		}
	}
	return LinearPricing{Prices: coeffs[:counters], Start: coeffs[counters]}, nil
}

// Coefficients returns the prices and then the start fee, as an Offer has them.
func (p LinearPricing) Coefficients() []float64 {
	return append(append([]float64{}, p.Prices...), p.Start)
}

// Cost returns what the usage costs, computed exactly from the decimal forms of
// the numbers and rounded down once to 10⁻¹⁸. No usage at all costs the start
// fee. It returns ErrInvalid where usage does not fit the prices.
func (p LinearPricing) Cost(usage []float64) (Amount, error) {
	sum, err := decimal(p.Start)
	if err != nil {
		return Amount{}, err
	}
	if len(usage) != 0 && len(usage) != len(p.Prices) {
		return Amount{}, Errorf(ErrInvalid, "usage has %d counters, prices are for %d", len(usage), len(p.Prices))
	}
	for i, u := range usage {
		price, err := decimal(p.Prices[i])
		if err != nil {
			return Amount{}, err
		}
		used, err := decimal(u)
		if err != nil {
			return Amount{}, err
		}
		sum.Add(sum, used.Mul(used, price))
	}
	return AmountRat(sum)
}

// decimal returns the number whose shortest decimal form is that of f, which is
// what people and upstream mean by a float in a price list.
func decimal(f float64) (*big.Rat, error) {
	if !(f >= 0 && f < 1e18) {
		return nil, Errorf(ErrInvalid, "number %v is out of range", f)
	}
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'f', -1, 64))
	return r, nil
}
