package property

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// seeds yields the arguments of a directive in all scripts.
func seeds(f *testing.F, words ...string) (texts []string) {
	f.Helper()
	paths, err := filepath.Glob("testdata/*.test")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		directives, err := parseScript(strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"))
		if err != nil {
			f.Fatal(err)
		}
		for _, d := range directives {
			for _, word := range words {
				if d.word == word {
					texts = append(texts, d.arg)
				}
			}
		}
	}
	return texts
}

var (
	setWords        = []string{"set", "offer", "demand", "json"}
	constraintWords = []string{"constraint", "yes", "no", "undefined", "offer-constraint", "demand-constraint"}
)

// FuzzFlatten: the flat form is a fixed point of Flatten, and what expanding
// loses of odd names and null values it loses at once.
func FuzzFlatten(f *testing.F) {
	for _, text := range seeds(f, setWords...) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		flat, err := Flatten(text)
		if err != nil {
			return
		}
		if again, err := Flatten([]byte(flat)); err != nil || again != flat {
			t.Fatalf("Flatten(%s) = %s, %v", flat, again, err)
		}
		once, ok := roundTrip(t, flat)
		if !ok {
			return
		}
		if twice, ok := roundTrip(t, once); ok && twice != once {
			t.Fatalf("expanded and flattened, %s becomes %s", once, twice)
		}
	})
}

// roundTrip returns false where expanding passes a limit.
func roundTrip(t *testing.T, flat string) (string, bool) {
	t.Helper()
	nested, err := Expand(flat)
	if err != nil {
		if _, ok := err.(*LimitError); !ok {
			t.Fatalf("Expand(%s): %v", flat, err)
		}
		return "", false
	}
	again, err := Flatten(nested)
	if err != nil {
		if _, ok := err.(*LimitError); !ok {
			t.Fatalf("Flatten(%s): %v", nested, err)
		}
		return "", false
	}
	return again, true
}

// FuzzParseSet: every text is kept, and every property can be found again.
func FuzzParseSet(f *testing.F) {
	for _, text := range seeds(f, setWords...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSet(text)
		if err != nil {
			if s != nil || err.Error() == "" {
				t.Fatalf("ParseSet(%q) = %v, %v", text, s, err)
			}
			return
		}
		if s.Text() != text {
			t.Fatalf("Text() = %q, want %q", s.Text(), text)
		}
		last := ""
		for name, value := range s.All() {
			if got, ok := s.Value(name); !ok || got.Raw() != value.Raw() {
				t.Fatalf("Value(%q) = %v, %v", name, got, ok)
			}
			if name < last {
				t.Fatalf("%q comes after %q", name, last)
			}
			last = name
			sameAsLiteral(t, name, value)
		}
	})
}

// sameAsLiteral checks that a value read from JSON is what upstream's literal
// parser makes of its printed form: visible or not, and the same text.
func sameAsLiteral(t *testing.T, name string, value Value) {
	t.Helper()
	d, err := parseJSON(value.Raw())
	if err != nil {
		t.Fatalf("%s: %v", value.Raw(), err)
	}
	literal, err := parseLiteral(string(appendJSON(nil, d)))
	if visible := value.reach == everyone; visible != (err == nil) {
		t.Fatalf("%s=%s: visible %v, as a literal %v", name, value.Raw(), visible, err)
	}
	if err == nil && !alike(value, literal) {
		t.Fatalf("%s=%s: %+v, as a literal %+v", name, value.Raw(), value, literal)
	}
}

func alike(a, b Value) bool {
	if a.kind != b.kind || a.esc != b.esc || a.number != b.number || a.truth != b.truth || len(a.items) != len(b.items) {
		return false
	}
	for i := range a.items {
		if !alike(a.items[i], b.items[i]) {
			return false
		}
	}
	return true
}

// FuzzParseConstraint: errors point into the text, and what is accepted prints
// as a text with the same meaning.
func FuzzParseConstraint(f *testing.F) {
	for _, text := range seeds(f, constraintWords...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, dialect := range []Dialect{Compatible, Strict} {
			c, err := dialect.ParseConstraint(text)
			if err != nil {
				checkError(t, text, err)
				continue
			}
			if c.Text() != text {
				t.Fatalf("Text() = %q, want %q", c.Text(), text)
			}
			if err := consistent(c, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func checkError(t *testing.T, text string, err error) {
	t.Helper()
	switch err := err.(type) {
	case *SyntaxError:
		if err.Offset < 0 || len(text) < err.Offset || err.Line < 1 || err.Column < 1 || !utf8.ValidString(err.Error()) {
			t.Fatalf("%q: %+v", text, err)
		}
	case *LimitError:
		if err.Limit == 0 {
			t.Fatalf("%q: %+v", text, err)
		}
	default:
		t.Fatalf("%q: %T %v", text, err, err)
	}
}

// FuzzEval: Eval, Resolve and Explain agree on every constraint and set.
func FuzzEval(f *testing.F) {
	sets, constraints := seeds(f, setWords...), seeds(f, constraintWords...)
	for i, c := range constraints {
		f.Add(c, sets[i%len(sets)])
	}
	f.Fuzz(func(t *testing.T, constraint, set string) {
		s, err := ParseSet(set)
		if err != nil {
			return
		}
		for _, dialect := range []Dialect{Compatible, Strict} {
			c, err := dialect.ParseConstraint(constraint)
			if err != nil {
				continue
			}
			if err := consistent(c, s); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzLiteral: upstream's literals are read or refused, never fatal.
func FuzzLiteral(f *testing.F) {
	for _, text := range seeds(f, "literal") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b Builder
		err := b.Define("a=" + text)
		if s := b.Set(); (s.Len() == 1) != (err == nil) {
			t.Fatalf("%q: %d properties, %v", text, s.Len(), err)
		}
	})
}

// TestGeneratedSets covers what fuzzing rarely composes: sets and constraints
// over the same few names.
func TestGeneratedSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := ParseSet(genSet().Draw(t, "set"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dialect := range []Dialect{Compatible, Strict} {
			c, err := dialect.ParseConstraint(genConstraint(3).Draw(t, "constraint"))
			if err != nil {
				t.Fatal(err)
			}
			if err := consistent(c, s); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestExpandInverts: on sets of ordinary names and values, Expand loses
// nothing.
func TestExpandInverts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flat, err := Flatten([]byte(genSet().Draw(t, "set")))
		if err != nil {
			t.Fatal(err)
		}
		nested, err := Expand(flat)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Flatten(nested); err != nil || again != flat {
			t.Fatalf("%s expands to %s, which flattens to %s, %v", flat, nested, again, err)
		}
	})
}

// TestResolveInSteps: adding properties to what was resolved in part gives the
// verdict of knowing all at once. A presence does not wait, hence none here.
func TestResolveInSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const known, all = `{"a":"b","a.b":2}`, `{"a":"b","a.b":2,"b":1,"c.d":"x"}`
		text := strings.ReplaceAll(genConstraint(3).Draw(t, "constraint"), "=*)", "=1)")
		c, err := ParseConstraint(text)
		if err != nil {
			t.Fatal(err)
		}
		first, err := ParseSet(known)
		if err != nil {
			t.Fatal(err)
		}
		second, err := ParseSet(all)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := c.Resolve(first).Reduced.Eval(second), c.Eval(second); got != want {
			t.Fatalf("%s in steps is %s, at once %s", c, got, want)
		}
	})
}

var names = []string{"a", "b", "a.b", "c.d", "é"}

func genSet() *rapid.Generator[string] {
	values := []string{`1`, `2.50`, `"b"`, `"1.2.3"`, `"x y"`, `true`, `["b",1,"1"]`, `[]`, `"2019-04-12T23:20:50Z"`, `"q\"\u0001"`, `"01.5"`}
	return rapid.Custom(func(t *rapid.T) string {
		var fields []string
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "names") {
			fields = append(fields, `"`+name+`":`+rapid.SampledFrom(values).Draw(t, "value"))
		}
		return "{" + strings.Join(fields, ",") + "}"
	})
}

func genConstraint(depth int) *rapid.Generator[string] {
	values := []string{"1", "2.5", "b", "1.2.3", "x*", "true", "[b,1,1]", "[]", "2019-04-12T23:20:50Z", "b*", ".*", "x y", "0", "["}
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if depth == 0 {
			kind = max(kind, 3)
		}
		switch kind {
		case 0, 1:
			parts := rapid.SliceOfN(genConstraint(depth-1), 0, 3).Draw(t, "parts")
			return "(" + "&|"[kind:kind+1] + strings.Join(parts, "") + ")"
		case 2:
			return "(!" + genConstraint(depth-1).Draw(t, "part") + ")"
		}
		name := rapid.SampledFrom(names).Draw(t, "name") + rapid.SampledFrom([]string{"", "", "$v", "$d", "$t", "[x]"}).Draw(t, "suffix")
		if kind == 3 {
			return "(" + name + "=*)"
		}
		relation := rapid.SampledFrom(relationTexts[:]).Draw(t, "relation")
		value := rapid.SampledFrom(values).Draw(t, "value")
		return "(" + name + relation + value + ")"
	})
}
