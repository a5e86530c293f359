package archtest

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite cmd/golem/deps.txt")

// TestLinked compares what is linked into the program with cmd/golem/deps.txt, so
// that a change that pulls something in shows it.
func TestLinked(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./cmd/golem")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	slices.Sort(linked)
	got := strings.Join(linked, "\n") + "\n"
	golden := filepath.Join("..", "..", "cmd", "golem", "deps.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Fields(string(want))
	for _, p := range linked {
		if !slices.Contains(listed, p) {
			t.Errorf("%s is linked into the program and not listed; if that is meant, run go test ./internal/archtest -update", p)
		}
	}
	for _, p := range listed {
		if !slices.Contains(linked, p) {
			t.Errorf("%s is listed and not linked into the program any more; run go test ./internal/archtest -update", p)
		}
	}
}
