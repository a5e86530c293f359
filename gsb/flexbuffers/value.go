package flexbuffers

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Kind is what a Value holds, whatever its width or storage.
type Kind uint8

// The kinds of values. Typed and fixed-length vectors are KindVector, numbers
// stored by reference have the kind of their number, a Key is a KindString.
const (
	KindNull Kind = iota
	KindBool
	KindInt
	KindUint
	KindFloat
	KindString
	KindBytes
	KindVector
	KindMap
)

// String returns the name of k in error messages.
func (k Kind) String() string {
	switch k {
	case KindNull:
		return "null"
	case KindBool:
		return "bool"
	case KindInt:
		return "int"
	case KindUint:
		return "uint"
	case KindFloat:
		return "float"
	case KindString:
		return "string"
	case KindBytes:
		return "bytes"
	case KindVector:
		return "vector"
	case KindMap:
		return "map"
	}
	return "unknown"
}

// A Value is one node of an encoded document, read in place: it refers to the
// bytes given to Root or Unmarshal, which must not change while it is in use.
// The zero Value is a null. Values may be read from several goroutines.
//
// Marshal writes a Value as what it holds, so that a document can be embedded
// in another; Unmarshal stores one in a field of type Value without decoding.
type Value struct {
	doc   *document
	pos   int // inline value, first element, or first byte of text
	n     int // elements of a container, bytes of a string or blob
	keys  int // first element of a map's keys vector
	typ   wireType
	width width // of the inline value or of each element
	keyw  width // of each element of the keys vector
	depth uint8
}

// Root returns the outermost value of a document. Every method of the Values
// under it checks what it reads; nothing is checked in advance.
func Root(data []byte) (Value, error) { return (&document{data: data}).root() }

// Kind returns what v holds.
func (v Value) Kind() Kind {
	switch v.typ {
	case typeNull:
		return KindNull
	case typeBool:
		return KindBool
	case typeInt, typeIndirectInt:
		return KindInt
	case typeUint, typeIndirectUint:
		return KindUint
	case typeFloat, typeIndirectFloat:
		return KindFloat
	case typeKey, typeString:
		return KindString
	case typeBlob:
		return KindBytes
	case typeMap:
		return KindMap
	}
	return KindVector
}

// Bool returns the truth value v holds.
func (v Value) Bool() (bool, error) {
	if v.typ != typeBool {
		return false, mismatch("bool", v)
	}
	return v.word() != 0, nil
}

// Int returns the integer v holds, signed or unsigned, if it fits.
func (v Value) Int() (int64, error) {
	switch v.Kind() {
	case KindInt:
		return signed(v.word(), v.width), nil
	case KindUint:
		u := v.word()
		if u > math.MaxInt64 {
			return 0, fmt.Errorf("want int, found %d", u)
		}
		return int64(u), nil
	}
	return 0, mismatch("int", v)
}

// Uint returns the integer v holds, signed or unsigned, if it is not negative.
func (v Value) Uint() (uint64, error) {
	switch v.Kind() {
	case KindUint:
		return v.word(), nil
	case KindInt:
		i := signed(v.word(), v.width)
		if i < 0 {
			return 0, fmt.Errorf("want uint, found %d", i)
		}
		return uint64(i), nil
	}
	return 0, mismatch("uint", v)
}

// Float returns the number v holds; integers are converted.
func (v Value) Float() (float64, error) {
	switch v.Kind() {
	case KindFloat:
		switch v.width {
		case 2:
			return float64(math.Float32frombits(uint32(v.word()))), nil
		case 3:
			return math.Float64frombits(v.word()), nil
		}
		return 0, malformed(v.pos, "float narrower than 4 bytes")
	case KindInt:
		return float64(signed(v.word(), v.width)), nil
	case KindUint:
		return float64(v.word()), nil
	}
	return 0, mismatch("float", v)
}

// Text returns a copy of the string v holds. Text that is not UTF-8 is
// malformed.
func (v Value) Text() (string, error) {
	if v.Kind() != KindString {
		return "", mismatch("string", v)
	}
	b, err := v.text()
	return string(b), err
}

// Bytes returns the blob v holds, without copying it. Bytes sent as a vector of
// numbers are not contiguous and need Decode.
func (v Value) Bytes() ([]byte, error) {
	if v.typ != typeBlob {
		return nil, mismatch("bytes", v)
	}
	return v.doc.data[v.pos : v.pos+v.n : v.pos+v.n], nil
}

// Len returns the number of elements of a vector or entries of a map, the
// number of bytes of a string or blob, and 0 for everything else.
func (v Value) Len() int {
	if v.typ == typeKey {
		b, _ := v.doc.key(v.pos)
		return len(b)
	}
	return v.n
}

// At returns element i of a vector, or the value of entry i of a map.
func (v Value) At(i int) (Value, error) {
	if err := v.entry(i); err != nil {
		return Value{}, err
	}
	return v.at(i)
}

// Key returns the key of entry i of a map. Senders sort the entries by key.
func (v Value) Key(i int) (string, error) {
	if v.typ != typeMap {
		return "", mismatch("map", v)
	}
	if err := v.entry(i); err != nil {
		return "", err
	}
	key, err := v.key(i)
	if err != nil {
		return "", err
	}
	return v.keyText(i, key)
}

// Lookup returns the value under key in a map and whether there is one. Of
// several entries with one key the last counts, as it does for Unmarshal.
func (v Value) Lookup(key string) (Value, bool, error) {
	if v.typ != typeMap {
		return Value{}, false, mismatch("map", v)
	}
	for i := v.n - 1; i >= 0 && strings.IndexByte(key, 0) < 0; i-- {
		pos, err := v.keyPos(i)
		if err != nil {
			return Value{}, false, err
		}
		if v.doc.keyIs(pos, key) {
			entry, err := v.at(i)
			return entry, err == nil, err
		}
	}
	return Value{}, false, nil
}

// Variant reads v as an externally tagged enum: a string is a variant without
// content, a map of one entry is a variant with it.
func (v Value) Variant() (name string, content Value, err error) {
	switch {
	case v.Kind() == KindString:
		name, err = v.Text()
		return name, Value{}, err
	case v.typ == typeMap && v.n == 1:
		if name, err = v.Key(0); err != nil {
			return "", Value{}, err
		}
		content, err = v.at(0)
		return name, content, err
	case v.typ == typeMap:
		return "", Value{}, fmt.Errorf("want one variant, found a map of %d keys", v.n)
	}
	return "", Value{}, mismatch("variant", v)
}

// Decode stores v in the value that into points to, as Unmarshal does.
func (v Value) Decode(into any) error {
	if v.doc != nil && !v.doc.metered {
		v.doc = v.doc.meter()
	}
	return decodeInto(v, into)
}

// word returns the raw number of an inline value or of one stored by reference.
func (v Value) word() uint64 { return load(v.doc.data[v.pos:], v.width) }

// text returns the bytes of a string, checked and paid for.
func (v Value) text() ([]byte, error) {
	var b []byte
	if v.typ == typeKey {
		var err error
		if b, err = v.doc.key(v.pos); err != nil {
			return nil, err
		}
	} else {
		b = v.doc.data[v.pos : v.pos+v.n]
	}
	if err := v.doc.spend(len(b) * costText); err != nil {
		return nil, err
	}
	if !utf8.Valid(b) {
		return nil, malformed(v.pos, "string is not UTF-8")
	}
	return b, nil
}

// entry checks that a container has an element i.
func (v Value) entry(i int) error {
	if k := v.Kind(); k != KindVector && k != KindMap {
		return mismatch("vector", v)
	}
	if i < 0 || i >= v.n {
		return fmt.Errorf("element %d of a %s of %d", i, v.Kind(), v.n)
	}
	return nil
}

// at returns element i of a container, which has one.
func (v Value) at(i int) (Value, error) {
	if err := v.doc.spend(costNode); err != nil {
		return Value{}, err
	}
	slot := v.pos + i*v.width.bytes()
	if elem, _, ok := v.typ.element(); ok {
		// Strings of the deprecated typed vector have lengths of one byte.
		return v.doc.open(slot, v.width, packed(elem, 0), v.depth)
	}
	return v.doc.open(slot, v.width, v.doc.data[v.pos+v.n*v.width.bytes()+i], v.depth)
}

// keyPos returns where the text of key i of a map begins.
func (v Value) keyPos(i int) (int, error) {
	return v.doc.follow(v.keys+i*v.keyw.bytes(), v.keyw)
}

// key returns the bytes of key i of a map.
func (v Value) key(i int) ([]byte, error) {
	pos, err := v.keyPos(i)
	if err != nil {
		return nil, err
	}
	return v.doc.key(pos)
}

// keyText turns the bytes of key i into a string.
func (v Value) keyText(i int, key []byte) (string, error) {
	if err := v.doc.spend(len(key) * costText); err != nil {
		return "", err
	}
	if !utf8.Valid(key) {
		return "", malformed(v.keys+i*v.keyw.bytes(), "key is not UTF-8")
	}
	return string(key), nil
}
