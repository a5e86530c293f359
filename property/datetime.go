package property

import (
	"cmp"
	"time"
)

// An instant is a moment in UTC. Unlike time.Time's methods its parser is as
// strict as RFC 3339 and allocates nothing.
type instant struct {
	seconds int64 // since 1970
	nanos   int32 // a leap second counts as nanos of a second and more
}

func (t instant) compare(u instant) int {
	return cmp.Or(cmp.Compare(t.seconds, u.seconds), cmp.Compare(t.nanos, u.nanos))
}

// parseInstant reads RFC 3339: date, time and zone are all required. Digits
// beyond nanoseconds are ignored.
func parseInstant(text string) (t instant, ok bool) {
	const layout = "0000-00-00T00:00:00"
	if len(text) <= len(layout) {
		return t, false
	}
	for i := range len(layout) {
		switch c := text[i]; layout[i] {
		case '0':
			ok = isDigit(c)
		case 'T':
			ok = c == 'T' || c == 't'
		default:
			ok = c == layout[i]
		}
		if !ok {
			return t, false
		}
	}
	t, ok = civil(text)
	if !ok {
		return t, false
	}
	nanos, zone, ok := fraction(text[len(layout):])
	if !ok {
		return t, false
	}
	offset, ok := zoneOffset(zone)
	t.nanos += nanos
	t.seconds -= offset
	return t, ok
}

// civil reads the date and the time of day, both already known to be digits.
func civil(text string) (instant, bool) {
	year := two(text[0:])*100 + two(text[2:])
	month, day := two(text[5:]), two(text[8:])
	hour, minute, second := two(text[11:]), two(text[14:]), two(text[17:])
	var leap int32
	if second == 60 {
		second, leap = 59, 1e9
	}
	if month < 1 || 12 < month || hour > 23 || minute > 59 || second > 59 {
		return instant{}, false
	}
	date := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return instant{date.Unix(), leap}, date.Day() == day && day > 0
}

func two(text string) int { return int(text[0]-'0')*10 + int(text[1]-'0') }

// fraction reads an optional ".digits" and returns what follows.
func fraction(text string) (nanos int32, rest string, ok bool) {
	if text[0] != '.' {
		return 0, text, true
	}
	i, unit := 1, int32(1e8)
	for ; i < len(text) && isDigit(text[i]); i++ {
		nanos += int32(text[i]-'0') * unit
		unit /= 10
	}
	return nanos, text[i:], i > 1
}

// zoneOffset reads Z or ±hh:mm, in seconds.
func zoneOffset(text string) (int64, bool) {
	if text == "Z" || text == "z" {
		return 0, true
	}
	if len(text) != len("+00:00") || text[3] != ':' {
		return 0, false
	}
	for _, i := range [...]int{1, 2, 4, 5} {
		if !isDigit(text[i]) {
			return 0, false
		}
	}
	hours, minutes := two(text[1:]), two(text[4:])
	offset := int64(hours*60+minutes) * 60
	switch {
	case hours > 23 || minutes > 59:
		return 0, false
	case text[0] == '-':
		return -offset, true
	}
	return offset, text[0] == '+'
}
