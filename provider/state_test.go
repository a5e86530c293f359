package provider

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// golden compares got with a file in testdata, or writes it.
func golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
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

// TestDealMoves shows every pair of state and event.
func TestDealMoves(t *testing.T) {
	var b strings.Builder
	for _, s := range dealStates {
		for _, e := range dealEvents {
			next, err := s.next(e)
			if err != nil {
				if golem.KindOf(err) != golem.ErrConflict || next != s {
					t.Errorf("%s on %s: %s, %v", s, e, next, err)
				}
				next = "-"
			}
			fmt.Fprintf(&b, "%-12s %-8s %s\n", s, e, next)
		}
	}
	golden(t, "deal.golden", b.String())
}

// TestDealEnds checks that every deal can be closed and broken until it is over.
func TestDealEnds(t *testing.T) {
	for _, s := range dealStates {
		_, closeErr := s.next(dealClose)
		_, breakErr := s.next(dealBreak)
		if over := closeErr != nil || breakErr != nil; over != s.ended() {
			t.Errorf("%s: close %v, break %v, ended %v", s, closeErr, breakErr, s.ended())
		}
	}
}
