package property

import "strings"

// An operand is the right side of a comparison, read in advance as every type
// it may meet.
type operand struct {
	text    string // what strings are compared with
	pattern *pattern
	number  *float64
	decimal *decimal
	version *version
	instant *instant
	isTrue  bool
	isFalse bool
	list    bool // written as [a,b]
	items   []operand
}

// newOperand reads the value of a clause; pos is its place in the constraint.
// Only = knows wildcards.
func (g *grammar) newOperand(raw string, pos int, rel relation) (o operand, ok bool) {
	parts := []string{raw}
	if g.dialect == Strict {
		if parts, ok = g.unescape(raw, pos, rel == equal); !ok {
			return o, false
		}
	} else if rel == equal {
		parts = strings.Split(raw, "*")
	}
	o.text = strings.Join(parts, "*")
	if len(parts) > 1 {
		if o.pattern, ok = g.newPattern(parts, pos); !ok {
			return o, false
		}
	}
	o.readTypes()
	if rel != equal {
		return o, true
	}
	return o, g.readItems(&o, raw, pos)
}

func (o *operand) readTypes() {
	o.isTrue, o.isFalse = o.text == "true", o.text == "false"
	if n, ok := parseNumber(o.text); ok {
		o.number = &n
	}
	if d, ok := parseDecimal(o.text); ok {
		o.decimal = &d
	}
	if v, ok := parseVersion(o.text); ok {
		o.version = &v
	}
	if t, ok := parseInstant(o.text); ok {
		o.instant = &t
	}
}

// readItems recognizes [a,b,c]. Commas cannot be quoted; an empty item means
// that this is no list after all.
func (g *grammar) readItems(o *operand, raw string, pos int) bool {
	inner, ok := strings.CutPrefix(raw, "[")
	if !ok {
		return true
	}
	if inner, ok = strings.CutSuffix(inner, "]"); !ok {
		return true
	}
	if inner == "" {
		o.list = true
		return true
	}
	items := strings.Split(inner, ",")
	for i := range items {
		if items[i] = strings.Trim(items[i], " \t\r\n"); items[i] == "" {
			return true
		}
	}
	o.list = true
	for _, item := range items {
		next, ok := g.newOperand(item, pos, equal)
		if !ok || !g.count(pos) {
			return false
		}
		o.items = append(o.items, next)
	}
	return true
}

// unescape replaces \29 by the byte it names and splits the value at its
// wildcards: an escaped star is none.
func (g *grammar) unescape(raw string, pos int, wildcards bool) ([]string, bool) {
	var parts []string
	var part []byte
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '*' && wildcards:
			parts, part = append(parts, string(part)), nil
		case c == '\\':
			var high, low byte
			var ok, ok2 bool
			if i+2 < len(raw) {
				high, ok = unhex(raw[i+1])
				low, ok2 = unhex(raw[i+2])
			}
			if !ok || !ok2 {
				g.refuse(pos+i+1, `two hexadecimal digits (a backslash itself is \5c)`)
				return nil, false
			}
			part = append(part, high<<4|low)
			i += 2
		default:
			part = append(part, c)
		}
	}
	parts = append(parts, string(part))
	if invalidUTF8(strings.Join(parts, "")) >= 0 {
		g.refuse(pos, "escapes that form UTF-8 text")
		return nil, false
	}
	return parts, true
}
