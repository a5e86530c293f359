package flexbuffers

import (
	"errors"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

var (
	errTooDeep = errors.New("nested too deep")
	errNotUTF8 = errors.New("text is not UTF-8")
	errKeyZero = errors.New("key contains a zero byte")
	errKeyDup  = errors.New("two values with the same key")
)

// A writer lays out one document. Text and finished containers go straight into
// buf; numbers and the addresses of what is in buf wait on the stack until their
// container is closed, because only then its element width is known.
type writer struct {
	buf   []byte
	base  int // where the document starts in buf; addresses count from there
	stack []slot
	keys  map[string]int // addresses of the keys written so far
	depth int            // open containers
	hops  int            // open pointers and interfaces
}

// A slot is a value that waits for its container.
type slot struct {
	typ   wireType
	width width  // of the number, or of what lies at the address
	bits  uint64 // the number, or the address
	key   int    // address of its key, in a map
}

func (w *writer) reset(dst []byte) {
	w.buf, w.base = dst, len(dst)
	w.depth, w.hops = 0, 0
	w.stack = w.stack[:0]
	if w.keys == nil {
		w.keys = make(map[string]int)
	}
}

// here returns the address of the next byte.
func (w *writer) here() int { return len(w.buf) - w.base }

// pad fills up with zero bytes to a multiple of the size of wd.
func (w *writer) pad(wd width) {
	for n := align(w.here(), wd) - w.here(); n > 0; n-- {
		w.buf = append(w.buf, 0)
	}
}

func (w *writer) push(t wireType, wd width, bits uint64) {
	w.stack = append(w.stack, slot{typ: t, width: wd, bits: bits})
}

func (w *writer) null() { w.push(typeNull, 0, 0) }

func (w *writer) int(i int64) { w.push(typeInt, intWidth(i), uint64(i)) }

func (w *writer) uint(u uint64) { w.push(typeUint, uintWidth(u), u) }

func (w *writer) float(f float64) { w.push(typeFloat, floatWidth(f), math.Float64bits(f)) }

func (w *writer) bool(b bool) {
	if b {
		w.push(typeBool, 0, 1)
	} else {
		w.push(typeBool, 0, 0)
	}
}

func (w *writer) string(s string) error {
	if !utf8.ValidString(s) {
		return errNotUTF8
	}
	wd := w.length(len(s))
	w.push(typeString, wd, uint64(w.here()))
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, 0)
	return nil
}

func (w *writer) blob(b []byte) {
	wd := w.length(len(b))
	w.push(typeBlob, wd, uint64(w.here()))
	w.buf = append(w.buf, b...)
}

// length writes a length in its own narrowest width.
func (w *writer) length(n int) width {
	wd := uintWidth(uint64(n))
	w.pad(wd)
	w.buf = appendWord(w.buf, uint64(n), wd)
	return wd
}

// bytes writes b as a vector of numbers, as upstream sends a plain Vec<u8>.
func (w *writer) bytes(b []byte) {
	n := len(b)
	typ, wd := typeVector, width(0)
	if n > 0 {
		typ = typedVector(typeUint, n)
	}
	if _, fixed, _ := typ.element(); fixed == 0 {
		wd = w.length(n)
	}
	w.push(typ, wd, uint64(w.here()))
	if wd == 0 {
		w.buf = append(w.buf, b...)
		return
	}
	w.buf = slices.Grow(w.buf, n*wd.bytes())
	for _, c := range b {
		w.buf = appendWord(w.buf, uint64(c), wd)
	}
}

// key writes a key unless the document has it already, and returns its address.
func (w *writer) key(name string) (int, error) {
	if at, ok := w.keys[name]; ok {
		return at, nil
	}
	if strings.IndexByte(name, 0) >= 0 {
		return 0, errKeyZero
	}
	if !utf8.ValidString(name) {
		return 0, errNotUTF8
	}
	at := w.here()
	w.keys[name] = at
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, 0)
	return at, nil
}

// setKey gives the value on top of the stack its key.
func (w *writer) setKey(at int) { w.stack[len(w.stack)-1].key = at }

// begin starts a container: what is pushed from now on becomes its elements.
func (w *writer) begin() (start int, err error) {
	if w.depth++; w.depth > maxDepth {
		return 0, errTooDeep
	}
	return len(w.stack), nil
}

// hop counts a step that opens no container, so that a pointer to itself ends.
func (w *writer) hop() error {
	if w.hops++; w.hops > 8*maxDepth {
		return errTooDeep
	}
	return nil
}

func (w *writer) land() { w.hops-- }

// endVector replaces the slots from start on by one vector of them.
func (w *writer) endVector(start int) {
	w.depth--
	elems := w.stack[start:]
	typ := typeVector
	if len(elems) > 0 && sameType(elems) {
		typ = typedVector(elems[0].typ, len(elems))
	}
	s := w.vector(typ, elems)
	w.stack = append(w.stack[:start], s)
}

// endMap replaces the slots from start on by one map of them.
func (w *writer) endMap(start int) error {
	w.depth--
	values := w.stack[start:]
	if !slices.IsSortedFunc(values, w.compareKeys) {
		slices.SortFunc(values, w.compareKeys)
	}
	for i := 1; i < len(values); i++ {
		if values[i].key == values[i-1].key {
			return errKeyDup
		}
	}
	for _, v := range values {
		w.stack = append(w.stack, slot{typ: typeKey, bits: uint64(v.key)})
	}
	n := len(w.stack)
	values, keys := w.stack[start:start+(n-start)/2], w.stack[start+(n-start)/2:]
	keysVector := w.vector(typeVectorInt+typeKey-typeInt, keys)
	s := w.mapOf(keysVector, values)
	w.stack = append(w.stack[:start], s)
	return nil
}

// compareKeys orders slots by the bytes of their keys. The zero byte at the end
// of a key makes a prefix the smaller one.
func (w *writer) compareKeys(a, b slot) int {
	if a.key == b.key {
		return 0
	}
	x, y := w.buf[w.base+a.key:], w.buf[w.base+b.key:]
	for i := range x {
		if x[i] != y[i] {
			return int(x[i]) - int(y[i])
		}
		if x[i] == 0 {
			break
		}
	}
	return 0
}

func sameType(elems []slot) bool {
	for _, e := range elems[1:] {
		if e.typ != elems[0].typ {
			return false
		}
	}
	return true
}

// vector writes a vector of the given type and returns its slot.
func (w *writer) vector(typ wireType, elems []slot) slot {
	var wd width
	prefix := 0
	if _, fixed, _ := typ.element(); fixed == 0 {
		wd, prefix = uintWidth(uint64(len(elems))), 1
	}
	wd = max(wd, w.elementWidth(elems, prefix))
	w.pad(wd)
	if prefix == 1 {
		w.buf = appendWord(w.buf, uint64(len(elems)), wd)
	}
	return w.elements(typ, wd, elems)
}

// mapOf writes a map whose keys are already written and returns its slot.
func (w *writer) mapOf(keys slot, values []slot) slot {
	wd := max(uintWidth(uint64(len(values))), w.slotWidth(keys, 0), w.elementWidth(values, 3))
	w.pad(wd)
	w.buf = appendWord(w.buf, uint64(w.here())-keys.bits, wd)
	w.buf = appendWord(w.buf, uint64(keys.width.bytes()), wd)
	w.buf = appendWord(w.buf, uint64(len(values)), wd)
	return w.elements(typeMap, wd, values)
}

// elements writes the slots of a container, and their types if typ does not
// imply them.
func (w *writer) elements(typ wireType, wd width, elems []slot) slot {
	s := slot{typ: typ, width: wd, bits: uint64(w.here())}
	for _, e := range elems {
		w.slot(e, wd)
	}
	if typ == typeVector || typ == typeMap {
		for _, e := range elems {
			w.buf = append(w.buf, e.packed(wd))
		}
	}
	return s
}

// slot writes one value into its parent's width.
func (w *writer) slot(e slot, wd width) {
	bits := e.bits
	switch {
	case !e.typ.inline():
		bits = uint64(w.here()) - bits
	case e.typ == typeFloat && wd == 2:
		bits = uint64(math.Float32bits(float32(math.Float64frombits(bits))))
	}
	w.buf = appendWord(w.buf, bits, wd)
}

// packed returns the type byte of a value in a parent of width wd.
func (e slot) packed(wd width) byte {
	if e.typ.inline() {
		return packed(e.typ, wd)
	}
	return packed(e.typ, e.width)
}

// elementWidth returns the width that suits all of elems, after so many words
// of prefix.
func (w *writer) elementWidth(elems []slot, prefix int) (wd width) {
	for i, e := range elems {
		wd = max(wd, w.slotWidth(e, i+prefix))
	}
	return wd
}

// slotWidth returns the narrowest width in which e can be word i of what is
// written next. For an offset that depends on where a word of that width would
// lie.
func (w *writer) slotWidth(e slot, i int) width {
	if e.typ.inline() {
		return e.width
	}
	for wd := width(0); wd < 3; wd++ {
		at := align(w.here(), wd) + i*wd.bytes()
		if uintWidth(uint64(at)-e.bits) <= wd {
			return wd
		}
	}
	return 3
}

// end writes the root, which is the only slot left, and completes the document.
func (w *writer) end() {
	root := w.stack[0]
	wd := w.slotWidth(root, 0)
	w.pad(wd)
	w.slot(root, wd)
	w.buf = append(w.buf, root.packed(wd), byte(wd.bytes()))
}
