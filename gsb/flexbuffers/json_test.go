package flexbuffers_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/golem-go/golem/gsb/flexbuffers"
)

// TestJSONBytes checks that lists of bytes, which take a way of their own, look
// like other lists.
func TestJSONBytes(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 255, 256, 257, 65535, 65536, 70000} {
		list := make([]uint64, n)
		for i := range list {
			list[i] = uint64(i % 256)
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		want, err := flexbuffers.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := flexbuffers.Marshal(json.RawMessage(text))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes are encoded otherwise (%v)", n, err)
		}
		var back json.RawMessage
		if err := flexbuffers.Unmarshal(want, &back); err != nil || !bytes.Equal(back, text) {
			t.Errorf("%d bytes are decoded otherwise (%v)", n, err)
		}
	}
	for text, want := range map[string]string{
		"[]": "[]", "[1,256]": "[1,256]", "[1,-1]": "[1,-1]", "[1,2.0]": "[1,2.0]", "[1, 2]": "[1,2]", "[[1],2]": "[[1],2]",
		"[18446744073709551615,0]": "[18446744073709551615,0]", `["1"]`: `["1"]`, "[null]": "[null]",
	} {
		b, err := flexbuffers.Marshal(json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		var back json.RawMessage
		if err := flexbuffers.Unmarshal(b, &back); err != nil || string(back) != want {
			t.Errorf("%s came back as %s, %v", text, back, err)
		}
	}
	for _, text := range []string{"[01]", "[1,]", "[,]", "[1", "[+1]", "[1 2]"} {
		if _, err := flexbuffers.Marshal(json.RawMessage(text)); err == nil {
			t.Errorf("%s is taken for JSON", text)
		}
	}
}
