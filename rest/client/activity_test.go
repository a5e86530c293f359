package client

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"

	"github.com/golem-go/golem"
)

func TestReadFrame(t *testing.T) {
	stream := ":ping\n\nevent: runtime\ndata: {\"a\":\ndata:1}\nid: 0\n\n\n\ndata: second\r\n\r\ndata: cut"
	r := bufio.NewReader(strings.NewReader(stream))
	for _, want := range []string{`{"a":1}`, "second"} {
		got, err := readFrame(r)
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if got, err := readFrame(r); err == nil {
		t.Errorf("a frame without end is %q", got)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add("event: runtime\ndata: {\"batch_id\":\"b\",\"index\":0,\"timestamp\":\"2026-01-02T03:04:05\",\"kind\":{\"stdout\":[1,2]}}\nid: 0\n\n")
	f.Add(":ping\n\n")
	f.Add("data\ndata:\n\n\r\n")
	f.Fuzz(func(t *testing.T, stream string) {
		r := bufio.NewReader(strings.NewReader(stream))
		for {
			data, err := readFrame(r)
			if err != nil {
				return
			}
			if strings.ContainsAny(string(data), "\n") {
				t.Fatalf("data %q has an end of line", data)
			}
			var ev golem.RuntimeEvent
			if json.Unmarshal(data, &ev) == nil {
				if _, err := json.Marshal(ev); err != nil {
					t.Fatalf("event %s: %v", data, err)
				}
			}
		}
	})
}
