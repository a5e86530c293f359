package wasm

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
)

// FuzzPack opens task packages of any bytes, and manifests of any text.
func FuzzPack(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00"), "")
	f.Add([]byte("PK\x03\x04"), "")
	f.Add([]byte(nil), `{"id":"x","name":"y","entry-points":[{"id":"a","wasm-path":"a.wasm"}],"mount-points":[{"ro":"/in"},{"rw":"out"}]}`)
	f.Add([]byte(nil), `{"entry-points":[{"id":"a","wasm-path":"../a"}],"mount-points":[{"rw":"/a/../b"}]}`)
	f.Fuzz(func(t *testing.T, image []byte, manifest string) {
		if manifest != "" {
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			m, _ := w.Create("manifest.json")
			m.Write([]byte(manifest))
			w.Close()
			image = b.Bytes()
		}
		p, err := newPack(bytes.NewReader(image), int64(len(image)))
		if err != nil {
			return
		}
		for _, m := range p.manifest.MountPoints {
			if !strings.HasPrefix(m.Path, "/") || strings.Contains(m.Path+"/", "/../") {
				t.Errorf("mount point %q", m.Path)
			}
		}
		for _, e := range p.manifest.EntryPoints {
			if code, err := p.module(e); err == nil && len(code) > maxModule {
				t.Errorf("module of %d bytes", len(code))
			}
		}
	})
}
