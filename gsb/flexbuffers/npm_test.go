package flexbuffers

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNPM reads our documents with the npm package flatbuffers, which SDKs use,
// and its documents with our reader. It needs Node and the package, from the
// folder in GOLEM_NPM_DIR or beside the script.
func TestNPM(t *testing.T) {
	node := npmReader(t)
	trees := npmTrees()

	t.Run("read", func(t *testing.T) {
		var requests []any
		for _, x := range trees {
			requests = append(requests, map[string]any{"read": hex.EncodeToString(mustMarshal(t, withTail(x)))})
		}
		for i, answer := range ask(t, node, requests) {
			if diff := cmp.Diff(npmTree(withTail(trees[i])), answer); diff != "" {
				t.Errorf("%v (-we wrote +it read):\n%s", trees[i], diff)
			}
		}
	})

	t.Run("write", func(t *testing.T) {
		var requests []any
		for _, x := range trees {
			requests = append(requests, map[string]any{"write": npmTree(x)})
		}
		for i, answer := range ask(t, node, requests) {
			doc, ok := answer.(string)
			if !ok {
				t.Fatalf("%v: %v", trees[i], answer)
			}
			var got any
			if err := Unmarshal(unhex(t, doc), &got); err != nil {
				t.Fatalf("%v: %v", trees[i], err)
			}
			// Its builder knows one kind of integer.
			if diff := cmp.Diff(npmTree(signedInts(trees[i])), npmTree(signedInts(got))); diff != "" {
				t.Errorf("%v (-it wrote +we read):\n%s", trees[i], diff)
			}
		}
	})
}

// npmReader returns the command that runs the script, or skips the test with
// what is missing.
func npmReader(t *testing.T) *exec.Cmd {
	t.Helper()
	const install = "npm install --prefix gsb/flexbuffers/testdata/npm"
	dir := os.Getenv("GOLEM_NPM_DIR")
	if dir == "" {
		dir = filepath.Join("testdata", "npm")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("missing: node (Node.js 18 or later) on the PATH; install it, then run: %s", install)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "flatbuffers")); err != nil {
		t.Skipf("missing: the npm package flatbuffers in %s; install it with: %s", filepath.Join(dir, "node_modules"), install)
	}
	cmd := exec.Command(node, filepath.Join("testdata", "npm", "read.mjs"))
	cmd.Env = append(os.Environ(), "GOLEM_NPM_DIR="+dir)
	return cmd
}

// ask returns the script's answers to the requests.
func ask(t *testing.T, node *exec.Cmd, requests []any) (answers []any) {
	t.Helper()
	var in, problems bytes.Buffer
	for _, r := range requests {
		if err := json.NewEncoder(&in).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(node.Path, node.Args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stderr = node.Env, &in, &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, len(out)+1)
	for lines.Scan() {
		answers = append(answers, parseJSON(t, lines.Bytes()))
	}
	if len(answers) != len(requests) {
		t.Fatalf("%d answers to %d requests", len(answers), len(requests))
	}
	return answers
}

// withTail puts text behind x, since the package looks for type bytes behind
// vectors that have none and fails at the end of the document.
func withTail(x any) any {
	return map[string]any{"v": x, "~tail": strings.Repeat("~", 600)}
}

// npmTrees returns values to compare. The package cannot follow offsets of 8
// bytes, and writes floats beside integers of 8 bytes wrongly, so numbers that
// wide stand alone.
func npmTrees() []any {
	trees := []any{
		nil, true, int64(-129), uint64(65536), 0.0, -0.5, "", "żółw 😀", []byte{}, fill(300, 0xaa),
		[]any{}, map[string]any{}, []any{int64(1), int64(-2)}, []any{1.5, 2.5, -1.0}, []any{true, false},
		[]any{uint64(1 << 40), uint64(5)}, []any{uint64(math.MaxUint32)}, []any{0.1, 0.2}, map[string]any{"offset": uint64(1 << 33), "size": uint64(40960)},
		map[string]any{"b": "1", "a": "2", "ab": "3", "A": "4"},
		strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("x", 70000),
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		trees = append(trees, npmRandom(r, 4))
	}
	return trees
}

func npmRandom(r *rand.Rand, depth int) any {
	kinds := 9
	if depth == 0 {
		kinds = 7
	}
	switch r.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return int64(int32(r.Uint32()) >> r.IntN(32))
	case 3:
		return uint64(r.Uint32() >> (1 + r.IntN(31)))
	case 4:
		return float64(r.IntN(2000))/8 - 99 + 1.0/16
	case 5:
		return strings.Repeat("s", r.IntN(20)+r.IntN(2)*r.IntN(280))
	case 6:
		return fill(r.IntN(20), byte(r.IntN(256)))
	case 7:
		list := make([]any, r.IntN(8))
		for i := range list {
			list[i] = npmRandom(r, depth-1)
		}
		return list
	}
	object := map[string]any{}
	for range r.IntN(12) {
		object[fmt.Sprintf("k%d", r.IntN(40))] = npmRandom(r, depth-1)
	}
	return object
}

// npmTree returns x in the notation of the script. A number tells the width of
// what holds it: the package reads integers of 8 bytes as BigInt.
func npmTree(x any) any { return npmTreeIn(x, 0) }

func npmTreeIn(x any, wd width) any {
	kind := "int"
	if wd == 3 {
		kind = "big"
	}
	switch x := x.(type) {
	case int64:
		return npmInteger(kind, strconv.FormatInt(x, 10), intWidth(x))
	case uint64:
		return npmInteger(kind, strconv.FormatUint(x, 10), uintWidth(x))
	case float64:
		return map[string]any{"float": x}
	case string:
		return map[string]any{"string": x}
	case []byte:
		return map[string]any{"bytes": hex.EncodeToString(x)}
	case []any:
		list := make([]any, len(x))
		for i := range x {
			list[i] = npmTreeIn(x[i], widest(x...))
		}
		return map[string]any{"vector": list}
	case map[string]any:
		object := make(map[string]any)
		for k, e := range x {
			var all []any
			for _, other := range x {
				all = append(all, other)
			}
			object[k] = npmTreeIn(e, widest(all...))
		}
		return map[string]any{"map": object}
	}
	return x
}

func npmInteger(kind, text string, own width) any {
	if own == 3 {
		kind = "big"
	}
	return map[string]any{kind: text}
}

// widest returns the width of the widest number among xs.
func widest(xs ...any) (wd width) {
	for _, x := range xs {
		switch x := x.(type) {
		case int64:
			wd = max(wd, intWidth(x))
		case uint64:
			wd = max(wd, uintWidth(x))
		case float64:
			wd = max(wd, floatWidth(x))
		}
	}
	return wd
}

// signedInts returns x with its unsigned integers and whole floats as signed
// integers.
func signedInts(x any) any {
	switch x := x.(type) {
	case uint64:
		return int64(x)
	case float64:
		if x == math.Trunc(x) {
			return int64(x)
		}
	case []any:
		list := make([]any, len(x))
		for i := range x {
			list[i] = signedInts(x[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any)
		for k, e := range x {
			object[k] = signedInts(e)
		}
		return object
	}
	return x
}
