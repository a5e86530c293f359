package property

import (
	"math"
	"strconv"
	"strings"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds. JSON produces Null to Object; the last four exist in the language
// but only the Builder can make them.
const (
	Absent   Kind = iota // no such property
	Null                 // present in JSON, absent for constraints
	Bool                 // true or false
	Number               // a 64-bit float to constraints, an exact token to agents
	String               // text
	List                 // values of any kind
	Object               // present in JSON (only empty ones survive flattening), absent for constraints
	Implicit             // stated without a value, to be asked for
	Version              // semantic version
	DateTime             // instant
	Decimal              // arbitrary precision
)

var kindNames = [...]string{
	Absent: "absent", Null: "null", Bool: "boolean", Number: "number", String: "string", List: "list",
	Object: "object", Implicit: "implicit", Version: "version", DateTime: "date-time", Decimal: "decimal",
}

// String names the kind in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// A reach says which dialects can compare a value.
type reach uint8

const (
	everyone   reach = iota
	strictOnly       // its text needs escapes that upstream does not know
	nobody           // null, objects, and lists that contain them
)

// Value is the value of a property. The zero Value is Absent, and asking it for
// anything is answered by false.
type Value struct {
	kind   Kind
	reach  reach
	truth  bool    // of a Bool
	number float64 // of a Number
	esc    string  // of a String: as Compatible compares it
	text   string  // of a String and of the literal kinds: decoded
	items  []Value // of a List
	raw    string  // the token as written
}

func newValue(d datum) Value {
	v := Value{kind: d.kind, raw: d.raw}
	switch d.kind {
	case Bool:
		v.truth = d.raw == "true"
	case Number:
		v.number, _ = parseNumber(d.raw)
	case String:
		v.setText(d.text)
	case List:
		v.items = make([]Value, len(d.items))
		for i, item := range d.items {
			v.items[i] = newValue(item)
			v.reach = max(v.reach, v.items[i].reach)
		}
	default:
		v.reach = nobody
	}
	return v
}

// setText derives what upstream sees of a string: it re-reads the printed JSON
// form without unescaping it, drops blanks after the opening quote, and knows
// only a few escapes.
func (v *Value) setText(text string) {
	v.text, v.esc = text, text
	if strings.ContainsFunc(text, needsEscape) {
		v.esc = string(appendEscaped(nil, text))
	}
	if strings.ContainsFunc(text, isUnreadable) {
		v.reach = strictOnly
	}
	v.esc = strings.TrimLeft(v.esc, " ")
}

func needsEscape(r rune) bool { return r < ' ' || r == '"' || r == '\\' }

func isUnreadable(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }

// Kind returns the type of the value.
func (v Value) Kind() Kind { return v.kind }

// Raw returns the token as it was written: JSON, or a literal of the Builder.
// Money and other exact numbers are read from it.
func (v Value) Raw() string { return v.raw }

// String returns the decoded text of a String and the token of anything else.
func (v Value) String() string {
	if v.kind == String {
		return v.text
	}
	return v.raw
}

// Text returns the decoded text of a String.
func (v Value) Text() (string, bool) { return v.text, v.kind == String }

// Bool returns the truth of a Bool.
func (v Value) Bool() (value, ok bool) { return v.truth, v.kind == Bool }

// Float returns a Number as a float, possibly rounded.
func (v Value) Float() (float64, bool) { return v.number, v.kind == Number }

// Int returns a Number that is an integer of 64 bits; `4`, `4.0` and `4e0` are
// the same integer. Beyond 2^53 only tokens without point and exponent count,
// as the others were rounded.
func (v Value) Int() (int64, bool) {
	if v.kind != Number {
		return 0, false
	}
	if i, err := strconv.ParseInt(v.raw, 10, 64); err == nil {
		return i, true
	}
	if v.number != math.Trunc(v.number) || math.Abs(v.number) > 1<<53 {
		return 0, false
	}
	return int64(v.number), true
}

// Values returns a copy of the elements of a List.
func (v Value) Values() ([]Value, bool) {
	return append([]Value(nil), v.items...), v.kind == List
}

// Strings returns a List of nothing but Strings.
func (v Value) Strings() ([]string, bool) { return all(v, Value.Text) }

// Floats returns a List of nothing but Numbers.
func (v Value) Floats() ([]float64, bool) { return all(v, Value.Float) }

func all[T any](v Value, get func(Value) (T, bool)) ([]T, bool) {
	if v.kind != List {
		return nil, false
	}
	out := make([]T, len(v.items))
	for i, item := range v.items {
		var ok bool
		if out[i], ok = get(item); !ok {
			return nil, false
		}
	}
	return out, true
}

// parseNumber reads what upstream's language accepts as a 64-bit float: decimal
// notation with optional sign, point and exponent, and inf or nan.
func parseNumber(text string) (float64, bool) {
	if text == "" || strings.ContainsAny(text, "xXpP_") {
		return 0, false
	}
	if c := text[0]; !isDigit(c) && strings.IndexByte("+-.iInN", c) < 0 {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil || math.IsInf(f, 0)
}
