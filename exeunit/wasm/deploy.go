package wasm

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
)

// deployFile is what deploy leaves in the work directory for run.
const deployFile = "deploy.json"

// deployment is the content of deployFile.
type deployment struct {
	Cache   string            `json:"cache"`   // directory of compiled modules
	Modules map[string]module `json:"modules"` // by entry point
	Mounts  []mount           `json:"mounts"`
}

// module is the program of an entry point.
type module struct {
	Code string `json:"code"` // path
	Name string `json:"name"` // as the program is told; "": the name it was called by
}

// mount is a mount point with its directory, below the work directory.
type mount struct {
	Path string `json:"path"`
	Mode mode   `json:"mode"`
	Dir  string `json:"dir"`
}

// deploy checks and compiles the task package, makes its volumes and prints what
// the supervisor wants to know.
func (o *options) deploy(ctx context.Context, stdout io.Writer) error {
	limitDeploy()
	p, closePack, err := openPack(o.taskPackage)
	if err != nil {
		return err
	}
	defer closePack()
	d := &deployment{Modules: map[string]module{}}
	if d.Cache, err = o.makeCache(); err != nil {
		return err
	}
	for _, e := range p.manifest.EntryPoints {
		if d.Modules[e.ID], err = o.prepare(ctx, p, e, d.Cache); err != nil {
			return fmt.Errorf("entry point %s: %w", clip(e.ID), err)
		}
	}
	mounts, err := o.addVolumes(p.manifest.MountPoints)
	if err != nil {
		return err
	}
	if err := d.replace(o.workDir, mounts); err != nil {
		return golem.Errorf(golem.ErrUnavailable, "work directory: %w", err)
	}
	result := exeunit.Deployed{StartMode: exeunit.StartEmpty}
	for _, m := range d.Mounts {
		if m.Mode != modePrivate {
			result.Volumes = append(result.Volumes, exeunit.Volume{Name: m.Dir, Path: m.Path})
		}
	}
	b, err := exeunit.EncodeDeployed(result, "")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\n", b)
	return err
}

// makeCache returns the directory for compiled modules: beside the task package,
// where all activities find it, or in the work directory if that cannot be
// written to. Payloads reach neither.
func (o *options) makeCache() (string, error) {
	dir, err := filepath.Abs(cmp.Or(o.cacheDir, filepath.Join(filepath.Dir(o.taskPackage), "wasm")))
	if err != nil {
		return "", err
	}
	if err = writable(dir); err != nil && o.cacheDir == "" {
		if dir, err = filepath.Abs(filepath.Join(o.workDir, ".wasm")); err == nil {
			err = writable(dir)
		}
	}
	if err != nil {
		return "", golem.Errorf(golem.ErrUnavailable, "cache: %w", err)
	}
	return dir, nil
}

// writable makes a directory and says whether it can be written to.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".probe")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// prepare checks and compiles an entry point, unless that has been done before.
func (o *options) prepare(ctx context.Context, p *pack, e entryPoint, cache string) (m module, err error) {
	code, err := p.module(e)
	if err != nil {
		return m, err
	}
	sum := digest(code)
	done := filepath.Join(cache, sum+"."+engineVersion())
	if _, err := os.Stat(done); err != nil {
		if err := compile(ctx, code, cache); err != nil {
			return m, err
		}
		if err := os.WriteFile(done, nil, 0o600); err != nil {
			return m, err
		}
	}
	if p.archive == nil {
		m.Code, err = filepath.Abs(o.taskPackage)
		return m, err
	}
	m = module{filepath.Join(cache, sum+".wasm"), e.Path}
	return m, store(m.Code, code)
}

// compile checks a module and puts what it compiles to into the cache.
func compile(ctx context.Context, code []byte, cache string) error {
	e, err := newEngine(ctx, cache)
	if err != nil {
		return err
	}
	defer e.close(ctx)
	m, err := e.compile(ctx, code)
	if err != nil {
		return err
	}
	return e.check(ctx, m)
}

// engineVersion names what compiled modules depend on.
func engineVersion() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/tetratelabs/wazero" {
				version = dep.Version
			}
		}
	}
	return version + "-" + runtime.GOARCH
}

// store writes a file that others may be writing, too, with the same content.
func store(path string, b []byte) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".store")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// addVolumes returns the mount points of the package and those that the
// Requestor wants beside them.
func (o *options) addVolumes(points []mountPoint) ([]mountPoint, error) {
	if o.volumes == "" {
		return points, nil
	}
	var wanted map[string]map[string]json.RawMessage
	if err := json.Unmarshal([]byte(o.volumes), &wanted); err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "volumes: %w", err)
	}
	have := map[string]bool{}
	for _, p := range points {
		have[p.Path] = true
	}
	for text, kind := range wanted {
		if _, host := kind["host"]; !host || len(kind) != 1 {
			return nil, golem.Errorf(golem.ErrUnsupported, "volume %s: only volumes of the host are supported", clip(text))
		}
		path, err := mountPath(text)
		if err != nil {
			return nil, err
		}
		if !have[path] {
			points = append(points, mountPoint{modeBoth, path})
		}
	}
	if len(points) > maxMounts {
		return nil, golem.Errorf(golem.ErrTooLarge, "%d volumes, at most %d", len(points), maxMounts)
	}
	return points, nil
}

// replace makes the directories of mounts and writes the deployment down. The
// volumes of the one before, which nobody can name any more, are removed.
func (d *deployment) replace(workDir string, points []mountPoint) error {
	work, err := os.OpenRoot(workDir)
	if err != nil {
		return err
	}
	defer work.Close()
	if old, err := readDeployment(workDir); err == nil {
		for _, m := range old.Mounts {
			if err := work.RemoveAll(m.Dir); err != nil {
				return err
			}
		}
	}
	for _, p := range points {
		dir := "vol-" + newUUID()
		if err := work.Mkdir(dir, 0o755); err != nil {
			return err
		}
		d.Mounts = append(d.Mounts, mount{p.Path, p.Mode, dir})
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := work.WriteFile(deployFile+".new", b, 0o600); err != nil {
		return err
	}
	return work.Rename(deployFile+".new", deployFile)
}

// readDeployment returns what deploy has left.
func readDeployment(workDir string) (*deployment, error) {
	b, err := os.ReadFile(filepath.Join(workDir, deployFile))
	if err != nil {
		return nil, golem.Errorf(golem.ErrConflict, "not deployed: %w", err)
	}
	d := &deployment{}
	if err := json.Unmarshal(b, d); err != nil {
		return nil, golem.Errorf(golem.ErrInternal, "%s: %w", deployFile, err)
	}
	return d, nil
}

// find returns the module of an entry point.
func (d *deployment) find(entry string) (module, error) {
	m, ok := d.Modules[entry]
	if !ok {
		m, ok = d.Modules[anyEntry]
	}
	if !ok {
		return m, golem.Errorf(golem.ErrNotFound, "entry point %q is not in the task package", clip(entry))
	}
	m.Name = cmp.Or(m.Name, entry)
	return m, nil
}

// newUUID returns a random UUID, version 4.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
