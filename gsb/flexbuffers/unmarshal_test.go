package flexbuffers

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// nodeID is text on the wire and bytes in memory, as node IDs are.
type nodeID [2]byte

func (n nodeID) MarshalText() ([]byte, error) { return []byte(string(n[:])), nil }

func (n *nodeID) UnmarshalText(text []byte) error {
	if len(text) != 2 {
		return errors.New("not a node ID")
	}
	copy(n[:], text)
	return nil
}

// reply is an untagged enum: a string or a struct.
type reply struct {
	ID   string
	Body *getChunk
}

func (r reply) MarshalFlex() (any, error) {
	if r.Body != nil {
		return r.Body, nil
	}
	return r.ID, nil
}

func (r *reply) UnmarshalFlex(v Value) error {
	if v.Kind() == KindString {
		return v.Decode(&r.ID)
	}
	return v.Decode(&r.Body)
}

// byJSON has only a JSON form.
type byJSON struct{ n int }

func (b byJSON) MarshalJSON() ([]byte, error) { return json.Marshal([]int{b.n}) }

func (b *byJSON) UnmarshalJSON(text []byte) error {
	var list [1]int
	err := json.Unmarshal(text, &list)
	b.n = list[0]
	return err
}

type inner struct {
	Shared int `flex:"shared"`
	Deep   int `flex:"deep"`
}

type everything struct {
	inner
	Shared   string `flex:"shared"`
	JSONName int    `json:"jsonName,omitempty"`
	Both     []byte `json:"both,omitempty" flex:",seq"`
	Flex     int    `json:"other,omitempty" flex:"flexName"`
	Skipped  int    `flex:"-"`
	JSONSkip int    `json:"-"`
	Plain    bool
	hidden   int
	When     time.Time         `flex:"when"`
	Naive    *time.Time        `flex:"naive,naive"`
	Zero     time.Time         `flex:"zero,omitzero"`
	Span     time.Duration     `flex:"span"`
	Node     nodeID            `flex:"node"`
	Nodes    map[nodeID]uint8  `flex:"nodes"`
	Addr     netip.Addr        `flex:"addr"`
	Reply    reply             `flex:"reply"`
	Odd      byJSON            `flex:"odd"`
	Any      any               `flex:"any"`
	Text     json.RawMessage   `flex:"text"`
	Number   json.Number       `flex:"number"`
	Seqs     [][]byte          `flex:"seqs,seq"`
	More     map[string]string `flex:",flatten"`
}

func exampleEverything() everything {
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)
	return everything{
		inner: inner{Deep: 7}, Shared: "outer", Both: []byte{1, 2}, Plain: true,
		When: at.Truncate(time.Second), Naive: &at, Span: 1500 * time.Millisecond,
		Node: nodeID{'a', 'b'}, Nodes: map[nodeID]uint8{{'c', 'd'}: 9}, Addr: netip.MustParseAddr("10.0.0.1"),
		Reply: reply{Body: &getChunk{1, 2}}, Odd: byJSON{5}, Any: []any{"x", uint64(1)},
		Text: json.RawMessage(`{"a":[1.0,-2,null]}`), Number: "12", Seqs: [][]byte{{1}, {2, 3}},
		More: map[string]string{"extra": "yes"},
	}
}

func TestEverything(t *testing.T) {
	in := exampleEverything()
	in.hidden = 1
	data := mustMarshal(t, in)
	in.hidden = 0 // not exported, and so neither written nor read
	text, err := json.Marshal(mustRoot(t, data))
	want := `{"Plain":true,"addr":"10.0.0.1","any":["x",1],"both":[1,2],"deep":7,"extra":"yes","flexName":0,` +
		`"naive":"2026-01-02T03:04:05.123456","node":"ab","nodes":{"cd":9},"number":12,"odd":[5],` +
		`"reply":{"offset":1,"size":2},"seqs":[[1],[2,3]],"shared":"outer","span":{"nanos":500000000,"secs":1},` +
		`"text":{"a":[1.0,-2,null]},"when":"2026-01-02T03:04:05Z"}`
	if err != nil || string(text) != want {
		t.Errorf("document:\n got %s, %v\nwant %s", text, err, want)
	}
	var out everything
	if err := Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	everyField := cmp.Exporter(func(t reflect.Type) bool { return t.PkgPath() == reflect.TypeFor[everything]().PkgPath() })
	if diff := cmp.Diff(in, out, everyField, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestUnmarshalLenient writes one value and reads it as another.
func TestUnmarshalLenient(t *testing.T) {
	type s struct {
		A int
		B *string
		C []int `flex:",omitempty"`
		D int   `flex:",default"`
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name     string
		from, to any // to is what a value of its type is after reading
	}{
		{"int as uint", int64(5), uint8(5)},
		{"uint as int", uint64(5), int8(5)},
		{"uint as float", uint64(5), 5.0},
		{"int as float", int64(-5), float32(-5)},
		{"blob as sequence", []byte{1, 2}, Bytes8{1, 2}},
		{"sequence as bytes", Bytes8(fill(300, 9)), fill(300, 9)},
		{"empty vector as bytes", []any{}, []byte{}},
		{"ints as bytes", []int{1, 2, 255}, []byte{1, 2, 255}},
		{"mixed vector as bytes", []any{int64(1), uint64(2)}, []byte{1, 2}},
		{"blob as array", []byte{1, 2}, [2]byte{1, 2}},
		{"text as node", "ab", nodeID{'a', 'b'}},
		{"blob as node", []byte{'a', 'b'}, nodeID{'a', 'b'}},
		{"empty map as unit", map[string]any{}, Unit{}},
		{"null as empty struct", nil, ack{}},
		{"extra keys", map[string]any{"A": int64(1), "Z": "?"}, s{A: 1}},
		{"null where optional", map[string]any{"A": int64(1), "B": nil, "C": nil, "D": nil}, s{A: 1}},
		{"struct from vector", []any{int64(1), "b"}, s{A: 1, B: new("b")}},
		{"struct from long vector", []any{int64(1), nil, nil, nil, "?"}, s{A: 1}},
		{"variant with null", map[string]any{"timeout": nil}, rpcError{Timeout: true}},
		{"dynamic variant", "x", Variant{Name: "x"}},
		{"dynamic variant with null", map[string]any{"x": nil}, Variant{"x", Unit{}}},
		{"dynamic variant with content", map[string]any{"x": "y"}, Variant{"x", "y"}},
		{"untagged string", "id", reply{ID: "id"}},
		{"null as pointer", nil, (*int)(nil)},
		{"time with offset", "2026-01-02T05:04:05+02:00", at},
		{"time without zone", "2026-01-02T03:04:05", at},
		{"bytes as JSON", []byte{1, 2, 3}, json.RawMessage(`"AQID"`)},
		{"infinity as JSON", math.Inf(1), json.RawMessage(`null`)},
		{"no HTML escapes", "<&>", json.RawMessage(`"<&>"`)},
		{"float as JSON number", 2.0, json.Number("2.0")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := reflect.New(reflect.TypeOf(tt.to))
			if err := Unmarshal(mustMarshal(t, tt.from), got.Interface()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.to, got.Elem().Interface(), exported); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnmarshalErrors(t *testing.T) {
	type content struct {
		CreationTS string         `flex:"creation_ts"`
		Parts      []int          `flex:"parts,omitempty"`
		ByName     map[string]int `flex:"byName,omitempty"`
	}
	type wrapper struct {
		Proposal content `flex:"proposal"`
	}
	in := func(k string, v any) any {
		return map[string]any{"proposal": map[string]any{"creation_ts": "x", k: v}}
	}
	tests := []struct {
		name       string
		from, into any
		want       string
	}{
		{"wrong kind", in("creation_ts", int64(3)), &wrapper{}, "proposal.creation_ts: want string, found int"},
		{"missing key", map[string]any{"proposal": map[string]any{}}, &wrapper{}, "proposal.creation_ts: missing"},
		{"short vector", []any{[]any{}}, &wrapper{}, "proposal.creation_ts: missing"},
		{"null for a struct", map[string]any{"proposal": nil}, &wrapper{}, "proposal: want map, found null"},
		{"in an element", in("parts", []any{int64(1), "x"}), &wrapper{}, "proposal.parts[1]: want int, found string"},
		{"in an entry", in("byName", map[string]any{"a\nb": "x"}), &wrapper{}, `proposal.byName["a\nb"]: want int, found string`},
		{"no slice", in("parts", "x"), &wrapper{}, "proposal.parts: want vector, found string"},
		{"no map", in("byName", []any{}), &wrapper{}, "proposal.byName: want map, found vector"},
		{"long key", map[string]any{strings.Repeat("k", 99): "x"}, new(map[string]int), `["` + strings.Repeat("k", 48) + `…"]: want int, found string`},
		{"narrow int", uint64(300), new(int8), "want int8, found 300"},
		{"narrow uint", uint64(300), new(uint8), "want uint8, found 300"},
		{"negative uint", int64(-1), new(uint64), "want uint, found -1"},
		{"large int", uint64(math.MaxUint64), new(int64), "want int, found 18446744073709551615"},
		{"float for int", 1.5, new(int), "want int, found float"},
		{"large byte", []any{uint64(300)}, new([]byte), "[0]: want byte, found 300"},
		{"string for bytes", "x", new([]byte), "want bytes, found string"},
		{"short array", []any{uint64(1)}, new([2]byte), "want 2 elements, found 1"},
		{"short int array", []any{uint64(1)}, new([2]int), "want 2 elements, found 1"},
		{"map for a tuple", map[string]any{}, new(statePair), "want vector, found map"},
		{"text error", "abc", new(nodeID), "not a node ID"},
		{"key text error", map[string]any{"abc": int64(1)}, new(map[nodeID]int), `["abc"]: not a node ID`},
		{"unknown variant", "xyz", new(rpcError), `unknown variant "xyz", want svc, timeout`},
		{"two variants", map[string]any{"a": nil, "b": nil}, new(rpcError), "want one variant, found a map of 2 keys"},
		{"no variant", int64(1), new(rpcError), "want variant, found int"},
		{"variant without content", "svc", new(rpcError), "variant svc without its content"},
		{"variant with content", map[string]any{"timeout": "x"}, new(rpcError), "timeout: want no content, found string"},
		{"in a variant", map[string]any{"svc": int64(1)}, new(rpcError), "svc: want string, found int"},
		{"in a dynamic variant", int64(1), new(Variant), "want variant, found int"},
		{"unit from a value", map[string]any{"a": nil}, new(Unit), "want null, found map"},
		{"time", "yesterday", new(time.Time), `want time, found "yesterday"`},
		{"long duration", map[string]any{"secs": uint64(1 << 62), "nanos": uint64(0)}, new(time.Duration), "duration of 4611686018427387904 s is out of range"},
		{"JSON number", "x", new(json.Number), "want number, found string"},
		{"no pointer", nil, 5, "flexbuffers: the value to fill is not a pointer: int"},
		{"no type", nil, nil, "flexbuffers: the value to fill is not a pointer: <nil>"},
		{"interface with methods", "x", new(error), "cannot choose a type for interface error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Unmarshal(mustMarshal(t, tt.from), tt.into)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if errors.Is(err, ErrMalformed) {
				t.Errorf("%v is ErrMalformed", err)
			}
		})
	}
}

func TestFieldError(t *testing.T) {
	err := Unmarshal(mustMarshal(t, map[string]any{"a": []any{"x"}}), new(map[string][]int))
	field, ok := errors.AsType[*FieldError](err)
	if !ok || field.Path != `["a"][0]` || field.Unwrap() == nil {
		t.Errorf("error %#v", err)
	}
}
