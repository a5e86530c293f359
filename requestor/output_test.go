package requestor_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/requestor"
)

// TestOutputLost has events with output get lost on the way.
func TestOutputLost(t *testing.T) {
	// Each event of the program has 256 bytes.
	lost := func(from, to uint64) func(golem.RuntimeEvent) bool {
		return func(e golem.RuntimeEvent) bool {
			return e.Kind.Stdout != nil && e.Printed.Stdout >= from && e.Printed.Stdout < to
		}
	}
	tests := []struct {
		name  string
		loses func(golem.RuntimeEvent) bool
		got   int
		want  string // of the error
	}{
		{"nothing", nil, 2560, ""},
		{"beginning", lost(0, 512), 2048, "output incomplete: 512 bytes"},
		{"middle", lost(256, 1024), 1792, "output incomplete: 768 bytes"},
		{"end", lost(2304, 2560), 2304, "output incomplete: 256 bytes"},
		{"all", lost(0, 2560), 0, "output incomplete: 2560 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.sell("ann", manners{loses: test.loses})
				r := w.connect(nil)
				defer r.Close()
				rental, err := r.Rent(t.Context(), order())
				w.must(err)
				var out bytes.Buffer
				err = rental.Run(t.Context(), requestor.Process{Path: "bytes", Args: []string{"10"}, Stdout: &out})
				if out.Len() != test.got {
					t.Errorf("got %d bytes, want %d", out.Len(), test.got)
				}
				wantLoss(t, err, test.want)
				for _, nobody := range []io.Writer{nil, io.Discard} {
					w.must(rental.Run(t.Context(), requestor.Process{Path: "bytes", Args: []string{"10"}, Stdout: nobody}))
				}
			})
		})
	}
}

// wantLoss checks an error that begins with text, nil for none.
func wantLoss(t *testing.T, err error, text string) {
	t.Helper()
	if text == "" {
		if err != nil {
			t.Errorf("got error %v", err)
		}
		return
	}
	_, blamed := errors.AsType[*requestor.ProviderError](err)
	if err == nil || !strings.HasPrefix(err.Error(), text) || !errors.Is(err, golem.ErrTooLarge) || blamed {
		t.Errorf("got error %v, want %s", err, text)
	}
}
