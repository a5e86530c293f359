package flexbuffers

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"
)

// deflateLevel is the one upstream uses.
const deflateLevel = 6

var (
	deflaters = sync.Pool{New: func() any {
		z, _ := zlib.NewWriterLevel(nil, deflateLevel)
		return z
	}}
	inflaters sync.Pool // of io.ReadCloser with zlib.Resetter
)

// Deflate returns data as a zlib stream (RFC 1950). Upstream's node does this to
// every payload; any receiver accepts payloads with and without.
func Deflate(data []byte) []byte {
	var out bytes.Buffer
	z := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(z)
	z.Reset(&out)
	// A Buffer takes everything: neither call can fail.
	_, _ = z.Write(data)
	_ = z.Close()
	return out.Bytes()
}

// Inflate undoes Deflate. What is not a zlib stream is returned as it is, since
// a payload does not say whether it was compressed. A payload of more than limit
// bytes, compressed or not, is ErrTooLarge.
func Inflate(data []byte, limit int) ([]byte, error) {
	plain, err := inflate(data, limit)
	if errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	if err == nil {
		return plain, nil
	}
	if len(data) > limit {
		return nil, tooLarge(limit)
	}
	return data, nil
}

func tooLarge(limit int) error {
	return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
}

func inflate(data []byte, limit int) ([]byte, error) {
	z, err := inflater(data)
	if err != nil {
		return nil, err
	}
	defer inflaters.Put(z)
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(z, int64(limit)+1))
	if err == nil && n > int64(limit) {
		err = tooLarge(limit)
	}
	return out.Bytes(), err
}

// inflater returns a reader of the zlib stream in data, if it begins like one.
func inflater(data []byte) (io.ReadCloser, error) {
	if len(data) < 2 || data[0]&15 != 8 || (uint(data[0])<<8|uint(data[1]))%31 != 0 {
		return nil, zlib.ErrHeader
	}
	if z, ok := inflaters.Get().(io.ReadCloser); ok {
		return z, z.(zlib.Resetter).Reset(bytes.NewReader(data), nil)
	}
	return zlib.NewReader(bytes.NewReader(data))
}
