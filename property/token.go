package property

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// number checks the token against JSON's grammar and against the range of the
// floats every implementation compares with.
func (s *scanner) number() error {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	if rest := s.text[s.pos:]; len(rest) > 1 && rest[0] == '0' && isDigit(rest[1]) {
		return s.fail("a number without leading zeros")
	}
	if err := s.unsigned(); err != nil {
		return err
	}
	if _, err := strconv.ParseFloat(s.text[start:s.pos], 64); err != nil {
		s.pos = start
		return s.fail("a number within ±1.8e308")
	}
	return nil
}

// unsigned reads digits[.digits][e[±]digits].
func (s *scanner) unsigned() error {
	if s.digits() == 0 {
		return s.fail("a digit")
	}
	if s.peek() == '.' {
		s.pos++
		if s.digits() == 0 {
			return s.fail("a digit")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if s.digits() == 0 {
			return s.fail("a digit")
		}
	}
	return nil
}

func (s *scanner) digits() int {
	start := s.pos
	for isDigit(s.peek()) {
		s.pos++
	}
	return s.pos - start
}

// quoted reads a string; without escapes the result shares the text's memory.
func (s *scanner) quoted() (string, error) {
	s.pos++
	start := s.pos
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return s.text[start : s.pos-1], nil
		case c == '\\':
			return s.escaped([]byte(s.text[start:s.pos]))
		case c < ' ':
			return "", s.fail("an escape, as control characters need one")
		}
	}
	return "", s.fail("a closing quote")
}

// escaped goes on reading a string from its first escape.
func (s *scanner) escaped(out []byte) (string, error) {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return string(out), nil
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		case c < ' ':
			return "", s.fail("an escape, as control characters need one")
		default:
			out = append(out, c)
			s.pos++
		}
	}
	return "", s.fail("a closing quote")
}

func (s *scanner) escape() (rune, error) {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	s.pos++
	c := s.peek()
	if c == 'u' {
		return s.unicode()
	}
	if i := strings.IndexByte(letters, c); c != 0 && i >= 0 {
		s.pos++
		return rune(meanings[i]), nil
	}
	return 0, s.fail(`one of "\/bfnrtu`)
}

// unicode reads uXXXX, or two of them that form a surrogate pair.
func (s *scanner) unicode() (rune, error) {
	start := s.pos
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if strings.HasPrefix(s.text[s.pos:], `\u`) {
		s.pos++
		low, err := s.hex4()
		if err != nil {
			return 0, err
		}
		if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
			return full, nil
		}
	}
	s.pos = start
	return 0, s.fail("a pair of surrogates")
}

func (s *scanner) hex4() (rune, error) {
	s.pos++
	var r rune
	for range 4 {
		d, ok := unhex(s.peek())
		if !ok {
			return 0, s.fail("a hexadecimal digit")
		}
		r = r<<4 | rune(d)
		s.pos++
	}
	return r, nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
