// Package pathtracer is the demonstration job of Golem: a picture, cut into
// tiles, each rendered by some Provider.
//
// The renderer is tracer.c, a path tracer in freestanding C, built into a WASI
// preview 1 command of less than 40 KB that needs no C library, no network and
// no input. Its output depends on nothing but its arguments: a pixel has the
// same bytes whatever tile it is part of and whichever machine renders it, so
// two Providers' answers for one tile can be compared.
//
// A Requestor gives each Provider the module ([Module]) and the arguments of
// one of the [Tiles] ([Picture.Args]), shows the lines the module prints
// ([Progress]) and draws the file it gets back into an image ([Draw]). The
// file comes from a stranger: Draw takes it only if it is a picture of exactly
// the tile's size.
//
// The command:
//
//	pathtracer --width 640 --height 400 --tile X,Y,W,H --samples 32 --out /out/tile.ppm
//
// Only --out is required; the numbers shown are the defaults, and without
// --tile it renders the whole picture. Width and height go up to 16384 pixels,
// samples to 65536; powers of two are spread most evenly. The file is a binary PPM (P6) of the tile. For every sixteenth of the tile it
// prints rows done and rows in all, "12/64". It exits with 2 on wrong
// arguments and with 1 if the file cannot be written, with the reason on
// stderr. The file may be in any directory mounted for the command; its name
// counts from the root, with or without the leading slash.
//
// The module is committed and the Makefile beside it rebuilds it to the byte.
package pathtracer
