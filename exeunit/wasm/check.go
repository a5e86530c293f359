package wasm

import (
	"context"

	"github.com/tetratelabs/wazero"
)

// Check says what keeps a module from being run as a command, before anybody is
// asked to: that it is not WebAssembly, or a component, or not valid; that an
// import is missing; that it is a library. It runs nothing.
func Check(ctx context.Context, code []byte) error {
	if err := checkHeader(code); err != nil {
		return err
	}
	// The interpreter validates all the same, and has a module ready sooner.
	e := &engine{cache: wazero.NewCompilationCache()}
	e.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCompilationCache(e.cache))
	defer e.close(ctx)
	m, err := e.compile(ctx, code)
	if err != nil {
		return err
	}
	return e.check(ctx, m)
}
