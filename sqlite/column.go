package sqlite

import (
	"database/sql/driver"
	"encoding"
	"fmt"
	"time"
)

// timeLayout has a fixed width, so that the order of texts is that of times.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// at writes a time as text, the zero time as NULL.
func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(timeLayout)
}

// column scans a value that has a text form into *T. NULL leaves it as it is.
type column struct{ dst any }

// into returns a destination for Scan that understands times and everything
// that implements encoding.TextUnmarshaler.
func into(dst any) column { return column{dst} }

// Scan implements sql.Scanner.
func (c column) Scan(src any) error {
	if src == nil {
		return nil
	}
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("column is %T, want text", src)
	}
	switch dst := c.dst.(type) {
	case *time.Time:
		t, err := time.Parse(timeLayout, text)
		*dst = t
		return err
	case encoding.TextUnmarshaler:
		return dst.UnmarshalText([]byte(text))
	}
	return fmt.Errorf("column of type %T has no text form", c.dst)
}

// text writes a value that has a text form.
type text struct{ src encoding.TextMarshaler }

// Value implements driver.Valuer.
func (t text) Value() (driver.Value, error) {
	b, err := t.src.MarshalText()
	return string(b), err
}

// orNull writes the zero value of a string as NULL.
func orNull[T ~string](s T) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// nullable scans a column that may be NULL; NULL leaves *T at its zero value.
type nullable[T ~string] struct{ dst *T }

// Scan implements sql.Scanner.
func (n nullable[T]) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		*n.dst = T(v)
		return nil
	}
	return fmt.Errorf("column is %T, want text", src)
}
