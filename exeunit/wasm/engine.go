package wasm

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/golem-go/golem"
)

// wasi is the name under which modules import the system interface.
const wasi = wasi_snapshot_preview1.ModuleName

// engine compiles modules, or takes what was compiled from a cache.
type engine struct {
	cache   wazero.CompilationCache
	runtime wazero.Runtime
}

// newEngine returns an engine with its cache in a directory, which holds code
// that will be executed: nobody else must be able to write there.
func newEngine(ctx context.Context, dir string) (*engine, error) {
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Clean(dir))
	if err != nil {
		return nil, golem.Errorf(golem.ErrUnavailable, "cache: %w", err)
	}
	config := wazero.NewRuntimeConfig().WithCompilationCache(cache).WithDebugInfoEnabled(false)
	return &engine{cache, wazero.NewRuntimeWithConfig(ctx, config)}, nil
}

func (e *engine) close(ctx context.Context) {
	e.runtime.Close(ctx)
	e.cache.Close(ctx)
}

// compile compiles a module, and says what is wrong with it where it cannot be
// run as a command.
func (e *engine) compile(ctx context.Context, code []byte) (wazero.CompiledModule, error) {
	if err := checkHeader(code); err != nil {
		return nil, err
	}
	m, err := e.runtime.CompileModule(ctx, code)
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "not a valid module: %w", err)
	}
	return m, nil
}

// checkHeader tells modules from components and from anything else.
func checkHeader(code []byte) error {
	if len(code) < 8 || string(code[:4]) != "\x00asm" {
		return golem.Errorf(golem.ErrInvalid, "not WebAssembly")
	}
	version, layer := binary.LittleEndian.Uint16(code[4:]), binary.LittleEndian.Uint16(code[6:])
	switch {
	case layer == 1:
		return golem.Errorf(golem.ErrUnsupported, "a component (layer 1, version %d): only core modules for WASI preview 1 are supported, such as those of the target wasm32-wasip1", version)
	case layer != 0 || version != 1:
		return golem.Errorf(golem.ErrUnsupported, "WebAssembly version %d, layer %d is not supported", version, layer)
	}
	return nil
}

// check says why a compiled module cannot be run as a command, if it cannot.
func (e *engine) check(ctx context.Context, m wazero.CompiledModule) error {
	system, err := wasi_snapshot_preview1.NewBuilder(e.runtime).Compile(ctx)
	if err != nil {
		return err
	}
	if err := checkImports(m, system.ExportedFunctions()); err != nil {
		return err
	}
	start := m.ExportedFunctions()["_start"]
	if start == nil {
		return golem.Errorf(golem.ErrInvalid, "no function _start is exported: not a command, perhaps a library")
	}
	if len(start.ParamTypes()) > 0 || len(start.ResultTypes()) > 0 {
		return golem.Errorf(golem.ErrInvalid, "the function _start has parameters or results")
	}
	return nil
}

// checkImports says which imports nobody offers.
func checkImports(m wazero.CompiledModule, system map[string]api.FunctionDefinition) error {
	var missing []string
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		have := system[name]
		switch {
		case module == "wasi_unstable":
			return golem.Errorf(golem.ErrUnsupported, "built for WASI snapshot 0 (wasi_unstable): only preview 1 (%s) is supported", wasi)
		case module != wasi || have == nil:
			missing = append(missing, fmt.Sprintf("%s.%s", module, name))
		case !slices.Equal(f.ParamTypes(), have.ParamTypes()) || !slices.Equal(f.ResultTypes(), have.ResultTypes()):
			missing = append(missing, fmt.Sprintf("%s.%s (with other types)", module, name))
		}
	}
	for _, memory := range m.ImportedMemories() {
		module, name, _ := memory.Import()
		missing = append(missing, fmt.Sprintf("%s.%s (memory)", module, name))
	}
	if len(missing) == 0 {
		return nil
	}
	const most = 10
	text := strings.Join(missing[:min(len(missing), most)], ", ")
	if len(missing) > most {
		text += fmt.Sprintf(" and %d more", len(missing)-most)
	}
	return golem.Errorf(golem.ErrUnsupported, "imports that are not available here: %s", clip(text))
}
