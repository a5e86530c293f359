package flexbuffers

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// records returns the lines of a file in testdata, split at the tab.
func records(t *testing.T, name string) (rs [][2]string) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if a, b, ok := strings.Cut(lines.Text(), "\t"); ok && a[0] != '#' {
			rs = append(rs, [2]string{a, b})
		}
	}
	if len(rs) == 0 || lines.Err() != nil {
		t.Fatalf("%s: %d records, %v", name, len(rs), lines.Err())
	}
	return rs
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCrateJSON compares with what the Rust crate makes of JSON.
func TestCrateJSON(t *testing.T) {
	for _, r := range records(t, "crate.txt") {
		text, want := r[0], r[1]
		got, err := Marshal(json.RawMessage(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if hex.EncodeToString(got) != want {
			t.Errorf("%.200s:\n got %x\nwant %s", text, got, want)
		}
		var back json.RawMessage
		if err := Unmarshal(unhex(t, want), &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(parseJSON(t, []byte(text)), parseJSON(t, back)); diff != "" {
			t.Errorf("%.200s: read back (-want +got):\n%s", text, diff)
		}
	}
}

func parseJSON(t *testing.T, text []byte) (x any) {
	t.Helper()
	if err := json.Unmarshal(text, &x); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return x
}

// crateBytes has the fields whose shape JSON cannot show.
type crateBytes struct {
	Name string   `flex:"name"`
	A    []byte   `flex:"a,seq"`
	B    []byte   `flex:"b"`
	C    uint64   `flex:"c"`
	D    *float32 `flex:"d"`
	E    struct {
		_ struct{} `flex:",tuple"`
		X uint8
		Y int32
	} `flex:"e"`
	F [4]byte `flex:"f"`
	G []bool  `flex:"g"`
	H []Unit  `flex:"h"`
}

func crateBytesOf(n int) crateBytes {
	v := crateBytes{
		Name: strings.Repeat("x", n%300),
		A:    fill(n, byte(n)),
		B:    fill(n, 7),
		C:    uint64(n) * 1000003,
		F:    [4]byte{1, 2, 3, 4},
		G:    make([]bool, n%7),
		H:    make([]Unit, n%5),
	}
	for i := range v.G {
		v.G[i] = true
	}
	v.E.X, v.E.Y = 1, -int32(n)
	if n%2 == 1 {
		v.D = new(float32(n) / 3)
	}
	return v
}

// TestCrateBytes compares with what the Rust crate makes of vectors, blobs and
// tuples of different lengths.
func TestCrateBytes(t *testing.T) {
	for _, r := range records(t, "crate_bytes.txt") {
		n, err := strconv.Atoi(r[0])
		if err != nil {
			t.Fatal(err)
		}
		v := crateBytesOf(n)
		if got := hex.EncodeToString(mustMarshal(t, v)); got != r[1] {
			t.Errorf("n = %d:\n got %s\nwant %s", n, got, r[1])
		}
		var back crateBytes
		if err := Unmarshal(unhex(t, r[1]), &back); err != nil {
			t.Fatalf("n = %d: %v", n, err)
		}
		if diff := cmp.Diff(v, back, exported); diff != "" {
			t.Errorf("n = %d: read back (-want +got):\n%s", n, diff)
		}
	}
}
