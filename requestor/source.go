package requestor

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/golem-go/golem"
)

// Source is something that is copied to Providers: a file of this machine,
// bytes, or what is at a URL. The zero value is nothing.
type Source struct {
	path string
	data []byte
	url  string
}

// File is the file at path. It is read when somebody copies it, and must not
// change while it may be.
func File(path string) Source { return Source{path: path} }

// Bytes is a file of the given content, which must not be changed afterwards.
func Bytes(content []byte) Source {
	if content == nil {
		content = []byte{}
	}
	return Source{data: content}
}

// URL is a file on a web server, which Providers fetch from there, and the
// SHA3-224, -256, -384 or -512 it must have, in hex.
func URL(url, sha3 string) Source {
	return Source{url: "hash:sha3:" + strings.ToLower(sha3) + ":" + url}
}

func (s Source) isZero() bool { return s.path == "" && s.data == nil && s.url == "" }

// check returns what is wrong with the source of a URL.
func (s Source) check() error {
	if s.url == "" {
		return nil
	}
	digest, url, _ := strings.Cut(strings.TrimPrefix(s.url, "hash:sha3:"), ":")
	b, err := hex.DecodeString(digest)
	switch n := len(b); {
	case err != nil || n != 28 && n != 32 && n != 48 && n != 64:
		return golem.Errorf(golem.ErrInvalid, "source: %q is no SHA3 hash: want 56, 64, 96 or 128 hex digits", clip(digest))
	case !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://"):
		return golem.Errorf(golem.ErrInvalid, "source: %q: want a URL that begins with http:// or https://", clip(url))
	}
	return nil
}

// publish makes the source readable for Providers until the returned function
// is called, and returns the URL they find it at, with the hash it must have.
func (r *Requestor) publish(ctx context.Context, s Source) (url string, release func(), err error) {
	if err := s.check(); err != nil {
		return "", nil, err
	}
	if s.url != "" || s.isZero() {
		return s.url, func() {}, nil
	}
	files, err := r.publisher(ctx)
	if err != nil {
		return "", nil, err
	}
	u, err := files.PublishBytes(s.data)
	if s.path != "" {
		u, err = files.Publish(ctx, s.path)
	}
	if err != nil {
		return "", nil, err
	}
	sum, _ := u.Hash() // which the name of what is published begins with
	return "hash:sha3:" + hex.EncodeToString(sum[:]) + ":" + u.String(), func() { _ = files.Close(u) }, nil
}
