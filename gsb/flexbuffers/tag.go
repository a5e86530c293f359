package flexbuffers

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A tag is what the tags of a struct field say.
type tag struct {
	name     string
	skip     bool
	how      manner
	optional bool // may be missing or null, whatever its type
	flatten  bool
	omitZero bool
	omit     bool // when empty
}

// parseTag reads the tags of f. A flex tag with a name stands for itself; one
// without adds its options to those of the json tag.
func parseTag(f reflect.StructField) (tag, error) {
	t := tag{name: f.Name}
	flex := f.Tag.Get("flex")
	name, options, _ := strings.Cut(flex, ",")
	if name == "" {
		t.addJSON(f.Tag.Get("json"))
	}
	if name == "-" && options == "" {
		t.skip = true
		return t, nil
	}
	if name != "" {
		t.name = name
	}
	if strings.IndexByte(t.name, 0) >= 0 {
		return t, errKeyZero
	}
	for option := range strings.SplitSeq(options, ",") {
		if err := t.addOption(option); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *tag) addJSON(s string) {
	name, options, _ := strings.Cut(s, ",")
	if name == "-" && options == "" {
		t.skip = true
	} else if name != "" {
		t.name = name
	}
	all := strings.Split(options, ",")
	t.omit = slices.Contains(all, "omitempty")
	t.omitZero = slices.Contains(all, "omitzero")
	t.optional = t.omit || t.omitZero
}

func (t *tag) addOption(option string) error {
	switch option {
	case "":
	case "omitempty":
		t.omit, t.optional = true, true
	case "omitzero":
		t.omitZero, t.optional = true, true
	case "default":
		t.optional = true
	case "flatten":
		t.flatten = true
	case "seq":
		t.how |= asSequence
	case "naive":
		t.how |= asNaive
	default:
		return fmt.Errorf("unknown tag option %q", option)
	}
	return nil
}

// omitter returns the test whether a value is left out, or nil if it never is.
func (t *tag) omitter(typ reflect.Type) func(reflect.Value) bool {
	type zeroer interface{ IsZero() bool }
	switch {
	case t.omitZero && implements[zeroer](typ) && typ.Kind() != reflect.Pointer:
		return func(v reflect.Value) bool { return receiver[zeroer](v).IsZero() }
	case t.omitZero && t.omit:
		return func(v reflect.Value) bool { return v.IsZero() || isEmpty(v) }
	case t.omitZero:
		return reflect.Value.IsZero
	case t.omit:
		return isEmpty
	}
	return nil
}

// isEmpty is encoding/json's meaning of empty.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
