package flexbuffers

import (
	"bytes"
	"errors"
	"sync"
	"testing"
)

func TestInflate(t *testing.T) {
	ok := unhex(t, "789cf3cf6660646164646460605261040009a600ea")
	plain := unhex(t, "4f6b0001040101010000022401")
	badSum := append(ok[:len(ok)-1:len(ok)-1], ok[len(ok)-1]+1)
	tests := []struct {
		name  string
		data  []byte
		limit int
		want  []byte // nil if too large
	}{
		{"upstream's Ok(())", ok, 100, plain},
		{"as large as allowed", ok, len(plain), plain},
		{"one byte more than allowed", ok, len(plain) - 1, nil},
		{"trailing bytes", append(ok[:len(ok):len(ok)], 1, 2), 100, plain},
		{"plain", plain, 100, plain},
		{"plain too large", plain, len(plain) - 1, nil},
		{"empty", []byte{}, 0, []byte{}},
		{"wrong check sum", badSum, 100, badSum},
		{"cut", ok[:10], 100, ok[:10]},
		{"header alone", ok[:2], 100, ok[:2]},
		{"looks like a header", []byte("x^xx\x00"), 100, []byte("x^xx\x00")},
		{"empty stream", Deflate(nil), 0, []byte{}},
		{"bomb", Deflate(make([]byte, 4<<20)), 64 << 10, nil},
		{"bomb within a stream", Deflate(Deflate(make([]byte, 4<<20))), 64 << 10, Deflate(make([]byte, 4<<20))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Inflate(tt.data, tt.limit)
			if tt.want == nil {
				if !errors.Is(err, ErrTooLarge) || got != nil {
					t.Errorf("got %d bytes, %v, want ErrTooLarge", len(got), err)
				}
				return
			}
			if err != nil || !bytes.Equal(got, tt.want) {
				t.Errorf("got %x, %v, want %x", got, err, tt.want)
			}
		})
	}
}

// TestDeflateConcurrent shares the pools among goroutines.
func TestDeflateConcurrent(t *testing.T) {
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			data := fill(10_000+i, byte(i))
			for range 20 {
				got, err := Inflate(Deflate(data), len(data))
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			}
		})
	}
	group.Wait()
}
