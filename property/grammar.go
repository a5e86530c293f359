package property

import (
	"slices"
	"strings"
	"unique"
)

const subjectConstraint = "constraint"

// A grammar reads one constraint. It is upstream's parsing expression grammar:
// choices are ordered, and an alternative that has matched is not reconsidered.
// Where all alternatives fail, the one that got farthest is reported.
type grammar struct {
	dialect   Dialect
	text      string
	clauses   int
	wildcards int
	far       int
	expected  []string
	err       error // nothing that follows can repair it
}

// parse reads the first filter of the text. Upstream ignores what follows it.
func (g *grammar) parse() (node, error) {
	n, next, ok := g.filter(0, 0)
	if ok && next < len(g.text) && g.dialect == Strict {
		ok = g.fail(next, "the end, as upstream ignores what follows the first filter")
	}
	if g.err != nil {
		return n, g.err
	}
	if !ok {
		return n, newSyntaxError(subjectConstraint, g.text, g.far, strings.Join(g.expected, " or "))
	}
	return n, nil
}

// fail notes what would have been right at pos and returns false.
func (g *grammar) fail(pos int, expected string) bool {
	if pos > g.far {
		g.far, g.expected = pos, nil
	}
	if pos == g.far && !slices.Contains(g.expected, expected) {
		g.expected = append(g.expected, expected)
	}
	return false
}

// refuse ends the parsing with an error no other alternative can avoid.
func (g *grammar) refuse(pos int, expected string) bool {
	if g.err == nil {
		g.err = newSyntaxError(subjectConstraint, g.text, pos, expected)
	}
	return false
}

func (g *grammar) limit(pos int, what string, limit int) bool {
	if g.err == nil {
		g.err = &LimitError{Subject: subjectConstraint, What: what, Limit: limit, Offset: pos}
	}
	return false
}

// count counts a clause or a list item.
func (g *grammar) count(pos int) bool {
	if g.clauses++; g.clauses > MaxClauses {
		return g.limit(pos, "clauses and list items", MaxClauses)
	}
	return true
}

func (g *grammar) peek(pos int) byte {
	if pos < len(g.text) {
		return g.text[pos]
	}
	return 0
}

func (g *grammar) space(pos int) int {
	for pos < len(g.text) && isSpace(g.text[pos]) {
		pos++
	}
	return pos
}

// filter reads "()", or a content in parentheses with blanks around it.
func (g *grammar) filter(pos, depth int) (n node, next int, ok bool) {
	if depth > MaxDepth {
		return n, pos, g.limit(pos, "levels of nesting", MaxDepth)
	}
	if !g.count(pos) {
		return n, pos, false
	}
	if strings.HasPrefix(g.text[pos:], "()") {
		return node{op: opEverything}, pos + len("()"), true
	}
	pos = g.space(pos)
	if g.peek(pos) != '(' {
		return n, pos, g.fail(pos, `"("`)
	}
	if n, pos, ok = g.content(g.space(pos+1), depth); !ok {
		return n, pos, false
	}
	pos = g.space(pos)
	if g.peek(pos) != ')' {
		return n, pos, g.fail(pos, `")"`)
	}
	return n, g.space(pos + 1), true
}

func (g *grammar) content(pos, depth int) (n node, next int, ok bool) {
	switch g.peek(pos) {
	case '&':
		return g.list(opAnd, pos+1, depth)
	case '|':
		return g.list(opOr, pos+1, depth)
	case '!':
		part, next, ok := g.filter(g.space(pos+1), depth+1)
		if ok {
			return node{op: opNot, parts: []node{part}}, next, true
		}
		if g.err != nil || g.dialect == Strict {
			return n, pos, false
		}
	}
	return g.clause(pos)
}

func (g *grammar) list(op op, pos, depth int) (n node, next int, ok bool) {
	n.op = op
	pos = g.space(pos)
	for {
		part, next, ok := g.filter(pos, depth+1)
		if !ok {
			return n, pos, g.err == nil
		}
		n.parts = append(n.parts, part)
		pos = next
	}
}

// clause reads a presence or a comparison, up to the closing parenthesis.
func (g *grammar) clause(pos int) (n node, next int, ok bool) {
	length := strings.IndexAny(g.text[pos:], "=<>~")
	if length < 0 || g.text[pos+length] == '~' {
		return n, pos, g.noOperator(pos, length)
	}
	at := pos + length
	if n.ref, ok = g.reference(g.text[pos:at], pos); !ok {
		return n, at, false
	}
	n.name, n.hash = unique.Make(n.ref.Name), hashOf(n.ref.Name)
	n.reach = g.dialect.reach()
	if strings.HasPrefix(g.text[at:], "=*") {
		end := at + len("=*")
		switch closed := g.peek(g.space(end)) == ')'; {
		case closed:
			n.op = opPresent
			return n, end, true
		case g.dialect == Compatible:
			return n, end, g.fail(end, `")", as a value cannot begin with a wildcard`)
		}
	}
	return g.comparison(n, at)
}

func (g *grammar) comparison(n node, at int) (_ node, next int, ok bool) {
	n.op = opCompare
	n.rel = relationAt(g.text[at:])
	start := at + len(n.rel.String())
	length := strings.IndexByte(g.text[start:], ')')
	if length < 0 {
		return n, start, g.fail(len(g.text), `")"`)
	}
	n.raw = g.text[start : start+length]
	if g.dialect == Strict && n.rel == less && strings.HasPrefix(n.raw, ">") {
		return n, start, g.refuse(start, `a value; there is no <>, write (!(name=value))`)
	}
	want, ok := g.newOperand(n.raw, start, n.rel)
	n.want = &want
	return n, start + length, ok
}

// relationAt reads the operator at the start of text, which has one.
func relationAt(text string) relation {
	for _, r := range [...]relation{equal, lessOrEqual, less, greaterOrEqual} {
		if strings.HasPrefix(text, r.String()) {
			return r
		}
	}
	return greater
}

// noOperator reports a clause without operator where a person would see it: a
// name runs on to the next operator, so it may have swallowed parentheses.
func (g *grammar) noOperator(pos, length int) bool {
	name := g.text[pos:]
	if length >= 0 {
		name = name[:length]
	}
	if at := strings.IndexByte(name, ')'); at >= 0 {
		name = name[:at]
	}
	if name == "" {
		return g.fail(pos, "a property name")
	}
	return g.fail(pos+len(name), "an operator (= < <= > >=)")
}

// reference reads the name of a clause. Strict refuses names that can only be
// mistakes, which in Compatible are missing properties.
func (g *grammar) reference(text string, pos int) (Reference, bool) {
	r, offset, expected := parseReference(text)
	if expected != "" {
		return r, g.refuse(pos+offset, expected)
	}
	if g.dialect != Strict {
		return r, true
	}
	end := pos + len(text)
	if at := strings.IndexAny(text, "()"); at >= 0 {
		return r, g.refuse(pos+at, "an operator (= < <= > >=)")
	}
	if strings.HasSuffix(text, "!") && g.text[end] == '=' {
		return r, g.refuse(end-1, `an operator; there is no !=, write (!(name=value))`)
	}
	if isSpace(text[len(text)-1]) {
		return r, g.refuse(end-1, "an operator without a blank before it")
	}
	return r, true
}
