package property

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func parse(tb testing.TB, set, constraint string) (*Set, *Constraint) {
	tb.Helper()
	s, err := ParseSet(set)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := ParseConstraint(constraint)
	if err != nil {
		tb.Fatal(err)
	}
	return s, c
}

func TestValue(t *testing.T) {
	s, _ := parse(t, `{"s":"a\"b","i":4,"f":4.50,"e":4e0,"big":9007199254740993,"rounded":9007199254740993.0,"huge":1e300,"b":true,"l":["x","y"],"n":[0.1,2],"m":["x",1],"null":null,"o":{}}`, "()")
	type answers struct {
		Kind    string
		Raw     string
		Text    string
		Float   float64
		Int     int64
		Bool    bool
		Strings []string
		Floats  []float64
	}
	want := map[string]answers{
		"s":       {Kind: "string", Raw: `"a\"b"`, Text: `a"b`},
		"i":       {Kind: "number", Raw: "4", Float: 4, Int: 4},
		"f":       {Kind: "number", Raw: "4.50", Float: 4.5},
		"e":       {Kind: "number", Raw: "4e0", Float: 4, Int: 4},
		"big":     {Kind: "number", Raw: "9007199254740993", Float: 9007199254740992, Int: 9007199254740993},
		"rounded": {Kind: "number", Raw: "9007199254740993.0", Float: 9007199254740992, Int: 9007199254740992},
		"huge":    {Kind: "number", Raw: "1e300", Float: 1e300},
		"b":       {Kind: "boolean", Raw: "true", Bool: true},
		"l":       {Kind: "list", Raw: `["x","y"]`, Strings: []string{"x", "y"}},
		"n":       {Kind: "list", Raw: `[0.1,2]`, Floats: []float64{0.1, 2}},
		"m":       {Kind: "list", Raw: `["x",1]`},
		"null":    {Kind: "null", Raw: "null"},
		"o":       {Kind: "object", Raw: "{}"},
		"absent":  {Kind: "absent"},
	}
	for name, want := range want {
		v, ok := s.Value(name)
		if ok != (name != "absent") {
			t.Errorf("Value(%s) = %v", name, ok)
		}
		got := answers{Kind: v.Kind().String(), Raw: v.Raw()}
		got.Text, _ = s.String(name)
		got.Float, _ = s.Float(name)
		got.Int, _ = s.Int(name)
		got.Bool, _ = s.Bool(name)
		got.Strings, _ = s.Strings(name)
		got.Floats, _ = s.Floats(name)
		if raw, ok := s.Raw(name); raw != want.Raw || ok == (name == "absent") {
			t.Errorf("Raw(%s) = %q, %v", name, raw, ok)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if list, ok := s.value("m").Values(); !ok || len(list) != 2 || list[0].String() != "x" || list[1].String() != "1" {
		t.Errorf("Values() = %v, %v", list, ok)
	}
	if _, ok := s.String("i"); ok {
		t.Error("a number answers as a string")
	}
}

// TestNothing: the zero values and nil are a set of nothing and a constraint
// that asks for nothing.
func TestNothing(t *testing.T) {
	var s *Set
	var c *Constraint
	for name := range s.All() {
		t.Errorf("an empty set has %s", name)
	}
	for name := range s.Terms() {
		t.Errorf("an empty set has the term %s", name)
	}
	if _, ok := s.Value("a"); ok || s.Len() != 0 || s.Text() != "" {
		t.Error("a nil set is not empty")
	}
	for _, c := range []*Constraint{c, new(Constraint)} {
		if c.Eval(s) != Yes || c.Text() != "()" || c.String() != "()" || c.Dialect() != Compatible || c.References() != nil {
			t.Errorf("%#v asks for something", c)
		}
		if got := c.Resolve(s); got.Verdict != Yes || got.Reduced.Text() != "()" {
			t.Errorf("Resolve() = %+v", got)
		}
	}
	if got := Match(Party{}, Party{}); got != Yes {
		t.Errorf("Match of empty parties = %s", got)
	}
}

func TestVerdictText(t *testing.T) {
	for _, want := range []Verdict{Undefined, No, Yes} {
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		got := Verdict(99)
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%s comes back as %s, %v", text, got, err)
		}
	}
	var v Verdict
	if err := v.UnmarshalText([]byte("maybe")); err == nil {
		t.Error("maybe is a verdict")
	}
	if got := Verdict(9).String() + Kind(99).String() + Strict.String() + Compatible.String(); got != "verdict 9kind 99strictcompatible" {
		t.Errorf("got %q", got)
	}
}

func TestExplainJSON(t *testing.T) {
	demand, err := ParseParty(`{"x":1}`, "(&(name=vm)(mem>=8)(!(gpu=*)))")
	if err != nil {
		t.Fatal(err)
	}
	offer, err := ParseParty(`{"name":"vm","mem":4}`, "()")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(Explain(demand, offer), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "verdict": "no",
 "offer": {
  "verdict": "no",
  "clause": "(\u0026(name=vm)(mem\u003e=8)(!(gpu=*)))",
  "why": "1 of 3 conditions not met",
  "parts": [
   {
    "verdict": "yes",
    "clause": "(name=vm)",
    "property": "name",
    "wanted": "equal to vm",
    "found": "\"vm\"",
    "why": "name is \"vm\", which is equal to vm"
   },
   {
    "verdict": "no",
    "clause": "(mem\u003e=8)",
    "property": "mem",
    "wanted": "at least 8",
    "found": "4",
    "why": "mem is 4, not at least 8"
   },
   {
    "verdict": "yes",
    "clause": "(!(gpu=*))",
    "why": "what must not hold does not",
    "parts": [
     {
      "verdict": "no",
      "clause": "(gpu=*)",
      "property": "gpu",
      "wanted": "any value",
      "why": "gpu is not stated"
     }
    ]
   }
  ]
 },
 "demand": {
  "verdict": "yes",
  "clause": "()",
  "why": "nothing is asked"
 }
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMatchAllocates: matching is done millions of times and allocates nothing.
func TestMatchAllocates(t *testing.T) {
	demand, offer := parties(t)
	var err error
	demand.Constraints, err = ParseConstraint("(&" + demand.Constraints.String() + "(golem.runtime.version$v>=0.5.0)(golem.com.payment.protocol.version$d=1)(golem.inf.cpu.brand=Intel*.*CPU*)(golem.runtime.capabilities=[inet,vpn])(x=1))")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { Match(demand, offer) }); n != 0 {
		t.Errorf("Match allocates %v times", n)
	}
}

// TestConcurrentUse gives the race detector a Party shared by many.
func TestConcurrentUse(t *testing.T) {
	demand, offer := parties(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if Match(demand, offer) != Yes || Compare(demand, offer).Verdict != Yes || Explain(demand, offer).Verdict != Yes {
					t.Error("no match")
				}
			}
		})
	}
	wg.Wait()
}

func TestVersionOrder(t *testing.T) {
	ordered := []string{
		"0.0.0-0", "0.0.0", "0.0.1", "0.1.0", "0.9.0", "0.10.0",
		"1.0.0-0", "1.0.0-9", "1.0.0-10", "1.0.0-10.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-beta-x", "1.0.0-rc.1", "1.0.0", "1.0.1", "2.0.0",
		"18446744073709551615.0.0",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			v, ok := parseVersion(a)
			w, ok2 := parseVersion(b + "+build.01")
			if !ok || !ok2 {
				t.Fatalf("%s or %s is no version", a, b)
			}
			if got, want := v.compare(w), big.NewInt(int64(i)).Cmp(big.NewInt(int64(j))); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
	for _, text := range []string{"", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.03", "1.2.3-", "1.2.3-a..b", "1.2.3-01", "1.2.3+", "1.2.3+a_b", "1.2.3-é", " 1.2.3", "1.2.3 ", "-1.2.3", "1.2.x", "18446744073709551616.0.0", "1..3"} {
		if _, ok := parseVersion(text); ok {
			t.Errorf("%q is a version", text)
		}
	}
}

// TestDecimal compares with the exact numbers of math/big.
func TestDecimal(t *testing.T) {
	gen := rapid.StringMatching(`[+-]?[01]{0,3}[.]?[01]{1,3}(e[+-]?[01]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		x, ok := parseDecimal(a)
		y, ok2 := parseDecimal(b)
		if !ok || !ok2 {
			t.Fatalf("%s %v, %s %v", a, ok, b, ok2)
		}
		if got, want := x.compare(y), rat(t, a).Cmp(rat(t, b)); got != want {
			t.Fatalf("%s against %s: %d, want %d", a, b, got, want)
		}
	})
	for _, text := range []string{"", "+", ".", "e5", "1e", "1e+-5", "1e1234567890123456", "1.2.3", "--1", "1 ", " 1", "1_0", "0x1", "inf", "1,5", "1e5.5", strings.Repeat("1", MaxSubject+1)} {
		if _, ok := parseDecimal(text); ok {
			t.Errorf("%q is a decimal", shorten(text))
		}
	}
}

func rat(t *rapid.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is not for math/big", text)
	}
	return r
}

// TestInstant compares with package time on what both accept.
func TestInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d%s%s",
			rapid.IntRange(0, 9999).Draw(t, "year"), rapid.IntRange(0, 13).Draw(t, "month"), rapid.IntRange(0, 32).Draw(t, "day"),
			rapid.IntRange(0, 24).Draw(t, "hour"), rapid.IntRange(0, 60).Draw(t, "minute"), rapid.IntRange(0, 59).Draw(t, "second"),
			rapid.StringMatching(`([.][0-9]{1,9})?`).Draw(t, "fraction"), rapid.StringMatching(`Z|[+-][012][0-9]:[0-6][0-9]`).Draw(t, "zone"))
		want, err := time.Parse(time.RFC3339Nano, text)
		got, ok := parseInstant(text)
		// Package time takes an offset of 24 hours and one of 60 minutes.
		if strings.HasSuffix(text, ":60") || regexp.MustCompile(`[+-]2[4-9]:`).MatchString(text[19:]) {
			if ok {
				t.Fatalf("%s is accepted", text)
			}
			return
		}
		if ok != (err == nil) || ok && (got.seconds != want.Unix() || int(got.nanos) != want.Nanosecond()) {
			t.Fatalf("%s is %+v, %v; package time says %v, %v", text, got, ok, want, err)
		}
	})
}

// TestPattern compares the matcher with the expression it stands for.
func TestPattern(t *testing.T) {
	pattern := rapid.StringMatching(`[ab.é\n]{0,2}[*][ab.é\n*]{0,6}`)
	text := rapid.StringMatching(`[abé\n]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		value, subject := pattern.Draw(t, "pattern"), text.Draw(t, "text")
		g := grammar{}
		p, ok := g.newPattern(strings.Split(value, "*"), 0)
		if !ok || p.expr != nil {
			t.Fatalf("%q is no plain pattern", value)
		}
		expr := regexp.MustCompile("^" + strings.ReplaceAll(value, "*", ".*") + "$")
		if got, want := p.matches(subject), expr.MatchString(subject); got != want {
			t.Fatalf("%q on %q: %v, want %v", value, subject, got, want)
		}
		g.dialect = Strict
		p, _ = g.newPattern(strings.Split(value, "*"), 0)
		expr = regexp.MustCompile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(value), `\*`, ".*") + "$")
		if got, want := p.matches(subject), expr.MatchString(subject); got != want {
			t.Fatalf("strict %q on %q: %v, want %v", value, subject, got, want)
		}
	})
	p, _ := new(grammar).newPattern([]string{"a", ""}, 0)
	if p.matches(strings.Repeat("a", MaxSubject+1)) || !p.matches(strings.Repeat("a", MaxSubject)) {
		t.Error("MaxSubject is not the limit of wildcards")
	}
}

func TestBuilder(t *testing.T) {
	var b Builder
	for _, line := range []string{"b=1", "a", "b=2"} {
		if err := b.Define(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Define("c=?"); err == nil || err.Error() != `property "c": literal: line 1, column 1: expected a literal, found "?"` {
		t.Errorf("Define(c=?) = %v", err)
	}
	if b.Aspect("c", "x", "y") {
		t.Error("an undefined property has an aspect")
	}
	s := b.Set()
	if got, _ := s.Float("b"); got != 2 || s.Len() != 2 || s.Text() != "b=1\na\nb=2" {
		t.Errorf("got b=%v in %d properties, %q", got, s.Len(), s.Text())
	}
	if b.Set().Len() != 0 {
		t.Error("Set does not empty the Builder")
	}
}
