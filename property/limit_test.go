package property

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	flatten := func(text string) error { _, err := Flatten([]byte(text)); return err }
	expand := func(text string) error { _, err := Expand(text); return err }
	parseSet := func(text string) error { _, err := ParseSet(text); return err }
	compatible := func(text string) error { _, err := ParseConstraint(text); return err }
	strict := func(text string) error { _, err := Strict.ParseConstraint(text); return err }
	nest := func(open, middle, end string, n int) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	long := strings.Repeat("x", 1000)
	tests := []struct {
		name  string
		parse func(string) error
		text  string
		want  string // "" if the text is accepted
	}{
		{"text", flatten, `"` + strings.Repeat("x", MaxText-2) + `"`, "properties: more than 262144 bytes in flat form (at byte 262144)"},
		{"longer text", parseSet, strings.Repeat(" ", MaxText+1), "properties: more than 262144 bytes (at byte 262144)"},
		{"deep arrays", parseSet, nest("[", "", "]", MaxDepth+1), ""},
		{"deeper arrays", parseSet, nest("[", "", "]", MaxDepth+2), "properties: more than 64 levels of nesting (at byte 65)"},
		{"deeper objects", flatten, nest(`{"a":`, "1", "}", MaxDepth+1), "properties: more than 64 levels of nesting (at byte 325)"},
		{"values", parseSet, "[0" + strings.Repeat(",0", MaxValues-2) + "]", ""},
		{"more values", parseSet, "[0" + strings.Repeat(",0", MaxValues-1) + "]", "properties: more than 4096 values (at byte 8191)"},
		{"a long name over many leaves", parseSet, `{"` + long + `":{"a":1` + fields(300) + `}}`, "properties: more than 262144 bytes in flat form (at byte 262144)"},
		{"a deep name", expand, `{"` + strings.Repeat("a.", MaxDepth-1) + `a":1}`, ""},
		{"a deeper name", expand, `{"` + strings.Repeat("a.", MaxDepth) + `a":1}`, "properties: more than 64 levels of nesting (at byte 0)"},
		{"invalid UTF-8", parseSet, "{\"a\":\"x\xff\"}", `properties: line 1, column 8: expected UTF-8 text, found byte 0xff`},
		{"a replacement character", parseSet, "{\"a\":\"\ufffd\"}", ""},

		{"constraint", compatible, "(a=" + strings.Repeat("x", MaxConstraint-4) + ")", ""},
		{"longer constraint", compatible, "(a=" + strings.Repeat("x", MaxConstraint-3) + ")", "constraint: more than 65536 bytes (at byte 65536)"},
		{"deep constraint", compatible, nest("(!", "()", ")", MaxDepth), ""},
		{"deeper constraint", compatible, nest("(!", "()", ")", MaxDepth+1), "constraint: more than 64 levels of nesting (at byte 130)"},
		{"deep unfinished constraint", compatible, strings.Repeat("(!", MaxDepth), `constraint: line 1, column 129: expected "(" or an operator (= < <= > >=), found the end`},
		{"clauses", compatible, "(&" + strings.Repeat("()", MaxClauses-2) + ")", ""},
		{"too many clauses", compatible, "(&" + strings.Repeat("()", MaxClauses) + ")", "constraint: more than 2048 clauses and list items (at byte 4096)"},
		{"list items", compatible, "(a=[x" + strings.Repeat(",x", MaxClauses) + "])", "constraint: more than 2048 clauses and list items (at byte 3)"},
		{"wildcards", compatible, "(a=" + strings.Repeat("*x", MaxWildcards/2+1) + ")", `constraint: line 1, column 5: expected ")", as a value cannot begin with a wildcard, found "x"`},
		{"long wildcard", compatible, "(a=x" + strings.Repeat("*x", MaxWildcards/2) + ")", "constraint: more than 4096 bytes of wildcards and their expressions (at byte 3)"},
		{"long wildcard, strict", strict, "(a=" + strings.Repeat("*x", MaxWildcards/2) + ")", "constraint: more than 4096 bytes of wildcards and their expressions (at byte 3)"},
		{"many wildcards", compatible, "(&" + strings.Repeat("(a=xxxxx*)", MaxWildcards/7+1) + ")", "constraint: more than 4096 bytes of wildcards and their expressions (at byte 5855)"},
		{"repetitions", compatible, "(a=x{1000}{1000}*)", ""},
		{"many repetitions", compatible, "(a=x{900}y{900}z{900}x{900}y{900}*)", "constraint: more than 4096 bytes of wildcards and their expressions (at byte 3)"},
		{"constraint of invalid UTF-8", compatible, "(a=\xff)", "constraint: line 1, column 4: expected UTF-8 text, found byte 0xff"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.parse(test.text)
			if got := fmt.Sprint(err); got != test.want && (test.want != "" || err != nil) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// fields returns n more fields of an object.
func fields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"f%d":0`, i)
	}
	return b.String()
}

// TestHostile evaluates the most expensive pairs that pass the limits. Each
// must end soon; a blow-up would run into the timeout of the tests.
func TestHostile(t *testing.T) {
	repeat := strings.Repeat
	longList := `{"a":["` + repeat("x", 40) + `"` + repeat(`,"`+repeat("x", 40)+`"`, MaxValues-3) + `]}`
	aaaa := repeat("a", MaxSubject)
	tests := []struct{ name, set, constraint string }{
		{"many clauses on a long list", longList, "(|" + repeat("(a="+repeat("x", 39)+"y)", 1400) + ")"},
		{"a long list on a long list", `{"a":["x"` + repeat(`,"y"`, 2000) + `]}`, "(a=[x" + repeat(",y", 2000) + "])"},
		{"wildcards on a long list", longList, "(|" + repeat("(a=x*x*y)", 550) + ")"},
		{"a wildcard that fails late", `{"a":"` + aaaa + `"}`, "(|" + repeat("(a=a"+repeat("*a", 100)+"*b)", 18) + ")"},
		{"an expression that fails late", `{"a":"` + aaaa + `"}`, "(|(a=[ab]?" + repeat("[ab]?*", 90) + "c))"},
		{"a repeated expression", `{"a":"` + aaaa + `"}`, "(a=a{900}a{900}a{900}*b)"},
		{"many conversions", `{"a":"` + repeat("1", MaxSubject) + `"}`, "(&" + repeat("(a$d>1)(a$d<1e5000)", 1000) + ")"},
		{"nested connectives", `{}`, repeat("(&(a=1)", 60) + repeat(")", 60)},
		{"many missing properties", `{}`, "(|" + distinctClauses(2000) + ")"},
		{"hostile exponents", `{"a":"1e999999999999999"}`, "(&(a$d>1e-999999999999999)(a$d<2e999999999999999))"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := ParseSet(test.set)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ParseConstraint(test.constraint)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			verdict := c.Eval(s)
			t.Logf("Eval took %v", time.Since(start))
			if got := c.Resolve(s).Verdict; got != verdict {
				t.Errorf("Resolve says %s, Eval %s", got, verdict)
			}
			if got := c.Explain(s).Verdict; got != verdict {
				t.Errorf("Explain says %s, Eval %s", got, verdict)
			}
		})
	}
}

func distinctClauses(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "(n%d=1)", i)
	}
	return b.String()
}

func TestErrorTypes(t *testing.T) {
	_, err := ParseConstraint("(&\n (ä=1)\n (b~2))")
	var syntax *SyntaxError
	if !errors.As(err, &syntax) {
		t.Fatalf("got %T, want *SyntaxError", err)
	}
	want := SyntaxError{Subject: "constraint", Offset: 14, Line: 3, Column: 4, Expected: "an operator (= < <= > >=)", Found: `"~"`}
	if *syntax != want {
		t.Errorf("got %+v, want %+v", *syntax, want)
	}
	_, err = ParseParty("{", "()")
	if !errors.As(err, &syntax) || syntax.Subject != "properties" {
		t.Errorf("got %v, want a syntax error of properties", err)
	}
	_, err = ParseParty("{}", "")
	if !errors.As(err, &syntax) || syntax.Subject != "constraint" {
		t.Errorf("got %v, want a syntax error of the constraint", err)
	}
}
