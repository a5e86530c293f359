package flexbuffers

import (
	"fmt"
	"reflect"
)

func encodeBool(w *writer, v reflect.Value) error {
	w.bool(v.Bool())
	return nil
}

func decodeBool(v Value, into reflect.Value) error {
	b, err := v.Bool()
	if err == nil {
		into.SetBool(b)
	}
	return err
}

func encodeInt(w *writer, v reflect.Value) error {
	w.int(v.Int())
	return nil
}

func decodeInt(v Value, into reflect.Value) error {
	i, err := v.Int()
	if err != nil {
		return err
	}
	if into.OverflowInt(i) {
		return fmt.Errorf("want %s, found %d", into.Kind(), i)
	}
	into.SetInt(i)
	return nil
}

func encodeUint(w *writer, v reflect.Value) error {
	w.uint(v.Uint())
	return nil
}

func decodeUint(v Value, into reflect.Value) error {
	u, err := v.Uint()
	if err != nil {
		return err
	}
	if into.OverflowUint(u) {
		return fmt.Errorf("want %s, found %d", into.Kind(), u)
	}
	into.SetUint(u)
	return nil
}

func encodeFloat(w *writer, v reflect.Value) error {
	w.float(v.Float())
	return nil
}

func decodeFloat(v Value, into reflect.Value) error {
	f, err := v.Float()
	if err == nil {
		into.SetFloat(f)
	}
	return err
}

func encodeString(w *writer, v reflect.Value) error { return w.string(v.String()) }

func decodeString(v Value, into reflect.Value) error {
	s, err := v.Text()
	if err == nil {
		into.SetString(s)
	}
	return err
}

// Unit is Rust's (): it is encoded as null, where an empty struct of any other
// type is an empty map. Both are read from either.
type Unit struct{}

func encodeUnit(w *writer, _ reflect.Value) error {
	w.null()
	return nil
}

func decodeUnit(v Value, _ reflect.Value) error {
	if v.Kind() == KindNull || v.Kind() == KindMap && v.n == 0 {
		return nil
	}
	return mismatch("null", v)
}
