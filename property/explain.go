package property

import (
	"fmt"
	"strings"
)

// Explanation tells why a constraint, or a part of it, has its verdict. It is
// made for people: long texts are shortened, and every part is evaluated even
// where the verdict is already certain.
type Explanation struct {
	Verdict  Verdict       `json:"verdict"`
	Clause   string        `json:"clause"`             // as the constraint writes it
	Property string        `json:"property,omitempty"` // what the clause refers to; "" for connectives
	Wanted   string        `json:"wanted,omitempty"`   // in words
	Found    string        `json:"found,omitempty"`    // the property's token; "" if there is none
	Why      string        `json:"why"`                // a sentence that stands alone
	Parts    []Explanation `json:"parts,omitempty"`

	op op
}

// Explain evaluates every clause on the set and says what was wanted, what was
// found, and why that is enough or not. Its verdict is that of Eval.
func (c *Constraint) Explain(s *Set) Explanation { return c.top().explain(s) }

func (n *node) explain(s *Set) Explanation {
	e := Explanation{Clause: shorten(n.String()), op: n.op}
	if n.op == opPresent || n.op == opCompare {
		n.explainClause(s, &e)
		return e
	}
	var count [len(verdictNames)]int
	for i := range n.parts {
		part := n.parts[i].explain(s)
		count[part.Verdict]++
		e.Parts = append(e.Parts, part)
	}
	e.Verdict, e.Why = n.conclude(count, len(n.parts))
	return e
}

// conclude derives a connective's verdict from the number of parts with each
// verdict.
func (n *node) conclude(count [len(verdictNames)]int, total int) (Verdict, string) {
	some := func(v Verdict, what string) string { return fmt.Sprintf("%d of %d %s", count[v], total, what) }
	switch {
	case n.op == opNot && count[Yes] > 0:
		return No, "what must not hold does"
	case n.op == opNot && count[No] > 0:
		return Yes, "what must not hold does not"
	case n.op == opNot:
		return Undefined, "what must not hold is undecided"
	case n.op == opOr && count[Yes] > 0:
		return Yes, some(Yes, "alternatives met")
	case n.op == opOr && count[Undefined] > 0:
		return Undefined, some(Undefined, "alternatives undecided, none met")
	case n.op == opOr && total == 0:
		return No, "nothing can meet this"
	case n.op == opOr:
		return No, some(No, "alternatives not met")
	case count[No] > 0:
		return No, some(No, "conditions not met")
	case count[Undefined] > 0:
		return Undefined, some(Undefined, "conditions undecided")
	case total == 0:
		return Yes, "nothing is asked"
	}
	return Yes, some(Yes, "conditions met")
}

func (n *node) explainClause(s *Set, e *Explanation) {
	cause, p := n.check(s)
	e.Verdict = n.verdict(cause)
	e.Property = shorten(n.ref.String())
	e.Wanted = n.wanted()
	if p != nil {
		e.Found = shorten(p.value.raw)
		if aspect, ok := p.aspects[n.ref.Aspect]; ok && n.ref.Aspect != "" {
			e.Found = shorten(string(appendQuoted(nil, aspect)))
		}
	}
	e.Why = n.why(cause, p, e)
}

var relationWords = [...]string{equal: "equal to ", lessOrEqual: "at most ", less: "less than ", greaterOrEqual: "at least ", greater: "more than "}

// wanted says in words what the clause asks for.
func (n *node) wanted() string {
	raw := shorten(n.raw)
	switch {
	case n.op == opPresent:
		return "any value"
	case n.ref.Aspect != "":
		return "the text " + raw
	case n.want.pattern != nil:
		return "like " + raw
	case n.ref.Type != Absent:
		return relationWords[n.rel] + "the " + n.ref.Type.String() + " " + raw
	}
	return relationWords[n.rel] + raw
}

func (n *node) why(c cause, p *property, e *Explanation) string {
	name := e.Property
	switch c {
	case missing:
		return name + " is not stated"
	case opaque:
		return fmt.Sprintf("%s is stated, but constraints cannot read %s", name, e.Found)
	case valueless:
		return name + " is stated without a value"
	case aspectless:
		return fmt.Sprintf("%s has no aspect %s", shorten(n.ref.Name), shorten(n.ref.Aspect))
	case inconvertible:
		return fmt.Sprintf("%s is %s, which is not a %s", name, e.Found, n.ref.Type)
	case unordered:
		return fmt.Sprintf("%s is the %s %s, which knows only =", name, p.value.kind, e.Found)
	case unreadable:
		return n.whyUnreadable(p, e)
	}
	if n.op == opPresent {
		return name + " is stated"
	}
	return fmt.Sprintf("%s is %s, %s", name, e.Found, n.whyCompared(c == holds, &p.value, e))
}

func (n *node) whyUnreadable(p *property, e *Explanation) string {
	if n.want.pattern != nil && !n.want.pattern.valid && p.value.kind == String {
		return fmt.Sprintf("%s is not a valid pattern", shorten(n.raw))
	}
	kind := p.value.kind
	if n.ref.Type != Absent {
		kind = n.ref.Type
	}
	return fmt.Sprintf("%s is %s, and the wanted value %q is not a %s", e.Property, e.Found, shorten(n.raw), kind)
}

func (n *node) whyCompared(holds bool, v *Value, e *Explanation) string {
	member := v.kind == List && n.ref.Aspect == "" && !n.want.list
	switch raw := shorten(n.raw); {
	case member && holds:
		return "which contains " + raw
	case member:
		return "which does not contain " + raw
	case holds:
		return "which is " + e.Wanted
	}
	return "not " + e.Wanted
}

// Reasons lists the clauses that stand between the verdict and Yes, refused and
// undecided ones, a sentence each, in order. It is empty if and only if the
// verdict is Yes.
func (e Explanation) Reasons() []string {
	if e.Verdict == Yes {
		return nil
	}
	if (e.op != opAnd && e.op != opOr) || len(e.Parts) == 0 {
		return []string{e.reason()}
	}
	var reasons []string
	for _, part := range e.Parts {
		reasons = append(reasons, part.Reasons()...)
	}
	return distinct(reasons)
}

func (e Explanation) reason() string {
	if e.op == opNot && len(e.Parts) == 1 {
		return fmt.Sprintf("%s must not hold: %s", e.Parts[0].Clause, e.Parts[0].Why)
	}
	return e.Why
}

// String renders the explanation as a tree, one line for each part, indented by
// two blanks a level.
func (e Explanation) String() string {
	var b strings.Builder
	e.print(&b, "")
	return b.String()
}

func (e Explanation) print(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%s%-9s %s: %s\n", indent, e.Verdict, e.label(), e.Why)
	for _, part := range e.Parts {
		part.print(b, indent+"  ")
	}
}

// label is short for connectives, whose parts follow on lines of their own.
func (e Explanation) label() string {
	switch {
	case len(e.Parts) == 0:
		return e.Clause
	case e.op == opAnd:
		return "all of"
	case e.op == opOr:
		return "any of"
	}
	return "not"
}

// MatchExplanation explains both directions of a match.
type MatchExplanation struct {
	Verdict Verdict     `json:"verdict"`
	Offer   Explanation `json:"offer"`  // the Demand's constraints on the Offer's properties
	Demand  Explanation `json:"demand"` // the Offer's constraints on the Demand's properties
}

// Explain explains the verdict of Match.
func Explain(demand, offer Party) MatchExplanation {
	e := MatchExplanation{
		Offer:  demand.Constraints.Explain(offer.Properties),
		Demand: offer.Constraints.Explain(demand.Properties),
	}
	e.Verdict = both(e.Offer.Verdict, e.Demand.Verdict)
	return e
}

// Reasons lists the reasons of both directions; see Explanation.Reasons.
func (e MatchExplanation) Reasons() []string {
	return append(prefix("offer: ", e.Offer.Reasons()), prefix("demand: ", e.Demand.Reasons())...)
}

func prefix(side string, reasons []string) []string {
	for i := range reasons {
		reasons[i] = side + reasons[i]
	}
	return reasons
}

// String renders both directions as trees.
func (e MatchExplanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", e.Verdict)
	b.WriteString("the offer, as the demand wants it:\n")
	e.Offer.print(&b, "  ")
	b.WriteString("the demand, as the offer wants it:\n")
	e.Demand.print(&b, "  ")
	return b.String()
}
