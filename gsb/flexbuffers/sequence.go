package flexbuffers

import (
	"fmt"
	"math"
	"reflect"
)

// Bytes8 is bytes in the shape of Rust's plain Vec<u8>: a vector of numbers
// with up to four bytes for each. Upstream reads some fields only so. It equals
// the tag option seq; []byte without it is a blob. Both are read from either.
type Bytes8 []byte

// maxAhead is how many elements are allocated on the word of a length alone.
const maxAhead = 1024

func (b builder) slice(t reflect.Type, how manner) codec {
	if t.Elem().Kind() == reflect.Uint8 && isPlain(t.Elem()) {
		if how&asSequence != 0 {
			return codec{encodeSequence, decodeBytes}
		}
		return codec{encodeBlob, decodeBytes}
	}
	elem := b.codec(t.Elem(), how)
	return codec{
		func(w *writer, v reflect.Value) error { return encodeElements(w, v, elem) },
		func(v Value, into reflect.Value) error { return decodeSlice(v, into, elem) },
	}
}

// array returns the codec of a fixed number of equal elements, which upstream
// writes as a tuple: bytes too are a vector of numbers.
func (b builder) array(t reflect.Type, how manner) codec {
	if t.Elem().Kind() == reflect.Uint8 && isPlain(t.Elem()) {
		return codec{encodeSequence, decodeBytes}
	}
	elem := b.codec(t.Elem(), how)
	return codec{
		func(w *writer, v reflect.Value) error { return encodeElements(w, v, elem) },
		func(v Value, into reflect.Value) error { return decodeArray(v, into, elem) },
	}
}

// isPlain reports whether values of t are encoded by their kind.
func isPlain(t reflect.Type) bool { return encodeMethod(t) == nil && decodeMethod(t) == nil }

func encodeElements(w *writer, v reflect.Value, elem *codec) error {
	start, err := w.begin()
	if err != nil {
		return err
	}
	for i := range v.Len() {
		if err := elem.encode(w, v.Index(i)); err != nil {
			return withinElement(i, err)
		}
	}
	w.endVector(start)
	return nil
}

func decodeSlice(v Value, into reflect.Value, elem *codec) error {
	if v.Kind() != KindVector {
		return mismatch("vector", v)
	}
	s := reflect.New(into.Type()).Elem()
	s.Set(reflect.MakeSlice(into.Type(), 0, min(v.n, maxAhead)))
	for i := range v.n {
		if i == s.Cap() {
			s.Grow(1)
		}
		s.SetLen(i + 1)
		if err := decodeElement(v, i, s.Index(i), elem); err != nil {
			return err
		}
	}
	into.Set(s)
	return nil
}

func decodeArray(v Value, into reflect.Value, elem *codec) error {
	if v.Kind() != KindVector {
		return mismatch("vector", v)
	}
	if v.n != into.Len() {
		return wrongLength(v, into)
	}
	for i := range v.n {
		if err := decodeElement(v, i, into.Index(i), elem); err != nil {
			return err
		}
	}
	return nil
}

func decodeElement(v Value, i int, into reflect.Value, elem *codec) error {
	x, err := v.at(i)
	if err == nil {
		err = elem.decode(x, into)
	}
	if err != nil {
		return withinElement(i, err)
	}
	return nil
}

func wrongLength(v Value, into reflect.Value) error {
	return fmt.Errorf("want %d elements, found %d", into.Len(), v.n)
}

func encodeBlob(w *writer, v reflect.Value) error {
	w.blob(v.Bytes())
	return nil
}

func encodeSequence(w *writer, v reflect.Value) error {
	if v.Kind() == reflect.Array && !v.CanAddr() {
		p := reflect.New(v.Type()).Elem()
		p.Set(v)
		v = p
	}
	w.bytes(v.Bytes())
	return nil
}

// decodeBytes reads a slice or an array of bytes from a blob or from a vector of
// numbers.
func decodeBytes(v Value, into reflect.Value) error {
	if v.Kind() != KindBytes && v.Kind() != KindVector {
		return mismatch("bytes", v)
	}
	if into.Kind() == reflect.Array && v.n != into.Len() {
		return wrongLength(v, into)
	}
	if err := v.doc.spend(v.n * costText); err != nil {
		return err
	}
	b, err := v.octets()
	if err != nil {
		return err
	}
	if into.Kind() == reflect.Array {
		copy(into.Bytes(), b)
	} else {
		into.SetBytes(b)
	}
	return nil
}

// octets returns a copy of the bytes of a blob or of a vector of numbers.
func (v Value) octets() ([]byte, error) {
	b := make([]byte, v.n)
	if elem, _, _ := v.typ.element(); v.typ == typeBlob || elem == typeUint && v.width == 0 {
		copy(b, v.doc.data[v.pos:])
		return b, nil
	}
	for i := range b {
		x, err := v.at(i)
		if err == nil {
			b[i], err = x.octet()
		}
		if err != nil {
			return nil, withinElement(i, err)
		}
	}
	return b, nil
}

func (v Value) octet() (byte, error) {
	u, err := v.Uint()
	if err == nil && u > math.MaxUint8 {
		err = fmt.Errorf("want byte, found %d", u)
	}
	return byte(u), err
}
