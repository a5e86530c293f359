package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/golem-go/golem/requestor"
)

// teller tells a person at a terminal what is going on, on one line that is
// replaced, and nobody else. What a program prints goes around that line.
type teller struct {
	w  io.Writer
	on bool

	mu    sync.Mutex
	shown bool // the line
	open  bool // the last line of the program, which is not to be erased
}

func newTeller(a *app, quiet bool) *teller {
	return &teller{w: a.stderr, on: !quiet && isTerminal(a.stderr)}
}

// progress replaces the line.
func (t *teller) progress(p requestor.Progress) {
	if !t.on {
		return
	}
	text := p.Text
	if p.Provider != "" {
		text = p.Provider + ": " + text
	}
	if p.Total > 0 {
		text += fmt.Sprintf(" %.0f %%", 100*float64(p.Done)/float64(p.Total))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open {
		fmt.Fprintln(t.w)
		t.open = false
	}
	fmt.Fprintf(t.w, "\r\x1b[K%s", cut(oneLine(text), width(t.w)-1))
	t.shown = true
}

// clear removes the line.
func (t *teller) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.erase()
}

// erase is called with mu held.
func (t *teller) erase() {
	if t.shown {
		fmt.Fprint(t.w, "\r\x1b[K")
		t.shown = false
	}
}

// line leaves a line behind.
func (t *teller) line(format string, args ...any) {
	if !t.on {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.erase()
	if t.open {
		fmt.Fprintln(t.w)
		t.open = false
	}
	fmt.Fprintln(t.w, oneLine(fmt.Sprintf(format, args...)))
}

// beside returns a writer for what a program prints to w. Where that is the
// terminal of the line, the line makes room.
func (t *teller) beside(w io.Writer) io.Writer {
	if !t.on || !isTerminal(w) {
		return w
	}
	return &besideLine{t, w}
}

// besideLine writes to the terminal that shows the line of a teller.
type besideLine struct {
	t *teller
	w io.Writer
}

// Write implements [io.Writer].
func (b *besideLine) Write(p []byte) (int, error) {
	b.t.mu.Lock()
	defer b.t.mu.Unlock()
	b.t.erase()
	if len(p) > 0 {
		b.t.open = !bytes.HasSuffix(p, []byte("\n"))
	}
	return b.w.Write(p)
}

// width returns how many characters a line of a terminal has: 80 where that
// cannot be known.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 1 {
			return columns
		}
	}
	return 80
}

// cut shortens s to most characters.
func cut(s string, most int) string {
	if rs := []rune(s); len(rs) > most {
		return string(rs[:most-1]) + "…"
	}
	return s
}
