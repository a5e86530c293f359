package flexbuffers

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// text draws strings around the lengths at which widths change.
func text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.Map(rapid.IntRange(240, 270), func(n int) string { return string(fill(n, 'x')) }))
}

func key() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "ab", "offset"}), rapid.StringMatching(`[a-zé_]{0,12}`))
}

// anyTree draws the values that an any can hold after reading.
func anyTree(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil),
		rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Float64().AsAny(),
		text().AsAny(), rapid.SliceOfN(rapid.Byte(), 0, 300).AsAny(),
		rapid.Map(rapid.Int16(), func(i int16) any { return int64(i) }),
		rapid.Map(rapid.Float32(), func(f float32) any { return float64(f) }),
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	elem := anyTree(depth - 1)
	return rapid.OneOf(append(leaves,
		rapid.SliceOfN(elem, 0, 10).AsAny(),
		rapid.SliceOfN(rapid.Map(rapid.Uint64(), func(u uint64) any { return u }), 0, 6).AsAny(),
		rapid.MapOfN(key(), elem, 0, 10).AsAny(),
	)...)
}

func TestAnyRoundTrip(t *testing.T) {
	trees := anyTree(4)
	rapid.Check(t, func(t *rapid.T) {
		in := trees.Draw(t, "tree")
		data, err := Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out any
		if err := Unmarshal(data, &out); err != nil {
			t.Fatalf("%x: %v", data, err)
		}
		if diff := cmp.Diff(in, out); diff != "" {
			t.Fatalf("%x (-want +got):\n%s", data, diff)
		}
		root, err := Root(data)
		if err != nil {
			t.Fatal(err)
		}
		for what, v := range map[string]any{"tree read": out, "document embedded": root} {
			if again, err := Marshal(v); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("%s: %v\n got %x\nwant %x", what, err, again, data)
			}
		}
	})
}

func TestStructRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := crateBytes{
			Name: text().Draw(t, "name"),
			A:    rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "a"),
			B:    rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "b"),
			C:    rapid.Uint64().Draw(t, "c"),
			D:    rapid.Ptr(rapid.Float32(), true).Draw(t, "d"),
			G:    rapid.SliceOf(rapid.Bool()).Draw(t, "g"),
			H:    make([]Unit, rapid.IntRange(0, 5).Draw(t, "h")),
		}
		in.E.X, in.E.Y = rapid.Uint8().Draw(t, "x"), rapid.Int32().Draw(t, "y")
		data, err := Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out crateBytes
		if err := Unmarshal(data, &out); err != nil {
			t.Fatalf("%x: %v", data, err)
		}
		if diff := cmp.Diff(in, out, exported, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%x (-want +got):\n%s", data, diff)
		}
	})
}

func TestTimeRoundTrip(t *testing.T) {
	type times struct {
		When  time.Time     `flex:"when"`
		Naive time.Time     `flex:"naive,naive"`
		Span  time.Duration `flex:"span"`
	}
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-62e9, 253e9).Draw(t, "s"), 0).UTC()
		at = at.Add(rapid.SampledFrom([]time.Duration{0, 5e6, 5e3, 5, 999999999}).Draw(t, "ns"))
		in := times{at, at, time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "span"))}
		data, err := Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out times
		if err := Unmarshal(data, &out); err != nil || in != out {
			t.Fatalf("%v came back as %v, %v", in, out, err)
		}
	})
}

func TestJSONRoundTrip(t *testing.T) {
	trees := anyTree(3)
	rapid.Check(t, func(t *rapid.T) {
		in, err := json.Marshal(floatsToJSON(trees.Draw(t, "tree")))
		if err != nil {
			t.Fatal(err)
		}
		data, err := Marshal(json.RawMessage(in))
		if err != nil {
			t.Fatal(err)
		}
		var out json.RawMessage
		if err := Unmarshal(data, &out); err != nil {
			t.Fatal(err)
		}
		if again, err := Marshal(out); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%s became %s, %v", in, out, err)
		}
	})
}
