package dirlock_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/dirlock"
)

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	first, err := dirlock.Lock(dir, "node")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dirlock.Lock(dir, "node"); golem.KindOf(err) != golem.ErrUnavailable || !strings.Contains(err.Error(), "another node is running there") {
		t.Errorf("locked twice: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := dirlock.Lock(dir, "node")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if other, err := dirlock.Lock(dir, "hub"); err != nil {
		t.Errorf("another role: %v", err)
	} else {
		other.Close()
	}
}
