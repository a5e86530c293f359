package flexbuffers

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
)

func addVectors(f *testing.F) {
	for _, v := range vectors {
		data, err := hex.DecodeString(v.hex)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(mustMarshal(f, exampleEverything()))
	f.Add(mustMarshal(f, crateBytesOf(5)))
	f.Add(fanOut(20, 2))
	f.Add(sameKey(9, 9))
}

// FuzzUnmarshalAny checks that what can be read can be written, and that
// writing it again changes nothing.
func FuzzUnmarshalAny(f *testing.F) {
	addVectors(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var x any
		if err := Unmarshal(data, &x); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		first := mustMarshal(t, x)
		var y any
		if err := Unmarshal(first, &y); err != nil {
			t.Fatalf("own document %x: %v", first, err)
		}
		if second := mustMarshal(t, y); !bytes.Equal(first, second) {
			t.Fatalf("not stable:\n%x\n%x", first, second)
		}
		if _, err := json.Marshal(mustRoot(t, data)); err != nil {
			t.Fatalf("JSON: %v", err)
		}
	})
}

func FuzzUnmarshalStruct(f *testing.F) {
	addVectors(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var x everything
		if err := Unmarshal(data, &x); err == nil {
			// A Reply or an Any may hold what has no encoding of its own.
			if again, err := Marshal(x); err == nil {
				var y everything
				if err := Unmarshal(again, &y); err != nil {
					t.Fatalf("own document %x: %v", again, err)
				}
			}
		}
		var b crateBytes
		if err := Unmarshal(data, &b); err == nil {
			var c crateBytes
			if err := Unmarshal(mustMarshal(t, b), &c); err != nil {
				t.Fatal(err)
			}
		}
		_ = Unmarshal(data, new(rpcError))
		_ = Unmarshal(data, new(Variant))
		_ = Unmarshal(data, new(progress))
	})
}

// FuzzValue walks documents by hand, so far as a few thousand steps lead.
func FuzzValue(f *testing.F) {
	addVectors(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Root(data)
		if err != nil {
			return
		}
		steps := 2000
		walk(t, v, &steps)
	})
}

func walk(t *testing.T, v Value, steps *int) {
	if *steps--; *steps < 0 {
		return
	}
	_, _ = v.Bool()
	_, _ = v.Int()
	_, _ = v.Uint()
	_, _ = v.Float()
	_, _ = v.Text()
	_, _ = v.Bytes()
	_, _, _ = v.Variant()
	_, _, _ = v.Lookup("offset")
	for i := range min(v.Len(), 50) {
		if key, err := v.Key(i); err == nil {
			if _, ok, err := v.Lookup(key); !ok && err == nil {
				t.Fatalf("key %q is there but not found", key)
			}
		}
		if x, err := v.At(i); err == nil {
			walk(t, x, steps)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`null`, `{"a":[1,-2,0.5,1e99,"ż"],"b":{}}`, `[18446744073709551616,-0,0.0]`, `{"a":1,"a":2}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		data, err := Marshal(json.RawMessage(text))
		if err != nil {
			return
		}
		var back json.RawMessage
		if err := Unmarshal(data, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again := mustMarshal(t, back); !bytes.Equal(again, data) {
			t.Fatalf("%s became %s", text, back)
		}
	})
}

func FuzzInflate(f *testing.F) {
	f.Add([]byte{})
	f.Add(Deflate([]byte("abc")))
	f.Add(mustMarshal(f, exampleProposal()))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 16
		got, err := Inflate(data, limit)
		if err != nil && !errors.Is(err, ErrTooLarge) || len(got) > limit {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if len(data) <= limit {
			back, err := Inflate(Deflate(data), limit)
			if err != nil || !bytes.Equal(back, data) {
				t.Fatalf("%x came back as %x, %v", data, back, err)
			}
		}
	})
}
