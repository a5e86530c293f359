package requestor

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestClip checks that what others say cannot do anything to a terminal.
func TestClip(t *testing.T) {
	for in, want := range map[string]string{
		"kitchen server ✓":                 "kitchen server ✓",
		"\x1b[2J\x1b[31mred\x07":           "[2J[31mred",
		"two\r\nlines\tand a tab":          "two  lines and a tab",
		"a C1 \u009b2J, a right\u202eleft": "a C1 2J, a rightleft",
		"no UTF-8 \xff\x9b2J":              "no UTF-8 2J",
		strings.Repeat("ä", 200):           strings.Repeat("ä", 100) + "…",
	} {
		if got := clip(in); got != want {
			t.Errorf("clip(%q) = %q, want %q", in, got, want)
		}
	}
	c, _ := read(seller, json.RawMessage(`{"golem.node.id.name":"\u001b[31mann","golem.runtime.name":"wasm\u0007","golem.runtime.version":"1\n2"}`))
	if c.Name != "[31mann" || c.Runtime != "wasm" || c.Version != "1 2" {
		t.Errorf("read %q, %q, %q", c.Name, c.Runtime, c.Version)
	}
}

func TestExitCode(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, test := range []struct {
		message *string
		want    int
	}{
		{nil, -1},
		{text("Usage limit exceeded"), -1},
		{text("ExeScript command exited with code 7"), 7},
		{text("ExeScript command exited with code 0"), -1}, // a failure is no success
	} {
		if got := exitCode(test.message); got != test.want {
			t.Errorf("got %d, want %d", got, test.want)
		}
	}
}
