package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/golem-go/golem"
)

// pageSize is the unit of a module's memory, in bytes.
const pageSize = 64 << 10

// maxMemory is what a module can address.
const maxMemory = 1 << 32

// memoryLimit returns the bytes a payload may have.
func (o *options) memoryLimit() uint64 {
	if o.memory == 0 {
		return maxMemory
	}
	return uint64(min(o.memory*(1<<30), maxMemory)) / pageSize * pageSize
}

// program is a payload ready to be run: everything outside of its volumes has
// been read.
type program struct {
	engine *engine
	module wazero.CompiledModule
	config wazero.ModuleConfig
	memory *memory
	roots  []*os.Root
}

// load reads the code of the entry point and opens the volumes.
func (o *options) load(ctx context.Context, stdout, stderr io.Writer) (*program, error) {
	d, err := readDeployment(o.workDir)
	if err != nil {
		return nil, err
	}
	m, err := d.find(o.entryPoint)
	if err != nil {
		return nil, err
	}
	code, err := os.ReadFile(m.Code)
	if err != nil {
		return nil, golem.Errorf(golem.ErrUnavailable, "entry point %s: %w", clip(o.entryPoint), err)
	}
	p := &program{memory: &memory{limit: o.memoryLimit()}}
	if err := o.fill(ctx, p, d, m, code, stdout, stderr); err != nil {
		p.close(ctx)
		return nil, err
	}
	return p, nil
}

// fill compiles the code, or takes it from the cache, and opens the volumes.
func (o *options) fill(ctx context.Context, p *program, d *deployment, m module, code []byte, stdout, stderr io.Writer) (err error) {
	if p.engine, err = newEngine(ctx, d.Cache); err != nil {
		return err
	}
	if p.module, err = p.engine.compile(ctx, code); err != nil {
		return err
	}
	for _, m := range p.module.ExportedMemories() {
		if need := uint64(m.Min()) * pageSize; need > p.memory.limit {
			return golem.Errorf(golem.ErrExhausted, "the program needs %d MiB of memory, %d MiB are allowed", need>>20, p.memory.limit>>20)
		}
	}
	if _, err = wasi_snapshot_preview1.Instantiate(ctx, p.engine.runtime); err != nil {
		return err
	}
	mounts, err := o.mount(p, d)
	if err != nil {
		return err
	}
	p.config = wazero.NewModuleConfig().WithName("").WithFSConfig(mounts).
		WithArgs(append([]string{m.Name}, o.args...)...).
		WithStdout(stdout).WithStderr(stderr).WithRandSource(rand.Reader).
		WithSysWalltime().WithSysNanotime().WithSysNanosleep()
	for _, v := range o.env {
		name, value, _ := strings.Cut(v, "=")
		p.config = p.config.WithEnv(name, value)
	}
	return nil
}

// mount opens the volumes.
func (o *options) mount(p *program, d *deployment) (wazero.FSConfig, error) {
	mounts := wazero.NewFSConfig()
	for _, m := range d.Mounts {
		root, err := os.OpenRoot(filepath.Join(o.workDir, m.Dir))
		if err != nil {
			return nil, golem.Errorf(golem.ErrUnavailable, "volume %s: %w", m.Path, err)
		}
		p.roots = append(p.roots, root)
		mounts = mounts.(sysfs.FSConfig).WithSysFSMount(&volume{root: root, mode: m.Mode}, m.Path)
	}
	return mounts, nil
}

// run runs the payload to its end and returns an exitError unless it has
// succeeded.
func (p *program) run(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = exitError{exitFailure, fmt.Sprintf("the program cannot be started: %v", r)}
		}
	}()
	ctx = experimental.WithMemoryAllocator(ctx, p.memory)
	_, err = p.engine.runtime.InstantiateModule(ctx, p.module, p.config)
	var exit *sys.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return p.trapped(err)
	case exit.ExitCode() == 0:
		return nil
	}
	return exitError{exitStatus(exit.ExitCode()), p.memoryNote()}
}

// trapped returns what a trap of the payload means.
func (p *program) trapped(err error) error {
	if p.memory.refused {
		return exitError{exitMemory, fmt.Sprintf("%s: %v", p.memoryNote(), err)}
	}
	return exitError{exitTrap, err.Error()}
}

// memoryNote says that memory was refused, which explains most failures after it.
func (p *program) memoryNote() string {
	if !p.memory.refused {
		return ""
	}
	return fmt.Sprintf("the program has reached its memory limit of %d MiB", p.memory.limit>>20)
}

// exitStatus returns a code as a process can tell it: one byte, and never 0 for
// a failure.
func exitStatus(code uint32) int {
	if code > 255 {
		return 255
	}
	return int(code)
}

func (p *program) close(ctx context.Context) {
	for _, root := range p.roots {
		root.Close()
	}
	if p.engine != nil {
		p.engine.close(ctx)
	}
}
