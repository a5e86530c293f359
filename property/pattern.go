package property

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// A pattern is a value with wildcards. In Strict a star stands for any text and
// everything else for itself. In Compatible the value is a regular expression
// whose stars mean `.*`: a dot is any character, nothing crosses a line, and
// other metacharacters are live. Most values have none of those and are matched
// without the regexp machine.
type pattern struct {
	parts []string // the text between the stars
	dots  bool     // as in Compatible
	expr  *regexp.Regexp
	valid bool
}

// newPattern compiles the parts of a value. A broken expression is kept: it
// makes the comparison false, not the constraint wrong.
func (g *grammar) newPattern(parts []string, pos int) (*pattern, bool) {
	p := &pattern{parts: parts, dots: g.dialect == Compatible, valid: true}
	size := len(parts)
	for _, part := range parts {
		size += len(part)
	}
	expr := ""
	if p.dots && strings.ContainsAny(strings.Join(parts, ""), `\+?()|[]{}^$`) {
		expr = "^" + strings.Join(parts, ".*") + "$"
		parsed, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			p.valid = false
			return p, true
		}
		size += cost(parsed)
	}
	if g.wildcards += size; g.wildcards > MaxWildcards {
		return nil, g.limit(pos, "bytes of wildcards and their expressions", MaxWildcards)
	}
	if expr != "" {
		var err error
		p.expr, err = regexp.Compile(expr)
		p.valid = err == nil
	}
	return p, true
}

// cost estimates the instructions of the compiled expression, repetitions
// written out, without compiling it.
func cost(re *syntax.Regexp) int {
	below := 0
	for _, sub := range re.Sub {
		below += cost(sub)
	}
	if re.Op == syntax.OpRepeat {
		below *= max(re.Min, re.Max, 1)
	}
	own := 1
	if re.Op == syntax.OpLiteral {
		own = len(re.Rune)
	}
	return min(own+below, MaxWildcards+1)
}

// matches reports whether the whole text fits. The pattern is valid.
func (p *pattern) matches(text string) bool {
	if len(text) > MaxSubject {
		return false
	}
	if p.expr != nil {
		return p.expr.MatchString(text)
	}
	last := len(p.parts) - 1
	rest, ok := p.prefix(text, p.parts[0])
	if !ok {
		return false
	}
	for _, part := range p.parts[1:last] {
		if rest, ok = p.skip(rest, part, false); !ok {
			return false
		}
	}
	_, ok = p.skip(rest, p.parts[last], true)
	return ok
}

// skip drops as little text as the star before part must take, and part
// itself. With end, part must be the end of the text. Taking as little as
// possible is right: what no star may cross, none of the later ones may either.
func (p *pattern) skip(text, part string, end bool) (rest string, ok bool) {
	if !p.dots || !strings.Contains(part, ".") {
		return p.skipPlain(text, part, end)
	}
	for {
		if rest, ok = p.prefix(text, part); ok && (!end || rest == "") {
			return rest, true
		}
		if text == "" || text[0] == '\n' {
			return "", false
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
}

// skipPlain is skip for a part that stands for itself.
func (p *pattern) skipPlain(text, part string, end bool) (rest string, ok bool) {
	at := len(text) - len(part)
	if end && !strings.HasSuffix(text, part) {
		return "", false
	}
	if !end {
		at = strings.Index(text, part)
	}
	if at < 0 || p.dots && strings.Contains(text[:at], "\n") {
		return "", false
	}
	return text[at+len(part):], true
}

// prefix cuts part off the front of text.
func (p *pattern) prefix(text, part string) (rest string, ok bool) {
	if !p.dots {
		return strings.CutPrefix(text, part)
	}
	for i := range len(part) {
		if text == "" {
			return "", false
		}
		size := 1
		if part[i] == '.' {
			_, size = utf8.DecodeRuneInString(text)
		}
		if part[i] != text[0] && (part[i] != '.' || text[0] == '\n') {
			return "", false
		}
		text = text[size:]
	}
	return text, true
}
