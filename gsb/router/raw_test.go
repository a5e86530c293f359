package router_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/golem-go/golem/gsb/router/gsbpb"
)

// raw is the other end of a connection, spoken packet by packet: what upstream
// or somebody hostile would send.
type raw struct {
	t  testing.TB
	nc net.Conn
	in chan *gsbpb.Packet // closed with the connection
}

// newRaw reads packets from nc until the connection or the test ends.
func newRaw(t testing.TB, nc net.Conn) *raw {
	r := &raw{t, nc, make(chan *gsbpb.Packet, 1000)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(r.in)
		for {
			p, err := readRaw(nc)
			if err != nil {
				return
			}
			r.in <- p
		}
	})
	t.Cleanup(func() { nc.Close(); reading.Wait() })
	return r
}

func readRaw(nc net.Conn) (*gsbpb.Packet, error) {
	var header [4]byte
	if _, err := io.ReadFull(nc, header[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(header[:]))
	if _, err := io.ReadFull(nc, frame); err != nil {
		return nil, err
	}
	p := new(gsbpb.Packet)
	return p, proto.Unmarshal(frame, p)
}

// write sends bytes.
func (r *raw) write(b []byte) {
	if _, err := r.nc.Write(b); err != nil {
		r.t.Fatalf("write: %v", err)
	}
}

// send sends a packet.
func (r *raw) send(p *gsbpb.Packet) {
	r.t.Helper()
	b, err := proto.Marshal(p)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
}

// next returns the next packet, nil when the connection is closed.
func (r *raw) next() *gsbpb.Packet { return <-r.in }

// expect reads the next packet and compares it.
func (r *raw) expect(want *gsbpb.Packet) {
	r.t.Helper()
	if got := r.next(); !proto.Equal(got, want) {
		r.t.Fatalf("got %v, want %v", got, want)
	}
}

// expectEnd reads the end of the connection.
func (r *raw) expectEnd() {
	r.t.Helper()
	if got := r.next(); got != nil {
		r.t.Fatalf("got %v, want the end", got)
	}
}

// hello exchanges greetings as upstream does.
func (r *raw) hello(instance string) {
	r.t.Helper()
	if got := r.next().GetHello(); len(got.GetInstanceId()) != 16 {
		r.t.Fatalf("hello %v", got)
	}
	r.send(&gsbpb.Packet{Packet: &gsbpb.Packet_Hello{Hello: &gsbpb.Hello{Name: "raw", Version: "0.1.0", InstanceId: []byte(instance)}}})
}

func register(addr string) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_RegisterRequest{RegisterRequest: &gsbpb.RegisterRequest{ServiceId: addr}}}
}

func registered(code gsbpb.RegisterReply_Code, message string) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_RegisterReply{RegisterReply: &gsbpb.RegisterReply{Code: code, Message: message}}}
}

func unregister(addr string) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_UnregisterRequest{UnregisterRequest: &gsbpb.UnregisterRequest{ServiceId: addr}}}
}

func unregistered(code gsbpb.UnregisterReply_Code) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_UnregisterReply{UnregisterReply: &gsbpb.UnregisterReply{Code: code}}}
}

func request(id, addr, body string) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_CallRequest{CallRequest: &gsbpb.CallRequest{RequestId: id, Address: addr, Data: []byte(body)}}}
}

func full(id, body string) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_CallReply{CallReply: &gsbpb.CallReply{RequestId: id, Data: []byte(body)}}}
}

func partial(id, body string) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_CallReply{CallReply: &gsbpb.CallReply{RequestId: id, ReplyType: gsbpb.CallReply_PARTIAL, Data: []byte(body)}}}
}

func failed(id string, code gsbpb.CallReply_Code, text string) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_CallReply{CallReply: &gsbpb.CallReply{RequestId: id, Code: code, Data: []byte(text)}}}
}

func subscribe(topic string) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_SubscribeRequest{SubscribeRequest: &gsbpb.SubscribeRequest{Topic: topic}}}
}

func subscribed() *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_SubscribeReply{SubscribeReply: &gsbpb.SubscribeReply{}}}
}

func broadcast(topic, body string) *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_BroadcastRequest{BroadcastRequest: &gsbpb.BroadcastRequest{Topic: topic, Data: []byte(body)}}}
}

func broadcasted() *gsbpb.Packet {
	return &gsbpb.Packet{Packet: &gsbpb.Packet_BroadcastReply{BroadcastReply: &gsbpb.BroadcastReply{}}}
}

func ping() *gsbpb.Packet { return &gsbpb.Packet{Packet: &gsbpb.Packet_Ping{Ping: &gsbpb.Ping{}}} }

func pong() *gsbpb.Packet { return &gsbpb.Packet{Packet: &gsbpb.Packet_Pong{Pong: &gsbpb.Pong{}}} }
