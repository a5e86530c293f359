//go:build linux && !race

package wasm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestGo runs a program made by the Go tool chain, which uses most of the system
// interface, and compiles it only once. Under the race detector the compiling
// alone takes twenty seconds.
func TestGo(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "hello.wasm")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", image, "github.com/golem-go/golem/examples/hello-wasi")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	u := deployed(t, image)
	write(t, filepath.Join(u.volumes["/in"], "name"), "golem\n")
	u.options = []string{"--env", "COLOUR=clay", "--mem-gib", "0.25"}
	want := result{"argument 1: /in/name\nargument 2: /out/greeting\nenvironment: COLOUR=clay\n", "", 0}
	if diff := cmp.Diff(want, u.run("/in/name", "/out/greeting")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := read(t, filepath.Join(u.volumes["/out"], "greeting")); got != "Hello, golem!\n" {
		t.Errorf("greeting is %q", got)
	}
	begun := time.Now()
	deployed(t, image)
	if took := time.Since(begun); took > 500*time.Millisecond {
		t.Errorf("deploying again took %v", took)
	}
}
