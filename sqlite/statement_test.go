package sqlite

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// statement is a constant of this package named sql… .
type statement struct {
	name, text string
	file       string // without .go
}

// statements finds every constant named sql…, whatever expression it is.
func statements(t *testing.T) []statement {
	t.Helper()
	set, files := token.NewFileSet(), []*ast.File{}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	// What is imported is of no interest and not found: constants are computed all
	// the same.
	info := types.Info{Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(set, "none", nil), Error: func(error) {}}
	conf.Check("sqlite", set, files, &info)

	var found []statement
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok || decl.Tok != token.CONST {
				return true
			}
			for _, spec := range decl.Specs {
				found = append(found, fromSpec(set, info, spec.(*ast.ValueSpec))...)
			}
			return true
		})
	}
	return found
}

func fromSpec(set *token.FileSet, info types.Info, spec *ast.ValueSpec) (found []statement) {
	for _, name := range spec.Names {
		c, ok := info.Defs[name].(*types.Const)
		if !ok || !strings.HasPrefix(name.Name, "sql") || c.Val().Kind() != constant.String {
			continue
		}
		file := strings.TrimSuffix(set.Position(name.Pos()).Filename, ".go")
		found = append(found, statement{name.Name, constant.StringVal(c.Val()), file})
	}
	return found
}

// plan returns what SQLite means to do, an error where it cannot be done at all.
// It is the plan of an empty database, which has no statistics.
func plan(t *testing.T, db *DB, text string) (lines []string, err error) {
	t.Helper()
	args := make([]any, 64) // more than any statement has; NULL each
	rows, err := db.conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	depth := map[int]int{}
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		depth[id] = depth[parent] + 1
		lines = append(lines, strings.Repeat("  ", depth[id])+detail)
	}
	return lines, rows.Err()
}

// scan is a line of a plan that reads all of something, with what and how.
var scan = regexp.MustCompile(`^ *SCAN (\S+)(?: USING (?:COVERING )?INDEX (\S+))?`)

// named is a line that says that the rest is about a part of the statement.
var named = regexp.MustCompile(`^ *(?:CO-ROUTINE|MATERIALIZE) (\S+)`)

// fullScan reports whether a plan reads all rows of a table. Not meant are values,
// the elements of a JSON parameter, parts of the statement itself, and partial
// indexes, which exist to be read from end to end: they hold what is waiting.
func fullScan(lines []string, partial map[string]bool) bool {
	parts := map[string]bool{"(subquery-1)": true, "(subquery-2)": true}
	for _, l := range lines {
		if m := named.FindStringSubmatch(l); m != nil {
			parts[m[1]] = true
		}
	}
	return slices.ContainsFunc(lines, func(l string) bool {
		m := scan.FindStringSubmatch(l)
		return m != nil && !parts[m[1]] && !partial[m[2]] && !strings.Contains(l, "CONSTANT ROW") && !strings.Contains(l, "VIRTUAL TABLE")
	})
}

// partialIndexes returns the names of indexes over some rows only.
func partialIndexes(t *testing.T, db *DB) map[string]bool {
	t.Helper()
	rows, err := db.conn.QueryContext(t.Context(), `
		SELECT i.name FROM sqlite_schema s, pragma_index_list(s.name) i WHERE s.type = 'table' AND i.partial`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names[name] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// allowedScans reads testdata/scans.txt: the statements that may read a whole
// table, each with the reason why that is well.
func allowedScans(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/scans.txt")
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, _ := strings.Cut(line, " ")
		if reasons[name] = strings.TrimSpace(reason); reasons[name] == "" {
			t.Errorf("testdata/scans.txt: %s has no reason", name)
		}
	}
	return reasons
}

// TestStatements prepares every statement, which finds misspelt tables and
// columns, and compares its query plan with testdata/plans, which finds lost
// indexes.
func TestStatements(t *testing.T) {
	db := open(t, Memory)
	partial, allowed := partialIndexes(t, db), allowedScans(t)
	plans, seen := map[string]*strings.Builder{}, map[string]bool{}
	for _, s := range statements(t) {
		if seen[s.name] {
			t.Errorf("%s is declared twice", s.name)
		}
		seen[s.name] = true
		lines, err := plan(t, db, s.text)
		if err != nil {
			t.Errorf("%s.go: %s: %v\n%s", s.file, s.name, err, s.text)
			continue
		}
		if reads := fullScan(lines, partial); reads && allowed[s.name] == "" {
			t.Errorf("%s.go: %s reads a whole table. Add an index, or its name and why that is well to testdata/scans.txt:\n%s", s.file, s.name, strings.Join(lines, "\n"))
		} else if !reads && allowed[s.name] != "" {
			t.Errorf("testdata/scans.txt: %s does not read a whole table", s.name)
		}
		if len(lines) == 0 {
			continue // what only writes, or controls a transaction
		}
		if plans[s.file] == nil {
			plans[s.file] = &strings.Builder{}
		}
		fmt.Fprintf(plans[s.file], "%s\n%s\n", s.name, strings.Join(lines, "\n"))
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("testdata/scans.txt: there is no %s", name)
		}
	}
	if len(seen) < 20 {
		t.Errorf("found %d statements only", len(seen))
	}
	compare(t, "testdata/plans", ".txt", plans)
}

// TestSchema compares what the migrations make with testdata/schema, and holds
// it to the house rules: tables are STRICT and named after their context.
func TestSchema(t *testing.T) {
	db := open(t, Memory)
	rows, err := db.conn.QueryContext(t.Context(), `
		SELECT tbl_name, type, sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND name NOT LIKE 'goose~_%' ESCAPE '~'
		ORDER BY tbl_name, type DESC, name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	schema := map[string]*strings.Builder{}
	for rows.Next() {
		var table, kind, text string
		if err := rows.Scan(&table, &kind, &text); err != nil {
			t.Fatal(err)
		}
		context, _, ok := strings.Cut(table, "_")
		if !ok {
			t.Errorf("table %s is not named after a context, such as market_%s", table, table)
		}
		if kind == "table" && !strict.MatchString(text) {
			t.Errorf("table %s is not STRICT", table)
		}
		if schema[context] == nil {
			schema[context] = &strings.Builder{}
		}
		fmt.Fprintf(schema[context], "%s;\n\n", text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	compare(t, "testdata/schema", ".sql", schema)
}

var strict = regexp.MustCompile(`\)[^)]*\bSTRICT\b[^)]*$`)

// compare holds texts against the files of a folder, one for each. With -update
// it writes them.
func compare(t *testing.T, folder, ext string, texts map[string]*strings.Builder) {
	t.Helper()
	if *update {
		write(t, folder, ext, texts)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		path := filepath.Join(folder, name+ext)
		want, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(string(want), texts[name].String()); diff != "" {
			t.Errorf("%s differs; if that is meant, run go test ./sqlite -update:\n%s", path, diff)
		}
	}
	for _, path := range files(t, folder) {
		if name := strings.TrimSuffix(filepath.Base(path), ext); texts[name] == nil {
			t.Errorf("%s belongs to nothing; run go test ./sqlite -update", path)
		}
	}
}

func write(t *testing.T, folder, ext string, texts map[string]*strings.Builder) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range files(t, folder) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(folder, name+ext), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestStatementsAreConstants finds statements that are put together at run time,
// which no test could prepare.
func TestStatementsAreConstants(t *testing.T) {
	runs := map[string]int{"exec": 0, "change": 1, "all": 2, "one": 2, "readAll": 3, "readOne": 3} // which argument is the statement
	set := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || name == "read.go" || name == "write.go" {
			continue // those are the functions themselves
		}
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			i, ok := runs[called(call)]
			if !ok || len(call.Args) <= i {
				return true
			}
			if name := lastName(call.Args[i]); !strings.HasPrefix(name, "sql") && name != "query" {
				t.Errorf("%s: %s is given something else than a constant named sql…, or a variable named query that is one", set.Position(call.Pos()), called(call))
			}
			return true
		})
	}
}

// called returns the name of the function or method that is called.
func called(call *ast.CallExpr) string {
	if generic, ok := call.Fun.(*ast.IndexExpr); ok {
		return lastName(generic.X)
	}
	return lastName(call.Fun)
}

// lastName returns the name of a variable, field, function or method, or "".
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// TestGuardCatches checks that the tests above would see what they look for.
func TestGuardCatches(t *testing.T) {
	db := open(t, Memory)
	for text, want := range map[string]bool{
		"SELECT value FROM node_setting WHERE name = ?":                                 false,
		"SELECT value FROM node_setting WHERE value = ?":                                true,
		"SELECT name FROM node_setting ORDER BY name LIMIT 1":                           true,
		"DELETE FROM node_setting WHERE value = ? OR name = ?":                          true,
		"INSERT INTO node_setting (name, value) VALUES (?, ?)":                          false,
		"SELECT value FROM node_setting WHERE name IN (SELECT value FROM json_each(?))": false,
		"WITH x AS (VALUES (1), (2)) SELECT name FROM node_setting, x WHERE name = ?":   false,
		"UPDATE node_setting SET value = 1 WHERE NOT EXISTS (SELECT 1) AND name = 'x'":  false,
	} {
		lines, err := plan(t, db, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got := fullScan(lines, map[string]bool{}); got != want {
			t.Errorf("%s: a full scan is %v:\n%s", text, got, strings.Join(lines, "\n"))
		}
	}
	if _, err := plan(t, db, "SELECT nothing FROM node_setting"); err == nil {
		t.Error("a column that does not exist was not missed")
	}
	if strict.MatchString("CREATE TABLE x (strict TEXT)") || !strict.MatchString("CREATE TABLE x (a TEXT) STRICT, WITHOUT ROWID") {
		t.Error("STRICT is not recognised")
	}
	all := statements(t)
	begin := slices.IndexFunc(all, func(s statement) bool { return s.name == "sqlBegin" })
	if begin < 0 || all[begin].text != "BEGIN IMMEDIATE" || all[begin].file != "write" {
		t.Errorf("sqlBegin is %+v", all[max(begin, 0)])
	}
	if !slices.IsSortedFunc(all, func(a, b statement) int { return cmp.Compare(a.file, b.file) }) {
		t.Error("statements are not in the order of their files")
	}
}
