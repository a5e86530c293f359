package property

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on foreign text. They bound time and memory, not taste: real property
// sets and constraints stay two orders of magnitude below them.
const (
	// MaxText is the longest property text accepted, in bytes, nested or flat.
	MaxText = 256 << 10
	// MaxValues is the largest number of JSON values in one property text.
	MaxValues = 4096
	// MaxDepth is the deepest nesting of JSON and of constraints.
	MaxDepth = 64
	// MaxConstraint is the longest constraint accepted, in bytes.
	MaxConstraint = 64 << 10
	// MaxClauses is the largest number of clauses and list items in one
	// constraint.
	MaxClauses = 2048
	// MaxWildcards is the longest total of wildcard values in one constraint,
	// in bytes, and the largest size of the expressions made from them.
	MaxWildcards = 4096
	// MaxSubject is the longest string a wildcard is tried on, in bytes; longer
	// strings fit no wildcard.
	MaxSubject = 4096
)

// SyntaxError says where a text stops being what it should be, and what would
// have been right there. Callers treat it as invalid input.
type SyntaxError struct {
	Subject  string // what was read: "constraint", "properties", "literal"
	Offset   int    // in bytes, from 0
	Line     int    // from 1
	Column   int    // in characters, from 1
	Expected string
	Found    string
}

// Error describes the error in one line.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s: line %d, column %d: expected %s, found %s", e.Subject, e.Line, e.Column, e.Expected, e.Found)
}

// LimitError says that a text is too large to be handled safely. Callers treat
// it as invalid input.
type LimitError struct {
	Subject string // what was read
	What    string // what there is too much of, in the plural
	Limit   int
	Offset  int // where the limit was passed, in bytes
}

// Error describes the error in one line.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: more than %d %s (at byte %d)", e.Subject, e.Limit, e.What, e.Offset)
}

func newSyntaxError(subject, text string, offset int, expected string) *SyntaxError {
	line, column := position(text, offset)
	return &SyntaxError{
		Subject:  subject,
		Offset:   offset,
		Line:     line,
		Column:   column,
		Expected: expected,
		Found:    found(text, offset),
	}
}

func position(text string, offset int) (line, column int) {
	before := text[:offset]
	line = 1 + strings.Count(before, "\n")
	column = 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return line, column
}

func found(text string, offset int) string {
	if offset >= len(text) {
		return "the end"
	}
	r, size := utf8.DecodeRuneInString(text[offset:])
	if r == utf8.RuneError && size == 1 {
		return fmt.Sprintf("byte 0x%02x", text[offset])
	}
	return strconv.Quote(string(r))
}

// invalidUTF8 returns the offset of the first byte that is not part of UTF-8
// text, or -1.
func invalidUTF8(text string) int {
	if utf8.ValidString(text) {
		return -1
	}
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

// shorten makes of a foreign text what a terminal may show in one line.
func shorten(text string) string {
	const most = 160
	short := text
	if len(text) > most {
		cut := most
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		short = text[:cut] + "…"
	}
	return strings.Map(printable, short)
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return utf8.RuneError
}
