package property

import (
	"hash/maphash"
	"iter"
	"math/bits"
	"unique"
)

// seed keeps strangers from choosing names that collide. It is the same for all
// sets and constraints, so that a constraint hashes its names only once.
var seed = maphash.MakeSeed()

func hashOf(name string) uint64 { return maphash.String(seed, name) }

// Set is an immutable property set, safe for concurrent use. A nil Set is the
// empty set.
type Set struct {
	text       string
	properties []property // in byte order of names
	slots      []uint16   // open addressing by hash: 1 + index, 0 if free
}

// A property begins with what matching reads, so that this fits a cache line.
type property struct {
	hash    uint64
	name    unique.Handle[string] // comparing it does not touch the text
	value   Value
	aspects map[string]string
}

// ParseSet reads the JSON text of a property set, as it is stored, hashed and
// sent. Text that is not flat is seen as Flatten would make it, as upstream
// does when it matches. Errors are *SyntaxError or *LimitError.
func ParseSet(text string) (*Set, error) {
	d, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	leaves, err := flatten(d)
	if err != nil {
		return nil, err
	}
	properties := make([]property, len(leaves))
	for i, l := range leaves {
		properties[i] = property{name: unique.Make(l.name), value: newValue(l.value)}
	}
	return newSet(text, properties), nil
}

// newSet indexes properties, which are sorted and have unique names.
func newSet(text string, properties []property) *Set {
	s := &Set{text: text, properties: properties}
	if len(properties) == 0 {
		return s
	}
	s.slots = make([]uint16, 2<<bits.Len(uint(len(properties)-1)))
	mask := uint64(len(s.slots) - 1)
	for i := range properties {
		p := &properties[i]
		p.hash = hashOf(p.name.Value())
		at := p.hash & mask
		for s.slots[at] != 0 {
			at = (at + 1) & mask
		}
		s.slots[at] = uint16(i + 1)
	}
	return s
}

// find returns the property of that name, nil if there is none.
func (s *Set) find(name unique.Handle[string], hash uint64) *property {
	if s == nil || len(s.slots) == 0 {
		return nil
	}
	mask := uint64(len(s.slots) - 1)
	for at := hash & mask; s.slots[at] != 0; at = (at + 1) & mask {
		if p := &s.properties[s.slots[at]-1]; p.hash == hash && p.name == name {
			return p
		}
	}
	return nil
}

// Text returns the text the set was parsed from, byte for byte.
func (s *Set) Text() string {
	if s == nil {
		return ""
	}
	return s.text
}

// Len returns the number of properties.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.properties)
}

// All yields the properties in byte order of their names.
func (s *Set) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if s == nil {
			return
		}
		for i := range s.properties {
			if !yield(s.properties[i].name.Value(), s.properties[i].value) {
				return
			}
		}
	}
}

// Value returns the property of that name, whatever its kind.
func (s *Set) Value(name string) (Value, bool) {
	if p := s.find(unique.Make(name), hashOf(name)); p != nil {
		return p.value, true
	}
	return Value{}, false
}

func (s *Set) value(name string) Value {
	v, _ := s.Value(name)
	return v
}

// String returns the text of a property that is a String.
func (s *Set) String(name string) (string, bool) { return s.value(name).Text() }

// Float returns a property that is a Number; see Value.Float.
func (s *Set) Float(name string) (float64, bool) { return s.value(name).Float() }

// Int returns a property that is an integer; see Value.Int.
func (s *Set) Int(name string) (int64, bool) { return s.value(name).Int() }

// Bool returns a property that is a Bool.
func (s *Set) Bool(name string) (value, ok bool) { return s.value(name).Bool() }

// Strings returns a property that is a List of Strings.
func (s *Set) Strings(name string) ([]string, bool) { return s.value(name).Strings() }

// Floats returns a property that is a List of Numbers.
func (s *Set) Floats(name string) ([]float64, bool) { return s.value(name).Floats() }

// Raw returns the token of a property as it was written.
func (s *Set) Raw(name string) (string, bool) {
	v, ok := s.Value(name)
	return v.Raw(), ok
}

// Terms yields each (name, text) under which an index has to file the set so
// that Constraint.Equalities finds it: the text of every String and of every
// String inside a List, in the forms both dialects compare. Sets made by a
// Builder are not covered: their literals have more than one text.
func (s *Set) Terms() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if s == nil {
			return
		}
		for i := range s.properties {
			p := &s.properties[i]
			if !p.value.terms(func(text string) bool { return yield(p.name.Value(), text) }) {
				return
			}
		}
	}
}

func (v *Value) terms(yield func(string) bool) bool {
	if v.kind == String {
		return yield(v.text) && (v.esc == v.text || yield(v.esc))
	}
	for i := range v.items {
		if !v.items[i].terms(yield) {
			return false
		}
	}
	return true
}
