package golem_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// golden compares got with the file at path, or writes it.
func golden(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; if that is meant, run go test -update:\n%s", path, diff)
	}
}

func wantKind(t testing.TB, err error, kind golem.Kind) {
	t.Helper()
	if golem.KindOf(err) != kind {
		t.Errorf("got error %v of kind %q, want %q", err, golem.KindOf(err), kind)
	}
}
