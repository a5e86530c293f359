package wire_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/wire"
)

// The vectors are those of spec net.md §1.5.
func TestGftpVectors(t *testing.T) {
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"get chunk", wire.GftpGetChunkRequest{Offset: 40960, Size: 40960}, "6f66667365740073697a6500020d070003000100020000a000a00909062501"},
		{"chunk", wire.GftpChunk{Content: []byte{1, 2, 3}}, "6f666673657400636f6e74656e740003010203020d1502010209006408042401"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, err := flexbuffers.Marshal(test.v)
			if err != nil || hex.EncodeToString(b) != test.want {
				t.Errorf("got %x, %v, want %s", b, err, test.want)
			}
		})
	}
}

func TestGftpErrors(t *testing.T) {
	tests := []struct {
		name      string
		err, want error
	}{
		{"integrity", wire.ErrGftpIntegrity, wire.ErrGftpIntegrity},
		{"read", golem.Errorf(golem.ErrInvalid, "offset"), golem.ErrNotFound},
		{"write", golem.Errorf(golem.ErrExhausted, "disk"), golem.ErrExhausted},
		{"other", errors.New("secret"), golem.ErrInternal},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, err := flexbuffers.Marshal(wire.GftpErrors.Encode(test.err))
			if err != nil {
				t.Fatal(err)
			}
			v, err := flexbuffers.Root(b)
			if err != nil {
				t.Fatal(err)
			}
			if got := wire.GftpErrors.Decode(v); !errors.Is(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	// Either spelling of the variants is understood.
	b, _ := flexbuffers.Marshal(map[string]any{"readError": "gone"})
	v, _ := flexbuffers.Root(b)
	if got := wire.GftpErrors.Decode(v); !errors.Is(got, golem.ErrNotFound) {
		t.Errorf("camel case: got %v", got)
	}
}
