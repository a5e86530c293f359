package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// show prints v: as JSON where that is asked for, by human otherwise.
func (a *app) show(v any, human func(w io.Writer)) error {
	if a.json {
		return a.printJSON(v)
	}
	var text strings.Builder
	human(&text)
	_, err := io.WriteString(a.stdout, printable(text.String()))
	return err
}

// printJSON prints one JSON document, indented for a person to read too.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printLine prints one JSON document on one line, for programs that wait for it.
func (a *app) printLine(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// rows prints a table. Columns named in right are aligned to the right.
func rows(w io.Writer, header []any, lines [][]any, right ...string) {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Format.Header = text.FormatDefault
	t.Style().Box.PaddingLeft, t.Style().Box.PaddingRight = "", "  "
	t.AppendHeader(header)
	for _, l := range lines {
		row := make([]any, len(l))
		for i, cell := range l {
			row[i] = oneLine(fmt.Sprint(cell))
		}
		t.AppendRow(row)
	}
	var configs []table.ColumnConfig
	for _, name := range right {
		configs = append(configs, table.ColumnConfig{Name: name, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	for line := range strings.Lines(t.Render() + "\n") {
		io.WriteString(w, strings.TrimRight(line, " \n")+"\n")
	}
}

// printable returns s without the characters that make terminals do something:
// much of what is printed was written by others. Line breaks stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return -1
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// oneLine is printable, without line breaks.
func oneLine(s string) string { return strings.ReplaceAll(printable(s), "\n", " ") }

// short returns the beginning of an id, enough to tell it from its neighbours.
func short[T ~string](id T) string {
	const n = 12
	if len(id) <= n {
		return string(id)
	}
	return string(id[:n]) + "…"
}

// ago says how long ago t was.
func ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "never"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}
