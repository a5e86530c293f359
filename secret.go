package golem

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text nobody may read over a shoulder or in a log: a password, a
// private key, an app-key. Whatever prints it prints three stars. Its JSON form
// is the text, because it has to travel.
type Secret string

const stars = "***"

// Reveal returns the text. Each use is a place to look at in a review.
func (s Secret) Reveal() string { return string(s) }

// String returns three stars.
func (s Secret) String() string { return stars }

// Format prints three stars for every verb, also the ones that print bytes.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, stars) }

// LogValue keeps the text out of structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(stars) }
