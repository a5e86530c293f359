package flexbuffers

import (
	"encoding/binary"
	"math"
)

// wireType is the upper six bits of a type byte.
type wireType uint8

const (
	typeNull          wireType = 0
	typeInt           wireType = 1
	typeUint          wireType = 2
	typeFloat         wireType = 3
	typeKey           wireType = 4
	typeString        wireType = 5
	typeIndirectInt   wireType = 6
	typeIndirectUint  wireType = 7
	typeIndirectFloat wireType = 8
	typeMap           wireType = 9
	typeVector        wireType = 10
	typeVectorInt     wireType = 11
	typeVectorUint    wireType = 12
	typeVectorString  wireType = 15
	typeVectorInt2    wireType = 16
	typeVectorUint2   wireType = 17
	typeVectorFloat4  wireType = 24
	typeBlob          wireType = 25
	typeBool          wireType = 26
	typeVectorBool    wireType = 36
)

// maxDepth is how deep maps and vectors may nest, in both directions.
const maxDepth = 64

// inline reports whether values of type t lie in their parent's slot; all
// others lie elsewhere and the slot holds an offset.
func (t wireType) inline() bool { return t <= typeFloat || t == typeBool }

// element returns the type of the elements of a typed vector, and their number
// if the type fixes it.
func (t wireType) element() (elem wireType, fixed int, ok bool) {
	switch {
	case t >= typeVectorInt && t <= typeVectorString:
		return t - typeVectorInt + typeInt, 0, true
	case t >= typeVectorInt2 && t <= typeVectorFloat4:
		i := t - typeVectorInt2
		return i%3 + typeInt, int(i/3) + 2, true
	case t == typeVectorBool:
		return typeBool, 0, true
	}
	return 0, 0, false
}

// typedVector returns the type of a vector of n > 0 elements of type elem, or
// typeVector if the elements need a type byte each.
func typedVector(elem wireType, n int) wireType {
	switch {
	case elem == typeBool:
		return typeVectorBool
	case elem < typeInt || elem > typeFloat:
		return typeVector
	case n >= 2 && n <= 4:
		return typeVectorInt2 + wireType(n-2)*3 + elem - typeInt
	}
	return typeVectorInt + elem - typeInt
}

// width is a size in bytes as its binary logarithm: 0 to 3 for 1, 2, 4 and 8.
type width uint8

func (w width) bytes() int { return 1 << w }

// packed returns the type byte of a value of type t and width w.
func packed(t wireType, w width) byte { return byte(t)<<2 | byte(w) }

func unpacked(b byte) (wireType, width) { return wireType(b >> 2), width(b & 3) }

// widthOf returns the width of a size in bytes.
func widthOf(size uint64) (width, bool) {
	switch size {
	case 1:
		return 0, true
	case 2:
		return 1, true
	case 4:
		return 2, true
	case 8:
		return 3, true
	}
	return 0, false
}

func uintWidth(u uint64) width {
	switch {
	case u <= math.MaxUint8:
		return 0
	case u <= math.MaxUint16:
		return 1
	case u <= math.MaxUint32:
		return 2
	}
	return 3
}

func intWidth(i int64) width {
	switch {
	case i == int64(int8(i)):
		return 0
	case i == int64(int16(i)):
		return 1
	case i == int64(int32(i)):
		return 2
	}
	return 3
}

func floatWidth(f float64) width {
	if float64(float32(f)) == f {
		return 2
	}
	return 3
}

// load reads the number of width w at the start of b, which is long enough.
func load(b []byte, w width) uint64 {
	switch w {
	case 0:
		return uint64(b[0])
	case 1:
		return uint64(binary.LittleEndian.Uint16(b))
	case 2:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// appendWord appends the low bytes of u, as many as w says.
func appendWord(b []byte, u uint64, w width) []byte {
	switch w {
	case 0:
		return append(b, byte(u))
	case 1:
		return binary.LittleEndian.AppendUint16(b, uint16(u))
	case 2:
		return binary.LittleEndian.AppendUint32(b, uint32(u))
	}
	return binary.LittleEndian.AppendUint64(b, u)
}

// signed extends the sign of a number of width w.
func signed(u uint64, w width) int64 {
	shift := 64 - 8*w.bytes()
	return int64(u<<shift) >> shift
}

// align returns the first multiple of w's size that is not below n.
func align(n int, w width) int {
	size := w.bytes()
	return (n + size - 1) &^ (size - 1)
}
