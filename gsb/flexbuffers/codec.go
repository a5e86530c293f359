package flexbuffers

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// A codec is how one Go type is written and read. Looking at a type by
// reflection is slow, so it happens once for each.
type codec struct {
	// encode pushes exactly one slot.
	encode func(w *writer, v reflect.Value) error
	// decode fills into, which can be set.
	decode func(v Value, into reflect.Value) error
}

// manner is what a field's tag says about the encoding of its innermost type.
type manner uint8

const (
	asSequence manner = 1 << iota // bytes as a vector of numbers
	asNaive                       // times without zone
)

// codecs holds the codecs that no tag changed, as *codec by reflect.Type. The
// others live in the codec of the struct with the tag.
var codecs sync.Map

func codecOf(t reflect.Type) *codec {
	if c, ok := codecs.Load(t); ok {
		return c.(*codec)
	}
	b := builder{}
	c := b.codec(t, 0)
	for key, c := range b {
		if key.how == 0 {
			codecs.LoadOrStore(key.t, c)
		}
	}
	return c
}

type codecKey struct {
	t   reflect.Type
	how manner
}

// A builder holds the codecs under construction, so that a recursive type finds
// itself. They are shared only when all of them are complete.
type builder map[codecKey]*codec

func (b builder) codec(t reflect.Type, how manner) *codec {
	if how == 0 {
		if c, ok := codecs.Load(t); ok {
			return c.(*codec)
		}
	}
	key := codecKey{t, how}
	c := b[key]
	if c == nil {
		c = new(codec)
		b[key] = c
		*c = b.build(t, how)
	}
	return c
}

func (b builder) build(t reflect.Type, how manner) codec {
	if c, ok := specialCodec(t, how); ok {
		return c
	}
	switch t.Kind() {
	case reflect.Pointer:
		return pointerCodec(b.codec(t.Elem(), how))
	case reflect.Interface:
		return interfaceCodec(t)
	}
	encode, decode := encodeMethod(t), decodeMethod(t)
	if encode == nil || decode == nil {
		byKind := b.buildKind(t, how)
		if encode == nil {
			encode = byKind.encode
		}
		if decode == nil {
			decode = byKind.decode
		}
	}
	return codec{encode, decode}
}

// specialCodec knows the types whose encoding does not follow from their kind.
func specialCodec(t reflect.Type, how manner) (codec, bool) {
	switch t {
	case reflect.TypeFor[Value]():
		return codec{encodeValue, decodeValue}, true
	case reflect.TypeFor[Unit]():
		return codec{encodeUnit, decodeUnit}, true
	case reflect.TypeFor[Bytes8]():
		return codec{encodeSequence, decodeBytes}, true
	case reflect.TypeFor[json.RawMessage]():
		return codec{encodeJSON, decodeJSON}, true
	case reflect.TypeFor[json.Number]():
		return codec{encodeNumber, decodeNumber}, true
	case reflect.TypeFor[time.Duration]():
		return codec{encodeDuration, decodeDuration}, true
	case reflect.TypeFor[time.Time]():
		return timeCodec(how), true
	}
	return codec{}, false
}

func (b builder) buildKind(t reflect.Type, how manner) codec {
	switch t.Kind() {
	case reflect.Bool:
		return codec{encodeBool, decodeBool}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return codec{encodeInt, decodeInt}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return codec{encodeUint, decodeUint}
	case reflect.Float32, reflect.Float64:
		return codec{encodeFloat, decodeFloat}
	case reflect.String:
		return codec{encodeString, decodeString}
	case reflect.Slice:
		return b.slice(t, how)
	case reflect.Array:
		return b.array(t, how)
	case reflect.Map:
		return b.mapping(t, how)
	case reflect.Struct:
		return b.structure(t)
	}
	return failing(fmt.Errorf("type %v has no encoding", t))
}

// failing returns the codec of a type that cannot be encoded.
func failing(err error) codec {
	return codec{
		func(*writer, reflect.Value) error { return err },
		func(Value, reflect.Value) error { return err },
	}
}

func pointerCodec(elem *codec) codec {
	return codec{
		func(w *writer, v reflect.Value) error {
			if v.IsNil() {
				w.null()
				return nil
			}
			if err := w.hop(); err != nil {
				return err
			}
			defer w.land()
			return elem.encode(w, v.Elem())
		},
		func(v Value, into reflect.Value) error {
			if v.Kind() == KindNull {
				into.SetZero()
				return nil
			}
			p := reflect.New(into.Type().Elem())
			if err := elem.decode(v, p.Elem()); err != nil {
				return err
			}
			into.Set(p)
			return nil
		},
	}
}

func interfaceCodec(t reflect.Type) codec {
	c := codec{
		func(w *writer, v reflect.Value) error { return encodeAny(w, v.Interface()) },
		func(v Value, into reflect.Value) error {
			x, err := decodeAny(v)
			if err == nil && x != nil {
				into.Set(reflect.ValueOf(x))
			} else {
				into.SetZero()
			}
			return err
		},
	}
	if t.NumMethod() > 0 {
		c.decode = failing(fmt.Errorf("cannot choose a type for interface %v", t)).decode
	}
	return c
}

// encodeMethod returns the encoder of a type that brings a method for it.
func encodeMethod(t reflect.Type) func(*writer, reflect.Value) error {
	switch {
	case implements[Marshaler](t):
		return func(w *writer, v reflect.Value) error {
			x, err := receiver[Marshaler](v).MarshalFlex()
			if err != nil {
				return err
			}
			return encodeAny(w, x)
		}
	case implements[encoding.TextMarshaler](t):
		return func(w *writer, v reflect.Value) error {
			text, err := receiver[encoding.TextMarshaler](v).MarshalText()
			if err != nil {
				return err
			}
			return w.string(string(text))
		}
	case implements[json.Marshaler](t):
		return func(w *writer, v reflect.Value) error {
			text, err := receiver[json.Marshaler](v).MarshalJSON()
			if err != nil {
				return err
			}
			return w.json(text)
		}
	}
	return nil
}

// decodeMethod returns the decoder of a type that brings a method for it.
func decodeMethod(t reflect.Type) func(Value, reflect.Value) error {
	p := reflect.PointerTo(t)
	switch {
	case p.Implements(reflect.TypeFor[Unmarshaler]()):
		return func(v Value, into reflect.Value) error {
			return into.Addr().Interface().(Unmarshaler).UnmarshalFlex(v)
		}
	case p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return decodeText
	case p.Implements(reflect.TypeFor[json.Unmarshaler]()):
		return func(v Value, into reflect.Value) error {
			text, err := v.json()
			if err != nil {
				return err
			}
			return into.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(text)
		}
	}
	return nil
}

// decodeText reads a type with UnmarshalText from a string. An array of bytes,
// as node IDs are, may also come raw: upstream's reader takes both.
func decodeText(v Value, into reflect.Value) error {
	if v.Kind() == KindBytes && into.Kind() == reflect.Array && into.Type().Elem().Kind() == reflect.Uint8 {
		return decodeBytes(v, into)
	}
	text, err := v.Text()
	if err != nil {
		return err
	}
	return into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
}

// implements reports whether t or its pointer implements I.
func implements[I any](t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[I]())
}

// receiver returns v as an I, by its address if it has one, since the method may
// want that.
func receiver[I any](v reflect.Value) I {
	if v.CanAddr() {
		return v.Addr().Interface().(I)
	}
	if x, ok := v.Interface().(I); ok {
		return x
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.Interface().(I)
}
