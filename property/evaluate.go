package property

import "fmt"

// Verdict is the answer of a constraint, or of two that face each other.
type Verdict uint8

// The verdicts. Upstream's names for them are Undefined, False and True when a
// constraint is evaluated; Undefined, No and Yes when an offer is matched.
const (
	Undefined Verdict = iota // cannot be decided from what is known
	No
	Yes
)

var verdictNames = [...]string{Undefined: "undefined", No: "no", Yes: "yes"}

// String returns "undefined", "no" or "yes".
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("verdict %d", uint8(v))
}

// MarshalText returns the same words as String.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the words of String.
func (v *Verdict) UnmarshalText(text []byte) error {
	for i, name := range verdictNames {
		if name == string(text) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("verdict %q: want undefined, no or yes", shorten(string(text)))
}

// Eval decides the constraint on a set. It allocates nothing, save what the
// regexp package may need for wildcards with live metacharacters.
func (c *Constraint) Eval(s *Set) Verdict { return c.top().eval(s) }

func (n *node) eval(s *Set) Verdict {
	switch n.op {
	case opAnd:
		verdict := Yes
		for i := range n.parts {
			switch n.parts[i].eval(s) {
			case No:
				return No
			case Undefined:
				verdict = Undefined
			}
		}
		return verdict
	case opOr:
		verdict := No
		for i := range n.parts {
			switch n.parts[i].eval(s) {
			case Yes:
				return Yes
			case Undefined:
				verdict = Undefined
			}
		}
		return verdict
	case opNot:
		return n.parts[0].eval(s).not()
	case opEverything:
		return Yes
	}
	c, _ := n.check(s)
	return n.verdict(c)
}

func (v Verdict) not() Verdict {
	switch v {
	case Yes:
		return No
	case No:
		return Yes
	}
	return Undefined
}

// verdict translates the cause of a clause: a presence is never undecided.
func (n *node) verdict(c cause) Verdict {
	if n.op == opPresent && c != holds {
		return No
	}
	return c.verdict()
}

// Result is what Resolve finds out about a constraint.
type Result struct {
	Verdict Verdict
	// Unresolved lists what is missing to decide, each once, in order. A
	// presence that answers No lists its reference too; a conjunction that
	// answers No lists nothing. A property that cannot be converted is
	// undecided without being listed.
	Unresolved []Reference
	// Reduced is what is left to decide: "()" after Yes, "(|)" after No, and
	// the undecided parts after Undefined. It may be resolved again when more
	// is known.
	Reduced *Constraint
}

// Resolve decides the constraint on a set that may be known only in part.
func (c *Constraint) Resolve(s *Set) Result {
	verdict, refs, rest := c.top().resolve(s)
	reduced := &Constraint{dialect: c.Dialect(), text: rest.String(), root: rest}
	return Result{Verdict: verdict, Unresolved: distinct(refs), Reduced: reduced}
}

func (n *node) resolve(s *Set) (v Verdict, unresolved []Reference, rest node) {
	switch n.op {
	case opAnd:
		return n.resolveAll(s, No, Yes)
	case opOr:
		return n.resolveAll(s, Yes, No)
	case opNot:
		v, refs, rest := n.parts[0].resolve(s)
		if v == Undefined {
			return v, refs, node{op: opNot, parts: []node{rest}}
		}
		return v.not(), nil, constant(v.not())
	case opEverything:
		return Yes, nil, constant(Yes)
	}
	c, _ := n.check(s)
	if c.unresolved() {
		unresolved = []Reference{n.ref}
	}
	if v = n.verdict(c); v == Undefined {
		return v, unresolved, *n
	}
	return v, unresolved, constant(v)
}

// resolveAll resolves a list that ends at the verdict final and is otherwise,
// if all of it is decided, neutral.
func (n *node) resolveAll(s *Set, final, neutral Verdict) (Verdict, []Reference, node) {
	var refs []Reference
	var open []node
	for i := range n.parts {
		v, more, rest := n.parts[i].resolve(s)
		switch v {
		case final:
			return final, nil, constant(final)
		case Undefined:
			open = append(open, rest)
		}
		refs = append(refs, more...)
	}
	switch len(open) {
	case 0:
		return neutral, refs, constant(neutral)
	case 1:
		return Undefined, refs, open[0]
	}
	return Undefined, refs, node{op: n.op, parts: open}
}

// constant returns "()" or "(|)".
func constant(v Verdict) node {
	if v == Yes {
		return node{op: opEverything}
	}
	return node{op: opOr}
}
