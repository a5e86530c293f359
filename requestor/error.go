package requestor

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/golem-go/golem"
)

// ExitError says that a program has run and not succeeded.
type ExitError struct {
	Code    int    // of the program; -1 where a signal or a limit ended it
	Message string // of the ExeUnit
}

// Error returns the code and, where that says more, the ExeUnit's message.
func (e *ExitError) Error() string {
	if e.Code < 0 && e.Message != "" {
		return "the program was stopped: " + e.Message
	}
	return fmt.Sprintf("the program exited with code %d", e.Code)
}

// ProviderError says that a rental has failed for a reason that lies with its
// Provider, or on the way there: another one may do better. [Each] tries one.
type ProviderError struct {
	Provider golem.NodeID
	Name     string
	Err      error
}

// Error returns the error with the Provider's name.
func (e *ProviderError) Error() string {
	return "provider " + nameOf(e.Name, e.Provider) + ": " + e.Err.Error()
}

// Unwrap returns the error.
func (e *ProviderError) Unwrap() error { return e.Err }

// Elsewhere marks err, returned by a task of [Each], as the Provider's fault: a
// result that is wrong, for example. The task is bought from another Provider,
// and this one is not paid beyond what is accepted already.
func Elsewhere(err error) error { return &elsewhereError{err} }

type elsewhereError struct{ error }

func (e *elsewhereError) Unwrap() error { return e.error }

// blamed reports whether err is a Provider's fault.
func blamed(err error) bool {
	_, marked := errors.AsType[*elsewhereError](err)
	_, lost := errors.AsType[*ProviderError](err)
	return marked || lost
}

// NoProviderError says why nobody could be rented from. It is ErrUnavailable.
type NoProviderError struct {
	Offers  []Candidate   // all that are known, each with the Reason against it
	Lowest  golem.Amount  // the lowest estimate of those that are too expensive; zero: none is
	Allowed golem.Amount  // the most a rental may cost
	Timeout time.Duration // of the Order, which estimates are for
	Waited  time.Duration
	Token   string // that amounts are in
}

// Unwrap returns the kind.
func (e *NoProviderError) Unwrap() error { return golem.ErrUnavailable }

// Error says what to do.
func (e *NoProviderError) Error() string {
	switch {
	case len(e.Offers) == 0:
		return fmt.Sprintf("no provider: the node has known of no offer for %v; see that it is connected (golem status) and that somebody sells (golem offers)", e.Waited)
	case !e.Lowest.IsZero():
		return fmt.Sprintf("no provider: the cheapest could cost %s %s in %v, and %s is allowed; allow a higher price, or ask for less time%s",
			e.Lowest, e.Token, e.Timeout, e.Allowed, e.list(isNotPrice))
	}
	return fmt.Sprintf("no provider for %v%s", e.Waited, e.list(func(*Candidate) bool { return true }))
}

func isNotPrice(c *Candidate) bool { return !c.expensive }

// list returns the reasons against some offers.
func (e *NoProviderError) list(selected func(*Candidate) bool) string {
	const most = 5
	var text strings.Builder
	n := 0
	for i := range e.Offers {
		c := &e.Offers[i]
		if !selected(c) {
			continue
		}
		if n++; n <= most {
			text.WriteString("; " + nameOf(c.Name, c.Provider) + ": " + c.Reason)
		}
	}
	if n > most {
		fmt.Fprintf(&text, "; and %d more", n-most)
	}
	return text.String()
}

// nameOf returns what a person knows a Provider by.
func nameOf(name string, id golem.NodeID) string {
	if name == "" {
		return id.String()
	}
	return name + " (" + id.String()[:10] + "…)"
}

// clip shortens foreign text and makes it one line without effect on terminals.
func clip(s string) string {
	const most = 200
	more := ""
	if len(s) > most {
		s, more = s[:most], "…"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, strings.ToValidUTF8(s, "")) + more
}
