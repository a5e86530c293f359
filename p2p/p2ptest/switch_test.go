package p2ptest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/p2ptest"
)

// place is a switch in a bubble with running nodes, whose identities are 1, 2, ….
type place struct {
	*p2ptest.Switch
	nodes []*p2ptest.Node
	stops []func()
}

func id(i int) golem.NodeID { return golem.NodeID{19: byte(i + 1)} }

// build runs n nodes, whose handlers serve makes.
func build(t *testing.T, cfg p2ptest.Config, n int, serve func(i int) p2p.Handler, hear func(i int) p2p.BroadcastHandler) *place {
	p := &place{Switch: p2ptest.NewSwitch(cfg)}
	for i := range n {
		node := p.Node()
		var b p2p.BroadcastHandler
		if hear != nil {
			b = hear(i)
		}
		node.Serve(serve(i), b)
		if err := node.SetIdentities(t.Context(), []golem.NodeID{id(i)}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- node.Run(ctx) }()
		stop := func() { cancel(); <-done }
		p.nodes, p.stops = append(p.nodes, node), append(p.stops, stop)
	}
	synctest.Wait()
	return p
}

func (p *place) stop() {
	for _, stop := range p.stops {
		stop()
	}
}

// ask calls node b from node a.
func (p *place) ask(t *testing.T, a, b int, body string) (string, error) {
	var got []string
	err := p.nodes[a].Call(t.Context(), p2p.Request{From: id(a), To: id(b), Addr: "x", Body: []byte(body)}, func(r p2p.Reply) error {
		got = append(got, string(r.Body))
		return nil
	})
	return strings.Join(got, "|"), err
}

// simulate is a gossip of chatty nodes under faults. It returns the trace.
func simulate(t *testing.T, seed uint64) string {
	var trace strings.Builder
	synctest.Test(t, func(t *testing.T) {
		cfg := p2ptest.Config{
			Seed: seed, Latency: 20 * time.Millisecond, Jitter: 5 * time.Millisecond,
			Loss: 0.05, Duplicate: 0.05, Reorder: 0.1, Detect: time.Second,
			Trace: func(d p2ptest.Delivery) { fmt.Fprintln(&trace, d) },
		}
		const n = 12
		var p *place
		seen := make([]map[string]bool, n)
		done := make(chan struct{}, 1000)
		var mu sync.Mutex // of seen and asked
		asked := 0
		hear := func(i int) p2p.BroadcastHandler {
			seen[i] = map[string]bool{}
			return func(ctx context.Context, from golem.NodeID, _ p2p.Trust, topic string, body []byte) {
				mu.Lock()
				defer mu.Unlock()
				if seen[i][string(body)] || len(seen[i]) > 8 {
					return
				}
				seen[i][string(body)] = true
				for range 3 { // at the same instant, in any order
					asked++
					go func() {
						p.nodes[i].Call(ctx, p2p.Request{From: id(i), To: from, Addr: "get", Body: body}, func(p2p.Reply) error { return nil })
						p.nodes[i].Broadcast(ctx, id(i), topic, body)
						done <- struct{}{}
					}()
				}
			}
		}
		serve := func(int) p2p.Handler {
			return func(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
				return errors.Join(w(p2p.Reply{Body: r.Body}), w(p2p.Reply{Body: []byte("and"), Last: true}))
			}
		}
		p = build(t, cfg, n, serve, hear)
		for i := range 4 {
			go p.nodes[i].Broadcast(t.Context(), id(i), "gossip", fmt.Append(nil, "news ", i))
		}
		time.Sleep(2 * time.Second)
		p.Partition(p.nodes[:5])
		go p.nodes[7].Broadcast(t.Context(), id(7), "gossip", []byte("late news"))
		time.Sleep(2 * time.Second)
		p.Heal()
		go p.nodes[1].Broadcast(t.Context(), id(1), "gossip", []byte("latest news"))
		time.Sleep(time.Minute)
		p.stop()
		mu.Lock()
		defer mu.Unlock()
		for range asked {
			<-done
		}
	})
	return trace.String()
}

// A run is a function of its seed.
func TestRepeatable(t *testing.T) {
	first := simulate(t, 1)
	if n := strings.Count(first, "\n"); n < 1000 || !strings.Contains(first, "loss") || !strings.Contains(first, "partition") {
		t.Fatalf("the simulation is dull: %d deliveries", n)
	}
	for range 8 {
		if again := simulate(t, 1); again != first {
			t.Fatalf("two runs with one seed differ:\n%s", difference(first, again))
		}
	}
	if simulate(t, 2) == first {
		t.Fatal("two seeds, one run")
	}
}

// difference returns the first line in which two traces differ.
func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d\n%s\n%s", i, as[i], bs[i])
		}
	}
	return "length"
}

// No two deliveries share an instant.
func TestUniqueInstants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := map[time.Time]int{}
		cfg := p2ptest.Config{Jitter: 50, Trace: func(d p2ptest.Delivery) { at[d.At]++ }}
		p := build(t, cfg, 40, func(int) p2p.Handler { return nil }, nil)
		for i, n := range p.nodes {
			if err := n.Broadcast(t.Context(), id(i), "t", nil); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		p.stop()
		if len(at) != 40*39 {
			t.Fatalf("%d deliveries at %d instants", 40*39, len(at))
		}
	})
}

// counting returns handlers that count and echo.
func counting(n *atomic.Int64) func(int) p2p.Handler {
	return func(int) p2p.Handler {
		return func(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
			n.Add(1)
			return w(p2p.Reply{Body: r.Body, Last: true})
		}
	}
}

func TestLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var executed atomic.Int64
		failed, most := 0, time.Duration(0)
		p := build(t, p2ptest.Config{Seed: 3, Loss: 0.3, Detect: 2 * time.Second}, 2, counting(&executed), nil)
		defer p.stop()
		for i := range 200 {
			began := time.Now()
			if _, err := p.ask(t, 0, 1, fmt.Sprint(i)); err != nil {
				failed++
				if !errors.Is(err, golem.ErrUnavailable) {
					t.Fatal(err)
				}
			}
			most = max(most, time.Since(began))
		}
		// 49 % get through both ways, 70 % one way.
		if failed < 80 || failed > 125 || executed.Load() < 120 || executed.Load() > 160 {
			t.Fatalf("of 200 calls %d failed, %d were executed", failed, executed.Load())
		}
		if most < 2*time.Second || most > 3*time.Second {
			t.Fatalf("the loss was noticed after %v", most)
		}
		p.Change(func(c *p2ptest.Config) { c.Loss = 0 })
		if _, err := p.ask(t, 0, 1, ""); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var executed atomic.Int64
		p := build(t, p2ptest.Config{Duplicate: 1}, 2, counting(&executed), nil)
		defer p.stop()
		for i := range 10 {
			if got, err := p.ask(t, 0, 1, fmt.Sprint(i)); err != nil || got != fmt.Sprint(i) {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		time.Sleep(time.Second)
		if n := executed.Load(); n != 20 {
			t.Fatalf("10 calls were executed %d times", n)
		}
	})
}

// A stream keeps its order whatever the jitter, and breaks where a reply is lost.
func TestStreamUnderFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve := func(int) p2p.Handler {
			return func(_ context.Context, _ p2p.Request, w func(p2p.Reply) error) error {
				for i := range 50 {
					if err := w(p2p.Reply{Body: []byte{byte('0' + i%10)}}); err != nil {
						return err
					}
				}
				return nil
			}
		}
		p := build(t, p2ptest.Config{Seed: 5, Jitter: time.Second, Reorder: 0.5, Loss: 0.01}, 2, serve, nil)
		defer p.stop()
		whole, broken := 0, 0
		for range 50 {
			got, err := p.ask(t, 0, 1, "")
			for i, digit := range strings.Split(got, "|") {
				if digit != "" && digit != fmt.Sprint(i%10) {
					t.Fatalf("order: %s", got)
				}
			}
			if err == nil {
				whole++
			} else {
				broken++
			}
		}
		if whole == 0 || broken == 0 {
			t.Fatalf("%d whole, %d broken", whole, broken)
		}
	})
}

func TestReorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		hear := func(int) p2p.BroadcastHandler {
			return func(_ context.Context, _ golem.NodeID, _ p2p.Trust, _ string, body []byte) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, string(body))
			}
		}
		p := build(t, p2ptest.Config{Latency: 10 * time.Millisecond, Reorder: 0.3}, 2, func(int) p2p.Handler { return nil }, hear)
		defer p.stop()
		for i := range 26 {
			p.nodes[0].Broadcast(t.Context(), id(0), "t", []byte{byte('a' + i)})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if s := strings.Join(got, ""); len(s) != 26 || s == "abcdefghijklmnopqrstuvwxyz" {
			t.Fatalf("order: %s", s)
		}
	})
}

func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var executed atomic.Int64
		p := build(t, p2ptest.Config{}, 4, counting(&executed), nil)
		defer p.stop()
		reach := func(want string) {
			t.Helper()
			var got string
			for b := 1; b < 4; b++ {
				if _, err := p.ask(t, 0, b, ""); err == nil {
					got += fmt.Sprint(b)
				}
			}
			if got != want {
				t.Fatalf("0 reaches %q, want %q", got, want)
			}
		}
		reach("123")
		p.Partition(p.nodes[:2])
		reach("1")
		p.Isolate(p.nodes[1])
		reach("")
		p.Heal()
		reach("123")
		p.Isolate(p.nodes[2])
		reach("13")
	})
}

// A node that goes down takes its handlers and identities with it; another one
// may have them.
func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int64
		serve := func(i int) p2p.Handler {
			return func(ctx context.Context, _ p2p.Request, w func(p2p.Reply) error) error {
				if i == 2 {
					return w(p2p.Reply{Body: []byte("heir"), Last: true})
				}
				<-ctx.Done()
				ended.Add(1)
				return ctx.Err()
			}
		}
		p := build(t, p2ptest.Config{Detect: 3 * time.Second}, 3, serve, nil)
		defer p.stop()
		if err := p.nodes[2].SetIdentities(t.Context(), []golem.NodeID{id(1)}); !errors.Is(err, golem.ErrConflict) {
			t.Fatalf("taken: got %v, want ErrConflict", err)
		}
		lost := make(chan error, 1)
		began := time.Now()
		go func() { _, err := p.ask(t, 0, 1, ""); lost <- err }()
		time.Sleep(time.Minute)
		p.stops[1]()
		if err := <-lost; !errors.Is(err, golem.ErrUnavailable) || ended.Load() != 1 {
			t.Fatalf("got %v, %d handlers ended", err, ended.Load())
		}
		if d := time.Since(began).Round(time.Second); d != time.Minute+3*time.Second {
			t.Fatalf("noticed after %v", d)
		}
		if err := p.nodes[2].SetIdentities(t.Context(), []golem.NodeID{id(1)}); err != nil {
			t.Fatal(err)
		}
		if got, err := p.ask(t, 0, 1, ""); err != nil || got != "heir" {
			t.Fatalf("got %q, %v", got, err)
		}
		p.stops[1] = func() {}
	})
}

func TestNoEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := build(t, p2ptest.Config{}, 2, func(int) p2p.Handler { return nil }, nil)
		defer p.stop()
		if _, err := p.ask(t, 0, 1, ""); !errors.Is(err, gsb.ErrNoEndpoint) {
			t.Fatalf("got %v, want ErrNoEndpoint", err)
		}
	})
}

func TestClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve := func(int) p2p.Handler {
			return func(_ context.Context, r p2p.Request, w func(p2p.Reply) error) error {
				return w(p2p.Reply{Body: []byte(r.Trust.String()), Last: true})
			}
		}
		p := build(t, p2ptest.Config{Claimed: true}, 2, serve, nil)
		defer p.stop()
		if got, err := p.ask(t, 0, 1, ""); err != nil || got != "claim" {
			t.Fatalf("got %q, %v", got, err)
		}
	})
}

func TestFaulty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var executed, heard atomic.Int64
		hear := func(int) p2p.BroadcastHandler {
			return func(context.Context, golem.NodeID, p2p.Trust, string, []byte) { heard.Add(1) }
		}
		p := build(t, p2ptest.Config{}, 2, counting(&executed), hear)
		defer p.stop()
		tests := []struct {
			name            string
			faults          p2ptest.Faults
			executed, heard int64
			failed, replies int
			atLeast         time.Duration
		}{
			{"none", p2ptest.Faults{}, 12, 12, 0, 12, 0},
			{"refuse", p2ptest.Faults{Refuse: 3}, 8, 12, 4, 8, 0},
			{"forget", p2ptest.Faults{Forget: 3}, 12, 12, 4, 8, 0},
			{"break", p2ptest.Faults{Break: 3}, 12, 12, 4, 12, 0},
			{"repeat", p2ptest.Faults{Repeat: 3}, 16, 12, 0, 12, 0},
			{"drop", p2ptest.Faults{Drop: 3}, 12, 8, 0, 12, 0},
			{"delay", p2ptest.Faults{Delay: time.Second}, 12, 12, 0, 12, 12 * time.Second},
		}
		for _, tt := range tests {
			executed.Store(0)
			heard.Store(0)
			failed, replies := 0, 0
			n := p2ptest.Faulty(p.nodes[0], tt.faults)
			began := time.Now()
			for range 12 {
				if err := n.Call(t.Context(), p2p.Request{From: id(0), To: id(1)}, func(p2p.Reply) error { replies++; return nil }); err != nil {
					failed++
				}
				n.Broadcast(t.Context(), id(0), "t", nil)
			}
			took := time.Since(began)
			time.Sleep(time.Second)
			synctest.Wait()
			if executed.Load() != tt.executed || failed != tt.failed || heard.Load() != tt.heard || replies != tt.replies || took < tt.atLeast {
				t.Errorf("%s: %d executed, %d failed, %d heard, %d replies, %v; want %+v", tt.name, executed.Load(), failed, heard.Load(), replies, took, tt)
			}
		}
	})
}
