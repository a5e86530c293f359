package pathtracer

import (
	"fmt"
	"image"
	"image/color"
	"io"

	"github.com/golem-go/golem"
)

// Tile is a part of a picture: its upper left corner and its size, in pixels.
type Tile struct {
	X, Y, W, H int
}

// Tiles cuts a picture into columns times rows tiles, listed row by row, that
// cover each pixel once and differ by at most one pixel in width and height. A
// picture is not cut finer than its pixels. Without a picture, columns or rows
// there are no tiles.
func Tiles(width, height, columns, rows int) []Tile {
	columns, rows = min(columns, width), min(rows, height)
	if columns <= 0 || rows <= 0 {
		return nil
	}
	tiles := make([]Tile, 0, columns*rows)
	for r := range rows {
		y := r * height / rows
		for c := range columns {
			x := c * width / columns
			tiles = append(tiles, Tile{x, y, (c+1)*width/columns - x, (r+1)*height/rows - y})
		}
	}
	return tiles
}

// Bounds returns the tile's place in the picture.
func (t Tile) Bounds() image.Rectangle {
	return image.Rect(t.X, t.Y, t.X+t.W, t.Y+t.H)
}

// String returns the tile as the module's argument: "X,Y,W,H".
func (t Tile) String() string {
	return fmt.Sprintf("%d,%d,%d,%d", t.X, t.Y, t.W, t.H)
}

// Draw reads the file the module wrote for tile t and draws it at its place in
// the picture. Anything but a binary PPM of exactly the tile's size is
// [golem.ErrInvalid], as is a tile outside the picture; then, as on an error of
// reading, the picture is unchanged. Draw reads no more than one byte past the
// size it expects.
func Draw(picture *image.RGBA, t Tile, ppm io.Reader) error {
	if t.W <= 0 || t.H <= 0 || !t.Bounds().In(picture.Rect) {
		return golem.Errorf(golem.ErrInvalid, "tile %s lies outside the picture %v", t, picture.Rect)
	}
	header := fmt.Sprintf("P6\n%d %d\n255\n", t.W, t.H)
	want := len(header) + 3*t.W*t.H
	data, err := io.ReadAll(io.LimitReader(ppm, int64(want)+1))
	switch {
	case err != nil:
		return fmt.Errorf("tile %s: %w", t, err)
	case len(data) < len(header) || string(data[:len(header)]) != header:
		return golem.Errorf(golem.ErrInvalid, "tile %s: file starts with %q, not with the header %q", t, data[:min(len(data), len(header))], header)
	case len(data) < want:
		return golem.Errorf(golem.ErrInvalid, "tile %s: file ends after %d of %d bytes", t, len(data), want)
	case len(data) > want:
		return golem.Errorf(golem.ErrInvalid, "tile %s: file goes on after its %d bytes", t, want)
	}
	rest := data[len(header):]
	for y := range t.H {
		for x := range t.W {
			picture.SetRGBA(t.X+x, t.Y+y, color.RGBA{rest[0], rest[1], rest[2], 255})
			rest = rest[3:]
		}
	}
	return nil
}
