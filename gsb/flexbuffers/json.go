package flexbuffers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// encodeJSON writes the value that JSON text stands for, as upstream does with
// serde_json::Value. No text is null.
func encodeJSON(w *writer, v reflect.Value) error {
	if v.Len() == 0 {
		w.null()
		return nil
	}
	return w.json(v.Bytes())
}

func (w *writer) json(text []byte) error {
	if b, ok := jsonBytes(text); ok {
		w.bytes(b)
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		return fmt.Errorf("invalid JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("invalid JSON: text after the value")
	}
	return encodeAny(w, x)
}

// jsonBytes returns the bytes that compact JSON text is a list of, as output of
// programs is, which there can be much of. It reports false for everything else.
func jsonBytes(text []byte) ([]byte, bool) {
	n := len(text)
	if n < 3 || text[0] != '[' || text[n-1] != ']' {
		return nil, false
	}
	b := make([]byte, 0, n/3+1)
	for one := range bytes.SplitSeq(text[1:n-1], []byte(",")) {
		x, err := strconv.ParseUint(string(one), 10, 8)
		if err != nil || len(one) > 1 && one[0] == '0' {
			return nil, false
		}
		b = append(b, byte(x))
	}
	return b, true
}

func encodeNumber(w *writer, v reflect.Value) error { return w.number(v.String()) }

// number writes a JSON number: integers as such while they fit, without sign if
// not negative, everything else as a float.
func (w *writer) number(s string) error {
	if s == "" {
		s = "0"
	}
	if u, err := strconv.ParseUint(s, 10, 64); err == nil {
		w.uint(u)
		return nil
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil && i < 0 {
		w.int(i)
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return fmt.Errorf("invalid number %.40q", s)
	}
	w.float(f)
	return nil
}

func decodeNumber(v Value, into reflect.Value) error {
	switch v.Kind() {
	case KindInt, KindUint, KindFloat:
	default:
		return mismatch("number", v)
	}
	text, err := v.json()
	if err == nil {
		into.SetString(string(text))
	}
	return err
}

func decodeJSON(v Value, into reflect.Value) error {
	text, err := v.json()
	if err == nil {
		into.SetBytes(text)
	}
	return err
}

// json returns what v holds as JSON text. Object keys are in order, floats keep
// a mark of being floats, blobs are base64 as everywhere in Go, and what JSON
// has no number for is null.
func (v Value) json() ([]byte, error) {
	if elem, _, ok := v.typ.element(); ok && elem == typeUint {
		return v.uintsJSON()
	}
	x, err := decodeAny(v)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(floatsToJSON(x)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// uintsJSON is json for a vector of which the type says that it has integers
// without a sign only.
func (v Value) uintsJSON() ([]byte, error) {
	text := append(make([]byte, 0, 4*min(v.n, maxAhead)), '[')
	for i := range v.n {
		x, err := v.at(i)
		if err != nil {
			return nil, withinElement(i, err)
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendUint(text, x.word(), 10)
	}
	return append(text, ']'), nil
}

// floatsToJSON replaces the floats in x by their text.
func floatsToJSON(x any) any {
	switch x := x.(type) {
	case float64:
		return floatToJSON(x)
	case []any:
		for i := range x {
			x[i] = floatsToJSON(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = floatsToJSON(x[k])
		}
	}
	return x
}

// floatToJSON formats f so that reading the text gives a float again: 2.0 stays
// 2.0.
func floatToJSON(f float64) any {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil
	}
	text, _ := json.Marshal(f)
	if strings.ContainsAny(string(text), ".e") {
		return json.Number(text)
	}
	return json.Number(append(text, ".0"...))
}
