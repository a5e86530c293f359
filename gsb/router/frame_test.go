package router

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/router/gsbpb"
)

// The bytes are written by hand from the table of spec net.md §1.2.
var packets = []struct {
	name   string
	packet *gsbpb.Packet
	hex    string
}{
	{"hello", &gsbpb.Packet{Packet: &gsbpb.Packet_Hello{Hello: &gsbpb.Hello{Name: "a", Version: "1.0.0", InstanceId: []byte{1, 2}}}},
		"00000010" + "0a0e" + "0a0161" + "1205312e302e30" + "1a020102"},
	{"register", &gsbpb.Packet{Packet: &gsbpb.Packet_RegisterRequest{RegisterRequest: &gsbpb.RegisterRequest{ServiceId: "/x"}}},
		"00000006" + "1204" + "0a022f78"},
	{"conflict", &gsbpb.Packet{Packet: &gsbpb.Packet_RegisterReply{RegisterReply: &gsbpb.RegisterReply{Code: 409, Message: "m"}}},
		"00000008" + "1a06" + "089903" + "12016d"},
	{"not registered", &gsbpb.Packet{Packet: &gsbpb.Packet_UnregisterReply{UnregisterReply: &gsbpb.UnregisterReply{Code: 404}}},
		"00000005" + "2a03" + "089403"},
	{"call", &gsbpb.Packet{Packet: &gsbpb.Packet_CallRequest{CallRequest: &gsbpb.CallRequest{Caller: "c", Address: "/a", RequestId: "7", Data: []byte{9}, NoReply: true}}},
		"00000011" + "320f" + "0a0163" + "12022f61" + "1a0137" + "220109" + "2801"},
	{"partial reply", &gsbpb.Packet{Packet: &gsbpb.Packet_CallReply{CallReply: &gsbpb.CallReply{RequestId: "7", ReplyType: 1, Data: []byte{9}}}},
		"0000000a" + "3a08" + "0a0137" + "1801" + "220109"},
	{"failure", &gsbpb.Packet{Packet: &gsbpb.Packet_CallReply{CallReply: &gsbpb.CallReply{RequestId: "7", Code: 500, Data: []byte("e")}}},
		"0000000b" + "3a09" + "0a0137" + "10f403" + "220165"},
	{"broadcast", &gsbpb.Packet{Packet: &gsbpb.Packet_BroadcastRequest{BroadcastRequest: &gsbpb.BroadcastRequest{Caller: "c", Data: []byte{9}, Topic: "t"}}},
		"0000000b" + "6209" + "0a0163" + "120109" + "1a0174"},
	{"ping", &gsbpb.Packet{Packet: &gsbpb.Packet_Ping{Ping: &gsbpb.Ping{}}}, "00000002" + "7200"},
	{"pong", &gsbpb.Packet{Packet: &gsbpb.Packet_Pong{Pong: &gsbpb.Pong{}}}, "00000002" + "7a00"},
	{"nothing", &gsbpb.Packet{}, "00000000"},
}

func TestFrame(t *testing.T) {
	for _, tt := range packets {
		t.Run(tt.name, func(t *testing.T) {
			frame, err := appendFrame(nil, tt.packet)
			if err != nil || hex.EncodeToString(frame) != tt.hex {
				t.Fatalf("encoded: %x, %v, want %s", frame, err, tt.hex)
			}
			got, _, err := readPacket(bufio.NewReader(bytes.NewReader(frame)), nil)
			if err != nil || !proto.Equal(got, tt.packet) {
				t.Fatalf("decoded: %v, %v, want %v", got, err, tt.packet)
			}
		})
	}
}

func TestReadFrame(t *testing.T) {
	long := append([]byte{0, 0x10, 0, 0}, make([]byte, 1<<20)...)
	tests := []struct {
		name string
		in   []byte
		size int
		err  error
	}{
		{"end", nil, 0, io.EOF},
		{"inside the header", []byte{0, 0}, 0, io.ErrUnexpectedEOF},
		{"inside the content", []byte{0, 0, 0, 2, 1}, 0, io.ErrUnexpectedEOF},
		{"before the content", []byte{0, 0, 0, 2}, 0, io.ErrUnexpectedEOF},
		{"too long", []byte{1, 0, 0, 1}, 0, golem.ErrTooLarge},
		{"promised and not sent", []byte{1, 0, 0, 0, 5}, 0, io.ErrUnexpectedEOF},
		{"empty", []byte{0, 0, 0, 0}, 0, nil},
		{"long", long, 1 << 20, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frame, err := readFrame(bufio.NewReader(bytes.NewReader(tt.in)), nil)
			if !errors.Is(err, tt.err) || err == nil && len(frame) != tt.size {
				t.Fatalf("got %d bytes, %v, want %d, %v", len(frame), err, tt.size, tt.err)
			}
			if cap(frame) > max(4*tt.size, 2*readStep) {
				t.Fatalf("%d bytes of memory for a frame of %d", cap(frame), tt.size)
			}
		})
	}
}

func TestAppendFrameTooLong(t *testing.T) {
	p := &gsbpb.Packet{Packet: &gsbpb.Packet_CallReply{CallReply: &gsbpb.CallReply{Data: make([]byte, maxFrame)}}}
	if buf, err := appendFrame([]byte("kept"), p); !errors.Is(err, golem.ErrTooLarge) || string(buf) != "kept" {
		t.Fatalf("got %q, %v", buf[:4], err)
	}
}

// FuzzReadPacket reads a stream of frames as a connection does. What is read can
// be written and read again.
func FuzzReadPacket(f *testing.F) {
	var all []byte
	for _, tt := range packets {
		frame, _ := hex.DecodeString(tt.hex)
		f.Add(frame)
		all = append(all, frame...)
	}
	f.Add(all)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReader(bytes.NewReader(stream))
		var buf []byte
		for {
			p, rest, err := readPacket(r, buf)
			if err != nil {
				return
			}
			buf = rest
			frame, err := appendFrame(nil, p)
			if err != nil {
				t.Fatalf("%v cannot be written: %v", p, err)
			}
			again, _, err := readPacket(bufio.NewReader(bytes.NewReader(frame)), nil)
			if err != nil || !proto.Equal(p, again) {
				t.Fatalf("%v became %v, %v", p, again, err)
			}
			if size(p) < 0 {
				t.Fatal("negative size")
			}
		}
	})
}
