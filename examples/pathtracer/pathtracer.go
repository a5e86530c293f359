package pathtracer

import (
	"bytes"
	_ "embed"
	"strconv"
	"strings"
)

//go:embed tracer.wasm
var module []byte

// Module returns a copy of the renderer, a WASI preview 1 command.
func Module() []byte { return bytes.Clone(module) }

// The picture of the demonstration, and the module's defaults: about 5 seconds
// of one CPU.
const (
	Width   = 640
	Height  = 400
	Samples = 32
)

// Picture says what to render: the size in pixels, at most 16384 each, and the
// number of paths followed per pixel, at most 65536. Twice the samples take
// twice the time and leave about two thirds of the noise.
type Picture struct {
	Width, Height, Samples int
}

// Args returns the arguments of the module, without the program's name, that
// render tile t of the picture into the file out, a path as the module sees it.
func (p Picture) Args(t Tile, out string) []string {
	return []string{
		"--width", strconv.Itoa(p.Width),
		"--height", strconv.Itoa(p.Height),
		"--samples", strconv.Itoa(p.Samples),
		"--tile", t.String(),
		"--out", out,
	}
}

// Progress reads a line the module prints, "12/64": rows done and rows in all
// of its tile. It reports false for anything else: the line comes from a
// stranger.
func Progress(line string) (done, rows int, ok bool) {
	first, second, _ := strings.Cut(strings.TrimSpace(line), "/")
	d, errDone := strconv.ParseUint(first, 10, 15)
	r, errRows := strconv.ParseUint(second, 10, 15)
	if errDone != nil || errRows != nil || d > r || r == 0 {
		return 0, 0, false
	}
	return int(d), int(r), true
}
