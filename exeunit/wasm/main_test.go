package wasm_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/golem-go/golem/exeunit/wasm"
)

// cacheDir is shared by all tests of a run, as by the activities of a Provider.
var cacheDir string

// TestMain makes this binary the runtime where it is started under its name, as
// the runtime starts itself, or where a test asks for it.
func TestMain(m *testing.M) {
	if os.Args[0] == wasm.Name || os.Getenv("BE_RUNTIME") != "" {
		os.Exit(wasm.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	var err error
	if cacheDir, err = os.MkdirTemp("", "golem-wasm-test"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(cacheDir)
	os.Exit(code)
}
