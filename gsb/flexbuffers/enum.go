package flexbuffers

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Result is the reply to a bus call: {"Ok": …} or {"Err": …}. Exactly one of the
// two is set.
type Result[T, E any] struct {
	_   struct{} `flex:",enum"`
	Ok  *T
	Err *E
}

// Variant is an externally tagged enum whose variants are not known in advance:
// a string if Content is nil, otherwise a map with the one key Name.
type Variant struct {
	Name    string
	Content any
}

// MarshalFlex returns the name, or a map from it to the content.
func (x Variant) MarshalFlex() (any, error) {
	if x.Content == nil {
		return x.Name, nil
	}
	return map[string]any{x.Name: x.Content}, nil
}

// UnmarshalFlex reads a string or a map with one key. A null in the map becomes
// Unit{}, to tell it from the string.
func (x *Variant) UnmarshalFlex(v Value) error {
	name, content, err := v.Variant()
	if err != nil {
		return err
	}
	*x = Variant{Name: name}
	if v.Kind() == KindString {
		return nil
	}
	if x.Content, err = decodeAny(content); err != nil {
		return within(name, err)
	}
	if x.Content == nil {
		x.Content = Unit{}
	}
	return nil
}

var (
	errNoVariant   = errors.New("no variant is set")
	errTwoVariants = errors.New("more than one variant is set")
)

// enumeration returns the codec of a struct that stands for an externally tagged
// enum: each field is a variant, of which one is set. A bool is a variant
// without content, a pointer is a variant with what it points to.
func (b builder) enumeration(t reflect.Type, s *structCodec) codec {
	e := &enumCodec{structCodec: s, content: make([]*codec, len(s.fields))}
	for i, f := range s.fields {
		switch f.typ.Kind() {
		case reflect.Bool:
		case reflect.Pointer:
			e.content[i] = b.codec(f.typ.Elem(), f.how)
		default:
			return failing(fmt.Errorf("type %v: variant %s is neither a bool nor a pointer", t, f.name))
		}
	}
	return codec{e.encode, e.decode}
}

type enumCodec struct {
	*structCodec
	content []*codec // nil for a variant without
}

func (e *enumCodec) encode(w *writer, v reflect.Value) error {
	chosen := -1
	for i := range e.fields {
		if e.fields[i].of(v).IsZero() {
			continue
		}
		if chosen >= 0 {
			return errTwoVariants
		}
		chosen = i
	}
	switch {
	case chosen < 0:
		return errNoVariant
	case e.content[chosen] == nil:
		return w.string(e.fields[chosen].name)
	}
	return e.encodeContent(w, chosen, e.fields[chosen].of(v).Elem())
}

func (e *enumCodec) encodeContent(w *writer, i int, v reflect.Value) error {
	start, err := w.begin()
	if err != nil {
		return err
	}
	at, err := w.key(e.fields[i].name)
	if err == nil {
		err = e.content[i].encode(w, v)
	}
	if err != nil {
		return within(e.fields[i].name, err)
	}
	w.setKey(at)
	return w.endMap(start)
}

func (e *enumCodec) decode(v Value, into reflect.Value) error {
	name, content, err := v.Variant()
	if err != nil {
		return err
	}
	i, ok := e.byName[name]
	if !ok {
		return fmt.Errorf("unknown variant %.48q, want %s", name, e.names())
	}
	into.SetZero()
	f := e.fields[i].of(into)
	switch {
	case e.content[i] == nil && content.typ == typeNull:
		f.SetBool(true)
		return nil
	case e.content[i] == nil:
		return within(name, mismatch("no content", content))
	case v.typ != typeMap:
		return fmt.Errorf("variant %s without its content", name)
	}
	p := reflect.New(f.Type().Elem())
	if err := e.content[i].decode(content, p.Elem()); err != nil {
		return within(name, err)
	}
	f.Set(p)
	return nil
}

func (e *enumCodec) names() string {
	names := make([]string, len(e.fields))
	for i, f := range e.fields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}
