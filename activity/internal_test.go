package activity

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
)

func TestAdvance(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := map[string]struct {
		was, report, want []float64
		err               golem.Kind
	}{
		"first":           {nil, []float64{1, 0}, []float64{1, 0}, ""},
		"first is absurd": {nil, []float64{nan, -1, inf}, []float64{0, 0, 0}, ""},
		"more":            {[]float64{1, 2}, []float64{2, 3}, []float64{2, 3}, ""},
		"one less":        {[]float64{1, 2}, []float64{2, 1}, []float64{2, 2}, ""},
		"absurd":          {[]float64{1, 2, 3}, []float64{nan, inf, -inf}, []float64{1, 2, 3}, ""},
		"none":            {[]float64{1, 2}, nil, []float64{1, 2}, ""},
		"fewer":           {[]float64{1, 2}, []float64{5}, []float64{1, 2}, golem.ErrInvalid},
		"too many":        {nil, make([]float64, 257), nil, golem.ErrInvalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			was := golem.Usage{Current: tt.was, Timestamp: 10}
			got, err := advance(was, golem.Usage{Current: tt.report, Timestamp: 9})
			if golem.KindOf(err) != tt.err {
				t.Fatalf("got %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(golem.Usage{Current: tt.want, Timestamp: 10}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzAdvance checks that whatever an ExeUnit reports, no counter decreases and
// none becomes something that is no number.
func FuzzAdvance(f *testing.F) {
	f.Add(binary.LittleEndian.AppendUint64(nil, math.Float64bits(2.5)), 2)
	f.Add(binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN())), 1)
	f.Add(make([]byte, 80), 3)
	f.Fuzz(func(t *testing.T, data []byte, counters int) {
		counters = max(1, min(counters, 300))
		var u golem.Usage
		for len(data) >= 8 {
			var report []float64
			for range counters {
				if len(data) < 8 {
					break
				}
				report = append(report, math.Float64frombits(binary.LittleEndian.Uint64(data)))
				data = data[8:]
			}
			next, err := advance(u, golem.Usage{Current: report})
			if err != nil {
				if diff := cmp.Diff(u, next); diff != "" {
					t.Fatal(diff)
				}
				continue
			}
			for i, v := range next.Current {
				if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 || i < len(u.Current) && v < u.Current[i] {
					t.Fatalf("%v after %v", next.Current, u.Current)
				}
			}
			u = next
		}
	})
}

func TestJudge(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(secs int) time.Time { return begin.Add(time.Duration(secs) * time.Second) }
	limits := Limits{Unresponsive: 5 * time.Second, Inactive: 10 * time.Second, Start: time.Minute, Abandon: time.Minute}
	record := func(st golem.ActivityState, change func(*Record)) *Record {
		r := &Record{Reported: begin}
		r.Status.State.Current = st
		if change != nil {
			change(r)
		}
		return r
	}
	tests := map[string]struct {
		r       *Record
		started time.Time
		at      time.Time
		want    verdict
	}{
		"reporting":           {record(golem.ActivityReady, nil), begin, after(4), leave},
		"silent":              {record(golem.ActivityReady, nil), begin, after(5), lose},
		"silent, known":       {record(golem.ActivityReady, func(r *Record) { r.Lost = after(5) }), begin, after(9), leave},
		"silent for long":     {record(golem.ActivityReady, func(r *Record) { r.Lost = after(5) }), begin, after(10), stop},
		"to be stopped":       {record(golem.ActivityReady, func(r *Record) { r.Lost, r.Destroying = after(5), after(10) }), begin, after(69), leave},
		"not stopped":         {record(golem.ActivityReady, func(r *Record) { r.Destroying = after(10) }), begin, after(70), abandon},
		"not stopped, we off": {record(golem.ActivityReady, func(r *Record) { r.Destroying = after(10) }), after(60), after(62), leave},
		"we were off":         {record(golem.ActivityReady, nil), after(100), after(104), leave},
		"starting":            {record(golem.ActivityNew, nil), begin, after(59), leave},
		"not started":         {record(golem.ActivityNew, nil), begin, after(60), stop},
		"not started, known":  {record(golem.ActivityNew, func(r *Record) { r.Destroying = after(60) }), begin, after(61), leave},
		"ended":               {record(golem.ActivityTerminated, func(r *Record) { r.Destroying = begin }), begin, after(1000), leave},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := limits.judge(tt.r, tt.started, tt.at); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestClip(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("é", 4096), "\xff\xfe", strings.Repeat("x", 4095) + "é"} {
		if got := clip(s, maxText); len(got) > maxText || !utf8.ValidString(got) {
			t.Errorf("clip of %d bytes has %d", len(s), len(got))
		}
	}
}
