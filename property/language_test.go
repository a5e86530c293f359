package property

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite explain, reasons and error directives in testdata")

// TestLanguage runs the scripts of testdata; README.md there describes them.
func TestLanguage(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.test")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".test"), func(t *testing.T) { runScript(t, path) })
	}
}

// A directive is one instruction of a script and the lines it takes.
type directive struct {
	word, arg   string
	first, last int // lines, from 0, last exclusive
}

func runScript(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	directives, err := parseScript(lines)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var fixed []directive
	for len(directives) > 0 {
		end := 1
		for end < len(directives) && directives[end].word != "test" {
			end++
		}
		block := directives[:end]
		directives = directives[end:]
		t.Run(block[0].arg, func(t *testing.T) {
			r := run{t: t, path: path}
			for _, d := range block[1:] {
				r.do(d)
			}
			r.finish()
			fixed = append(fixed, r.fixed...)
		})
	}
	if *update {
		writeScript(t, path, lines, fixed)
	}
}

func parseScript(lines []string) ([]directive, error) {
	var list []directive
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if line == "" || line[0] == '#' {
			continue
		}
		d := directive{first: i}
		var inline bool
		d.word, d.arg, inline = strings.Cut(line, " ")
		if word, quoted := strings.CutSuffix(d.word, "!"); quoted {
			d.word = word
			if err := json.Unmarshal([]byte(d.arg), &d.arg); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		} else if !inline {
			var block []string
			for ; i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t"); i++ {
				block = append(block, lines[i+1][1:])
			}
			d.arg = strings.Join(block, "\n")
		}
		if len(list) == 0 && d.word != "test" {
			return nil, fmt.Errorf("line %d: the first directive must be test", i+1)
		}
		d.last = i + 1
		list = append(list, d)
	}
	return list, nil
}

func writeScript(t *testing.T, path string, lines []string, fixed []directive) {
	slices.SortFunc(fixed, func(a, b directive) int { return b.first - a.first })
	for _, d := range fixed {
		text := []string{d.word + " " + d.arg}
		if d.word != "error" {
			text = append([]string{d.word}, strings.Split("\t"+strings.ReplaceAll(d.arg, "\n", "\n\t"), "\n")...)
		}
		lines = slices.Replace(lines, d.first, d.last, text...)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
}

// A run is the state of one test of a script.
type run struct {
	t       *testing.T
	path    string
	line    int
	checks  int
	fixed   []directive
	failure error // of the last input, until an error directive expects it

	dialect       Dialect
	builder       Builder
	set           *Set
	constraint    *Constraint
	json          string
	offer, demand Party
	value         Value
}

func (r *run) errorf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("%s:%d: %s", r.path, r.line, fmt.Sprintf(format, args...))
}

func (r *run) do(d directive) {
	if r.failure != nil && d.word != "error" {
		r.errorf("unexpected error: %v", r.failure)
		r.failure = nil
	}
	r.line = d.first + 1
	if input, ok := inputs[d.word]; ok {
		r.failure = input(r, d.arg)
		return
	}
	output, ok := outputs[d.word]
	if !ok {
		r.errorf("unknown directive %q", d.word)
		return
	}
	r.checks++
	got := output(r, d.arg)
	if got == d.arg {
		return
	}
	if *update && slices.Contains([]string{"explain", "explain-match", "reasons", "reasons-match", "error"}, d.word) {
		d.arg = got
		r.fixed = append(r.fixed, d)
		return
	}
	r.errorf("%s (-want +got):\n%s", d.word, cmp.Diff(d.arg, got))
}

func (r *run) finish() {
	if r.failure != nil {
		r.errorf("unexpected error: %v", r.failure)
	}
	if r.checks == 0 {
		r.errorf("the test expects nothing")
	}
}

// inputs change the state of a run.
var inputs = map[string]func(r *run, arg string) error{
	"dialect": func(r *run, arg string) error {
		for _, r.dialect = range []Dialect{Compatible, Strict} {
			if r.dialect.String() == arg {
				return nil
			}
		}
		return fmt.Errorf("no dialect %q", arg)
	},
	"set": func(r *run, arg string) (err error) {
		r.set, err = ParseSet(arg)
		return err
	},
	"define": func(r *run, arg string) error {
		err := r.builder.Define(arg)
		r.rebuild()
		return err
	},
	"aspect": func(r *run, arg string) error {
		words := strings.SplitN(arg, " ", 3)
		if !r.builder.Aspect(words[0], words[1], words[2]) {
			return errors.New("no such property")
		}
		r.rebuild()
		return nil
	},
	"constraint": func(r *run, arg string) (err error) {
		r.constraint, err = r.dialect.ParseConstraint(arg)
		return err
	},
	"reduce": func(r *run, _ string) error {
		r.constraint = r.constraint.Resolve(r.set).Reduced
		return nil
	},
	"json": func(r *run, arg string) error {
		r.json = arg
		return nil
	},
	"literal": func(r *run, arg string) (err error) {
		r.value, err = parseLiteral(arg)
		return err
	},
	"offer":  func(r *run, arg string) (err error) { r.offer.Properties, err = ParseSet(arg); return },
	"demand": func(r *run, arg string) (err error) { r.demand.Properties, err = ParseSet(arg); return },
	"offer-constraint": func(r *run, arg string) (err error) {
		r.offer.Constraints, err = r.dialect.ParseConstraint(arg)
		return
	},
	"demand-constraint": func(r *run, arg string) (err error) {
		r.demand.Constraints, err = r.dialect.ParseConstraint(arg)
		return
	},
}

// rebuild makes the set of what the builder holds, and keeps the builder.
func (r *run) rebuild() {
	b := Builder{lines: slices.Clone(r.builder.lines), properties: slices.Clone(r.builder.properties)}
	r.set = b.Set()
}

// outputs return what the state yields, in the form the script states it.
var outputs = map[string]func(r *run, arg string) string{
	"yes":       func(r *run, arg string) string { return r.shortVerdict(Yes, arg) },
	"no":        func(r *run, arg string) string { return r.shortVerdict(No, arg) },
	"undefined": func(r *run, arg string) string { return r.shortVerdict(Undefined, arg) },
	"verdict":   func(r *run, _ string) string { return r.verdict(r.constraint).String() },
	"printed":   func(r *run, _ string) string { return r.constraint.String() },
	"reduced":   func(r *run, _ string) string { return r.constraint.Resolve(r.set).Reduced.String() },
	"unresolved": func(r *run, _ string) string {
		return join(r.constraint.Resolve(r.set).Unresolved)
	},
	"references": func(r *run, _ string) string { return join(r.constraint.References()) },
	"equalities": func(r *run, _ string) string {
		var list []string
		for name, text := range r.constraint.Equalities() {
			list = append(list, name+"="+text)
		}
		return strings.Join(list, "\n")
	},
	"explain": func(r *run, _ string) string { return strings.TrimSuffix(r.constraint.Explain(r.set).String(), "\n") },
	"reasons": func(r *run, _ string) string { return strings.Join(r.constraint.Explain(r.set).Reasons(), "\n") },
	"flat": func(r *run, _ string) (text string) {
		text, r.failure = Flatten([]byte(r.json))
		return text
	},
	"expanded": func(r *run, _ string) string {
		text, err := Expand(r.json)
		r.failure = err
		return string(text)
	},
	"error": func(r *run, _ string) string {
		err := r.failure
		if r.failure = nil; err == nil {
			_, err = Flatten([]byte(r.json))
		}
		return describe(err)
	},
	"kind":  func(r *run, _ string) string { return r.value.Kind().String() },
	"terms": func(r *run, _ string) string { return r.terms() },
	"match": func(r *run, _ string) string { return r.match().String() },
	"offer-mismatch": func(r *run, _ string) string {
		return strings.Join(Compare(r.demand, r.offer).Offer, " ")
	},
	"demand-mismatch": func(r *run, _ string) string {
		return strings.Join(Compare(r.demand, r.offer).Demand, " ")
	},
	"explain-match": func(r *run, _ string) string { return strings.TrimSuffix(Explain(r.demand, r.offer).String(), "\n") },
	"reasons-match": func(r *run, _ string) string { return strings.Join(Explain(r.demand, r.offer).Reasons(), "\n") },
}

func join(refs []Reference) string {
	var list []string
	for _, ref := range refs {
		list = append(list, ref.String())
	}
	return strings.Join(list, " ")
}

// describe gives an error as line:column and expectation, or its text.
func describe(err error) string {
	var syntax *SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("%d:%d expected %s, found %s", syntax.Line, syntax.Column, syntax.Expected, syntax.Found)
	case err != nil:
		return err.Error()
	}
	return "none"
}

// shortVerdict parses arg, and returns it if it has the wanted verdict.
func (r *run) shortVerdict(want Verdict, arg string) string {
	c, err := r.dialect.ParseConstraint(arg)
	if err != nil {
		return arg + ": " + err.Error()
	}
	if got := r.verdict(c); got != want {
		return fmt.Sprintf("%s: %s", arg, got)
	}
	return arg
}

// verdict evaluates in every way there is.
func (r *run) verdict(c *Constraint) Verdict {
	if err := consistent(c, r.set); err != nil {
		r.errorf("%v", err)
	}
	return c.Eval(r.set)
}

func (r *run) match() Verdict {
	want := Match(r.demand, r.offer)
	if got := Compare(r.demand, r.offer).Verdict; got != want {
		r.errorf("Compare says %s, Match %s", got, want)
	}
	if got := Explain(r.demand, r.offer).Verdict; got != want {
		r.errorf("Explain says %s, Match %s", got, want)
	}
	return want
}

func (r *run) terms() string {
	var list []string
	for name, text := range r.set.Terms() {
		list = append(list, name+"="+text)
	}
	return strings.Join(list, "\n")
}

// consistent checks what must hold for every constraint and every set.
func consistent(c *Constraint, s *Set) error {
	verdict := c.Eval(s)
	resolved := c.Resolve(s)
	explained := c.Explain(s)
	switch {
	case resolved.Verdict != verdict:
		return fmt.Errorf("%s: Resolve says %s, Eval %s", c, resolved.Verdict, verdict)
	case explained.Verdict != verdict:
		return fmt.Errorf("%s: Explain says %s, Eval %s", c, explained.Verdict, verdict)
	case resolved.Reduced.Eval(s) != verdict:
		return fmt.Errorf("%s: reduced to %s, which is %s, not %s", c, resolved.Reduced, resolved.Reduced.Eval(s), verdict)
	case (len(explained.Reasons()) == 0) != (verdict == Yes):
		return fmt.Errorf("%s: %s for the reasons %q", c, verdict, explained.Reasons())
	}
	again, err := c.Dialect().ParseConstraint(c.String())
	if err != nil {
		return fmt.Errorf("%s, printed from %s: %w", c, c.Text(), err)
	}
	if again.String() != c.String() || again.Eval(s) != verdict {
		return fmt.Errorf("%s, printed from %s, reads as %s", c, c.Text(), again)
	}
	return indexable(c, s, verdict)
}

// indexable checks the promise of Equalities for sets that come from JSON.
func indexable(c *Constraint, s *Set, verdict Verdict) error {
	if s.Len() > 0 && !strings.HasPrefix(strings.TrimLeft(s.Text(), " \t\r\n"), "{") {
		return nil
	}
	for name, text := range c.Equalities() {
		found := false
		for n, t := range s.Terms() {
			found = found || n == name && t == text
		}
		if !found && verdict == Yes {
			return fmt.Errorf("%s: yes without the term %s=%s", c, name, text)
		}
	}
	return nil
}
