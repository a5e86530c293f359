package pathtracer

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/golem-go/golem"
	"github.com/google/go-cmp/cmp"
)

func ExampleTiles() {
	p := Picture{Width: 640, Height: 400, Samples: 32}
	for _, t := range Tiles(p.Width, p.Height, 2, 1) {
		fmt.Println(p.Args(t, "/out/tile.ppm"))
	}
	// Output:
	// [--width 640 --height 400 --samples 32 --tile 0,0,320,400 --out /out/tile.ppm]
	// [--width 640 --height 400 --samples 32 --tile 320,0,320,400 --out /out/tile.ppm]
}

func TestTilesCoverEachPixelOnce(t *testing.T) {
	tests := []struct{ width, height, columns, rows, want int }{
		{640, 400, 8, 5, 40},
		{7, 5, 3, 2, 6},
		{3, 2, 100, 100, 6},
		{1, 1, 1, 1, 1},
		{10, 10, 0, 1, 0},
		{10, 10, 1, -1, 0},
		{0, 10, 1, 1, 0},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			tiles := Tiles(test.width, test.height, test.columns, test.rows)
			if len(tiles) != test.want {
				t.Fatalf("got %d tiles, want %d: %v", len(tiles), test.want, tiles)
			}
			hits := make([]int, test.width*test.height)
			for _, tile := range tiles {
				if tile.W < test.width/test.columns || tile.H < test.height/test.rows {
					t.Errorf("tile %v is smaller than its share", tile)
				}
				for y := tile.Y; y < tile.Y+tile.H; y++ {
					for x := tile.X; x < tile.X+tile.W; x++ {
						hits[y*test.width+x]++
					}
				}
			}
			if i := slices.IndexFunc(hits, func(n int) bool { return n != 1 }); i >= 0 && test.want > 0 {
				t.Errorf("pixel %d,%d is in %d tiles", i%test.width, i/test.width, hits[i])
			}
		})
	}
}

func TestDraw(t *testing.T) {
	picture := image.NewRGBA(image.Rect(0, 0, 4, 3))
	if err := Draw(picture, Tile{2, 1, 2, 1}, strings.NewReader("P6\n2 1\n255\nabcdef")); err != nil {
		t.Fatal(err)
	}
	want := image.NewRGBA(picture.Rect)
	want.SetRGBA(2, 1, color.RGBA{'a', 'b', 'c', 255})
	want.SetRGBA(3, 1, color.RGBA{'d', 'e', 'f', 255})
	if diff := cmp.Diff(want, picture); diff != "" {
		t.Errorf("picture (-want +got):\n%s", diff)
	}
}

func TestDrawRefuses(t *testing.T) {
	const good = "P6\n2 1\n255\nabcdef"
	tests := []struct {
		name string
		tile Tile
		file string
		want string
	}{
		{"nothing", Tile{0, 0, 2, 1}, "", `file starts with ""`},
		{"header cut short", Tile{0, 0, 2, 1}, "P6\n2 1", `file starts with "P6\n2 1"`},
		{"another format", Tile{0, 0, 2, 1}, "P5\n2 1\n255\nab", "not with the header"},
		{"another size", Tile{0, 0, 1, 2}, good, "not with the header"},
		{"16 bits", Tile{0, 0, 2, 1}, "P6\n2 1\n65535\nabcdefghijkl", "not with the header"},
		{"one byte missing", Tile{0, 0, 2, 1}, good[:len(good)-1], "file ends after 16 of 17 bytes"},
		{"one byte more", Tile{0, 0, 2, 1}, good + "g", "file goes on after its 17 bytes"},
		{"outside the picture", Tile{3, 0, 2, 1}, good, "tile 3,0,2,1 lies outside the picture"},
		{"left of the picture", Tile{-1, 0, 2, 1}, good, "lies outside"},
		{"empty tile", Tile{0, 0, 0, 1}, good, "lies outside"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			picture := image.NewRGBA(image.Rect(0, 0, 4, 3))
			err := Draw(picture, test.tile, strings.NewReader(test.file))
			if !errors.Is(err, golem.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want golem.ErrInvalid with %q", err, test.want)
			}
			if diff := cmp.Diff(image.NewRGBA(picture.Rect), picture); diff != "" {
				t.Errorf("picture has changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestDrawPassesReadErrors(t *testing.T) {
	picture := image.NewRGBA(image.Rect(0, 0, 4, 3))
	err := Draw(picture, Tile{0, 0, 2, 1}, iotest.ErrReader(io.ErrClosedPipe))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want %v", err, io.ErrClosedPipe)
	}
}

// endless never ends and counts what is taken from it.
type endless struct{ taken int }

func (e *endless) Read(p []byte) (int, error) {
	e.taken += len(p)
	return len(p), nil
}

func TestDrawReadsNoMoreThanItNeeds(t *testing.T) {
	picture := image.NewRGBA(image.Rect(0, 0, 4, 3))
	var e endless
	if err := Draw(picture, Tile{0, 0, 2, 1}, &e); !errors.Is(err, golem.ErrInvalid) {
		t.Errorf("got %v, want %v", err, golem.ErrInvalid)
	}
	if want := len("P6\n2 1\n255\nabcdef") + 1; e.taken > want {
		t.Errorf("took %d bytes, want at most %d", e.taken, want)
	}
}

func TestProgress(t *testing.T) {
	tests := []struct {
		line       string
		done, rows int
		ok         bool
	}{
		{"12/64", 12, 64, true},
		{"0/1\n", 0, 1, true},
		{"16384/16384\r\n", 16384, 16384, true},
		{"", 0, 0, false},
		{"12", 0, 0, false},
		{"12/", 0, 0, false},
		{"0/0", 0, 0, false},
		{"65/64", 0, 0, false},
		{"-1/64", 0, 0, false},
		{"1/2/3", 0, 0, false},
		{"1/99999999999999999999", 0, 0, false},
		{"12/64 of the work", 0, 0, false},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			done, rows, ok := Progress(test.line)
			if done != test.done || rows != test.rows || ok != test.ok {
				t.Errorf("got %d, %d, %t, want %d, %d, %t", done, rows, ok, test.done, test.rows, test.ok)
			}
		})
	}
}

func FuzzProgress(f *testing.F) {
	f.Add("12/64")
	f.Add("65/64\n")
	f.Add("/")
	f.Fuzz(func(t *testing.T, line string) {
		done, rows, ok := Progress(line)
		if ok && (done < 0 || done > rows || rows <= 0) {
			t.Errorf("Progress(%q) = %d of %d", line, done, rows)
		}
	})
}

func FuzzDraw(f *testing.F) {
	f.Add([]byte("P6\n2 1\n255\nabcdef"))
	f.Add([]byte("P6\n2 1\n255\nabcde"))
	f.Add([]byte("P6\n# comment\n2 1\n255\nabcdef"))
	f.Fuzz(func(t *testing.T, file []byte) {
		picture := image.NewRGBA(image.Rect(0, 0, 4, 3))
		err := Draw(picture, Tile{1, 1, 2, 1}, bytes.NewReader(file))
		if before := make([]byte, len(picture.Pix)); err != nil && !bytes.Equal(before, picture.Pix) {
			t.Errorf("picture has changed though %v", err)
		}
		if want := []byte("P6\n2 1\n255\n"); err == nil && (len(file) != len(want)+6 || !bytes.HasPrefix(file, want)) {
			t.Errorf("took %q", file)
		}
	})
}
