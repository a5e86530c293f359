package flexbuffers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

var errRefused = errors.New("refused")

type refusing struct{}

func (refusing) MarshalFlex() (any, error) { return nil, errRefused }

// endless is encoded as itself.
type endless struct{ A int }

func (e endless) MarshalFlex() (any, error) { return e, nil }

type list struct {
	Next *list `flex:"next"`
}

func TestMarshalErrors(t *testing.T) {
	ring := &list{}
	ring.Next = ring
	var self any
	self = &self
	deep := any("bottom")
	for range maxDepth + 1 {
		deep = []any{deep}
	}
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"channel", make(chan int), "type chan int has no encoding"},
		{"function in a field", struct{ F func() }{}, "F: type func() has no encoding"},
		{"map by int", map[int]int{}, "type map[int]int has no encoding: its keys have no text form"},
		{"text", "\xff", "text is not UTF-8"},
		{"key text", map[string]any{"\xff": nil}, `["\xff"]: text is not UTF-8`},
		{"key with zero", map[string]int{"a\x00": 1}, `["a\x00"]: key contains a zero byte`},
		{"no variant", rpcError{}, "no variant is set"},
		{"two variants", rpcError{Timeout: true, Service: new("x")}, "more than one variant is set"},
		{"variant in a slice", []rpcError{{Timeout: true}, {}}, "[1]: no variant is set"},
		{"in a variant", Result[refusing, Unit]{Ok: &refusing{}}, "Ok: refused"},
		{"own method", refusing{}, "refused"},
		{"JSON", json.RawMessage(`{`), "invalid JSON: unexpected EOF"},
		{"JSON and more", json.RawMessage(`{} {}`), "invalid JSON: text after the value"},
		{"number", json.Number("x"), `invalid number "x"`},
		{"infinite number", json.Number("1e999"), `invalid number "1e999"`},
		{"negative duration", -time.Second, "negative duration"},
		{"year", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "year outside 0 to 9999"},
		{"flattened key", reason{Extra: map[string]any{"message": 1}}, "two values with the same key"},
		{"tag option", struct {
			A int `flex:"a,omitemtpy"`
		}{}, `type struct { A int "flex:\"a,omitemtpy\"" }: field A: unknown tag option "omitemtpy"`},
		{"mark", struct {
			_ struct{} `flex:",enumm"`
		}{}, `type struct { _ struct {} "flex:\",enumm\"" }: unknown mark ",enumm"`},
		{"same key", struct {
			A int
			B int `flex:"A"`
		}{}, `type struct { A int; B int "flex:\"A\"" }: field B: second field with key "A"`},
		{"tuple", statePair{State: "\xff"}, "State: text is not UTF-8"},
		{"array", [1]string{"\xff"}, "[0]: text is not UTF-8"},
		{"typed map", map[string]string{"a": "\xff"}, `["a"]: text is not UTF-8`},
		{"in any", map[string]any{"a": []any{"\xff"}}, `["a"][0]: text is not UTF-8`},
		{"embedded duplicate", twice(), "two values with the same key"},
		{"two rests", struct {
			A map[string]any `flex:",flatten"`
			B map[string]any `flex:",flatten"`
		}{}, `type struct { A map[string]interface {} "flex:\",flatten\""; B map[string]interface {} "flex:\",flatten\"" }: field B: only one map, with string keys, can be flattened`},
		{"flattened int", struct {
			A int `flex:",flatten"`
		}{}, `type struct { A int "flex:\",flatten\"" }: field A: only a struct or a map can be flattened`},
		{"embedded pointer", struct{ *list }{}, `type struct { *flexbuffers.list }: field list: embed the struct rather than a pointer to it`},
		{"odd variant", struct {
			_ struct{} `flex:",enum"`
			A int
		}{}, `type struct { _ struct {} "flex:\",enum\""; A int }: variant A is neither a bool nor a pointer`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := Marshal(tt.value)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Marshal = %x, %v, want error %s", data, err, tt.want)
			}
		})
	}
	for name, x := range map[string]any{"ring": ring, "self": self, "endless": endless{}, "deep": deep} {
		if _, err := Marshal(x); !errors.Is(err, errTooDeep) {
			t.Errorf("%s: %v, want %v", name, err, errTooDeep)
		}
	}
}

// TestMarshalFields goes to the most fields a struct may have.
func TestMarshalFields(t *testing.T) {
	fields := make([]reflect.StructField, maxFields+1)
	for i := range fields {
		fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[int]()}
	}
	most := reflect.New(reflect.StructOf(fields[:maxFields]))
	if err := Unmarshal(mustMarshal(t, most.Interface()), most.Interface()); err != nil {
		t.Error(err)
	}
	if err := Unmarshal(mustMarshal(t, ack{}), most.Interface()); err == nil || err.Error() != "F0: missing" {
		t.Errorf("no fields: %v", err)
	}
	if _, err := Marshal(reflect.Zero(reflect.StructOf(fields)).Interface()); err == nil {
		t.Error("no error for too many fields")
	}
}

// byPointer has its method on the pointer only.
type byPointer struct{ s string }

func (b *byPointer) MarshalText() ([]byte, error) { return []byte(b.s), nil }

func TestMarshalSpecial(t *testing.T) {
	var noReader Bytes8
	tests := []struct {
		name  string
		value any
		same  any // what is written the same
	}{
		{"variant without content", Variant{Name: "x"}, "x"},
		{"variant with unit", Variant{"x", Unit{}}, map[string]any{"x": nil}},
		{"variant with content", Variant{"x", 1.5}, map[string]any{"x": 1.5}},
		{"no JSON", json.RawMessage(nil), nil},
		{"no number", json.Number(""), uint64(0)},
		{"negative zero", json.Number("-0"), math.Copysign(0, -1)},
		{"method of the pointer", map[string]byPointer{"a": {"b"}}, map[string]any{"a": "b"}},
		{"nil slice", []int(nil), []any{}},
		{"nil bytes", []byte(nil), []byte{}},
		{"nil sequence", noReader, []any{}},
		{"nil map", map[string]int(nil), map[string]any{}},
		{"nil pointer", (*int)(nil), nil},
		{"pointers", new(new(any(new(5)))), int64(5)},
		{"error in a field", struct{ E error }{}, map[string]any{"E": nil}},
	}
	for _, tt := range tests {
		if got, want := mustMarshal(t, tt.value), mustMarshal(t, tt.same); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", tt.name, got, want)
		}
	}
}

// TestMarshalOmit leaves out what the tags say, and nothing else.
func TestMarshalOmit(t *testing.T) {
	type s struct {
		A int        `flex:"a,omitempty"`
		B []int      `flex:"b,omitempty"`
		C *int       `flex:"c,omitempty"`
		D getChunk   `flex:"d,omitempty"`
		E getChunk   `flex:"e,omitzero"`
		F time.Time  `flex:"f,omitzero"`
		G *time.Time `flex:"g,omitzero"`
		H []int      `flex:"h,omitzero"`
		I int        `flex:"i,default"`
		J *int       `flex:"j"`
		K any        `flex:"k,omitempty,omitzero"`
	}
	text, err := json.Marshal(mustRoot(t, mustMarshal(t, s{H: []int{}})))
	want := `{"d":{"offset":0,"size":0},"h":[],"i":0,"j":null}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

func TestMarshalWidths(t *testing.T) {
	tests := []struct {
		value any
		bytes int // of the root value
	}{
		{int64(127), 1}, {int64(128), 2}, {int64(-128), 1}, {int64(-129), 2}, {int64(math.MinInt32), 4}, {int64(math.MinInt32 - 1), 8},
		{uint64(255), 1}, {uint64(256), 2}, {uint64(math.MaxUint32), 4}, {uint64(math.MaxUint32 + 1), 8},
		{1.5, 4}, {math.Inf(-1), 4}, {0.1, 8}, {math.NaN(), 8}, {float32(0.1), 4},
	}
	for _, tt := range tests {
		if got := mustMarshal(t, tt.value); len(got) != tt.bytes+2 {
			t.Errorf("%v takes %x, want %d bytes", tt.value, got, tt.bytes)
		}
	}
}

// TestAppend appends behind bytes that would spoil the alignment if they
// counted.
func TestAppend(t *testing.T) {
	for _, v := range []any{crateBytesOf(257), exampleProposal(), "x"} {
		got, err := Append([]byte("abc"), v)
		if want := append([]byte("abc"), mustMarshal(t, v)...); err != nil || !bytes.Equal(got, want) {
			t.Errorf("Append of %T = %x, %v, want %x", v, got, err, want)
		}
	}
	if got, err := Append([]byte("abc"), "\xff"); string(got) != "abc" || err == nil {
		t.Errorf("failed Append = %q, %v", got, err)
	}
}

// TestMarshalLarge goes through the sizes at which buffers are pooled or not,
// and checks that results do not share memory.
func TestMarshalLarge(t *testing.T) {
	for _, n := range []int{10, maxPooled - 10, maxPooled, 3 * maxPooled} {
		text := strings.Repeat("x", n)
		first := mustMarshal(t, text)
		second := mustMarshal(t, strings.Repeat("y", n))
		var got string
		if err := Unmarshal(first, &got); err != nil || got != text {
			t.Errorf("text of %d bytes came back as %d, %v", n, len(got), err)
		}
		if err := Unmarshal(second, &got); err != nil || got[0] != 'y' {
			t.Errorf("second text of %d bytes: %v", n, err)
		}
	}
}
