package flexbuffers

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// readers are all ways through a whole document.
var readers = map[string]func(data []byte) error{
	"any":    func(data []byte) error { return Unmarshal(data, new(any)) },
	"JSON":   func(data []byte) error { return Unmarshal(data, new(json.RawMessage)) },
	"struct": func(data []byte) error { return Unmarshal(data, new(tree)) },
	"embed": func(data []byte) error {
		v, err := Root(data)
		if err == nil {
			_, err = Marshal(v)
		}
		return err
	},
	"value JSON": func(data []byte) error {
		v, err := Root(data)
		if err == nil {
			_, err = v.MarshalJSON()
		}
		return err
	},
}

// tree fits every document.
type tree struct {
	elems []tree
	text  string
}

func (t *tree) UnmarshalFlex(v Value) error {
	switch v.Kind() {
	case KindVector:
		return v.Decode(&t.elems)
	case KindMap:
		var entries map[string]tree
		return v.Decode(&entries)
	case KindString:
		return v.Decode(&t.text)
	case KindBytes:
		return v.Decode(new([]byte))
	case KindFloat:
		return v.Decode(new(float64))
	}
	return nil
}

func TestMalformed(t *testing.T) {
	tests := []struct{ name, hex, want string }{
		{"empty", "", "at byte 0: shorter than 3 bytes"},
		{"two bytes", "0001", "at byte 0: shorter than 3 bytes"},
		{"root width", "000003", "at byte 2: root width is not 1, 2, 4 or 8"},
		{"wide root", "000008", "at byte 2: root is wider than the document"},
		{"offset before the start", "ff1401", "at byte 0: offset before the start"},
		{"offset of 8 bytes", "ffffffffffffffff1408", "at byte 0: offset before the start"},
		{"no room for a length", "001401", "at byte 0: no room for a length"},
		{"long string", "0561" + "01" + "1401", "at byte 1: content beyond the end"},
		{"huge string", "ffffffffffffffff" + "00" + "1701", "at byte 8: length beyond the end"},
		{"length that overflows", "ffffffffffffff7f" + "00" + "2b01", "at byte 8: length beyond the end"},
		{"long vector", "04" + "00" + "2801", "at byte 1: content beyond the end"},
		{"wide vector", "0200000000000000" + "00" + "2f01", "at byte 8: content beyond the end"},
		{"fixed vector", "00" + "4701", "at byte 0: content beyond the end"},
		{"indirect", "0000" + "01" + "1b01", "at byte 1: content beyond the end"},
		{"unknown type 27", "00" + "6c01", "at byte 0: unknown type"},
		{"unknown type 63", "00" + "fc01", "at byte 0: unknown type"},
		{"map at the start", "0000" + "01" + "2401", "at byte 1: map without room for its keys"},
		{"key width", "0001030000" + "01" + "2401", "at byte 1: key width is not 1, 2, 4 or 8"},
		{"keys before the start", "0009010000" + "01" + "2401", "at byte 1: offset before the start"},
		{"fewer keys than values", "00000001010000" + "02" + "2401", "at byte 2: map has not as many keys as values"},
		{"key without end", "0101010101010104" + "02" + "2401", "key without end"},
		{"not UTF-8", "01ff00" + "02" + "1401", "at byte 1: string is not UTF-8"},
		{"float of 1 byte", "00" + "0c01", "at byte 0: float narrower than 4 bytes"},
		{"float of 2 bytes", "0000" + "0d02", "at byte 0: float narrower than 4 bytes"},
		{"vector in itself", "0100" + "28" + "02" + "2801", "nested too deep"},
	}
	for _, tt := range tests {
		for name, read := range readers {
			err := read(unhex(t, tt.hex))
			if !errors.Is(err, ErrMalformed) || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("%s: %s: %v, want %s", tt.name, name, err, tt.want)
			}
		}
	}
}

// TestMalformedKey has a key that is no UTF-8: it counts where it is looked at.
func TestMalformedKey(t *testing.T) {
	data := mustMarshal(t, map[string]int{"a": 1})
	data[0] = 0xff
	if err := Unmarshal(data, new(map[string]int)); !errors.Is(err, ErrMalformed) {
		t.Errorf("map: %v", err)
	}
	if err := Unmarshal(data, new(ack)); err != nil {
		t.Errorf("struct that ignores the key: %v", err)
	}
	malformed, ok := errors.AsType[*MalformedError](Unmarshal(nil, new(any)))
	if !ok || malformed.Reason == "" {
		t.Errorf("error %#v", malformed)
	}
}

// fanOut is a document of vectors that each hold the next one so many times.
func fanOut(levels, times int) []byte {
	var w writer
	w.reset(nil)
	_ = w.string("x")
	for range levels {
		for range times - 1 {
			w.stack = append(w.stack, w.stack[0])
		}
		w.depth++
		w.endVector(0)
	}
	w.end()
	return w.buf
}

// sameString is a vector that holds one string of so many bytes n times.
func sameString(n, size int) []byte {
	var w writer
	w.reset(nil)
	_ = w.string(strings.Repeat("s", size))
	for range n - 1 {
		w.stack = append(w.stack, w.stack[0])
	}
	w.depth++
	w.endVector(0)
	w.end()
	return w.buf
}

// sameKey is a map with one long key n times.
func sameKey(n, size int) []byte {
	var w writer
	w.reset(nil)
	at, _ := w.key(strings.Repeat("k", size))
	keys := make([]slot, n)
	for i := range keys {
		keys[i] = slot{typ: typeKey, bits: uint64(at)}
		w.null()
	}
	vector := w.vector(typeVectorInt+typeKey-typeInt, keys)
	w.stack = append(w.stack[:0], w.mapOf(vector, w.stack))
	w.end()
	return w.buf
}

// TestHostile reads small documents that describe more than anybody can hold.
// They are refused after work and memory in proportion to their size.
func TestHostile(t *testing.T) {
	docs := map[string][]byte{
		"fan-out of 2":   fanOut(60, 2),
		"fan-out of 200": fanOut(50, 200),
		"one string":     sameString(20_000, 200_000),
		"one key":        sameKey(50_000, 200_000),
	}
	for what, data := range docs {
		for name, read := range readers {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			err := read(data)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s of %d bytes: %s: %v", what, len(data), name, err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 300*uint64(len(data))+4<<20 {
				t.Errorf("%s of %d bytes: %s took %d bytes", what, len(data), name, used)
			}
			if took > 5*time.Second {
				t.Errorf("%s of %d bytes: %s took %v", what, len(data), name, took)
			}
		}
	}
}

// TestSharedStrings reads what writers that pool strings produce.
func TestSharedStrings(t *testing.T) {
	var got []string
	if err := Unmarshal(sameString(5000, 64), &got); err != nil || len(got) != 5000 {
		t.Errorf("%d strings, %v", len(got), err)
	}
	if err := Unmarshal(fanOut(8, 2), new(any)); err != nil {
		t.Errorf("vectors shared a little: %v", err)
	}
}

func TestDepth(t *testing.T) {
	x := any("bottom")
	for range maxDepth {
		x = []any{x}
	}
	data := mustMarshal(t, x)
	for name, read := range readers {
		if err := read(data); err != nil {
			t.Errorf("%d levels: %s: %v", maxDepth, name, err)
		}
		if err := read(fanOut(maxDepth+1, 1)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d levels: %s: %v", maxDepth+1, name, err)
		}
	}
}

// TestTruncated reads every prefix, and every change of one byte, of a document
// with all shapes: there may be errors but no panics.
func TestTruncated(t *testing.T) {
	data := mustMarshal(t, exampleEverything())
	for i := range data {
		for _, read := range readers {
			_ = read(data[:i])
		}
	}
	for i := range data {
		for _, b := range []byte{0, 1, 0x7f, 0xff, data[i] + 1, data[i] ^ 4} {
			changed := append([]byte(nil), data...)
			changed[i] = b
			_ = Unmarshal(changed, new(everything))
			for _, read := range readers {
				_ = read(changed)
			}
		}
	}
}
