package property

import (
	"cmp"
	"strconv"
	"strings"
)

// A decimal is a number of any length, kept as the digits of its text:
// ±0.digits × 10^exponent, where digits is head followed by tail, without
// leading and trailing zeros. Comparing reads digits and never computes with
// them, so a hostile exponent costs nothing.
type decimal struct {
	negative   bool
	head, tail string
	exponent   int64
}

// parseDecimal allocates nothing. It reads an optional sign, digits with an
// optional point, and an optional exponent of up to 15 digits.
func parseDecimal(text string) (d decimal, ok bool) {
	if len(text) > MaxSubject {
		return d, false
	}
	if text != "" && (text[0] == '-' || text[0] == '+') {
		d.negative = text[0] == '-'
		text = text[1:]
	}
	if e := strings.IndexAny(text, "eE"); e >= 0 {
		if d.exponent, ok = parseExponent(text[e+1:]); !ok {
			return d, false
		}
		text = text[:e]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if !numeric(whole) && !(whole == "" && fraction != "") || fraction != "" && !numeric(fraction) {
		return d, false
	}
	d.normalize(whole, fraction)
	return d, true
}

func parseExponent(text string) (int64, bool) {
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) > 1 || !numeric(digits) || len(digits) > 15 {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

func (d *decimal) normalize(whole, fraction string) {
	whole = strings.TrimLeft(whole, "0")
	fraction = strings.TrimRight(fraction, "0")
	d.exponent += int64(len(whole))
	if whole == "" {
		short := strings.TrimLeft(fraction, "0")
		d.exponent -= int64(len(fraction) - len(short))
		fraction = short
	}
	if fraction == "" {
		whole = strings.TrimRight(whole, "0")
	}
	if d.head, d.tail = whole, fraction; whole == "" && fraction == "" {
		*d = decimal{} // zero has no sign and no exponent
	}
}

// digit returns the i-th digit after the point of 0.digits.
func (d decimal) digit(i int) byte {
	if i < len(d.head) {
		return d.head[i]
	}
	if i -= len(d.head); i < len(d.tail) {
		return d.tail[i]
	}
	return '0'
}

func (d decimal) sign() int {
	switch {
	case d.head == "" && d.tail == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

func (d decimal) compare(e decimal) int {
	sign := d.sign()
	if c := cmp.Compare(sign, e.sign()); c != 0 || sign == 0 {
		return c
	}
	if c := cmp.Compare(d.exponent, e.exponent); c != 0 {
		return sign * c
	}
	for i := range max(len(d.head)+len(d.tail), len(e.head)+len(e.tail)) {
		if c := cmp.Compare(d.digit(i), e.digit(i)); c != 0 {
			return sign * c
		}
	}
	return 0
}
