package property

import (
	"cmp"
	"strconv"
	"strings"
)

// A version is a semantic version (semver.org 2.0.0) without its build
// metadata, which does not take part in comparisons.
type version struct {
	major, minor, patch uint64
	pre                 string // dot-separated identifiers, "" for a release
}

// parseVersion allocates nothing. Leading zeros, missing parts and a leading v
// are refused, as upstream refuses them.
func parseVersion(text string) (v version, ok bool) {
	if text == "" || !isDigit(text[0]) {
		return v, false
	}
	core, build, hasBuild := strings.Cut(text, "+")
	if hasBuild && !identifiers(build, false) {
		return v, false
	}
	core, pre, hasPre := strings.Cut(core, "-")
	if hasPre && !identifiers(pre, true) {
		return v, false
	}
	v.pre = pre
	major, rest, _ := strings.Cut(core, ".")
	minor, patch, _ := strings.Cut(rest, ".")
	return v, numeral(major, &v.major) && numeral(minor, &v.minor) && numeral(patch, &v.patch)
}

// numeral reads digits without leading zeros. It checks them first, because a
// failing strconv call allocates.
func numeral(text string, n *uint64) bool {
	if !numeric(text) || len(text) > 20 || len(text) > 1 && text[0] == '0' {
		return false
	}
	var err error
	*n, err = strconv.ParseUint(text, 10, 64)
	return err == nil
}

func numeric(text string) bool {
	for i := range len(text) {
		if !isDigit(text[i]) {
			return false
		}
	}
	return text != ""
}

// identifiers checks a dot-separated list of them. Numeric ones in a
// pre-release have no leading zeros.
func identifiers(list string, release bool) bool {
	for more := true; more; {
		var id string
		id, list, more = strings.Cut(list, ".")
		if id == "" || release && len(id) > 1 && id[0] == '0' && numeric(id) {
			return false
		}
		for i := range len(id) {
			c := id[i]
			if !isDigit(c) && c != '-' && (c|0x20 < 'a' || 'z' < c|0x20) {
				return false
			}
		}
	}
	return true
}

func (v version) compare(w version) int {
	return cmp.Or(
		cmp.Compare(v.major, w.major),
		cmp.Compare(v.minor, w.minor),
		cmp.Compare(v.patch, w.patch),
		comparePre(v.pre, w.pre),
	)
}

// comparePre orders pre-releases before their release, fewer identifiers
// before more, and numbers before words.
func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		if c := compareIdentifier(x, y); c != 0 {
			return c
		}
		if !moreA || !moreB {
			return cmp.Compare(len(a), len(b))
		}
		a, b = restA, restB
	}
}

func compareIdentifier(x, y string) int {
	switch nx, ny := numeric(x), numeric(y); {
	case nx && ny:
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
	case nx:
		return -1
	case ny:
		return 1
	}
	return cmp.Compare(x, y)
}
