//go:build unix

package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golem-go/golem"
)

// TestSocketOfALongPath puts the socket where all can write.
func TestSocketOfALongPath(t *testing.T) {
	long := "/" + strings.Repeat("x", maxSocketPath)
	for name, prepare := range map[string]func(dir string) error{
		"nothing there": func(string) error { return nil },
		"ours":          func(dir string) error { return os.Mkdir(dir, 0o700) },
		"a link": func(dir string) error {
			return errors.Join(os.Mkdir(dir+".1", 0o700), os.Symlink(dir+".1", dir))
		},
		"open to all": func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) },
		"a file":      func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
	} {
		temp, err := os.MkdirTemp("", "n") // t.TempDir is long itself
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(temp)
		t.Setenv("TMPDIR", temp)
		first, err := gsbURL(long)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(strings.TrimPrefix(first, "unix:"))
		if err := errors.Join(os.Remove(dir), prepare(dir)); err != nil {
			t.Fatal(err)
		}
		url, err := gsbURL(long)
		switch good := name == "nothing there" || name == "ours"; {
		case good && (err != nil || url != first):
			t.Errorf("%s: %s, %v", name, url, err)
		case !good && !errors.Is(err, golem.ErrForbidden):
			t.Errorf("%s: %s, %v; want forbidden", name, url, err)
		}
	}
}

func TestAnnouncementsAreBounded(t *testing.T) {
	many := make([]string, 100_000)
	for i := range many {
		many[i] = "f"
	}
	if got := someOf(many); len(got) != maxFeatures {
		t.Errorf("%d features kept", len(got))
	}
	if got := someOf([]string{strings.Repeat("x", 8<<20), "signed"}); len(got) != 1 || got[0] != "signed" {
		t.Errorf("kept %d", len(got))
	}
}
