package sqlite

import (
	"errors"
	"testing"
)

// mortal is a Tap of a process that dies at a commit, or before it.
type mortal struct{ before, after, dead bool }

var errDead = errors.New("dead")

func (m *mortal) Enter() error      { return m.die(false) }
func (m *mortal) Committing() error { return m.die(m.before) }
func (m *mortal) Committed() error  { return m.die(m.after) }

func (m *mortal) die(now bool) error {
	if m.dead = m.dead || now; m.dead {
		return errDead
	}
	return nil
}

func TestTap(t *testing.T) {
	db := open(t, Memory)
	for name, tap := range map[string]*mortal{"before": {before: true}, "after": {after: true}} {
		db.SetTap(tap)
		if err := db.Write(t.Context(), put(name, "1")); !errors.Is(err, errDead) {
			t.Errorf("%s: write got %v", name, err)
		}
		if _, err := readOne(t.Context(), db, scalar[string], sqlTestGet, name); !errors.Is(err, errDead) {
			t.Errorf("%s: read got %v", name, err)
		}
		db.SetTap(nil)
		_, err := readOne(t.Context(), db, scalar[string], sqlTestGet, name)
		if written := err == nil; written != tap.after {
			t.Errorf("%s: written is %t", name, written)
		}
	}
}
