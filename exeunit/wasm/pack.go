package wasm

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path"
	"strings"

	"github.com/golem-go/golem"
)

// Limits of what a task package may hold.
const (
	maxModule   = 256 << 20 // bytes
	maxManifest = 1 << 20   // bytes
	maxEntries  = 64        // entry points
	maxMounts   = 64
	maxFiles    = 10_000 // in an archive
	maxRatio    = 1000   // of a compressed file; more is an attack
)

// pack is an open task package.
type pack struct {
	file     io.ReaderAt
	size     int64
	archive  *zip.Reader // nil for a single module
	manifest manifest
}

// manifest is upstream's manifest.json (spec exeunit.md §19).
type manifest struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	EntryPoints []entryPoint `json:"entry-points"`
	MountPoints []mountPoint `json:"mount-points"`
	Runtime     string       `json:"runtime"`
}

// entryPoint names a module of the package.
type entryPoint struct {
	ID   string `json:"id"`
	Path string `json:"wasm-path"`
}

// mountPoint is a directory of the payload's view; in JSON an object with one
// member, from mode to path.
type mountPoint struct {
	Mode mode
	Path string
}

// mode is what a payload may do in a mount.
type mode string

const (
	modeRead    mode = "ro"
	modeWrite   mode = "wo"
	modeBoth    mode = "rw"
	modePrivate mode = "private" // rw, and hidden from transfers
)

// UnmarshalJSON reads {"rw": "/path"}.
func (m *mountPoint) UnmarshalJSON(b []byte) error {
	var members map[mode]string
	if err := json.Unmarshal(b, &members); err != nil || len(members) != 1 {
		return golem.Errorf(golem.ErrInvalid, `mount point: want {"ro|rw|wo|private": "/path"}`)
	}
	for mode, path := range members {
		*m = mountPoint{mode, path}
	}
	switch m.Mode {
	case modeRead, modeWrite, modeBoth, modePrivate:
		return nil
	}
	return golem.Errorf(golem.ErrInvalid, "mount point %s: mode %q is unknown", clip(m.Path), clip(string(m.Mode)))
}

// anyEntry is the entry point of a single module: whatever it is called.
const anyEntry = "*"

// openPack opens a task package, to be closed with close.
func openPack(name string) (p *pack, close func() error, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, golem.Errorf(golem.ErrInvalid, "task package: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		p, err = newPack(f, info.Size())
	}
	if err != nil {
		f.Close()
		return nil, nil, golem.Errorf(golem.ErrInvalid, "task package: %w", err)
	}
	return p, f.Close, nil
}

// newPack reads the manifest of a task package, or makes one for a single module.
func newPack(file io.ReaderAt, size int64) (*pack, error) {
	p := &pack{file: file, size: size}
	var magic [4]byte
	if n, _ := file.ReadAt(magic[:], 0); n < len(magic) {
		return nil, golem.Errorf(golem.ErrInvalid, "empty")
	}
	switch string(magic[:]) {
	case "\x00asm":
		p.manifest = manifest{
			EntryPoints: []entryPoint{{anyEntry, ""}},
			MountPoints: []mountPoint{{modeBoth, "/in"}, {modeBoth, "/out"}, {modeBoth, "/work"}},
		}
		return p, nil
	case "PK\x03\x04":
		return p, p.readArchive()
	}
	return nil, golem.Errorf(golem.ErrInvalid, "neither a WebAssembly module nor a zip archive")
}

func (p *pack) readArchive() (err error) {
	if p.archive, err = zip.NewReader(p.file, p.size); err != nil {
		return err
	}
	if len(p.archive.File) > maxFiles {
		return golem.Errorf(golem.ErrTooLarge, "%d files, at most %d", len(p.archive.File), maxFiles)
	}
	b, err := p.extract("manifest.json", maxManifest)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &p.manifest); err != nil {
		return golem.Errorf(golem.ErrInvalid, "manifest.json: %w", err)
	}
	if err := p.manifest.validate(); err != nil {
		return golem.Errorf(golem.ErrInvalid, "manifest.json: %w", err)
	}
	return nil
}

// extract returns the content of a file in the archive.
func (p *pack) extract(name string, most int64) ([]byte, error) {
	for _, f := range p.archive.File {
		if path.Clean(f.Name) != path.Clean(name) || !f.Mode().IsRegular() {
			continue
		}
		if f.UncompressedSize64 > uint64(most) || f.UncompressedSize64/maxRatio > f.CompressedSize64 {
			return nil, golem.Errorf(golem.ErrTooLarge, "%s: %d bytes, compressed to %d", clip(name), f.UncompressedSize64, f.CompressedSize64)
		}
		r, err := f.Open()
		if err != nil {
			return nil, golem.Errorf(golem.ErrInvalid, "%s: %w", clip(name), err)
		}
		defer r.Close()
		b, err := io.ReadAll(io.LimitReader(r, most+1))
		switch {
		case err != nil:
			return nil, golem.Errorf(golem.ErrInvalid, "%s: %w", clip(name), err)
		case int64(len(b)) > most:
			return nil, golem.Errorf(golem.ErrTooLarge, "%s: more than %d bytes", clip(name), most)
		}
		return b, nil
	}
	return nil, golem.Errorf(golem.ErrInvalid, "%s is missing", clip(name))
}

// module returns the code of an entry point.
func (p *pack) module(e entryPoint) ([]byte, error) {
	if p.archive != nil {
		return p.extract(e.Path, maxModule)
	}
	var b bytes.Buffer
	n, err := io.Copy(&b, io.NewSectionReader(p.file, 0, maxModule+1))
	if err == nil && n > maxModule {
		err = golem.Errorf(golem.ErrTooLarge, "module of more than %d bytes", maxModule)
	}
	return b.Bytes(), err
}

func (m *manifest) validate() error {
	switch {
	case m.Runtime != "" && m.Runtime != "wasi":
		return golem.Errorf(golem.ErrUnsupported, "runtime %q is not supported, only wasi", clip(m.Runtime))
	case len(m.EntryPoints) == 0:
		return golem.Errorf(golem.ErrInvalid, "no entry points")
	case len(m.EntryPoints) > maxEntries || len(m.MountPoints) > maxMounts:
		return golem.Errorf(golem.ErrTooLarge, "%d entry points and %d mount points, at most %d and %d",
			len(m.EntryPoints), len(m.MountPoints), maxEntries, maxMounts)
	}
	ids, paths := map[string]bool{}, map[string]bool{}
	for _, e := range m.EntryPoints {
		if e.ID == "" || e.Path == "" || ids[e.ID] {
			return golem.Errorf(golem.ErrInvalid, "entry point %q: no id, no wasm-path, or there twice", clip(e.ID))
		}
		ids[e.ID] = true
	}
	for i, p := range m.MountPoints {
		mount, err := mountPath(p.Path)
		if err != nil {
			return err
		}
		if paths[mount] {
			return golem.Errorf(golem.ErrInvalid, "mount point %s is there twice", mount)
		}
		paths[mount] = true
		m.MountPoints[i].Path = mount
	}
	return nil
}

// mountPath returns the absolute form of a path in the payload's view.
func mountPath(text string) (string, error) {
	for part := range strings.SplitSeq(text, "/") {
		if part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return "", golem.Errorf(golem.ErrInvalid, "mount point %q: . and .. are not allowed", clip(text))
		}
	}
	if text == "" {
		return "", golem.Errorf(golem.ErrInvalid, "mount point without a path")
	}
	return path.Clean("/" + text), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// clip shortens foreign text for use in an error.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
