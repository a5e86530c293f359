package property

import (
	"cmp"
	"math"
)

// A relation is the operator of a comparison.
type relation uint8

const (
	equal relation = iota
	lessOrEqual
	less
	greaterOrEqual
	greater
)

var relationTexts = [...]string{equal: "=", lessOrEqual: "<=", less: "<", greaterOrEqual: ">=", greater: ">"}

func (r relation) String() string { return relationTexts[r] }

func (r relation) holds(order int) bool {
	switch r {
	case equal:
		return order == 0
	case lessOrEqual:
		return order <= 0
	case less:
		return order < 0
	case greaterOrEqual:
		return order >= 0
	}
	return order > 0
}

// A cause is the outcome of one clause on one set. Verdicts, unresolved
// references and explanations all follow from it.
type cause uint8

const (
	holds         cause = iota // as wanted
	differs                    // comparable, but not as wanted
	unreadable                 // the clause's value is not of the property's type
	unordered                  // the property's type knows only =
	missing                    // no such property
	opaque                     // a property the language cannot look into
	valueless                  // an implicit property
	aspectless                 // the property lacks the aspect
	inconvertible              // the property cannot be read as the wanted type
)

func (c cause) verdict() Verdict {
	switch c {
	case holds:
		return Yes
	case differs, unreadable, unordered:
		return No
	}
	return Undefined
}

// unresolved reports whether the cause is a lack of knowledge that more
// properties could end.
func (c cause) unresolved() bool {
	return c == missing || c == opaque || c == valueless || c == aspectless
}

// look finds what the clause refers to. The property is nil if there is none,
// or none that the clause's dialect can see.
func (n *node) look(s *Set) (p *property, lack cause) {
	p = s.find(n.name, n.hash)
	switch {
	case p == nil:
		return nil, missing
	case p.value.reach > n.reach:
		return p, opaque
	case n.ref.Aspect == "":
		return p, holds
	}
	if _, ok := p.aspects[n.ref.Aspect]; !ok {
		return p, aspectless
	}
	return p, holds
}

// check evaluates a clause that is a presence or a comparison.
func (n *node) check(s *Set) (cause, *property) {
	p, lack := n.look(s)
	if lack != holds || n.op == opPresent {
		return lack, p
	}
	if n.ref.Aspect != "" {
		if p.aspects[n.ref.Aspect] == n.want.text {
			return holds, p
		}
		return differs, p
	}
	return n.compare(&p.value), p
}

func (n *node) compare(v *Value) cause {
	kind := v.kind
	if kind == Implicit {
		return valueless
	}
	if n.ref.Type != Absent {
		if kind = n.ref.Type; !v.converts(kind, n.reach) {
			return inconvertible
		}
	}
	return v.compare(kind, n.want, n.rel, n.reach)
}

// converts reports whether the value can be read as a Version, DateTime or
// Decimal: it is one, or a String that looks like one.
func (v *Value) converts(kind Kind, reach reach) (ok bool) {
	if v.kind != String && v.kind != kind {
		return false
	}
	switch text := v.seen(reach); kind {
	case Version:
		_, ok = parseVersion(text)
	case DateTime:
		_, ok = parseInstant(text)
	case Decimal:
		_, ok = parseDecimal(text)
	}
	return ok
}

// seen returns the text of a String or of a typed literal, as the dialect of
// that reach compares it.
func (v *Value) seen(reach reach) string {
	if v.kind == String && reach == everyone {
		return v.esc
	}
	return v.text
}

// compare relates the value, read as kind, to an operand.
func (v *Value) compare(kind Kind, want *operand, rel relation, reach reach) cause {
	switch kind {
	case String:
		return v.compareText(want, rel, reach)
	case Number:
		return v.compareNumber(want, rel)
	case Bool:
		return v.compareBool(want, rel)
	case List:
		return v.compareList(want, rel, reach)
	case Version:
		have, _ := parseVersion(v.seen(reach))
		return compareTyped(version.compare, have, want.version, rel)
	case DateTime:
		have, _ := parseInstant(v.seen(reach))
		return compareTyped(instant.compare, have, want.instant, rel)
	case Decimal:
		have, _ := parseDecimal(v.seen(reach))
		return compareTyped(decimal.compare, have, want.decimal, rel)
	}
	return differs
}

func compareTyped[T any](compare func(T, T) int, have T, want *T, rel relation) cause {
	if want == nil {
		return unreadable
	}
	return outcome(rel, compare(have, *want))
}

func outcome(rel relation, order int) cause {
	if rel.holds(order) {
		return holds
	}
	return differs
}

func (v *Value) compareText(want *operand, rel relation, reach reach) cause {
	text := v.seen(reach)
	switch {
	case want.pattern == nil:
		return outcome(rel, cmp.Compare(text, want.text))
	case !want.pattern.valid:
		return unreadable
	case want.pattern.matches(text):
		return holds
	}
	return differs
}

// compareNumber keeps to the rules of floats: nothing relates to a NaN.
func (v *Value) compareNumber(want *operand, rel relation) cause {
	switch {
	case want.number == nil:
		return unreadable
	case math.IsNaN(*want.number):
		return differs
	}
	return outcome(rel, cmp.Compare(v.number, *want.number))
}

func (v *Value) compareBool(want *operand, rel relation) cause {
	switch {
	case rel != equal:
		return unordered
	case !want.isTrue && !want.isFalse:
		return unreadable
	case v.truth == want.isTrue:
		return holds
	}
	return differs
}

// compareList is membership, or equality where the operand is a list too.
// Upstream's equality is loose: as many items, and each of them found.
func (v *Value) compareList(want *operand, rel relation, reach reach) cause {
	if rel != equal {
		return unordered
	}
	if !want.list {
		if v.contains(want, reach) {
			return holds
		}
		return differs
	}
	if len(v.items) != len(want.items) {
		return differs
	}
	for i := range want.items {
		if !v.contains(&want.items[i], reach) {
			return differs
		}
	}
	return holds
}

func (v *Value) contains(want *operand, reach reach) bool {
	for i := range v.items {
		item := &v.items[i]
		if item.compare(item.kind, want, equal, reach) == holds {
			return true
		}
	}
	return false
}
