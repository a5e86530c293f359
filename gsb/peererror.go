package gsb

import (
	"strings"

	"github.com/golem-go/golem"
)

// Heard returns what another node says as far as it is to be kept and shown: its
// first thousand bytes, as text.
func Heard(text string) string {
	const most = 1000
	return strings.ToValidUTF8(text[:min(len(text), most)], "?")
}

// PeerError returns the error for what a peer or a router said instead of a
// reply: ErrUnavailable with its text. It is ErrNoEndpoint where the text
// contains that one's, since such texts nest from hop to hop (spec net.md §1.3).
func PeerError(text string) error {
	text = Heard(text)
	switch {
	case text == "":
		return golem.Errorf(golem.ErrUnavailable, "refused without a reason")
	case text == ErrNoEndpoint.Error():
		return ErrNoEndpoint
	case strings.Contains(text, ErrNoEndpoint.Error()):
		return &nestedError{text}
	}
	return golem.Errorf(golem.ErrUnavailable, "%s", text)
}

// nestedError is ErrNoEndpoint in the words of those who passed it on.
type nestedError struct{ text string }

func (e *nestedError) Error() string { return e.text }
func (e *nestedError) Unwrap() error { return ErrNoEndpoint }
