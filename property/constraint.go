package property

import (
	"iter"
	"strings"
	"unique"
)

// Dialect chooses between upstream's reading of a constraint and a better one.
// It belongs to the Constraint; a Set serves both.
type Dialect uint8

const (
	// Compatible gives exactly upstream's verdicts, oddities included. A node
	// matches with it, so that both ends of a negotiation agree.
	Compatible Dialect = iota
	// Strict refuses what can only be a mistake, and reads values as people
	// mean them. What it accepts is not always understood by upstream.
	Strict
)

// String names the dialect in lower case.
func (d Dialect) String() string {
	if d == Strict {
		return "strict"
	}
	return "compatible"
}

func (d Dialect) reach() reach {
	if d == Strict {
		return strictOnly
	}
	return everyone
}

// Constraint is a compiled constraint, immutable and safe for concurrent use. A
// nil Constraint and the zero Constraint ask for nothing, as "()" does.
type Constraint struct {
	dialect Dialect
	text    string
	root    node
}

// An op is what a node does with its parts, or with a property. The zero op is
// the constant true.
type op uint8

const (
	opEverything op = iota
	opAnd
	opOr
	opNot
	opPresent
	opCompare
)

type node struct {
	op    op
	rel   relation
	reach reach
	parts []node // of opAnd, opOr, opNot
	ref   Reference
	name  unique.Handle[string] // ref.Name
	hash  uint64                // of ref.Name
	raw   string                // the value as written
	want  *operand              // of opCompare
}

// ParseConstraint compiles a constraint in the Compatible dialect.
func ParseConstraint(text string) (*Constraint, error) { return Compatible.ParseConstraint(text) }

// ParseConstraint compiles a constraint. Errors are *SyntaxError or
// *LimitError. The empty text is an error; no constraint is written "()".
func (d Dialect) ParseConstraint(text string) (*Constraint, error) {
	if len(text) > MaxConstraint {
		return nil, &LimitError{Subject: subjectConstraint, What: "bytes", Limit: MaxConstraint, Offset: MaxConstraint}
	}
	if at := invalidUTF8(text); at >= 0 {
		return nil, newSyntaxError(subjectConstraint, text, at, "UTF-8 text")
	}
	g := grammar{dialect: d, text: text}
	root, err := g.parse()
	if err != nil {
		return nil, err
	}
	return &Constraint{dialect: d, text: text, root: root}, nil
}

// top returns the root, also of a nil Constraint.
func (c *Constraint) top() *node {
	if c == nil {
		return new(node)
	}
	return &c.root
}

// Text returns the text the constraint was parsed from, byte for byte.
func (c *Constraint) Text() string {
	if c == nil || c.text == "" {
		return "()"
	}
	return c.text
}

// Dialect returns the dialect the constraint was parsed in.
func (c *Constraint) Dialect() Dialect {
	if c == nil {
		return Compatible
	}
	return c.dialect
}

// String prints the constraint as it was understood, without blanks between
// clauses and without what was ignored.
func (c *Constraint) String() string { return c.top().String() }

func (n *node) String() string {
	var b strings.Builder
	n.print(&b)
	return b.String()
}

func (n *node) print(b *strings.Builder) {
	b.WriteByte('(')
	switch n.op {
	case opAnd:
		b.WriteByte('&')
	case opOr:
		b.WriteByte('|')
	case opNot:
		b.WriteByte('!')
	case opPresent:
		b.WriteString(n.ref.source() + "=*")
	case opCompare:
		b.WriteString(n.ref.source() + n.rel.String() + n.raw)
	}
	for i := range n.parts {
		n.parts[i].print(b)
	}
	b.WriteByte(')')
}

// References lists what the constraint refers to, in order of appearance,
// without repetition.
func (c *Constraint) References() []Reference {
	var refs []Reference
	for n := range c.top().clauses() {
		refs = append(refs, n.ref)
	}
	return distinct(refs)
}

// clauses yields the presences and comparisons below n, in order.
func (n *node) clauses() iter.Seq[*node] {
	return func(yield func(*node) bool) { n.yieldClauses(yield) }
}

func (n *node) yieldClauses(yield func(*node) bool) bool {
	if n.op == opPresent || n.op == opCompare {
		return yield(n)
	}
	for i := range n.parts {
		if !n.parts[i].yieldClauses(yield) {
			return false
		}
	}
	return true
}

// distinct keeps the first of equal items, in place.
func distinct[T comparable](list []T) []T {
	if len(list) < 2 {
		return list
	}
	seen := make(map[T]bool, len(list))
	kept := list[:0]
	for _, item := range list {
		if !seen[item] {
			seen[item] = true
			kept = append(kept, item)
		}
	}
	return kept
}

// Equalities yields the (name, text) pairs without which the constraint cannot
// be met: comparisons by = that stand alone or under nothing but "&", with
// values that only a String, or a List with such a String, can equal. If a set
// parsed from JSON meets the constraint, each pair is among its Terms; an index
// of sets by their terms may therefore skip all others.
func (c *Constraint) Equalities() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) { c.top().equalities(yield) }
}

func (n *node) equalities(yield func(string, string) bool) bool {
	switch {
	case n.op == opAnd:
		for i := range n.parts {
			if !n.parts[i].equalities(yield) {
				return false
			}
		}
	case n.op == opCompare && n.rel == equal && n.ref.Aspect == "" && n.ref.Type == Absent && n.want.isPlain():
		return yield(n.ref.Name, n.want.text)
	}
	return true
}

// isPlain reports whether only strings can equal the operand.
func (o *operand) isPlain() bool {
	return o.pattern == nil && o.number == nil && !o.isTrue && !o.isFalse && !o.list
}
