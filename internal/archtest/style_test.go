package archtest

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

const rulesFile = "see internal/archtest/rules_test.go, "

// TestCalls finds banned functions outside their places, by what their
// qualifier was imported as.
func TestCalls(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			if f.test() || ast.IsGenerated(f.File) {
				continue
			}
			imported := f.imported()
			ast.Inspect(f.File, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if !ok || imported[x.Name] == "" {
					return true
				}
				name := imported[x.Name] + "." + sel.Sel.Name
				if b, ok := banned[name]; ok && !fits(b.where, p.path, f.name) {
					t.Errorf("%s: %s is not used here: %s (%sbanned)", p.line(f, n), name, b.instead, rulesFile)
				}
				if imported[x.Name] == "math/rand/v2" && !seeded[sel.Sel.Name] {
					t.Errorf("%s: %s is the global generator: take a *rand.Rand in Config (%sseeded)", p.line(f, n), name, rulesFile)
				}
				return true
			})
		}
	}
}

// TestNoInit finds init functions.
func TestNoInit(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if ok && fn.Recv == nil && fn.Name.Name == "init" && !ast.IsGenerated(f.File) {
					t.Errorf("%s: init function: build it in a constructor", p.line(f, fn))
				}
			}
		}
	}
}

// TestPackageComments wants exactly one for each package.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		var in []string
		for _, f := range p.files {
			if f.Doc != nil && !f.test() && !ast.IsGenerated(f.File) && !constraintsOnly(f.Doc) {
				in = append(in, f.name)
			}
		}
		if len(in) != 1 && !allGenerated(p) {
			t.Errorf("package %s has %d package comments %v, want one, in doc.go", p.path, len(in), in)
		}
	}
}

// constraintsOnly reports whether a comment says something to the compiler only.
func constraintsOnly(doc *ast.CommentGroup) bool { return strings.TrimSpace(doc.Text()) == "" }

func allGenerated(p pkg) bool {
	return !slices.ContainsFunc(p.files, func(f file) bool { return !ast.IsGenerated(f.File) })
}

// TestComments wants a sentence about every exported name.
func TestComments(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			if f.test() || ast.IsGenerated(f.File) || f.Name.Name == "main" {
				continue
			}
			for _, d := range f.Decls {
				for _, name := range uncommented(d) {
					t.Errorf("%s: %s has no comment that begins with its name", p.line(f, d), name)
				}
			}
		}
	}
}

// uncommented returns the exported names of a declaration that nothing is said
// about. In a group of constants or variables the comment of the group will do.
func uncommented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && exportedReceiver(d) && !about(d.Doc, d.Name.Name) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && !about(s.Doc, s.Name.Name) && !about(d.Doc, s.Name.Name) {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				if d.Doc == nil && s.Doc == nil && s.Comment == nil && s.Names[0].IsExported() {
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	return names
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// about reports whether doc is a sentence about name.
func about(doc *ast.CommentGroup, name string) bool {
	text := strings.TrimSpace(doc.Text())
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	rest, ok := strings.CutPrefix(text, name)
	return ok && (rest == "" || !isLetter(rest[0]))
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' }

// TestNames refuses names that say nothing.
func TestNames(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains(vague, path.Base(p.path)) {
			t.Errorf("package %s: name it after what it is for (%svague)", p.path, rulesFile)
		}
		for _, f := range p.files {
			if slices.Contains(vague, strings.TrimSuffix(f.name, ".go")) {
				t.Errorf("file %s: name it after what is in it (%svague)", path.Join(p.path, f.name), rulesFile)
			}
		}
	}
}

// TestNoLeftovers finds what should have been done before a commit.
func TestNoLeftovers(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, group := range f.Comments {
				for _, word := range []string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"} {
					if slices.Contains(strings.FieldsFunc(group.Text(), func(r rune) bool { return !('A' <= r && r <= 'Z') }), word) {
						t.Errorf("%s: %s in a comment: do it, or open an issue", p.line(f, group), word)
					}
				}
			}
		}
	}
}

// TestSleep finds tests that wait for the real clock: they are slow, and fail on
// slow machines. In a bubble of testing/synctest sleeping takes no time; packages
// that have one are trusted to sleep in it.
func TestSleep(t *testing.T) {
	bubble := func(f file) bool { return f.imported()["synctest"] == "testing/synctest" }
	for _, p := range packages(t) {
		if fits(processes, p.path, "") || slices.ContainsFunc(p.files, bubble) {
			continue
		}
		for _, f := range p.files {
			imported := f.imported()
			if !f.test() {
				continue
			}
			ast.Inspect(f.File, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "Sleep" {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && imported[x.Name] == "time" {
					t.Errorf("%s: time.Sleep in a test outside testing/synctest", p.line(f, n))
				}
				return true
			})
		}
	}
}

// TestStyleCatches checks that the guard is awake.
func TestStyleCatches(t *testing.T) {
	comment := func(text string) *ast.CommentGroup {
		return &ast.CommentGroup{List: []*ast.Comment{{Text: "// " + text}}}
	}
	for text, want := range map[string]bool{
		"Thing is one.":      true,
		"A Thing is one.":    true,
		"Things are many.":   false,
		"This is a Thing.":   false,
		"Thing":              true,
		"An apple.":          false,
		"The Thing, as ever": true,
	} {
		if got := about(comment(text), "Thing"); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
	if about(nil, "Thing") {
		t.Error("no comment is taken for one")
	}
	decl := &ast.GenDecl{Tok: token.TYPE, Specs: []ast.Spec{&ast.TypeSpec{Name: ast.NewIdent("Thing")}}}
	if got := uncommented(decl); len(got) != 1 {
		t.Errorf("a type without comment: %v", got)
	}
	for pattern, want := range map[string]bool{"*/service.go": true, "market": true, "*/other.go": false, "mark/...": false, "...": true, "": false} {
		if got := fits(pattern, "market", "service.go"); got != want {
			t.Errorf("fits(%q) is %v", pattern, got)
		}
	}
}
