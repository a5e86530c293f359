package flexbuffers

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// mapping returns the codec of a Go map, whose keys are strings or have a text
// form.
func (b builder) mapping(t reflect.Type, how manner) codec {
	isText := implements[encoding.TextMarshaler](t.Key()) && implements[encoding.TextUnmarshaler](t.Key())
	if !isText && t.Key().Kind() != reflect.String {
		return failing(fmt.Errorf("type %v has no encoding: its keys have no text form", t))
	}
	m := &mapCodec{elem: b.codec(t.Elem(), how), keyIsText: isText}
	return codec{m.encode, m.decode}
}

type mapCodec struct {
	elem      *codec
	keyIsText bool
}

func (m *mapCodec) encode(w *writer, v reflect.Value) error {
	start, err := w.begin()
	if err != nil {
		return err
	}
	if err := m.encodeEntries(w, v); err != nil {
		return err
	}
	return w.endMap(start)
}

type entry struct {
	key   string
	value reflect.Value
}

// encodeEntries pushes the values of a map with their keys. It goes by key, so
// that equal maps have equal documents.
func (m *mapCodec) encodeEntries(w *writer, v reflect.Value) error {
	entries := make([]entry, 0, v.Len())
	for i := v.MapRange(); i.Next(); {
		key, err := m.keyOf(i.Key())
		if err != nil {
			return err
		}
		entries = append(entries, entry{key, i.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	for _, e := range entries {
		at, err := w.key(e.key)
		if err == nil {
			err = m.elem.encode(w, e.value)
		}
		if err != nil {
			return withinKey(e.key, err)
		}
		w.setKey(at)
	}
	return nil
}

func (m *mapCodec) keyOf(k reflect.Value) (string, error) {
	if !m.keyIsText {
		return k.String(), nil
	}
	text, err := receiver[encoding.TextMarshaler](k).MarshalText()
	return string(text), err
}

func (m *mapCodec) decode(v Value, into reflect.Value) error {
	if v.typ != typeMap {
		return mismatch("map", v)
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), min(v.n, maxAhead)))
	for i := range v.n {
		key, err := v.key(i)
		if err != nil {
			return err
		}
		if err := m.decodeEntry(v, i, key, into); err != nil {
			return err
		}
	}
	return nil
}

// decodeEntry stores entry i of v, whose key has the given bytes.
func (m *mapCodec) decodeEntry(v Value, i int, key []byte, into reflect.Value) error {
	name, err := v.keyText(i, key)
	if err != nil {
		return err
	}
	k := reflect.New(into.Type().Key()).Elem()
	if !m.keyIsText {
		k.SetString(name)
	} else if err := k.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(name)); err != nil {
		return withinKey(name, err)
	}
	elem := reflect.New(into.Type().Elem()).Elem()
	x, err := v.at(i)
	if err == nil {
		err = m.elem.decode(x, elem)
	}
	if err != nil {
		return withinKey(name, err)
	}
	into.SetMapIndex(k, elem)
	return nil
}
