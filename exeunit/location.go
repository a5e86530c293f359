package exeunit

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"fmt"
	"hash"
	"net/url"
	"path"
	"strings"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gftp"
)

// Schemes of locations.
const (
	schemeContainer = "container"
	schemeFile      = "file"
)

// location is where a transfer reads from or writes to:
//
//	[hash:[//]<algorithm>:[0x]<hex>:]<url>
type location struct {
	text   string // without the hash, for messages
	scheme string // lower-case
	path   string // of container: absolute in the payload's view
	file   gftp.URL
	web    *url.URL // of http and https
	digest *digest  // nil for none
}

// digest is what content must hash to.
type digest struct {
	algorithm string
	sum       []byte
}

// parseLocation parses a location; scheme is the one it has if it names none.
func parseLocation(text, scheme string) (l location, err error) {
	rest := text
	if hasPrefixFold(text, "hash:") {
		if l.digest, rest, err = cutDigest(text[len("hash:"):]); err != nil {
			return l, golem.Errorf(golem.ErrInvalid, "location %q: %w", clip(text), err)
		}
	}
	if rest == "" || strings.ContainsRune(rest, 0) {
		return l, golem.Errorf(golem.ErrInvalid, "location %q: no url", clip(text))
	}
	l.text, l.scheme = clip(rest), scheme
	if s, after, ok := cutScheme(rest); ok {
		l.scheme, rest = s, after
	}
	if err = l.parseRest(rest); err != nil {
		return l, golem.Errorf(golem.ErrInvalid, "location %q: %w", clip(text), err)
	}
	return l, nil
}

// parseRest parses what follows the scheme.
func (l *location) parseRest(rest string) (err error) {
	switch l.scheme {
	case "http", "https":
		l.web, err = parseWeb(l.scheme, rest)
	case gftp.Scheme:
		l.file, err = gftp.ParseURL(gftp.Scheme + ":" + rest)
	case schemeContainer:
		l.path, err = containerPath(rest)
	}
	return err
}

// cutDigest parses "[//]<algorithm>:[0x]<hex>:<url>".
func cutDigest(s string) (*digest, string, error) {
	algorithm, rest, ok := strings.Cut(strings.TrimPrefix(s, "//"), ":")
	if !ok || algorithm == "" {
		return nil, "", fmt.Errorf("want hash:<algorithm>:<hex>:<url>")
	}
	text, rest, ok := strings.Cut(rest, ":")
	if hasPrefixFold(text, "0x") {
		text = text[2:]
	}
	sum, err := hex.DecodeString(text)
	if !ok || err != nil || len(sum) == 0 {
		return nil, "", fmt.Errorf("want hash:<algorithm>:<hex>:<url>")
	}
	return &digest{strings.ToLower(algorithm), sum}, rest, nil
}

// cutScheme splits a url that has a scheme.
func cutScheme(s string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(s, ":")
	if !ok || scheme == "" {
		return "", s, false
	}
	for i, c := range []byte(strings.ToLower(scheme)) {
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return "", s, false
		}
	}
	return strings.ToLower(scheme), rest, true
}

// parseWeb parses a web address, the slashes of which may be missing.
func parseWeb(scheme, rest string) (*url.URL, error) {
	u, err := url.Parse(scheme + "://" + strings.TrimLeft(rest, "/"))
	if err != nil {
		return nil, err
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("no host")
	}
	u.Fragment = ""
	return u, nil
}

// containerPath returns the path in the payload's view. It keeps double slashes,
// which mean that there is no such file.
func containerPath(rest string) (string, error) {
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		host, p, _ := strings.Cut(after, "/")
		if host != "" {
			return "", fmt.Errorf("a container path has no host")
		}
		rest = "/" + p
	}
	if decoded, err := url.PathUnescape(rest); err == nil {
		rest = decoded
	}
	if strings.ContainsRune(rest, 0) {
		return "", fmt.Errorf("path contains a zero byte")
	}
	for part := range strings.SplitSeq(rest, "/") {
		if part == ".." {
			return "", fmt.Errorf("a container path has no .. in it")
		}
	}
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	return rest, nil
}

// base returns the last element of the location's path, for names of files.
func (l *location) base() string {
	switch {
	case l.web != nil:
		return path.Base(l.web.Path)
	case l.scheme == gftp.Scheme:
		return l.file.Name
	}
	return path.Base(l.path)
}

// hasher returns the hash function of d, or ErrUnsupported.
func (d *digest) hasher() (hash.Hash, error) {
	if d.algorithm != "sha3" && d.algorithm != fmt.Sprintf("sha3-%d", 8*len(d.sum)) {
		return nil, golem.Errorf(golem.ErrUnsupported, "Unsupported digest: %s", clip(d.algorithm))
	}
	switch len(d.sum) {
	case 28:
		return sha3.New224(), nil
	case 32:
		return sha3.New256(), nil
	case 48:
		return sha3.New384(), nil
	case 64:
		return sha3.New512(), nil
	}
	return nil, golem.Errorf(golem.ErrUnsupported, "Unsupported digest: %s of %d bits", clip(d.algorithm), 8*len(d.sum))
}

// verify compares what content has hashed to.
func (d *digest) verify(h hash.Hash) error {
	if sum := h.Sum(nil); !bytes.Equal(sum, d.sum) {
		return golem.Errorf(golem.ErrInvalid,
			"Incorrect hash provided or downloaded image is corrupted: calculated hash %x differs from the expected one %x", sum, d.sum)
	}
	return nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
