package router_test

import (
	"context"
	"testing"

	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
)

// BenchmarkCall is the round trip of a unary call over a unix socket, to a
// service of the node and to one of another process.
func BenchmarkCall(b *testing.B) {
	bus, url := socket(b, router.Config{})
	bind(b, bus, "/local/echo", echo)
	caller, server := connect(b, url), connect(b, url)
	bind(b, server, "/local/far", echo)
	b.Run("node", func(b *testing.B) { benchmarkCall(b, caller, "/local/echo/X") })
	b.Run("process", func(b *testing.B) { benchmarkCall(b, caller, "/local/far/X") })
}

func benchmarkCall(b *testing.B, c gsb.Caller, addr string) {
	b.ReportAllocs()
	body := make([]byte, 200)
	for b.Loop() {
		if err := call(b.Context(), c, addr, body); err != nil {
			b.Fatal(err)
		}
	}
}

func call(ctx context.Context, c gsb.Caller, addr string, body []byte) error {
	return c.Call(ctx, gsb.Request{Addr: addr, Body: body}, func(gsb.Reply) error { return nil })
}

// BenchmarkConcurrent is the rate of calls with 64 in flight.
func BenchmarkConcurrent(b *testing.B) {
	bus, url := socket(b, router.Config{})
	bind(b, bus, "/local/echo", echo)
	c := connect(b, url)
	body := make([]byte, 200)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(b.Context(), c, "/local/echo/X", body); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkStream is the throughput of replies of 40 KiB, the size of gftp's
// chunks: from the node, and from another process.
func BenchmarkStream(b *testing.B) {
	const chunk = 40 << 10
	bus, url := socket(b, router.Config{})
	body := make([]byte, chunk)
	stream := func(n int) gsb.Handler {
		return func(_ context.Context, _ gsb.Request, w func(gsb.Reply) error) error {
			for i := range n {
				if err := w(gsb.Reply{Body: body, Last: i == n-1}); err != nil {
					return err
				}
			}
			return nil
		}
	}
	const chunks = 256
	bind(b, bus, "/local/stream", stream(chunks))
	caller, server := connect(b, url), connect(b, url)
	bind(b, server, "/local/far", stream(chunks))
	for _, where := range []string{"stream", "far"} {
		b.Run(where, func(b *testing.B) {
			b.SetBytes(chunks * chunk)
			for b.Loop() {
				if err := call(b.Context(), caller, "/local/"+where+"/X", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
