package property

import "strings"

// Reference names what a clause looks at: a property, or an aspect of it, and
// the type that strings are to be read as.
type Reference struct {
	Name   string
	Aspect string // "" for the property itself
	Type   Kind   // Absent, or Version, DateTime, Decimal for $v, $t, $d
}

// String returns `name` or `name[aspect]`, the form mismatches are named in.
func (r Reference) String() string {
	if r.Aspect == "" {
		return r.Name
	}
	return r.Name + "[" + r.Aspect + "]"
}

// source returns the reference as constraints write it.
func (r Reference) source() string {
	switch r.Type {
	case Version:
		return r.String() + "$v"
	case DateTime:
		return r.String() + "$t"
	case Decimal:
		return r.String() + "$d"
	}
	return r.String()
}

// parseReference reads name, name[aspect], name$v and name[aspect]$v. If the
// text is something else, it returns what was expected and at which byte.
func parseReference(text string) (r Reference, offset int, expected string) {
	const special = "[]$"
	at := strings.IndexAny(text, special)
	if at < 0 {
		at = len(text)
	}
	if r.Name = text[:at]; r.Name == "" {
		return r, 0, "a property name"
	}
	if at < len(text) && text[at] == '[' {
		start := at + 1
		length := strings.IndexAny(text[start:], special)
		switch {
		case length < 0:
			return r, len(text), `"]"`
		case length == 0:
			return r, start, "an aspect name"
		case text[start+length] != ']':
			return r, start + length, `"]"`
		}
		r.Aspect = text[start : start+length]
		at = start + length + 1
	}
	if at < len(text) && text[at] == '$' {
		if r.Type = suffixType(text[at:]); r.Type == Absent {
			return r, at, "one of $d, $t, $v and then an operator"
		}
		at += len("$v")
	}
	if at < len(text) {
		return r, at, "an operator"
	}
	return r, 0, ""
}

// suffixType reads $d, $t or $v at the start of text.
func suffixType(text string) Kind {
	if len(text) < len("$v") {
		return Absent
	}
	switch text[1] {
	case 'd':
		return Decimal
	case 't':
		return DateTime
	case 'v':
		return Version
	}
	return Absent
}
