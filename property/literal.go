package property

import (
	"fmt"
	"strings"
	"unique"
)

const subjectLiteral = "literal"

// Builder makes a Set from definitions in upstream's line form: `name=literal`,
// or `name` alone for a property without a value. It reaches the kinds that
// JSON cannot express, and aspects. Literals are
//
//	"text"                 escapes \" \\ \n \t \0; kept as written for comparisons
//	v"1.2.3"               Version
//	t"2019-04-12T23:20:50Z" DateTime
//	true True TRUE false False FALSE
//	d"123.45"              Decimal
//	-1.5e3                 Number
//	[literal, literal]     List
//
// No foreign text passes through it in a node: it completes the model, for
// tests of the language and for tools. The zero Builder is ready for use.
type Builder struct {
	lines      []string
	properties []property
}

// Define adds a property, or replaces it. Errors are *SyntaxError.
func (b *Builder) Define(line string) error {
	name, text, explicit := strings.Cut(line, "=")
	p := property{name: unique.Make(name), value: Value{kind: Implicit}}
	if explicit {
		var err error
		if p.value, err = parseLiteral(text); err != nil {
			return fmt.Errorf("property %q: %w", name, err)
		}
	}
	b.lines = append(b.lines, line)
	b.properties = append(b.properties, p)
	return nil
}

// Aspect gives an aspect to the property defined last under that name. It
// returns false if there is none.
func (b *Builder) Aspect(name, aspect, value string) bool {
	for i := len(b.properties) - 1; i >= 0; i-- {
		if p := &b.properties[i]; p.name.Value() == name {
			if p.aspects == nil {
				p.aspects = make(map[string]string)
			}
			p.aspects[aspect] = value
			return true
		}
	}
	return false
}

// Set returns what was defined and empties the Builder. The text of the Set is
// its lines.
func (b *Builder) Set() *Set {
	properties := sortUnique(b.properties, func(p *property) string { return p.name.Value() })
	s := newSet(strings.Join(b.lines, "\n"), properties)
	*b = Builder{}
	return s
}

func parseLiteral(text string) (Value, error) {
	l := literals{scanner{subject: subjectLiteral, text: text}}
	v, err := l.value(0)
	if err == nil && l.pos < len(text) {
		err = l.fail("the end")
	}
	return v, err
}

// literals is a scanner for literals instead of JSON.
type literals struct{ scanner }

func (l *literals) value(depth int) (v Value, err error) {
	if depth > MaxDepth {
		return v, l.limit("levels of nesting", MaxDepth)
	}
	start, rest := l.pos, l.text[l.pos:]
	switch {
	case strings.HasPrefix(rest, `"`):
		err = l.quoted(&v)
	case strings.HasPrefix(rest, `v"`):
		err = l.typed(&v, Version, "a semantic version")
	case strings.HasPrefix(rest, `t"`):
		err = l.typed(&v, DateTime, "an RFC 3339 time")
	case strings.HasPrefix(rest, `d"`):
		err = l.typed(&v, Decimal, "a decimal number")
	case strings.HasPrefix(rest, "["):
		err = l.list(&v, depth)
	case l.word("true", "True", "TRUE"):
		v.kind, v.truth = Bool, true
	case l.word("false", "False", "FALSE"):
		v.kind = Bool
	default:
		err = l.number(&v)
	}
	v.raw = l.text[start:l.pos]
	return v, err
}

func (l *literals) quoted(v *Value) error {
	const letters, meanings = `"\nt0`, "\"\\\n\t\x00"
	l.pos++
	start := l.pos
	var text []byte
	for ; l.pos < len(l.text); l.pos++ {
		c := l.text[l.pos]
		if c == '"' {
			v.kind = String
			v.text = string(text)
			v.esc = strings.TrimLeft(l.text[start:l.pos], " \t\r\n")
			l.pos++
			return nil
		}
		if c == '\\' {
			l.pos++
			i := -1
			if l.pos < len(l.text) {
				i = strings.IndexByte(letters, l.text[l.pos])
			}
			if i < 0 {
				return l.fail(`one of "\nt0`)
			}
			c = meanings[i]
		}
		text = append(text, c)
	}
	return l.fail("a closing quote")
}

// typed reads a string with a type letter in front.
func (l *literals) typed(v *Value, kind Kind, expected string) error {
	l.pos += 2
	text, _, closed := strings.Cut(l.text[l.pos:], `"`)
	if v.kind, v.text = kind, text; !v.converts(kind, everyone) {
		return l.fail(expected)
	}
	l.pos += len(text)
	if !closed {
		return l.fail("a closing quote")
	}
	l.pos++
	return nil
}

func (l *literals) list(v *Value, depth int) error {
	v.kind = List
	l.pos++
	if l.space(); l.word("]") {
		return nil
	}
	for {
		item, err := l.value(depth + 1)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
		if l.space(); l.word("]") {
			return nil
		}
		if !l.word(",") {
			return l.fail(`"," or "]"`)
		}
		l.space()
	}
}

// number is a little wider than JSON's: a plus sign and leading zeros are fine.
func (l *literals) number(v *Value) error {
	start := l.pos
	if c := l.peek(); c == '+' || c == '-' {
		l.pos++
	}
	if !isDigit(l.peek()) {
		l.pos = start
		return l.fail("a literal")
	}
	if err := l.unsigned(); err != nil {
		return err
	}
	v.kind = Number
	v.number, _ = parseNumber(l.text[start:l.pos])
	return nil
}
