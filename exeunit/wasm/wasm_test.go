//go:build linux

package wasm_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/exeunit/runtimetest"
	"github.com/golem-go/golem/exeunit/wasm"
)

const guest = "testdata/guest.wasm"

func environment() []string {
	return append(os.Environ(), "BE_RUNTIME=1", "GORACE=atexit_sleep_ms=0")
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// result is what a command of the runtime has come to.
type result struct {
	Out, Err string
	Code     int
}

// call runs a command of the runtime.
func call(t testing.TB, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), self(t), args...)
	cmd.Env = environment()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// unit is a work directory in which a task package is deployed.
type unit struct {
	t       testing.TB
	work    string
	options []string // for run
	volumes map[string]string
}

// deploy deploys a task package and says how that went.
func deploy(t testing.TB, image string, options ...string) (*unit, result) {
	t.Helper()
	u := &unit{t: t, work: t.TempDir(), volumes: map[string]string{}}
	args := append([]string{"--workdir", u.work, "--task-package", image, "--cache-dir", cacheDir}, options...)
	r := call(t, append(args, "deploy", "--")...)
	if r.Code == 0 {
		d, err := exeunit.ParseDeployed([]byte(r.Out))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range d.Volumes {
			u.volumes[v.Path] = filepath.Join(u.work, v.Name)
		}
	}
	return u, r
}

func deployed(t testing.TB, image string, options ...string) *unit {
	t.Helper()
	u, r := deploy(t, image, options...)
	if r.Code != 0 {
		t.Fatalf("deploy: %+v", r)
	}
	return u
}

// run runs the guest with arguments.
func (u *unit) run(args ...string) result { return u.runEntry("guest", args...) }

func (u *unit) runEntry(entry string, args ...string) result {
	u.t.Helper()
	all := append([]string{"--workdir", u.work}, u.options...)
	return call(u.t, append(append(all, "run", "--entrypoint", entry, "--"), args...)...)
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// archive makes a task package of files by name.
func archive(t testing.TB, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(t.TempDir(), "image.zip"), b.String())
}

func TestContract(t *testing.T) {
	for _, isolation := range []string{"full", "reduced"} {
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			image, err := filepath.Abs(guest)
			if err != nil {
				t.Fatal(err)
			}
			runtimetest.Test(t, runtimetest.Runtime{
				Path: self(t), Env: environment(), Args: []string{"--isolation", isolation, "--cache-dir", cacheDir},
				Image: image, BadImage: write(t, filepath.Join(t.TempDir(), "bad"), "bad image"),
				Echo: []string{"x", "echo"}, Exit: []string{"x", "exit"}, Hang: []string{"x", "spin"}, Copy: []string{"x", "copy"},
				In: "/in", Out: "/out",
			})
		})
	}
}

func TestPrograms(t *testing.T) {
	u := deployed(t, guest)
	u.options = []string{"--env", "A=b", "--env", "C=d=e"}
	write(t, filepath.Join(u.volumes["/in"], "f"), "0123456789")
	tests := []struct {
		name string
		args string
		want result
	}{
		{"echo", "echo a b", result{"a b", "", 0}},
		{"name", "name", result{"guest", "", 0}},
		{"environment", "env", result{"A=b\nC=d=e\n", "", 0}},
		{"stderr", "complain no", result{"", "no", 0}},
		{"empty stdin", "input", result{"0", "", 0}},
		{"random", "random", result{"", "", 0}},
		{"no command", "", result{"", "", 97}},
		{"exit 255", "exit 255", result{"", "", 255}},
		{"exit 256 is a failure", "exit 256", result{"", "", 255}},
		{"read", "read /in/f", result{"0123456789", "", 0}},
		{"seek", "seek /in/f 7", result{"789", "", 0}},
		{"stat file", "stat /in/f", result{"4 10", "", 0}},
		{"no such file", "read /in/g", result{"errno 44", "", 1}},
		{"write", "write /out/a hello", result{"", "", 0}},
		{"append", "append /out/a world", result{"", "", 0}},
		{"appended", "read /out/a", result{"helloworld", "", 0}},
		{"exclusive", "create /out/a x", result{"errno 20", "", 1}},
		{"truncate", "truncate /out/a 4", result{"", "", 0}},
		{"truncated", "read /out/a", result{"hell", "", 0}},
		{"mkdir", "mkdir /out/d", result{"", "", 0}},
		{"mkdir again", "mkdir /out/d", result{"errno 20", "", 1}},
		{"rename", "rename /out/a /out/d/b", result{"", "", 0}},
		{"link", "link /out/d/b /out/d/c", result{"", "", 0}},
		{"symlink", "symlink d/c /out/s", result{"", "", 0}},
		{"readlink", "readlink /out/s", result{"d/c", "", 0}},
		{"through the link", "read /out/s", result{"hell", "", 0}},
		{"stat link", "lstat /out/s", result{"7 3", "", 0}},
		{"touch", "touch /out/d/b", result{"", "", 0}},
		{"unlink a directory", "unlink /out/d", result{"errno 31", "", 1}},
		{"remove a full directory", "rmdir /out/d", result{"errno 55", "", 1}},
		{"remove a file as a directory", "rmdir /out/s", result{"errno 54", "", 1}},
		{"file with a slash", "read /out/d/b/", result{"errno 54", "", 1}},
		{"unlink", "unlink /out/d/c", result{"", "", 0}},
		{"dangling link", "read /out/s", result{"errno 44", "", 1}},
		{"rename to another volume", "rename /out/d/b /in/b", result{"errno 52", "", 1}},
		{"link to another volume", "link /out/d/b /in/b", result{"errno 52", "", 1}},
		{"deep", "nest /work 63", result{"", "", 0}},
		{"too deep", "nest /work 65", result{"errno 20", "", 1}}, // what is there already
		{"big output", "flood 3", result{strings.Repeat("\x00", 3<<20), "", 0}},
		{"no volume", "read /etc/passwd", result{"errno 63", "", 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, u.run(strings.Fields(test.args)...)); diff != "" {
				t.Errorf("(-want +got):\n%.2000s", diff)
			}
		})
	}
	if info, err := os.Stat(filepath.Join(u.volumes["/out"], "d/b")); err != nil || !info.ModTime().Equal(time.Unix(2, 0)) {
		t.Errorf("touched: %v, %v", info, err)
	}
	if r := u.run("list", "/out"); r.Code != 0 || !same(strings.Fields(r.Out), "./", "../", "d/", "s@") {
		t.Errorf("list: %+v", r)
	}
	if r := u.run("nest", "/out/d", "64"); r.Out != "errno 37" {
		t.Errorf("nested too deep: %+v", r)
	}
}

func same(got []string, want ...string) bool {
	have := map[string]bool{}
	for _, g := range got {
		have[g] = true
	}
	for _, w := range want {
		if !have[w] {
			return false
		}
	}
	return len(got) == len(want)
}

// TestEscape tries to leave a volume: the table of what engines and systems have
// got wrong.
func TestEscape(t *testing.T) {
	for _, isolation := range []string{"full", "reduced"} {
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			u := deployed(t, guest)
			u.options = []string{"--isolation", isolation}
			dir := u.volumes["/work"]
			outside := write(t, filepath.Join(u.work, "outside"), "secret")
			write(t, filepath.Join(dir, "f"), "inside")
			for link, target := range map[string]string{
				"link": "../outside", "abs": "/etc/passwd", "up": "..", "rootlink": "/", "good": "f", "far": "../../../../../../../../etc/hostname",
				"full": outside, "volume": filepath.Join("..", filepath.Base(u.volumes["/in"]), "f"), "loop": "loop",
			} {
				if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(u.volumes["/in"], "f"), "other")
			const refused, escapes = "errno 63", "errno 63"
			tests := []struct{ name, args, want string }{
				{"lexical", "read /work/../outside", refused},
				{"lexical, deeper", "read /work/a/../../outside", refused},
				{"absolute below", "read /work//etc/passwd", "errno 44"},
				{"existing link", "read /work/link", escapes},
				{"existing absolute link", "read /work/abs", escapes},
				{"link far up", "read /work/far", escapes},
				{"link with its full path", "read /work/full", escapes},
				{"link to another volume", "read /work/volume", escapes},
				{"through a link up", "read /work/up/outside", escapes},
				{"through a link to the root", "read /work/rootlink/etc/passwd", escapes},
				{"list through a link up", "list /work/up", escapes},
				{"write through a link", "write /work/link hacked", escapes},
				{"write beside it", "write /work/up/new hacked", escapes},
				{"append through a link", "append /work/link hacked", escapes},
				{"truncate through a link", "truncate /work/link 0", escapes},
				{"stat through a link", "stat /work/link", escapes},
				{"touch through a link", "touch /work/link", escapes},
				{"mkdir through a link", "mkdir /work/up/d", escapes},
				{"remove through a link", "unlink /work/up/outside", escapes},
				{"rename out", "rename /work/f /work/up/f", escapes},
				{"rename in", "rename /work/up/outside /work/x", escapes},
				{"hard link in", "link /work/up/outside /work/x", escapes},
				{"hard link out", "link /work/f /work/up/x", escapes},
				{"make a link out", "symlink ../outside /work/own", ""},
				{"and read it", "read /work/own", escapes},
				{"and write it", "write /work/own hacked", escapes},
				{"make a link far out", "symlink ../../../etc/hostname /work/own2", ""},
				{"and read it too", "read /work/own2", escapes},
				{"make an absolute link", "symlink /etc/passwd /work/own3", ""},
				{"and read that", "read /work/own3", escapes},
				{"hard link to a link", "link /work/own3 /work/own4", ""},
				{"which leads out", "read /work/own4", escapes},
				{"link to itself", "read /work/loop", "errno 32"},
				{"link inside", "read /work/good", "inside"},
				{"and write it there", "write /work/good changed", ""},
				{"what was written", "read /work/f", "changed"},
				{"process files", "read /proc/self/environ", refused},
			}
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					if r := u.run(strings.Fields(test.args)...); r.Out != test.want || r.Err != "" {
						t.Errorf("got %+v, want %q", r, test.want)
					}
				})
			}
			if got := read(t, outside); got != "secret" {
				t.Errorf("the file outside is %q", got)
			}
			entries, err := os.ReadDir(u.work)
			if err != nil || len(entries) != 5 {
				t.Errorf("work directory holds %v, %v", entries, err)
			}
		})
	}
}

const manifest = `{"id":"x","name":"y","entry-points":[{"id":"main","wasm-path":"bin/guest.wasm"},{"id":"other","wasm-path":"other.wasm"}],
	"mount-points":[{"ro":"/ro"},{"wo":"wo"},{"rw":"/rw/deep"},{"private":"/own"}]}`

func TestPackage(t *testing.T) {
	code := read(t, guest)
	u := deployed(t, archive(t, map[string]string{"manifest.json": manifest, "bin/guest.wasm": code, "other.wasm": code}))
	if len(u.volumes) != 3 || u.volumes["/ro"] == "" || u.volumes["/wo"] == "" || u.volumes["/rw/deep"] == "" {
		t.Fatalf("volumes are %v", u.volumes)
	}
	for _, v := range u.volumes {
		write(t, filepath.Join(v, "f"), "text")
	}
	tests := []struct{ args, want string }{
		{"name", "bin/guest.wasm"},
		{"read /ro/f", "text"},
		{"list /ro", "./ ../ f "},
		{"update /ro/f", "errno 69"},
		{"write /ro/f x", "errno 69"},
		{"write /ro/g x", "errno 69"},
		{"truncate /ro/f 0", "errno 69"},
		{"unlink /ro/f", "errno 69"},
		{"rename /ro/f /ro/g", "errno 69"},
		{"mkdir /ro/d", "errno 69"},
		{"symlink f /ro/s", "errno 69"},
		{"link /ro/f /ro/g", "errno 69"},
		{"touch /ro/f", "errno 69"},
		{"read /wo/f", "errno 2"},
		{"update /wo/f", "errno 8"},
		{"list /wo", "errno 2"},
		{"stat /wo/f", "4 4"},
		{"write /wo/g x", ""},
		{"mkdir /wo/d", ""},
		{"write /wo/d/h x", ""},
		{"read /rw/deep/f", "text"},
		{"write /rw/deep/g x", ""},
		{"write /own/f x", ""},
		{"read /own/f", "x"},
	}
	for _, test := range tests {
		if r := u.runEntry("main", strings.Fields(test.args)...); r.Out != test.want || r.Err != "" {
			t.Errorf("%s: got %+v, want %q", test.args, r, test.want)
		}
	}
	if r := u.runEntry("other", "name"); r.Out != "other.wasm" {
		t.Errorf("other entry point: %+v", r)
	}
	want := result{"", `ya-runtime-wasm: entry point "none" is not in the task package` + "\n", 125}
	if diff := cmp.Diff(want, u.runEntry("none", "name")); diff != "" {
		t.Errorf("unknown entry point (-want +got):\n%s", diff)
	}
}

func TestVolumeOverride(t *testing.T) {
	u := deployed(t, guest, "--volume-override", `{"/data/x":{"host":{}},"/in":{"host":{}}}`)
	if len(u.volumes) != 4 || u.volumes["/data/x"] == "" {
		t.Fatalf("volumes are %v", u.volumes)
	}
	if r := u.run("write", "/data/x/f", "text"); r.Code != 0 || read(t, filepath.Join(u.volumes["/data/x"], "f")) != "text" {
		t.Errorf("got %+v", r)
	}
	for _, bad := range []string{`{"/a":{"storage":{"size":"1GiB"}}}`, `{"/a":{"ram":{}}}`, `{"/a/../b":{"host":{}}}`, `[]`} {
		if _, r := deploy(t, guest, "--volume-override", bad); r.Code != 125 || r.Out != "" || !strings.HasPrefix(r.Err, "ya-runtime-wasm: ") {
			t.Errorf("%s: %+v", bad, r)
		}
	}
}

// TestRedeploy deploys again in the same work directory.
func TestRedeploy(t *testing.T) {
	u := deployed(t, guest)
	if r := u.run("write", "/work/f", "text"); r.Code != 0 {
		t.Fatal(r)
	}
	r := call(t, "--workdir", u.work, "--task-package", guest, "--cache-dir", cacheDir, "deploy", "--")
	if r.Code != 0 {
		t.Fatal(r)
	}
	if r := u.run("read", "/work/f"); r.Out != "errno 44" {
		t.Errorf("the volume is not a new one: %+v", r)
	}
	if entries, err := os.ReadDir(u.work); err != nil || len(entries) != 4 {
		t.Errorf("work directory holds %v, %v", entries, err)
	}
}

func TestBadPackages(t *testing.T) {
	code := read(t, guest)
	simple := func(manifest string) string {
		return archive(t, map[string]string{"manifest.json": manifest, "a.wasm": code})
	}
	entry := `"entry-points":[{"id":"a","wasm-path":"a.wasm"}]`
	bomb := archive(t, map[string]string{"manifest.json": "{" + entry + "}", "a.wasm": strings.Repeat("\x00", 50<<20)})
	tests := []struct{ name, image, want string }{
		{"no file", "/none", "no such file or directory"},
		{"empty", write(t, filepath.Join(t.TempDir(), "f"), ""), "task package: empty"},
		{"text", write(t, filepath.Join(t.TempDir(), "f"), "hello world"), "task package: neither a WebAssembly module nor a zip archive"},
		{"component", write(t, filepath.Join(t.TempDir(), "f"), "\x00asm\x0d\x00\x01\x00"), "a component (layer 1, version 13): only core modules for WASI preview 1 are supported"},
		{"other version", write(t, filepath.Join(t.TempDir(), "f"), "\x00asm\x02\x00\x00\x00"), "WebAssembly version 2, layer 0 is not supported"},
		{"cut off", write(t, filepath.Join(t.TempDir(), "f"), code[:len(code)/2]), "not a valid module: "},
		{"no start", module(t), "no function _start is exported"},
		{"unknown import", module(t, imported{"env", "magic"}), "imports that are not available here: env.magic"},
		{"unknown system call", module(t, imported{"wasi_snapshot_preview1", "sock_open"}), "imports that are not available here: wasi_snapshot_preview1.sock_open"},
		{"system call of other types", module(t, imported{"wasi_snapshot_preview1", "fd_write"}), "wasi_snapshot_preview1.fd_write (with other types)"},
		{"old snapshot", module(t, imported{"wasi_unstable", "fd_write"}), "built for WASI snapshot 0 (wasi_unstable)"},
		{"broken archive", write(t, filepath.Join(t.TempDir(), "f"), "PK\x03\x04 and so on"), "task package: zip: not a valid zip file"},
		{"no manifest", archive(t, map[string]string{"a.wasm": code}), "manifest.json is missing"},
		{"broken manifest", simple(`{`), "manifest.json: unexpected end of JSON input"},
		{"no entry points", simple(`{}`), "manifest.json: no entry points"},
		{"entry point twice", simple(`{"entry-points":[{"id":"a","wasm-path":"a.wasm"},{"id":"a","wasm-path":"a.wasm"}]}`), `entry point "a": no id, no wasm-path, or there twice`},
		{"no module", simple(`{"entry-points":[{"id":"a","wasm-path":"b.wasm"}]}`), "entry point a: b.wasm is missing"},
		{"AssemblyScript", simple(`{` + entry + `,"runtime":"aswasm"}`), `runtime "aswasm" is not supported`},
		{"mount with dots", simple(`{` + entry + `,"mount-points":[{"rw":"/a/../b"}]}`), `mount point "/a/../b": . and .. are not allowed`},
		{"mount with a dot", simple(`{` + entry + `,"mount-points":[{"rw":"./b"}]}`), `mount point "./b": . and .. are not allowed`},
		{"mount twice", simple(`{` + entry + `,"mount-points":[{"rw":"/b"},{"ro":"b/"}]}`), "mount point /b is there twice"},
		{"unknown mode", simple(`{` + entry + `,"mount-points":[{"rx":"/b"}]}`), `mode "rx" is unknown`},
		{"two modes", simple(`{` + entry + `,"mount-points":[{"rw":"/b","ro":"/c"}]}`), "mount point: want "},
		{"zip bomb", bomb, "a.wasm: 52428800 bytes, compressed to "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, r := deploy(t, test.image)
			if r.Code != 125 || r.Out != "" || !strings.Contains(r.Err, test.want) || strings.Count(r.Err, "\n") != 1 {
				t.Errorf("got %+v, want %q", r, test.want)
			}
		})
	}
}

// TestCheck wants a Requestor to hear the same before it buys anything.
func TestCheck(t *testing.T) {
	code := read(t, guest)
	tests := []struct{ name, code, want string }{
		{"fine", code, ""},
		{"empty", "", "not WebAssembly"},
		{"text", "hello world", "not WebAssembly"},
		{"component", "\x00asm\x0d\x00\x01\x00", "a component (layer 1, version 13): only core modules for WASI preview 1 are supported"},
		{"cut off", code[:len(code)/2], "not a valid module: "},
		{"no start", read(t, module(t)), "no function _start is exported"},
		{"unknown import", read(t, module(t, imported{"env", "magic"})), "imports that are not available here: env.magic"},
		{"old snapshot", read(t, module(t, imported{"wasi_unstable", "fd_write"})), "built for WASI snapshot 0 (wasi_unstable)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := wasm.Check(t.Context(), []byte(test.code))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

type imported struct{ module, name string }

// module returns a module that imports functions without parameters, and does
// nothing.
func module(t *testing.T, imports ...imported) string {
	text := func(s string) string { return string(rune(len(s))) + s }
	section := func(id byte, body string) string { return string(rune(id)) + text(body) }
	b := "\x00asm\x01\x00\x00\x00" + section(1, "\x01\x60\x00\x00")
	if len(imports) > 0 {
		body := string(rune(len(imports)))
		for _, i := range imports {
			body += text(i.module) + text(i.name) + "\x00\x00"
		}
		b += section(2, body)
	}
	return write(t, filepath.Join(t.TempDir(), "module"), b)
}

func TestLimits(t *testing.T) {
	u := deployed(t, guest)
	run := func(options, args string) result {
		u.options = strings.Fields(options)
		return u.run(strings.Fields(args)...)
	}
	if r := run("--mem-gib 0.0625", "grow 60"); r.Out != "grown" || r.Code != 0 {
		t.Errorf("below the memory limit: %+v", r)
	}
	if r := run("--mem-gib 0.0625", "grow 70"); r.Out != "refused" || r.Code != 3 || r.Err != "ya-runtime-wasm: the program has reached its memory limit of 64 MiB\n" {
		t.Errorf("above the memory limit: %+v", r)
	}
	if r := run("--mem-gib 0.0625", "hoard"); r.Code != 137 || !strings.HasPrefix(r.Err, "ya-runtime-wasm: the program has reached its memory limit of 64 MiB: ") {
		t.Errorf("dying of the memory limit: %+v", r)
	}
	if r := run("--mem-gib 0.0001", "echo"); r.Code != 125 || !strings.Contains(r.Err, "the program needs ") {
		t.Errorf("less memory than at least: %+v", r)
	}
	if r := run("", "trap"); r.Code != 134 || !strings.Contains(r.Err, "wasm error: unreachable") {
		t.Errorf("trap: %+v", r)
	}
	if r := run("", "overflow"); r.Code != 134 {
		t.Errorf("stack overflow: code %d", r.Code)
	}
	begun := time.Now()
	if r := run("--cpu-sec 1", "spin"); r.Code != 152 || r.Err != "ya-runtime-wasm: the program has used up its CPU time of 1 s\n" {
		t.Errorf("CPU limit: %+v", r)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("CPU limit took %v", took)
	}
	if r := run("--storage-gib 0.001", "fill /out/f 2"); r.Out != "errno 29" {
		t.Errorf("file size limit: %+v", r)
	}
	if info, err := os.Stat(filepath.Join(u.volumes["/out"], "f")); err != nil || info.Size() > 1<<20+1<<16 {
		t.Errorf("file size limit: %v, %v", info.Size(), err)
	}
}

// TestJail looks at the process of a running program from outside.
func TestJail(t *testing.T) {
	for _, isolation := range []string{"full", "reduced"} {
		t.Run(isolation, func(t *testing.T) {
			u := deployed(t, guest)
			cmd := exec.CommandContext(t.Context(), self(t), "--workdir", u.work, "--isolation", isolation, "run", "--entrypoint", "x", "--", "spin")
			cmd.Env = append(environment(), "SECRET=s")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Kill()
			if _, err := out.Read(make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
			pid := cmd.Process.Pid
			if isolation == "full" {
				pid = child(t, pid)
			}
			status := read(t, fmt.Sprintf("/proc/%d/status", pid))
			lines := []string{"NoNewPrivs:\t1", "Seccomp:\t2"}
			if !usesCgo {
				lines = append(lines, "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000")
			}
			for _, line := range lines {
				if !strings.Contains(status, line+"\n") {
					t.Errorf("status lacks %s", line)
				}
			}
			if isolation == "reduced" {
				return
			}
			for _, ns := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
				theirs, err1 := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns))
				ours, err2 := os.Readlink("/proc/self/ns/" + ns)
				if err := errors.Join(err1, err2); err != nil || theirs == ours {
					t.Errorf("namespace %s is %s: %v", ns, theirs, err)
				}
			}
			root := fmt.Sprintf("/proc/%d/root", pid)
			if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
				t.Errorf("root holds %v, %v", entries, err)
			}
			if err := os.WriteFile(root+"/f", nil, 0o644); err == nil {
				t.Error("root can be written to")
			}
			if mounts := read(t, fmt.Sprintf("/proc/%d/mounts", pid)); strings.Count(mounts, "\n") != 1 {
				t.Errorf("mounts are\n%s", mounts)
			}
			if env := read(t, fmt.Sprintf("/proc/%d/environ", pid)); strings.Contains(env, "SECRET") {
				t.Error("our environment was passed on")
			}
			// With the process between them and the supervisor they all end.
			cmd.Process.Kill()
			cmd.Wait()
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
				if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the program lives")
				}
			}
		})
	}
}

// child returns the only child process.
func child(t *testing.T, parent int) int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		var pid int
		if n, _ := fmt.Sscan(read(t, task), &pid); n == 1 {
			return pid
		}
	}
	t.Fatal("no child")
	return 0
}

func TestSelfTest(t *testing.T) {
	tests := []struct {
		args string
		want result
	}{
		{"test", result{`{"isolation":"full"}` + "\n", "", 0}},
		{"--isolation reduced test", result{`{"isolation":"reduced"}` + "\n", "", 0}},
		{"offer-template", result{`{"constraints":"","properties":{"golem.runtime.wasm.isolation":"full"}}` + "\n", "", 0}},
		{"--isolation half test", result{"", "option --isolation: want full, reduced or auto", 125}},
		{"", result{"", "a command is missing", 125}},
		{"fly", result{"", `command "fly" is unknown`, 125}},
		{"deploy", result{"", "option --workdir is missing", 125}},
		{"--workdir /tmp deploy", result{"", "option --task-package is missing", 125}},
		{"--workdir /tmp --mem-gib much start", result{"", "option --mem-gib: ", 125}},
		{"--workdir /tmp run x", result{"", `argument "x" after run: arguments follow --`, 125}},
		{"--workdir /none start", result{"", "not deployed: ", 125}},
		{"--workdir /none guest", result{"", "ya-runtime-wasm: ", 125}},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			got := call(t, strings.Fields(test.args)...)
			if got.Code != test.want.Code || got.Out != test.want.Out || !strings.Contains(got.Err, test.want.Err) || test.want.Err == "" && got.Err != "" {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestNoNamespaces has a kernel that does not permit them.
func TestNoNamespaces(t *testing.T) {
	limit := "/proc/sys/user/max_user_namespaces"
	script := func(args string) result {
		// The limit holds in a user namespace of its own, so nobody else sees it.
		cmd := exec.CommandContext(t.Context(), "unshare", "-Ur", "sh", "-c", "echo 0 > "+limit+" && exec "+self(t)+" "+args)
		cmd.Env = environment()
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.Run()
		return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	}
	if err := exec.Command("unshare", "-Ur", "sh", "-c", "echo 0 > "+limit).Run(); err != nil {
		t.Skip("this machine cannot forbid namespaces: " + err.Error())
	}
	if r := script("test"); r.Code != 0 || !strings.HasPrefix(r.Out, `{"isolation":"reduced","reason":"`) {
		t.Errorf("auto: %+v", r)
	}
	if r := script("--isolation full test"); r.Code != 125 || !strings.Contains(r.Err, "full isolation is not possible here") {
		t.Errorf("full: %+v", r)
	}
}

// BenchmarkStart is deploy, start and run of a module that was compiled before:
// three processes of the supervisor's, and one of the runtime's own.
func BenchmarkStart(b *testing.B) {
	image, err := filepath.Abs(guest)
	if err != nil {
		b.Fatal(err)
	}
	work := b.TempDir()
	exe := &exeunit.Executable{Path: self(b), Env: environment(), Args: []string{"--cache-dir", cacheDir}, WorkDir: work}
	for b.Loop() {
		var out, errs bytes.Buffer
		stdio := exeunit.Stdio{Out: &out, Err: &errs}
		_, err := exe.Deploy(b.Context(), exeunit.Deployment{TaskPackage: image}, stdio)
		err = errors.Join(err, exe.Start(b.Context(), nil, stdio), exe.Run(b.Context(), "x", []string{"echo", "hi"}, stdio))
		if err != nil {
			b.Fatalf("%v: %s", err, errs.String())
		}
	}
}
