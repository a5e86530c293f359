package flexbuffers

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
)

func mustRoot(t testing.TB, data []byte) Value {
	t.Helper()
	v, err := Root(data)
	if err != nil {
		t.Fatalf("Root(%x): %v", data, err)
	}
	return v
}

func TestValueWalk(t *testing.T) {
	v := mustRoot(t, mustMarshal(t, map[string]any{
		"blob": []byte{1, 2}, "list": []any{int64(-3), "x", nil}, "ok": true, "pi": 3.25, "u": uint64(300),
	}))
	if v.Kind() != KindMap || v.Len() != 5 {
		t.Fatalf("root is a %v of %d", v.Kind(), v.Len())
	}
	if key, err := v.Key(1); key != "list" || err != nil {
		t.Errorf("Key(1) = %q, %v", key, err)
	}
	blob, ok, err := v.Lookup("blob")
	if b, err2 := blob.Bytes(); !ok || err != nil || err2 != nil || !bytes.Equal(b, []byte{1, 2}) {
		t.Errorf("blob = %v, %v, %v, %v", b, ok, err, err2)
	}
	if _, ok, err := v.Lookup("blo"); ok || err != nil {
		t.Errorf("Lookup of an absent key: %v, %v", ok, err)
	}
	if _, ok, _ := v.Lookup("blob\x00"); ok {
		t.Error("Lookup found a key with a zero byte")
	}
	list, _, _ := v.Lookup("list")
	first, err := list.At(0)
	if i, err2 := first.Int(); i != -3 || err != nil || err2 != nil {
		t.Errorf("list[0] = %d, %v, %v", i, err, err2)
	}
	if last, err := list.At(2); last.Kind() != KindNull || err != nil {
		t.Errorf("list[2] = %v, %v", last.Kind(), err)
	}
	for _, i := range []int{-1, 3} {
		if _, err := list.At(i); err == nil {
			t.Errorf("At(%d) of 3 elements succeeded", i)
		}
	}
}

// TestValueWrongKind asks every kind of value for every kind of content: only
// the conversions that lose nothing succeed.
func TestValueWrongKind(t *testing.T) {
	values := map[string]any{
		"null": nil, "bool": true, "int": int64(-1), "uint": uint64(math.MaxUint64), "float": 0.5,
		"string": "s", "bytes": []byte{1}, "vector": []any{}, "map": map[string]any{},
	}
	can := map[string]string{
		"null": "", "bool": "bool", "int": "int float", "uint": "uint float", "float": "float",
		"string": "string variant", "bytes": "bytes", "vector": "", "map": "lookup",
	}
	for kind, x := range values {
		v := mustRoot(t, mustMarshal(t, x))
		if v.Kind().String() != kind {
			t.Errorf("kind of %s is %v", kind, v.Kind())
		}
		var errs = map[string]error{}
		_, errs["bool"] = v.Bool()
		_, errs["int"] = v.Int()
		_, errs["uint"] = v.Uint()
		_, errs["float"] = v.Float()
		_, errs["string"] = v.Text()
		_, errs["bytes"] = v.Bytes()
		_, errs["at"] = v.At(0)
		_, errs["key"] = v.Key(0)
		_, _, errs["lookup"] = v.Lookup("x")
		_, _, errs["variant"] = v.Variant()
		for what, err := range errs {
			if want := strings.Contains(" "+can[kind]+" ", " "+what+" "); want != (err == nil) {
				t.Errorf("%s of a %s: %v", what, kind, err)
			}
		}
	}
}

// TestValueLayouts reads layouts that Marshal does not write.
func TestValueLayouts(t *testing.T) {
	tests := []struct{ name, hex, want string }{
		{"int in 8 bytes", "0500000000000000" + "0708", `5`},
		{"negative in 4 bytes", "feffffff" + "0604", `-2`},
		{"uint in 2 bytes, unaligned", "00" + "0500" + "0902", `5`},
		{"bool in 2 bytes", "0001" + "6902", `true`},
		{"float as root of 8 bytes", "000000000000f83f" + "0f08", `1.5`},
		{"indirect int", "feff" + "02" + "1901", `-2`},
		{"indirect uint", "ff" + "01" + "1c01", `255`},
		{"indirect float", "0000c03f" + "04" + "2201", `1.5`},
		{"key", "6b6579" + "00" + "04" + "1001", `"key"`},
		{"vector of keys", "6100" + "0103" + "01" + "3801", `["a"]`},
		{"deprecated vector of strings", "016100" + "0103" + "01" + "3c01", `["a"]`},
		{"three floats", "0000803f" + "00000040" + "00004040" + "0c" + "5601", `[1.0,2.0,3.0]`},
		{"four ints", "01fe03fc" + "04" + "5801", `[1,-2,3,-4]`},
		{"string without end", "0161" + "01" + "1401", `"a"`},
		{"string with wide length", "0100" + "6100" + "02" + "1501", `"a"`},
		{"keys out of order", "62006100" + "020504" + "0201020102" + "0404" + "04" + "2401", `{"a":2,"b":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(mustRoot(t, unhex(t, tt.hex)))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s = %s, %v, want %s", tt.hex, got, err, tt.want)
			}
		})
	}
}

// twice returns a document with one key twice: {"a": 1, "a": 2}.
func twice() Value {
	var w writer
	w.reset(nil)
	start, _ := w.begin()
	at, _ := w.key("a")
	w.int(1)
	w.setKey(at)
	w.int(2)
	w.setKey(at)
	keys := w.vector(typeVectorInt+typeKey-typeInt, []slot{{typ: typeKey, bits: uint64(at)}, {typ: typeKey, bits: uint64(at)}})
	w.stack = append(w.stack[:start], w.mapOf(keys, w.stack[start:]))
	w.end()
	v, _ := Root(w.buf)
	return v
}

// TestValueDuplicates finds the readers agreed that the last entry counts.
func TestValueDuplicates(t *testing.T) {
	v := twice()
	x, ok, err := v.Lookup("a")
	if i, _ := x.Int(); i != 2 || !ok || err != nil {
		t.Errorf("Lookup = %d, %v, %v", i, ok, err)
	}
	var s struct {
		A int `flex:"a"`
	}
	if err := v.Decode(&s); err != nil || s.A != 2 {
		t.Errorf("struct = %+v, %v", s, err)
	}
	var m map[string]int
	if err := v.Decode(&m); err != nil || m["a"] != 2 {
		t.Errorf("map = %v, %v", m, err)
	}
}

func TestValueZero(t *testing.T) {
	var v Value
	if v.Kind() != KindNull || v.Len() != 0 {
		t.Errorf("zero Value is a %v of %d", v.Kind(), v.Len())
	}
	if got := mustMarshal(t, v); !bytes.Equal(got, []byte{0, 0, 1}) {
		t.Errorf("Marshal of the zero Value = %x", got)
	}
	if text, err := json.Marshal(v); string(text) != "null" || err != nil {
		t.Errorf("JSON of the zero Value = %s, %v", text, err)
	}
	p := new(5)
	if err := v.Decode(&p); err != nil || p != nil {
		t.Errorf("Decode of the zero Value = %v, %v", p, err)
	}
}

func TestValueLen(t *testing.T) {
	tests := []struct {
		hex  string
		want int
	}{{"000001", 0}, {"0361626300041401", 3}, {"6b6579" + "00" + "04" + "1001", 3}, {"0102024401", 2}, {"00000100002401", 0}}
	for _, tt := range tests {
		if got := mustRoot(t, unhex(t, tt.hex)).Len(); got != tt.want {
			t.Errorf("Len of %s = %d, want %d", tt.hex, got, tt.want)
		}
	}
}

// TestValueEmbedded moves a part of one document into another without decoding
// it, as the bridge to a WebSocket does.
func TestValueEmbedded(t *testing.T) {
	type frame struct {
		ID      string `flex:"id"`
		Payload Value  `flex:"payload"`
	}
	payload := gftpChunk{Offset: 3, Content: []byte("abc")}
	in := frame{ID: "x", Payload: mustRoot(t, mustMarshal(t, payload))}
	var out frame
	if err := Unmarshal(mustMarshal(t, in), &out); err != nil {
		t.Fatal(err)
	}
	var got gftpChunk
	if err := out.Payload.Decode(&got); err != nil || got.Offset != 3 || string(got.Content) != "abc" {
		t.Errorf("payload = %+v, %v", got, err)
	}
	if a, b := mustMarshal(t, out.Payload), mustMarshal(t, map[string]any{"content": []byte("abc"), "offset": uint64(3)}); !bytes.Equal(a, b) {
		t.Errorf("payload alone is %x, want %x", a, b)
	}
}

// TestValueConcurrent reads one Value, and codecs yet unknown, from many
// goroutines under the race detector.
func TestValueConcurrent(t *testing.T) {
	data := mustMarshal(t, exampleProposal())
	v := mustRoot(t, data)
	var kept struct {
		Proposal Value `flex:"proposal"`
	}
	if err := Unmarshal(data, &kept); err != nil {
		t.Fatal(err)
	}
	type fresh struct {
		proposalReceived
		Next *fresh
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			var a fresh
			var b proposalContent
			err := errors.Join(v.Decode(&a), kept.Proposal.Decode(&b))
			if err != nil || a.Proposal != b {
				t.Errorf("read %+v and %+v, %v", a, b, err)
			}
		})
	}
	group.Wait()
}
