package flexbuffers

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// encodeAny writes a value of any type. The types that decodeAny makes are
// written without reflection.
func encodeAny(w *writer, x any) error {
	switch x := x.(type) {
	case nil:
		w.null()
	case bool:
		w.bool(x)
	case int64:
		w.int(x)
	case uint64:
		w.uint(x)
	case float64:
		w.float(x)
	case string:
		return w.string(x)
	case []byte:
		w.blob(x)
	case []any:
		return encodeList(w, x)
	case map[string]any:
		return encodeObject(w, x)
	default:
		return encodeOther(w, x)
	}
	return nil
}

func encodeOther(w *writer, x any) error {
	if err := w.hop(); err != nil {
		return err
	}
	defer w.land()
	v := reflect.ValueOf(x)
	return codecOf(v.Type()).encode(w, v)
}

func encodeList(w *writer, list []any) error {
	start, err := w.begin()
	if err != nil {
		return err
	}
	for i, x := range list {
		if err := encodeAny(w, x); err != nil {
			return withinElement(i, err)
		}
	}
	w.endVector(start)
	return nil
}

func encodeObject(w *writer, object map[string]any) error {
	start, err := w.begin()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at, err := w.key(name)
		if err == nil {
			err = encodeAny(w, object[name])
		}
		if err != nil {
			return withinKey(name, err)
		}
		w.setKey(at)
	}
	return w.endMap(start)
}

// decodeAny returns what v holds as nil, bool, int64, uint64, float64, string,
// []byte, []any or map[string]any.
func decodeAny(v Value) (any, error) {
	switch v.Kind() {
	case KindNull:
		return nil, nil
	case KindBool:
		return v.Bool()
	case KindInt:
		return v.Int()
	case KindUint:
		return v.Uint()
	case KindFloat:
		return v.Float()
	case KindString:
		return v.Text()
	case KindBytes:
		if err := v.doc.spend(v.n * costText); err != nil {
			return nil, err
		}
		return v.octets()
	case KindMap:
		return decodeObject(v)
	}
	return decodeList(v)
}

func decodeList(v Value) ([]any, error) {
	list := make([]any, 0, min(v.n, maxAhead))
	for i := range v.n {
		x, err := v.at(i)
		if err != nil {
			return nil, withinElement(i, err)
		}
		elem, err := decodeAny(x)
		if err != nil {
			return nil, withinElement(i, err)
		}
		list = append(list, elem)
	}
	return list, nil
}

func decodeObject(v Value) (map[string]any, error) {
	object := make(map[string]any, min(v.n, maxAhead))
	for i := range v.n {
		key, err := v.Key(i)
		if err != nil {
			return nil, err
		}
		x, err := v.at(i)
		if err != nil {
			return nil, withinKey(key, err)
		}
		if object[key], err = decodeAny(x); err != nil {
			return nil, withinKey(key, err)
		}
	}
	return object, nil
}

// encodeValue writes what a Value holds. It may come from a stranger, so a fresh
// budget bounds the work.
func encodeValue(w *writer, v reflect.Value) error {
	x := v.Interface().(Value)
	if x.doc != nil {
		x.doc = x.doc.meter()
	}
	return w.value(x)
}

func (w *writer) value(v Value) error {
	switch v.Kind() {
	case KindVector:
		return w.valueVector(v)
	case KindMap:
		return w.valueMap(v)
	}
	x, err := decodeAny(v)
	if err != nil {
		return err
	}
	return encodeAny(w, x)
}

func (w *writer) valueVector(v Value) error {
	start, err := w.begin()
	if err != nil {
		return err
	}
	for i := range v.n {
		x, err := v.at(i)
		if err == nil {
			err = w.value(x)
		}
		if err != nil {
			return withinElement(i, err)
		}
	}
	w.endVector(start)
	return nil
}

func (w *writer) valueMap(v Value) error {
	start, err := w.begin()
	if err != nil {
		return err
	}
	for i := range v.n {
		name, err := v.Key(i)
		if err != nil {
			return err
		}
		at, err := w.key(name)
		if err != nil {
			return err
		}
		x, err := v.at(i)
		if err == nil {
			err = w.value(x)
		}
		if err != nil {
			return withinKey(name, err)
		}
		w.setKey(at)
	}
	return w.endMap(start)
}

// decodeValue keeps v as it is, outside the budget of the decoding that met it.
func decodeValue(v Value, into reflect.Value) error {
	if v.doc != nil {
		v.doc = &document{data: v.doc.data}
	}
	into.Set(reflect.ValueOf(v))
	return nil
}

// MarshalJSON returns what v holds as JSON, in the way json.RawMessage is
// filled.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.doc != nil {
		v.doc = v.doc.meter()
	}
	return v.json()
}

var _ json.Marshaler = Value{}
