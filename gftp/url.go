package gftp

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/golem-go/golem"
)

// Scheme is the scheme of a [URL].
const Scheme = "gftp"

// URL names a file or an upload slot of a node.
type URL struct {
	Node golem.NodeID
	Name string // hash of a file, or the random name of a slot
}

// ParseURL parses "gftp://<node id>/<name>".
func ParseURL(s string) (URL, error) {
	rest, ok := cutScheme(s)
	node, name, found := strings.Cut(rest, "/")
	if !ok || !found || !validName(name) {
		return URL{}, golem.Errorf(golem.ErrInvalid, "file url %q: want gftp://<node id>/<name>", clip(s))
	}
	id, err := golem.ParseNodeID(node)
	if err != nil {
		return URL{}, golem.Errorf(golem.ErrInvalid, "file url %q: %w", clip(s), err)
	}
	return URL{id, name}, nil
}

// String returns the form of [ParseURL].
func (u URL) String() string { return Scheme + "://" + u.Node.String() + "/" + u.Name }

// saltMark separates the hash of a file from what makes its name unique.
const saltMark = "-"

// salt returns what makes a name unique.
func salt() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Hash returns the SHA3-256 of the file, if the name begins with one.
func (u URL) Hash() (sum [32]byte, ok bool) {
	hash, _, _ := strings.Cut(u.Name, saltMark)
	if len(hash) != 2*len(sum) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(hash))
	return sum, err == nil
}

func cutScheme(s string) (rest string, ok bool) {
	const prefix = Scheme + "://"
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// validName accepts what upstream and its SDKs use as names (hex, alphanumerics,
// UUIDs) and nothing that could reach another bus address.
func validName(name string) bool {
	for _, c := range []byte(name) {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-', c == '_':
		default:
			return false
		}
	}
	return name != "" && len(name) <= 128
}

// slotName returns 65 random alphanumerics, the form upstream gives to slots.
func slotName() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var name [65]byte
	for i := 0; i < len(name); {
		var b [128]byte
		rand.Read(b[:])
		for _, c := range b {
			// Bytes from 248 on would favour the first letters.
			if int(c) < 256/len(letters)*len(letters) && i < len(name) {
				name[i] = letters[int(c)%len(letters)]
				i++
			}
		}
	}
	return string(name[:])
}

// clip shortens foreign text for use in an error.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
