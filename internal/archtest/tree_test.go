package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/golem-go/golem"

// pkg is a package of this module with the files of every platform.
type pkg struct {
	path  string // below the module, "." for the root
	files []file
}

// file is a parsed source file.
type file struct {
	*ast.File
	name string
	set  *token.FileSet
}

// test reports whether the file belongs to tests.
func (f file) test() bool { return strings.HasSuffix(f.name, "_test.go") }

// line returns the place of n for a message.
func (p pkg) line(f file, n ast.Node) string {
	return fmt.Sprintf("%s:%d", filepath.Join(p.path, f.name), f.set.Position(n.Pos()).Line)
}

// imported returns what f imports, by the name it has in f.
func (f file) imported() map[string]string {
	m := map[string]string{}
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // does not parse, and so did not get here
		}
		name := filepath.Base(path)
		if name == "v2" {
			name = filepath.Base(filepath.Dir(path))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		m[name] = path
	}
	return m
}

// tree is the source of the module, read once for all tests.
var tree = sync.OnceValues(read)

func packages(t *testing.T) []pkg {
	t.Helper()
	ps, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) < 10 {
		t.Fatalf("found %d packages only", len(ps))
	}
	return ps
}

func read() (ps []pkg, err error) {
	cmd := exec.Command("go", "list", "-e", "-find", "-json=ImportPath,Dir", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l struct{ ImportPath, Dir string }
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return ps, nil
		} else if err != nil {
			return nil, err
		}
		files, err := parseDir(l.Dir)
		if err != nil {
			return nil, err
		}
		ps = append(ps, pkg{rel(l.ImportPath), files})
	}
}

func parseDir(dir string) (fs []file, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, filepath.Join(dir, e.Name()), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		fs = append(fs, file{f, e.Name(), set})
	}
	return fs, nil
}

func rel(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// fits reports whether one of the patterns covers the package, or the file if
// the pattern is */file.go.
func fits(patterns, pkg, file string) bool {
	for pattern := range strings.FieldsSeq(patterns) {
		if match(pattern, pkg) || file != "" && pattern == "*/"+file {
			return true
		}
	}
	return false
}

func match(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == root || strings.HasPrefix(path, root+"/")
	}
	return pattern == path
}
