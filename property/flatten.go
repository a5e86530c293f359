package property

import "strings"

// tag is the name under which a nested object keeps the value of its own path.
const tag = "@tag"

// Flatten turns the JSON text of a property set, nested or flat or mixed, into
// its canonical form: one flat object, names joined by dots and in byte order,
// compact, numbers exactly as written, nothing escaped that JSON does not
// require. Arrays stay whole. The result is what a node stores, hashes and
// sends; Flatten leaves it unchanged.
//
// Upstream's oddities are kept: an empty object is a value of its own, so that
// the empty set is `{"":{}}`; of two equal names the last one counts, in the
// order of sorted input; a scalar becomes the property with the empty name.
//
// Errors are *SyntaxError or *LimitError.
func Flatten(text []byte) (string, error) {
	d, err := parseJSON(string(text))
	if err != nil {
		return "", err
	}
	leaves, err := flatten(d)
	if err != nil {
		return "", err
	}
	return printFields(leaves)
}

func printFields(fields []field) (string, error) {
	out := appendJSON(nil, datum{kind: Object, fields: fields})
	if len(out) > MaxText {
		return "", &LimitError{Subject: subjectProperties, What: "bytes in flat form", Limit: MaxText, Offset: MaxText}
	}
	return string(out), nil
}

// flatten lists the leaves of d by path, sorted, the last of equal paths kept.
func flatten(d datum) ([]field, error) {
	if d.isFlat() {
		return d.fields, nil
	}
	f := flattener{leaves: make([]field, 0, len(d.fields))}
	if err := f.walk(d, true); err != nil {
		return nil, err
	}
	return sortFields(f.leaves), nil
}

// isFlat reports whether d is what flatten would make of it.
func (d *datum) isFlat() bool {
	for i := range d.fields {
		if f := &d.fields[i]; f.name == tag || len(f.value.fields) > 0 {
			return false
		}
	}
	return len(d.fields) > 0
}

type flattener struct {
	path   []byte
	leaves []field
	bytes  int
}

// walk visits d, which is the whole set if root is true. The bytes of paths are
// counted before they are made: a long name around many leaves would otherwise
// grow quadratically.
func (f *flattener) walk(d datum, root bool) error {
	if d.kind != Object || len(d.fields) == 0 {
		if f.bytes += len(f.path) + len(d.raw); f.bytes > MaxText {
			return &LimitError{Subject: subjectProperties, What: "bytes in flat form", Limit: MaxText, Offset: MaxText}
		}
		f.leaves = append(f.leaves, field{string(f.path), d})
		return nil
	}
	outer := len(f.path)
	for _, next := range d.fields {
		atRoot := root && next.name == tag
		if next.name != tag {
			if !root {
				f.path = append(f.path, '.')
			}
			f.path = append(f.path, next.name...)
		}
		if err := f.walk(next.value, atRoot); err != nil {
			return err
		}
		f.path = f.path[:outer]
	}
	return nil
}

// Expand is the inverse of Flatten: it splits names at their dots and nests the
// values, as agents and runtimes read them (agreement.json). Where a path has
// both a value and members, the value moves under "@tag". Elements of arrays
// are expanded too. A null, or an empty object, gives way to anything else
// under the same path. Numbers stay as written.
//
// Errors are *SyntaxError or *LimitError.
func Expand(text string) ([]byte, error) {
	d, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	if d, err = expand(d); err != nil {
		return nil, err
	}
	return appendJSON(nil, d), nil
}

func expand(d datum) (datum, error) {
	if d.kind == List {
		items := make([]datum, len(d.items))
		for i, item := range d.items {
			var err error
			if items[i], err = expand(item); err != nil {
				return datum{}, err
			}
		}
		d.items = items
		return d, nil
	}
	if d.kind != Object || len(d.fields) == 0 {
		return d, nil
	}
	leaves, err := flatten(d)
	if err != nil {
		return datum{}, err
	}
	root := new(tree)
	for _, l := range leaves {
		value, err := expand(l.value)
		if err != nil {
			return datum{}, err
		}
		if err := root.insert(l.name, value); err != nil {
			return datum{}, err
		}
	}
	return root.datum(), nil
}

// A tree is a path with its own value, if any, and its members. Keeping both
// apart makes "@tag" a matter of printing.
type tree struct {
	value   datum // the zero Kind if the path has none
	members map[string]*tree
	object  bool // an empty object was put here
}

// insert puts a value at a dotted path. The empty path is the tree itself, as
// Flatten writes it.
func (t *tree) insert(path string, value datum) error {
	if strings.Count(path, ".") >= MaxDepth {
		return &LimitError{Subject: subjectProperties, What: "levels of nesting", Limit: MaxDepth}
	}
	for rest, more := path, path != ""; more; {
		var name string
		name, rest, more = strings.Cut(rest, ".")
		if name != tag {
			t = t.member(name)
		}
	}
	switch {
	case value.kind == Object && len(value.fields) == 0:
		t.object = true
	case value.kind != Null || t.value.kind == Absent:
		t.value = value
	}
	return nil
}

func (t *tree) member(name string) *tree {
	m := t.members[name]
	if m == nil {
		m = new(tree)
		if t.members == nil {
			t.members = make(map[string]*tree)
		}
		t.members[name] = m
	}
	return m
}

func (t *tree) datum() datum {
	if len(t.members) == 0 && t.value.kind != Absent && !(t.value.kind == Null && t.object) {
		return t.value
	}
	fields := make([]field, 0, len(t.members)+1)
	if t.value.kind != Absent && t.value.kind != Null {
		fields = append(fields, field{tag, t.value})
	}
	for name, m := range t.members {
		fields = append(fields, field{name, m.datum()})
	}
	return datum{kind: Object, fields: sortFields(fields)}
}
