package router

import (
	"bufio"
	"encoding/binary"
	"io"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/router/gsbpb"
)

const (
	headerSize = 4
	// maxFrame is the longest packet that is read or written: twice the longest
	// body, so that what others wrap around theirs does not matter.
	maxFrame = 16 << 20
	// readStep is how much is read of a frame at a time. Memory is given for what
	// has arrived, not for what a header promises.
	readStep = 256 << 10
	// keepBuffer is the size up to which buffers are kept for the next frame.
	keepBuffer = 256 << 10
)

// readFrame reads one frame and returns its content, in buf where it fits.
func readFrame(r *bufio.Reader, buf []byte) ([]byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return buf, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if size > maxFrame {
		return buf, golem.Errorf(golem.ErrTooLarge, "frame of %d bytes, at most %d", size, maxFrame)
	}
	buf = buf[:0]
	for rest := int(size); rest > 0; {
		step := min(rest, readStep)
		buf = slices.Grow(buf, step)
		n, err := io.ReadFull(r, buf[len(buf):len(buf)+step])
		if err != nil {
			return buf, noEOF(err)
		}
		buf, rest = buf[:len(buf)+n], rest-n
	}
	return buf, nil
}

// noEOF tells the end of a stream inside a frame from one between frames.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readPacket reads one packet. The buffer is reused; the packet has its own memory.
func readPacket(r *bufio.Reader, buf []byte) (*gsbpb.Packet, []byte, error) {
	buf, err := readFrame(r, buf)
	if err != nil {
		return nil, buf, err
	}
	p := new(gsbpb.Packet)
	if err := proto.Unmarshal(buf, p); err != nil {
		return nil, buf, golem.Errorf(golem.ErrInvalid, "packet: %w", err)
	}
	if cap(buf) > keepBuffer {
		buf = nil
	}
	return p, buf, nil
}

// appendFrame appends p as a frame.
func appendFrame(buf []byte, p *gsbpb.Packet) ([]byte, error) {
	at := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	buf, err := proto.MarshalOptions{}.MarshalAppend(buf, p)
	if err != nil {
		return buf[:at], golem.Errorf(golem.ErrInvalid, "packet: %w", err)
	}
	size := len(buf) - at - headerSize
	if size > maxFrame {
		return buf[:at], golem.Errorf(golem.ErrTooLarge, "packet of %d bytes, at most %d", size, maxFrame)
	}
	binary.BigEndian.PutUint32(buf[at:], uint32(size))
	return buf, nil
}
