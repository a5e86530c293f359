package flexbuffers

import (
	"errors"
	"fmt"
	"reflect"
)

// maxFields is how many fields a struct may have: one bit each while reading.
const maxFields = 64

// A field is one entry of a struct's map, whichever embedded struct it lies in.
type field struct {
	name     string
	index    []int
	codec    *codec
	omit     func(reflect.Value) bool // nil if it is always written
	optional bool                     // may be missing
	nullable bool                     // null means zero rather than a mismatch
	typ      reflect.Type
	how      manner
}

// of returns the field's value in the struct v.
func (f *field) of(v reflect.Value) reflect.Value {
	if len(f.index) == 1 {
		return v.Field(f.index[0])
	}
	return v.FieldByIndex(f.index)
}

// A structCodec writes a struct as a map of its fields, or as a vector of them.
type structCodec struct {
	fields   []field
	byName   map[string]int
	required uint64 // bit i: field i must be there
	rest     *field // takes the keys that no other field has
	restMap  *mapCodec
	tuple    bool
	enum     bool
}

// structure returns the codec of a struct. A blank field can mark it as a tuple
// or as an enum:
//
//	_ struct{} `flex:",enum"`
func (b builder) structure(t reflect.Type) codec {
	s := &structCodec{byName: make(map[string]int)}
	if err := b.collect(s, t, nil); err != nil {
		return failing(fmt.Errorf("type %v: %w", t, err))
	}
	if len(s.fields) > maxFields {
		return failing(fmt.Errorf("type %v has more than %d fields", t, maxFields))
	}
	for i, f := range s.fields {
		if !f.optional {
			s.required |= 1 << i
		}
	}
	switch {
	case s.enum:
		return b.enumeration(t, s)
	case s.tuple:
		return codec{s.encodeTuple, s.decodeTuple}
	}
	return codec{s.encode, s.decode}
}

// collect adds the fields of t, which lies at index in the outermost struct.
func (b builder) collect(s *structCodec, t reflect.Type, index []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(index[:len(index):len(index)], i)
		if f.Name == "_" {
			if err := s.mark(f); err != nil {
				return err
			}
			continue
		}
		tag, err := parseTag(f)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		if tag.skip || !f.IsExported() && !f.Anonymous {
			continue
		}
		if err := b.add(s, f, tag, at); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return nil
}

func (s *structCodec) mark(f reflect.StructField) error {
	switch mark := f.Tag.Get("flex"); mark {
	case "":
	case ",enum":
		s.enum = true
	case ",tuple":
		s.tuple = true
	default:
		return fmt.Errorf("unknown mark %q", mark)
	}
	return nil
}

func (b builder) add(s *structCodec, f reflect.StructField, tag tag, at []int) error {
	embedded := f.Anonymous && tag.name == f.Name
	plainStruct := f.Type.Kind() == reflect.Struct && isPlain(f.Type)
	switch {
	case plainStruct && (embedded || tag.flatten):
		return b.collect(s, f.Type, at)
	case tag.flatten && f.Type.Kind() == reflect.Map:
		return b.addRest(s, f, at)
	case tag.flatten:
		return errors.New("only a struct or a map can be flattened")
	case embedded && f.Type.Kind() == reflect.Pointer:
		return errors.New("embed the struct rather than a pointer to it")
	case !f.IsExported():
		return nil
	}
	return s.put(field{
		name:     tag.name,
		index:    at,
		codec:    b.codec(f.Type, tag.how),
		omit:     tag.omitter(f.Type),
		optional: tag.optional || f.Type.Kind() == reflect.Pointer,
		nullable: tag.optional,
		typ:      f.Type,
		how:      tag.how,
	})
}

// addRest makes f the map for the keys that no other field has.
func (b builder) addRest(s *structCodec, f reflect.StructField, at []int) error {
	if s.rest != nil || f.Type.Key().Kind() != reflect.String {
		return errors.New("only one map, with string keys, can be flattened")
	}
	s.rest = &field{index: at, typ: f.Type}
	s.restMap = &mapCodec{elem: b.codec(f.Type.Elem(), 0)}
	return nil
}

// put adds a field. An outer one hides an embedded one of the same name.
func (s *structCodec) put(f field) error {
	i, taken := s.byName[f.name]
	switch {
	case !taken:
		s.byName[f.name] = len(s.fields)
		s.fields = append(s.fields, f)
	case len(f.index) < len(s.fields[i].index):
		s.fields[i] = f
	case len(f.index) == len(s.fields[i].index):
		return fmt.Errorf("second field with key %q", f.name)
	}
	return nil
}

func (s *structCodec) encode(w *writer, v reflect.Value) error {
	start, err := w.begin()
	if err != nil {
		return err
	}
	for i := range s.fields {
		f := &s.fields[i]
		x := f.of(v)
		if f.omit != nil && f.omit(x) {
			continue
		}
		at, err := w.key(f.name)
		if err == nil {
			err = f.codec.encode(w, x)
		}
		if err != nil {
			return within(f.name, err)
		}
		w.setKey(at)
	}
	if s.rest != nil {
		if err := s.restMap.encodeEntries(w, s.rest.of(v)); err != nil {
			return err
		}
	}
	return w.endMap(start)
}

// encodeTuple writes the fields as a vector in their order; none is left out.
func (s *structCodec) encodeTuple(w *writer, v reflect.Value) error {
	start, err := w.begin()
	if err != nil {
		return err
	}
	for i := range s.fields {
		f := &s.fields[i]
		if err := f.codec.encode(w, f.of(v)); err != nil {
			return within(f.name, err)
		}
	}
	w.endVector(start)
	return nil
}

// decode reads a map, or a vector with the fields in their order.
func (s *structCodec) decode(v Value, into reflect.Value) error {
	switch v.Kind() {
	case KindMap:
		return s.decodeMap(v, into)
	case KindVector:
		return s.decodeTuple(v, into)
	case KindNull:
		if len(s.fields) == 0 {
			return nil
		}
	}
	return mismatch("map", v)
}

func (s *structCodec) decodeMap(v Value, into reflect.Value) error {
	var seen uint64
	var rest reflect.Value
	for i := range v.n {
		key, err := v.key(i)
		if err != nil {
			return err
		}
		if at, ok := s.byName[string(key)]; ok {
			seen |= 1 << at
			err = s.fields[at].decode(v, i, into)
		} else if s.rest != nil {
			if !rest.IsValid() {
				rest = reflect.MakeMap(s.rest.typ)
			}
			err = s.restMap.decodeEntry(v, i, key, rest)
		}
		if err != nil {
			return err
		}
	}
	if rest.IsValid() {
		s.rest.of(into).Set(rest)
	}
	return s.missing(seen)
}

func (s *structCodec) decodeTuple(v Value, into reflect.Value) error {
	if v.Kind() != KindVector {
		return mismatch("vector", v)
	}
	var seen uint64
	for i := range min(v.n, len(s.fields)) {
		seen |= 1 << i
		if err := s.fields[i].decode(v, i, into); err != nil {
			return err
		}
	}
	return s.missing(seen)
}

// decode stores element i of v in its field of the struct into.
func (f *field) decode(v Value, i int, into reflect.Value) error {
	x, err := v.at(i)
	if err == nil && x.typ == typeNull && f.nullable {
		f.of(into).SetZero()
		return nil
	}
	if err == nil {
		err = f.codec.decode(x, f.of(into))
	}
	if err != nil {
		return within(f.name, err)
	}
	return nil
}

var errMissing = errors.New("missing")

// missing returns the error for the first required field not among seen.
func (s *structCodec) missing(seen uint64) error {
	absent := s.required &^ seen
	if absent == 0 {
		return nil
	}
	for i := range s.fields {
		if absent&(1<<i) != 0 {
			return within(s.fields[i].name, errMissing)
		}
	}
	return nil
}
