package property

import (
	"slices"
	"strings"
)

const subjectProperties = "properties"

// A datum is a JSON value with its numbers as they were written.
// encoding/json cannot be used here: it accepts invalid UTF-8 and lone
// surrogates, which upstream refuses, and it says little about positions.
type datum struct {
	kind   Kind    // Null, Bool, Number, String, List or Object
	raw    string  // the token as written
	text   string  // of a String: decoded
	items  []datum // of a List
	fields []field // of an Object: names sorted and unique
}

type field struct {
	name  string
	value datum
}

// parseJSON reads a whole JSON text.
func parseJSON(text string) (datum, error) {
	if len(text) > MaxText {
		return datum{}, &LimitError{Subject: subjectProperties, What: "bytes", Limit: MaxText, Offset: MaxText}
	}
	if at := invalidUTF8(text); at >= 0 {
		return datum{}, newSyntaxError(subjectProperties, text, at, "UTF-8 text")
	}
	s := scanner{subject: subjectProperties, text: text}
	d, err := s.value(0)
	if err != nil {
		return datum{}, err
	}
	if s.space(); s.pos < len(text) {
		return datum{}, s.fail("the end")
	}
	return d, nil
}

// A scanner walks over a text. What it reads of JSON is a datum.
type scanner struct {
	subject string
	text    string
	pos     int
	values  int
}

func (s *scanner) fail(expected string) error {
	return newSyntaxError(s.subject, s.text, s.pos, expected)
}

func (s *scanner) limit(what string, limit int) error {
	return &LimitError{Subject: s.subject, What: what, Limit: limit, Offset: s.pos}
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.text) && isSpace(s.text[s.pos]) {
		s.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// accept skips blanks and the byte c, if it comes next.
func (s *scanner) accept(c byte) bool {
	s.space()
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) value(depth int) (d datum, err error) {
	s.space()
	if s.values++; s.values > MaxValues {
		return d, s.limit("values", MaxValues)
	}
	if depth > MaxDepth {
		return d, s.limit("levels of nesting", MaxDepth)
	}
	start := s.pos
	switch c := s.peek(); {
	case c == '{':
		d.kind = Object
		d.fields, err = s.object(depth)
	case c == '[':
		d.kind = List
		d.items, err = s.array(depth)
	case c == '"':
		d.kind = String
		d.text, err = s.quoted()
	case c == '-' || isDigit(c):
		d.kind = Number
		err = s.number()
	case s.word("true", "false"):
		d.kind = Bool
	case s.word("null"):
		d.kind = Null
	default:
		err = s.fail("a JSON value")
	}
	d.raw = s.text[start:s.pos]
	return d, err
}

// word reads one of the words, if one comes next.
func (s *scanner) word(words ...string) bool {
	for _, w := range words {
		if strings.HasPrefix(s.text[s.pos:], w) {
			s.pos += len(w)
			return true
		}
	}
	return false
}

func (s *scanner) array(depth int) (items []datum, err error) {
	s.pos++
	if s.accept(']') {
		return nil, nil
	}
	for {
		d, err := s.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, d)
		if s.accept(']') {
			return items, nil
		}
		if !s.accept(',') {
			return nil, s.fail(`"," or "]"`)
		}
	}
}

func (s *scanner) object(depth int) (fields []field, err error) {
	s.pos++
	if s.accept('}') {
		return nil, nil
	}
	for {
		f, err := s.field(depth)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
		if s.accept('}') {
			return sortFields(fields), nil
		}
		if !s.accept(',') {
			return nil, s.fail(`"," or "}"`)
		}
	}
}

func (s *scanner) field(depth int) (f field, err error) {
	if s.space(); s.peek() != '"' {
		return f, s.fail("a name in quotes")
	}
	if f.name, err = s.quoted(); err != nil {
		return f, err
	}
	if !s.accept(':') {
		return f, s.fail(`":"`)
	}
	f.value, err = s.value(depth + 1)
	return f, err
}

// sortFields puts names in byte order and keeps the last of equal ones.
func sortFields(fields []field) []field {
	return sortUnique(fields, func(f *field) string { return f.name })
}

// sortUnique sorts by name in byte order and keeps the last of equal names. It
// costs one pass where nothing has to move.
func sortUnique[T any](list []T, name func(*T) string) []T {
	sorted := true
	for i := 1; i < len(list) && sorted; i++ {
		sorted = name(&list[i-1]) < name(&list[i])
	}
	if sorted {
		return list
	}
	slices.SortStableFunc(list, func(a, b T) int { return strings.Compare(name(&a), name(&b)) })
	kept := list[:0]
	for i := range list {
		if i+1 == len(list) || name(&list[i]) != name(&list[i+1]) {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// appendJSON prints compactly, with numbers as written.
func appendJSON(out []byte, d datum) []byte {
	switch d.kind {
	case String:
		return appendQuoted(out, d.text)
	case List:
		out = append(out, '[')
		for i, item := range d.items {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendJSON(out, item)
		}
		return append(out, ']')
	case Object:
		out = append(out, '{')
		for i, f := range d.fields {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendQuoted(out, f.name), ':')
			out = appendJSON(out, f.value)
		}
		return append(out, '}')
	}
	return append(out, d.raw...)
}

func appendQuoted(out []byte, text string) []byte {
	out = append(out, '"')
	out = appendEscaped(out, text)
	return append(out, '"')
}

// appendEscaped escapes what JSON requires and nothing else, in the forms that
// upstream prints.
func appendEscaped(out []byte, text string) []byte {
	const hex = "0123456789abcdef"
	for i := range len(text) {
		switch c := text[i]; c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, '\\', 'b')
		case '\f':
			out = append(out, '\\', 'f')
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			if c < ' ' {
				out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				out = append(out, c)
			}
		}
	}
	return out
}
