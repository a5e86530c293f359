package archtest

import (
	"slices"
	"strings"
	"testing"
)

// TestImports holds every package to its rule, and outside modules to their
// owners.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		i := slices.IndexFunc(rules, func(r rule) bool { return match(r.pkg, p.path) })
		if i < 0 {
			t.Errorf("package %s has no rule: place it in rules of internal/archtest/rules_test.go", p.path)
			continue
		}
		for _, f := range p.files {
			if f.test() {
				continue
			}
			for _, spec := range f.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				if problem := rules[i].check(p.path, path); problem != "" {
					t.Errorf("%s: %s", p.line(f, spec), problem)
				}
			}
		}
	}
}

// check returns what is wrong with package by importing path, or "".
func (r rule) check(by, path string) string {
	const where = "; if it should, change internal/archtest/rules_test.go"
	switch {
	case path == module || strings.HasPrefix(path, module+"/"):
		if !fits(r.may, rel(path), "") {
			return by + " must not import " + rel(path) + ", only " + r.may + where + ", rules"
		}
	case !strings.Contains(strings.Split(path, "/")[0], "."): // standard
		if fits(r.deny, path, "") || path == "math/rand" {
			return by + " must not import " + path + where + ", rules"
		}
	case !owned(path, by):
		return by + " must not import " + path + where + ", owners"
	}
	return ""
}

func owned(path, by string) bool {
	for mod, patterns := range owners {
		if path == mod || strings.HasPrefix(path, mod+"/") {
			return fits(patterns, by, "")
		}
	}
	return false
}

// TestRulesCatch checks that the guard is awake.
func TestRulesCatch(t *testing.T) {
	tests := map[string]struct {
		r        rule
		by, path string
		refused  bool
	}{
		"sideways":        {rule{"market", ". wire", ""}, "market", module + "/payment", true},
		"down":            {rule{"market", ". wire", ""}, "market", module + "/wire", false},
		"root":            {rule{"market", ". wire", ""}, "market", module, false},
		"not below":       {rule{"node", "p2p", ""}, "node", module + "/p2p/central", true},
		"tree":            {rule{"node", "p2p/...", ""}, "node", module + "/p2p/central", false},
		"standard":        {rule{"market", "", "net/http"}, "market", "net/http", true},
		"not denied":      {rule{"market", "", "net/http"}, "market", "net/url", false},
		"old rand":        {rule{"market", "", ""}, "market", "math/rand", true},
		"owner":           {rule{"sqlite", "", ""}, "sqlite", "modernc.org/sqlite", false},
		"not the owner":   {rule{"market", "", ""}, "market", "modernc.org/sqlite", true},
		"nobody's module": {rule{"market", "", ""}, "market", "github.com/some/thing", true},
		"package of it":   {rule{"identity", "", ""}, "identity", "golang.org/x/crypto/scrypt", false},
	}
	for name, tt := range tests {
		if got := tt.r.check(tt.by, tt.path); (got != "") != tt.refused {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
