package flexbuffers

import (
	"errors"
	"fmt"
	"strconv"
)

var (
	// ErrMalformed is the kind of every error about bytes that are not a
	// FlexBuffers document, or one that asks for more work than its size
	// justifies. The error is a *MalformedError.
	ErrMalformed = errors.New("malformed flexbuffer")

	// ErrTooLarge is returned by Inflate when the result exceeds the limit.
	ErrTooLarge = errors.New("payload too large")
)

// A MalformedError says what is wrong with a document and where.
type MalformedError struct {
	Offset int    // byte of the document at which reading stopped
	Reason string // what is wrong there
}

// Error returns the reason with its place.
func (e *MalformedError) Error() string {
	return fmt.Sprintf("%v at byte %d: %s", ErrMalformed, e.Offset, e.Reason)
}

// Unwrap returns ErrMalformed.
func (e *MalformedError) Unwrap() error { return ErrMalformed }

func malformed(offset int, reason string) error {
	return &MalformedError{Offset: offset, Reason: reason}
}

// A FieldError says where inside a value Marshal or Unmarshal stopped, and why:
// "proposal.creation_ts: want string, found int".
type FieldError struct {
	Path string // keys joined by dots, elements as [3]
	Err  error  // what is wrong there
}

// Error returns the path and the cause.
func (e *FieldError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Err }

// within puts a step in front of the path of err. The path is built from the
// inside out while the error travels up, so that success costs nothing.
func within(step string, err error) error {
	e, ok := err.(*FieldError)
	if !ok {
		return &FieldError{Path: step, Err: err}
	}
	if e.Path[0] != '[' {
		step += "."
	}
	e.Path = step + e.Path
	return e
}

func withinElement(i int, err error) error {
	return within("["+strconv.Itoa(i)+"]", err)
}

// withinKey is within for a key that the sender chose: it is cut and quoted, so
// that it cannot flood or forge a log line.
func withinKey(key string, err error) error {
	const most = 48
	if len(key) > most {
		key = key[:most] + "…"
	}
	return within("["+strconv.Quote(key)+"]", err)
}

func mismatch(want string, found Value) error {
	return fmt.Errorf("want %s, found %s", want, found.Kind())
}
