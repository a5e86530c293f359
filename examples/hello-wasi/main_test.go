package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// build compiles the program as its documentation says.
func build(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "hello.wasm")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

type result struct {
	Exit           uint32
	Stdout, Stderr string
	Greeting       string
}

func TestHello(t *testing.T) {
	ctx := t.Context()
	// The interpreter starts at once; compiling takes longer than the program.
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	t.Cleanup(func() { r.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	module, err := r.CompileModule(ctx, build(t))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want result
	}{
		{
			"greets", []string{"/in/name.txt", "/out/greeting.txt"},
			result{0, "argument 1: /in/name.txt\nargument 2: /out/greeting.txt\nenvironment: COLOUR=clay\n", "", "Hello, golem!\n"},
		},
		{
			"no arguments", nil,
			result{2, "environment: COLOUR=clay\n", "usage: hello-wasi /in/FILE /out/FILE\n", ""},
		},
		{
			"no such file", []string{"/in/none", "/out/greeting.txt"},
			result{1, "argument 1: /in/none\nargument 2: /out/greeting.txt\nenvironment: COLOUR=clay\n", "hello-wasi: open /in/none: No such file or directory\n", ""},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, out := t.TempDir(), t.TempDir()
			if err := os.WriteFile(filepath.Join(in, "name.txt"), []byte("golem\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			config := wazero.NewModuleConfig().WithName("").
				WithArgs(append([]string{"hello.wasm"}, test.args...)...).WithEnv("COLOUR", "clay").
				WithStdout(&stdout).WithStderr(&stderr).
				WithFSConfig(wazero.NewFSConfig().WithReadOnlyDirMount(in, "/in").WithDirMount(out, "/out"))
			var got result
			var exit *sys.ExitError
			if _, err := r.InstantiateModule(ctx, module, config); errors.As(err, &exit) {
				got.Exit = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			greeting, err := os.ReadFile(filepath.Join(out, "greeting.txt"))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			got.Stdout, got.Stderr, got.Greeting = stdout.String(), stderr.String(), string(greeting)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}
