package flexbuffers

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// Upstream writes times with as many groups of three decimals as needed.
const (
	layoutSeconds = "2006-01-02T15:04:05"
	layoutMillis  = "2006-01-02T15:04:05.000"
	layoutMicros  = "2006-01-02T15:04:05.000000"
	layoutNanos   = "2006-01-02T15:04:05.000000000"
)

var errYear = errors.New("year outside 0 to 9999")

// timeCodec returns the codec of time.Time: chrono's DateTime<Utc>, or its
// NaiveDateTime, which has no zone and means UTC. Both forms are read.
func timeCodec(how manner) codec {
	zone := "Z"
	if how&asNaive != 0 {
		zone = ""
	}
	return codec{
		func(w *writer, v reflect.Value) error {
			t := v.Interface().(time.Time).UTC()
			if t.Year() < 0 || t.Year() > 9999 {
				return errYear
			}
			return w.string(t.Format(timeLayout(t)) + zone)
		},
		decodeTime,
	}
}

func timeLayout(t time.Time) string {
	switch ns := t.Nanosecond(); {
	case ns == 0:
		return layoutSeconds
	case ns%1e6 == 0:
		return layoutMillis
	case ns%1e3 == 0:
		return layoutMicros
	}
	return layoutNanos
}

func decodeTime(v Value, into reflect.Value) error {
	text, err := v.Text()
	if err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.Parse(layoutSeconds, text)
	}
	if err != nil {
		return fmt.Errorf("want time, found %.40q", text)
	}
	into.Set(reflect.ValueOf(t.UTC()))
	return nil
}

// duration is the shape of Rust's Duration.
type duration struct {
	Secs  uint64 `flex:"secs"`
	Nanos uint32 `flex:"nanos"`
}

func encodeDuration(w *writer, v reflect.Value) error {
	d := v.Int()
	if d < 0 {
		return errors.New("negative duration")
	}
	x := duration{Secs: uint64(d / 1e9), Nanos: uint32(d % 1e9)}
	return encodeOther(w, x)
}

func decodeDuration(v Value, into reflect.Value) error {
	var x duration
	if err := decodeInto(v, &x); err != nil {
		return err
	}
	const most = math.MaxInt64 / 1_000_000_000
	if x.Secs >= most || x.Nanos >= 1e9 {
		return fmt.Errorf("duration of %d s is out of range", x.Secs)
	}
	into.SetInt(int64(x.Secs)*1e9 + int64(x.Nanos))
	return nil
}
