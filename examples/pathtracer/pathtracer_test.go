package pathtracer

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// engine runs the module, with one directory of the host as its /out.
type engine struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	mount    string
}

func newEngine(tb testing.TB, config wazero.RuntimeConfig) *engine {
	tb.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	tb.Cleanup(func() { r.Close(ctx) })
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		tb.Fatal(err)
	}
	m, err := r.CompileModule(ctx, Module())
	if err != nil {
		tb.Fatal(err)
	}
	return &engine{r, m, "/out"}
}

type result struct {
	exit           uint32
	stdout, stderr string
}

func (e *engine) run(tb testing.TB, dir string, args ...string) result {
	tb.Helper()
	var stdout, stderr bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").
		WithArgs(append([]string{"pathtracer"}, args...)...).
		WithStdout(&stdout).WithStderr(&stderr).
		WithFSConfig(wazero.NewFSConfig().WithDirMount(dir, e.mount))
	m, err := e.runtime.InstantiateModule(tb.Context(), e.compiled, config)
	res := result{stdout: stdout.String(), stderr: stderr.String()}
	var exit *sys.ExitError
	switch {
	case errors.As(err, &exit):
		res.exit = exit.ExitCode()
	case err != nil:
		tb.Fatal(err)
	default:
		m.Close(tb.Context())
	}
	return res
}

// render renders the picture in tiles and puts them together.
func (e *engine) render(tb testing.TB, p Picture, tiles []Tile) *image.RGBA {
	tb.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for _, tile := range tiles {
		dir := tb.TempDir()
		if got := e.run(tb, dir, p.Args(tile, "/out/tile.ppm")...); got.exit != 0 || got.stderr != "" {
			tb.Fatalf("tile %s: %+v", tile, got)
		}
		file, err := os.Open(filepath.Join(dir, "tile.ppm"))
		if err != nil {
			tb.Fatal(err)
		}
		defer file.Close()
		if err := Draw(picture, tile, file); err != nil {
			tb.Fatal(err)
		}
	}
	return picture
}

// files lists what is in a directory and below, in order.
func files(tb testing.TB, dir string) []string {
	tb.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			names = append(names, strings.TrimPrefix(path, dir+string(filepath.Separator)))
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

var small = Picture{Width: 48, Height: 30, Samples: 4}

const goldenFile = "testdata/small.ppm"

// golden returns the small picture as it has to be.
func golden(tb testing.TB) *image.RGBA {
	tb.Helper()
	file, err := os.Open(goldenFile)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	want := image.NewRGBA(image.Rect(0, 0, small.Width, small.Height))
	if err := Draw(want, Tile{0, 0, small.Width, small.Height}, file); err != nil {
		tb.Fatal(err)
	}
	return want
}

func TestModuleIsSmall(t *testing.T) {
	if size := len(Module()); size > 40<<10 {
		t.Errorf("module has %d bytes, want at most 40 KiB", size)
	}
}

func TestEveryTilingIsTheSamePicture(t *testing.T) {
	e := newEngine(t, wazero.NewRuntimeConfig())
	if *update {
		dir := t.TempDir()
		e.run(t, dir, small.Args(Tile{0, 0, small.Width, small.Height}, "/out/tile.ppm")...)
		if err := os.WriteFile(goldenFile, read(t, dir), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := golden(t)
	for _, cut := range []struct{ columns, rows int }{{1, 1}, {3, 2}, {7, 4}} {
		got := e.render(t, small, Tiles(small.Width, small.Height, cut.columns, cut.rows))
		if diff := differences(want, got, want.Rect); diff > 0 {
			t.Errorf("in %d by %d tiles %d pixels differ from %s", cut.columns, cut.rows, diff, goldenFile)
		}
	}
}

// differences counts the pixels of r in which two pictures differ.
func differences(a, b *image.RGBA, r image.Rectangle) (n int) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if a.RGBAAt(x, y) != b.RGBAAt(x, y) {
				n++
			}
		}
	}
	return n
}

// The interpreter shares no code with the compiler and stands for another machine.
func TestEveryEngineGivesTheSameTile(t *testing.T) {
	e := newEngine(t, wazero.NewRuntimeConfigInterpreter())
	tile := Tile{16, 10, 10, 6}
	got := e.render(t, small, []Tile{tile})
	if diff := differences(golden(t), got, tile.Bounds()); diff > 0 {
		t.Errorf("%d pixels differ from %s", diff, goldenFile)
	}
}

func TestProgressLines(t *testing.T) {
	tests := []struct{ tile, want string }{
		{"0,0,1,3", "1/3\n2/3\n3/3\n"},
		{"0,0,1,40", "3/40\n6/40\n9/40\n12/40\n15/40\n18/40\n21/40\n24/40\n27/40\n30/40\n33/40\n36/40\n39/40\n40/40\n"},
	}
	e := newEngine(t, wazero.NewRuntimeConfig())
	for _, test := range tests {
		t.Run(test.tile, func(t *testing.T) {
			got := e.run(t, t.TempDir(), "--samples", "1", "--tile", test.tile, "--out", "/out/tile.ppm")
			if diff := cmp.Diff(result{stdout: test.want}, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			for line := range strings.Lines(got.stdout) {
				if _, _, ok := Progress(line); !ok {
					t.Errorf("Progress does not know %q", line)
				}
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	e := newEngine(t, wazero.NewRuntimeConfig())
	corner := Tile{Width - 1, Height - 1, 1, 1}
	want, got := t.TempDir(), t.TempDir()
	e.run(t, want, Picture{Width, Height, Samples}.Args(corner, "/out/tile.ppm")...)
	e.run(t, got, "--tile", corner.String(), "--out", "/out/tile.ppm")
	if diff := cmp.Diff(read(t, want), read(t, got)); diff != "" {
		t.Errorf("file (-with arguments +without):\n%s", diff)
	}
}

func read(tb testing.TB, dir string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "tile.ppm"))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestWrongArguments(t *testing.T) {
	tests := []struct{ args, want string }{
		{"", "no --out"},
		{"--out", "no value for --out"},
		{"--frames 2 --out /out/tile.ppm", "unknown argument --frames"},
		{"--width 0 --out /out/tile.ppm", "bad value for --width: 0"},
		{"--width 64x --out /out/tile.ppm", "bad value for --width: 64x"},
		{"--height 16385 --out /out/tile.ppm", "bad value for --height: 16385"},
		{"--height 99999999999999999999 --out /out/tile.ppm", "bad value for --height: 99999999999999999999"},
		{"--samples -1 --out /out/tile.ppm", "bad value for --samples: -1"},
		{"--tile 1,2,3 --out /out/tile.ppm", "bad value for --tile: 1,2,3"},
		{"--tile 1,2,3,4,5 --out /out/tile.ppm", "bad value for --tile: 1,2,3,4,5"},
		{"--tile 0,0,8,0 --out /out/tile.ppm", "bad value for --tile: 0,0,8,0"},
		{"--tile 0,0,641,1 --out /out/tile.ppm", "the tile lies outside the picture"},
		{"--tile 0,1,8,8 --height 8 --out /out/tile.ppm", "the tile lies outside the picture"},
		{strings.Repeat("--width 640 ", 32) + "--out /out/tile.ppm", "too many arguments"},
		{"--out /out/" + strings.Repeat("x", 4096), "too many arguments"},
	}
	e := newEngine(t, wazero.NewRuntimeConfig())
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			dir := t.TempDir()
			got := e.run(t, dir, strings.Fields(test.args)...)
			if got.exit != 2 || got.stdout != "" || !strings.HasPrefix(got.stderr, "pathtracer: "+test.want+"\nusage: ") {
				t.Errorf("got %+v, want exit 2 with %q", got, test.want)
			}
			if names := files(t, dir); len(names) > 0 {
				t.Errorf("wrote %v", names)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	tests := []struct {
		name, mount, out string
		want             string // the file, counted from the mounted directory; none if empty
	}{
		{"in the mounted directory", "/out", "/out/tile.ppm", "tile.ppm"},
		{"in a directory of it", "/out", "/out/sub/tile.ppm", "sub/tile.ppm"},
		{"with a slash too many", "/out", "/out//tile.ppm", "tile.ppm"},
		{"without the root", "/out", "out/tile.ppm", "tile.ppm"},
		{"root mounted", "/", "/tile.ppm", "tile.ppm"},
		{"nothing mounted there", "/out", "/elsewhere/tile.ppm", ""},
		{"only the name begins alike", "/out", "/outside/tile.ppm", ""},
		{"the mounted directory itself", "/out", "/out", ""},
		{"a directory", "/out", "/out/sub", ""},
		{"no such directory", "/out", "/out/none/tile.ppm", ""},
		{"out of the directory", "/out", "/out/../tile.ppm", ""},
	}
	e := newEngine(t, wazero.NewRuntimeConfig())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			if err := os.MkdirAll(filepath.Join(parent, "mounted", "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
			e.mount = test.mount
			got := e.run(t, filepath.Join(parent, "mounted"), "--tile", "0,0,1,1", "--samples", "1", "--out", test.out)
			names := []string{"mounted", filepath.Join("mounted", "sub")}
			want := result{stdout: "1/1\n"}
			if test.want == "" {
				want = result{exit: 1, stderr: "pathtracer: cannot open " + test.out + "\n"}
			} else {
				names = append(names, filepath.Join("mounted", filepath.FromSlash(test.want)))
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(names, files(t, parent)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// BenchmarkSample measures one path of light, from the middle of the picture.
func BenchmarkSample(b *testing.B) {
	e := newEngine(b, wazero.NewRuntimeConfig())
	p, tile, dir := Picture{Width, Height, Samples}, Tile{300, 180, 40, 25}, b.TempDir()
	for b.Loop() {
		e.run(b, dir, p.Args(tile, "/out/tile.ppm")...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tile.W*tile.H*p.Samples), "ns/sample")
}
