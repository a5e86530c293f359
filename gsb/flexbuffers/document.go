package flexbuffers

import "bytes"

// Offsets may point anywhere, so a few bytes can describe a tree without end or
// the same long text a thousand times. Decoding a document is therefore paid for
// from a budget proportional to its size. Honest writers store every value once
// and share at most keys and equal strings, so they never come near the end.
const (
	costNode = 64 // one value: at most one for each byte of the document
	costText = 2  // a byte of text or blob copied: 32 times the document
	costKey  = 1  // a byte of a key looked at

	budgetFloor = 64 << 10 // what the smallest document may spend
)

// A document is the bytes Values point into. A metered one belongs to one
// decoding, which spends left; the others are immutable.
type document struct {
	data    []byte
	metered bool
	left    int64
}

// meter returns a document over the same bytes with a fresh budget.
func (d *document) meter() *document {
	return &document{data: d.data, metered: true, left: costNode*int64(len(d.data)) + budgetFloor}
}

func (d *document) spend(cost int) error {
	if !d.metered {
		return nil
	}
	if d.left -= int64(cost); d.left < 0 {
		return malformed(len(d.data), "describes more content than its size can hold")
	}
	return nil
}

// root returns the value described by the last two bytes.
func (d *document) root() (Value, error) {
	n := len(d.data)
	if n < 3 {
		return Value{}, malformed(0, "shorter than 3 bytes")
	}
	w, ok := widthOf(uint64(d.data[n-1]))
	if !ok {
		return Value{}, malformed(n-1, "root width is not 1, 2, 4 or 8")
	}
	slot := n - 2 - w.bytes()
	if slot < 0 {
		return Value{}, malformed(n-1, "root is wider than the document")
	}
	return d.open(slot, w, d.data[n-2], 0)
}

// open returns the value in a slot of width w, which lies within the document.
// It checks the extent of the content, so that later reads need not.
func (d *document) open(slot int, w width, typeByte byte, depth uint8) (Value, error) {
	typ, child := unpacked(typeByte)
	v := Value{doc: d, pos: slot, typ: typ, width: w, depth: depth}
	if typ.inline() {
		return v, nil
	}
	pos, err := d.follow(slot, w)
	if err != nil {
		return Value{}, err
	}
	v.pos, v.width = pos, child
	switch typ {
	case typeKey:
		return v, nil
	case typeIndirectInt, typeIndirectUint, typeIndirectFloat:
		return v, d.contains(pos, 1, child.bytes())
	case typeString, typeBlob:
		v.n, err = d.length(pos, child, 1)
		return v, err
	}
	if v.depth++; v.depth > maxDepth {
		return Value{}, malformed(slot, "nested too deep")
	}
	err = d.openContainer(&v)
	return v, err
}

// openContainer fills in the number of elements of a map or vector at v.pos.
func (d *document) openContainer(v *Value) (err error) {
	size := v.width.bytes()
	_, fixed, typed := v.typ.element()
	switch {
	case fixed > 0:
		v.n = fixed
		return d.contains(v.pos, fixed, size)
	case typed:
		v.n, err = d.length(v.pos, v.width, size)
		return err
	case v.typ == typeVector:
		v.n, err = d.length(v.pos, v.width, size+1)
		return err
	case v.typ == typeMap:
		if v.n, err = d.length(v.pos, v.width, size+1); err != nil {
			return err
		}
		return d.openKeys(v)
	}
	return malformed(v.pos, "unknown type")
}

// openKeys finds the keys vector of the map at v.pos. In front of the map's
// length lie the offset of that vector and the size of its elements.
func (d *document) openKeys(v *Value) (err error) {
	slot := v.pos - 3*v.width.bytes()
	if slot < 0 {
		return malformed(v.pos, "map without room for its keys")
	}
	if v.keys, err = d.follow(slot, v.width); err != nil {
		return err
	}
	w, ok := widthOf(load(d.data[slot+v.width.bytes():], v.width))
	if !ok {
		return malformed(slot, "key width is not 1, 2, 4 or 8")
	}
	v.keyw = w
	n, err := d.length(v.keys, w, w.bytes())
	if err == nil && n != v.n {
		err = malformed(v.keys, "map has not as many keys as values")
	}
	return err
}

// follow returns the position that the offset in a slot refers to.
func (d *document) follow(slot int, w width) (int, error) {
	offset := load(d.data[slot:], w)
	if offset > uint64(slot) {
		return 0, malformed(slot, "offset before the start")
	}
	return slot - int(offset), nil
}

// length reads the length that lies in front of pos and checks that as many
// elements of the given size follow pos.
func (d *document) length(pos int, w width, size int) (int, error) {
	if pos < w.bytes() {
		return 0, malformed(pos, "no room for a length")
	}
	n := load(d.data[pos-w.bytes():], w)
	if n > uint64(len(d.data)) {
		return 0, malformed(pos, "length beyond the end")
	}
	return int(n), d.contains(pos, int(n), size)
}

// contains checks that n elements of the given size lie at pos.
func (d *document) contains(pos, n, size int) error {
	if n > (len(d.data)-pos)/size {
		return malformed(pos, "content beyond the end")
	}
	return nil
}

// key returns the text of a key, which ends at a zero byte.
func (d *document) key(pos int) ([]byte, error) {
	n := bytes.IndexByte(d.data[pos:], 0)
	if n < 0 {
		return nil, malformed(pos, "key without end")
	}
	return d.data[pos : pos+n], d.spend(n * costKey)
}

// keyIs reports whether the key at pos is name, which has no zero bytes.
func (d *document) keyIs(pos int, name string) bool {
	end := pos + len(name)
	return end < len(d.data) && d.data[end] == 0 && string(d.data[pos:end]) == name
}
