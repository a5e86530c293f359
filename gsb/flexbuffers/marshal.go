package flexbuffers

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Marshaler is a type that is encoded as another value: the one MarshalFlex
// returns. It is how an untagged enum writes the variant it holds.
type Marshaler interface {
	MarshalFlex() (any, error)
}

// Unmarshaler is a type that reads itself. UnmarshalFlex looks at the Kind of v
// to choose among variants and calls v.Decode. The Value is valid until
// UnmarshalFlex returns; its bytes must be copied to be kept.
type Unmarshaler interface {
	UnmarshalFlex(v Value) error
}

// maxPooled and maxPooledKeys are the sizes above which the memory of a writer is
// left to the garbage collector.
const (
	maxPooled     = 256 << 10
	maxPooledKeys = 256
)

var writers = sync.Pool{New: func() any { return new(writer) }}

// Marshal returns v as a FlexBuffers document, laid out byte for byte as
// upstream's writer does. A value that has no encoding is an error, with its
// place in a *FieldError.
func Marshal(v any) ([]byte, error) {
	w := writers.Get().(*writer)
	defer w.release()
	w.reset(w.buf[:0])
	if err := w.document(v); err != nil {
		return nil, err
	}
	if cap(w.buf) <= maxPooled {
		return slices.Clone(w.buf), nil
	}
	doc := w.buf
	w.buf = nil
	return doc, nil
}

// Append appends the document of v to dst and returns the extended slice. On
// error it returns dst.
func Append(dst []byte, v any) ([]byte, error) {
	w := writers.Get().(*writer)
	scratch := w.buf
	defer func() {
		w.buf = scratch
		w.release()
	}()
	w.reset(dst)
	if err := w.document(v); err != nil {
		return dst, err
	}
	return w.buf, nil
}

// release gives the writer back to the pool, without what grew too large.
func (w *writer) release() {
	if cap(w.buf) > maxPooled {
		w.buf = nil
	}
	if cap(w.stack) > maxPooled/16 {
		w.stack = nil
	}
	if len(w.keys) > maxPooledKeys {
		w.keys = nil
	}
	clear(w.keys)
	writers.Put(w)
}

// document writes all of v.
func (w *writer) document(v any) error {
	if err := encodeAny(w, v); err != nil {
		return err
	}
	w.end()
	return nil
}

// Unmarshal stores the document in data in the value that into points to. What
// it stores is copied, but for fields of type Value.
//
// Bytes that are not a document are ErrMalformed; a document of another shape
// than into is a *FieldError. In both cases into may be partly filled.
func Unmarshal(data []byte, into any) error {
	v, err := (&document{data: data}).meter().root()
	if err != nil {
		return err
	}
	return decodeInto(v, into)
}

var errNoPointer = errors.New("flexbuffers: the value to fill is not a pointer")

func decodeInto(v Value, into any) error {
	p := reflect.ValueOf(into)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("%w: %T", errNoPointer, into)
	}
	return codecOf(p.Type().Elem()).decode(v, p.Elem())
}
