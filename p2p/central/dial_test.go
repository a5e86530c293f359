package central

import (
	"strings"
	"testing"
)

func FuzzParsePlace(f *testing.F) {
	f.Add("hub.example.org")
	f.Add(strings.Repeat("0f", 28) + "@hub.example.org:1")
	f.Add("unix:/tmp/hub.sock")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePlace(text)
		if err != nil {
			return
		}
		if len(p.pin) != 0 && len(p.pin) != 28 || p.address == "" {
			t.Fatalf("%q became %+v", text, p)
		}
		// An address with a pin is never used without TLS.
		if strings.Contains(text, "@") && !strings.HasPrefix(text, "unix:") && len(p.pin) == 0 {
			t.Fatalf("the pin of %q was lost: %+v", text, p)
		}
	})
}
