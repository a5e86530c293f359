package gftp_test

import (
	"bytes"
	"context"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gftp"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

var me = golem.NodeID{1, 2, 3}

func newBus() *gsb.Bus {
	return gsb.New(gsb.Config{Identities: func() []golem.NodeID { return []golem.NodeID{me} }})
}

func data(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n)})
	rng.Read(b)
	return b
}

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// entries returns the names in a directory, for finding leftovers.
func entries(t testing.TB, dir string) string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

var sizes = []int{0, 1, wire.GftpChunkSize - 1, wire.GftpChunkSize, wire.GftpChunkSize + 1, 23*wire.GftpChunkSize + 17}

func TestDownload(t *testing.T) {
	bus := newBus()
	dir := t.TempDir()
	p := gftp.NewPublisher(bus, me)
	c := gftp.Client{Bus: bus}
	for _, size := range sizes {
		u, err := p.Publish(t.Context(), write(t, filepath.Join(dir, "src"), data(size)))
		if err != nil {
			t.Fatal(err)
		}
		if sum, ok := u.Hash(); !ok || sum != sha3.Sum256(data(size)) {
			t.Errorf("%d bytes: url %s does not name the content", size, u)
		}
		if err := c.Download(t.Context(), u, filepath.Join(dir, "dst")); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if !bytes.Equal(read(t, filepath.Join(dir, "dst")), data(size)) {
			t.Errorf("%d bytes: content differs", size)
		}
		if err := p.Close(u); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := c.Download(t.Context(), u, filepath.Join(dir, "dst")); !errors.Is(err, gsb.ErrNoEndpoint) {
			t.Errorf("closed: got %v, want ErrNoEndpoint", err)
		}
	}
	if got := entries(t, dir); got != "dst src" {
		t.Errorf("directory holds %q", got)
	}
}

func TestUpload(t *testing.T) {
	bus := newBus()
	dir := t.TempDir()
	p := gftp.NewPublisher(bus, me)
	defer p.Shutdown()
	c := gftp.Client{Bus: bus}
	u, err := p.Receive(filepath.Join(dir, "dst"))
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Name) != 65 {
		t.Errorf("slot name %q: want 65 letters and digits", u.Name)
	}
	for _, size := range sizes {
		n, err := c.Upload(t.Context(), u, iotest.OneByteReader(bytes.NewReader(data(size)))) // reads need not be whole chunks
		if err != nil || n != int64(size) {
			t.Fatalf("%d bytes: uploaded %d, %v", size, n, err)
		}
		if !bytes.Equal(read(t, filepath.Join(dir, "dst")), data(size)) {
			t.Errorf("%d bytes: content differs", size)
		}
	}
	if got := entries(t, dir); got != "dst" {
		t.Errorf("directory holds %q", got)
	}
}

func TestPublishTwice(t *testing.T) {
	bus := newBus()
	dir := t.TempDir()
	p := gftp.NewPublisher(bus, me)
	c := gftp.Client{Bus: bus}
	var urls [8]gftp.URL
	var wg sync.WaitGroup
	for i := range urls {
		path := write(t, filepath.Join(dir, string(rune('a'+i))), []byte("the same"))
		wg.Go(func() { urls[i], _ = p.Publish(t.Context(), path) })
	}
	wg.Wait()
	for i, u := range urls {
		if u != urls[0] || u.Name == "" {
			t.Fatalf("url %d is %s, the first is %s", i, u, urls[0])
		}
		if _, err := c.Open(t.Context(), u); err != nil {
			t.Fatalf("with %d of %d closed: %v", i, len(urls), err)
		}
		if err := p.Close(u); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(urls[0]); !errors.Is(err, golem.ErrNotFound) {
		t.Errorf("closed once more: got %v, want ErrNotFound", err)
	}
	if _, err := c.Open(t.Context(), urls[0]); !errors.Is(err, gsb.ErrNoEndpoint) {
		t.Errorf("all closed: got %v, want ErrNoEndpoint", err)
	}
}

// TestPublishBeside wants two programs of one machine to publish the same file.
func TestPublishBeside(t *testing.T) {
	bus := newBus()
	path := write(t, filepath.Join(t.TempDir(), "f"), data(1000))
	var urls []gftp.URL
	for range 2 {
		p := gftp.NewPublisher(bus, me)
		defer p.Shutdown()
		u, err := p.Publish(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, u)
	}
	sums := [2][32]byte{}
	for i, u := range urls {
		sums[i], _ = u.Hash()
		if err := (gftp.Client{Bus: bus}).Download(t.Context(), u, path+".copy"); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
	if urls[0] == urls[1] || sums[0] != sums[1] || sums[0] == [32]byte{} {
		t.Errorf("got %s and %s", urls[0], urls[1])
	}
}

func TestPublishRefuses(t *testing.T) {
	p := gftp.NewPublisher(newBus(), me)
	if _, err := p.Publish(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, golem.ErrNotFound) {
		t.Errorf("no file: got %v, want ErrNotFound", err)
	}
	if _, err := p.Publish(t.Context(), t.TempDir()); !errors.Is(err, golem.ErrInvalid) {
		t.Errorf("directory: got %v, want ErrInvalid", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Publish(ctx, write(t, filepath.Join(t.TempDir(), "f"), data(100))); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestChangedFile(t *testing.T) {
	bus := newBus()
	path := filepath.Join(t.TempDir(), "f")
	p := gftp.NewPublisher(bus, me)
	old, err := p.Publish(t.Context(), write(t, path, data(100)))
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, data(101))
	c := gftp.Client{Bus: bus}
	err = c.Download(t.Context(), old, path+".copy")
	if !errors.Is(err, golem.ErrNotFound) || !strings.Contains(err.Error(), "changed since it was published") {
		t.Errorf("changed: got %v", err)
	}
	now, err := p.Publish(t.Context(), path)
	if err != nil || now == old {
		t.Fatalf("published again: %s, %v", now, err)
	}
	if err := c.Download(t.Context(), now, path+".copy"); err != nil {
		t.Error(err)
	}
	os.Remove(path)
	if err := c.Download(t.Context(), now, path+".copy"); !errors.Is(err, golem.ErrNotFound) {
		t.Errorf("removed: got %v, want ErrNotFound", err)
	}
}

func TestResume(t *testing.T) {
	bus := newBus()
	p := gftp.NewPublisher(bus, me)
	want := data(5*wire.GftpChunkSize + 7)
	u, err := p.PublishBytes(want)
	if err != nil {
		t.Fatal(err)
	}
	// Every call after the third fails, until the copy is continued.
	flaky := &flakyCaller{Caller: bus}
	flaky.left.Store(3)
	f, err := gftp.Client{Bus: flaky, Window: 2}.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	n, err := f.CopyTo(t.Context(), &got, 0)
	if !errors.Is(err, golem.ErrUnavailable) || n == 0 || n != int64(got.Len()) {
		t.Fatalf("copied %d of %d, %v", n, got.Len(), err)
	}
	flaky.left.Store(100)
	if _, err := f.CopyTo(t.Context(), &got, n); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("continued: %v, %d bytes", err, got.Len())
	}
}

type flakyCaller struct {
	gsb.Caller
	left atomic.Int32
}

func (f *flakyCaller) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	if f.left.Add(-1) < 0 {
		return golem.Errorf(golem.ErrUnavailable, "no route")
	}
	return f.Caller.Call(ctx, r, w)
}

// slowCaller delays each call by a random time and notes how many are under way.
type slowCaller struct {
	gsb.Caller

	mu        sync.Mutex
	rng       *rand.Rand
	now, most int
}

func (s *slowCaller) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	d := time.Duration(s.rng.IntN(1000)) * time.Millisecond
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.now--; s.mu.Unlock() }()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Caller.Call(ctx, r, w)
}

// TestWindow copies over a network that reorders everything.
func TestWindow(t *testing.T) {
	for _, window := range []int{1, 3, 8} {
		synctest.Test(t, func(t *testing.T) {
			bus := newBus()
			slow := &slowCaller{Caller: bus, rng: rand.New(rand.NewPCG(1, uint64(window)))}
			p := gftp.NewPublisher(bus, me)
			want := data(40*wire.GftpChunkSize + 1)
			u, err := p.PublishBytes(want)
			if err != nil {
				t.Fatal(err)
			}
			c := gftp.Client{Bus: slow, Window: window}
			f, err := c.Open(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if _, err := f.CopyTo(t.Context(), &got, 0); err != nil || !bytes.Equal(got.Bytes(), want) {
				t.Errorf("download: %v, equal %v", err, bytes.Equal(got.Bytes(), want))
			}
			path := filepath.Join(t.TempDir(), "f")
			slot, err := p.Receive(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Upload(t.Context(), slot, bytes.NewReader(want)); err != nil || !bytes.Equal(read(t, path), want) {
				t.Errorf("upload: %v", err)
			}
			if slow.most != window {
				t.Errorf("%d calls at a time, want %d", slow.most, window)
			}
		})
	}
}

// TestSilentPeer has a peer that never answers.
func TestSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		u := gftp.URL{Node: me, Name: "silent"}
		wire.GftpMetadata.At(u.Name).Handle(bus, func(context.Context, gsb.Peer, gsb.Unit) (wire.GftpMetadataReply, error) {
			return wire.GftpMetadataReply{FileSize: 1 << 20}, nil
		})
		wire.GftpGetChunk.At(u.Name).Handle(bus, func(ctx context.Context, _ gsb.Peer, _ wire.GftpGetChunkRequest) (wire.GftpChunk, error) {
			<-ctx.Done()
			return wire.GftpChunk{}, ctx.Err()
		})
		c := gftp.Client{Bus: bus, Timeout: 5 * time.Second}
		f, err := c.Open(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := f.CopyTo(t.Context(), io.Discard, 0); err == nil || time.Since(begun) != 5*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun = time.Now()
		if _, err := f.CopyTo(ctx, io.Discard, 0); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("cancelled: got %v after %v", err, time.Since(begun))
		}
	})
}

func TestHostileServer(t *testing.T) {
	tests := []struct {
		name  string
		size  uint64
		chunk func(r wire.GftpGetChunkRequest) wire.GftpChunk
		want  string
	}{
		{"impossible size", 1 << 63, nil, "is impossible"},
		{"short chunk", 100, func(r wire.GftpGetChunkRequest) wire.GftpChunk {
			return wire.GftpChunk{Offset: r.Offset, Content: make([]byte, r.Size-1)}
		}, "got 99 bytes"},
		{"long chunk", 100, func(r wire.GftpGetChunkRequest) wire.GftpChunk {
			return wire.GftpChunk{Offset: r.Offset, Content: make([]byte, r.Size+1)}
		}, "got 101 bytes"},
		{"another offset", 100, func(r wire.GftpGetChunkRequest) wire.GftpChunk {
			return wire.GftpChunk{Offset: r.Offset + 1, Content: make([]byte, r.Size)}
		}, "of offset 1"},
		{"another content", 100, func(r wire.GftpGetChunkRequest) wire.GftpChunk {
			return wire.GftpChunk{Offset: r.Offset, Content: make([]byte, r.Size)}
		}, "another hash than the url"},
	}
	sum := sha3.Sum256(data(100))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bus := newBus()
			u := gftp.URL{Node: me, Name: hex.EncodeToString(sum[:])}
			wire.GftpMetadata.At(u.Name).Handle(bus, func(context.Context, gsb.Peer, gsb.Unit) (wire.GftpMetadataReply, error) {
				return wire.GftpMetadataReply{FileSize: test.size}, nil
			})
			wire.GftpGetChunk.At(u.Name).Handle(bus, func(_ context.Context, _ gsb.Peer, r wire.GftpGetChunkRequest) (wire.GftpChunk, error) {
				return test.chunk(r), nil
			})
			dir := t.TempDir()
			err := gftp.Client{Bus: bus}.Download(t.Context(), u, filepath.Join(dir, "f"))
			if !errors.Is(err, golem.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if got := entries(t, dir); got != "" {
				t.Errorf("left behind %q", got)
			}
		})
	}
}

func TestHostileReader(t *testing.T) {
	bus := newBus()
	p := gftp.NewPublisher(bus, me)
	u, err := p.PublishBytes(data(100))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name         string
		offset, size uint64
		want         int // bytes, or -1 for an error
	}{
		{"all", 0, 100, 100},
		{"short at the end", 90, 40960, 10},
		{"at the end", 100, 1, -1},
		{"beyond the end", 101, 1, -1},
		{"far beyond", 1 << 63, 1, -1},
		{"wrapping around", 1<<64 - 1, 1 << 20, -1},
		{"nothing", 0, 0, -1},
		{"too much", 0, 1<<20 + 1, -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := wire.GftpGetChunkRequest{Offset: test.offset, Size: test.size}
			c, err := wire.GftpGetChunk.At(u.Name).Call(t.Context(), bus, me, me, r)
			switch {
			case test.want < 0 && !errors.Is(err, golem.ErrNotFound):
				t.Errorf("got %d bytes, %v; want a read error", len(c.Content), err)
			case test.want >= 0 && (err != nil || len(c.Content) != test.want):
				t.Errorf("got %d bytes, %v; want %d", len(c.Content), err, test.want)
			}
		})
	}
}

func TestHostileWriter(t *testing.T) {
	bus := newBus()
	dir := t.TempDir()
	p := gftp.NewPublisher(bus, me)
	u, err := p.Receive(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	chunk := func(offset uint64, b []byte) error {
		r := wire.GftpUploadChunkRequest{Chunk: wire.GftpChunk{Offset: offset, Content: b}}
		_, err := wire.GftpUploadChunk.At(u.Name).Call(t.Context(), bus, me, me, r)
		return err
	}
	finish := func(hash string) error {
		_, err := wire.GftpUploadFinished.At(u.Name).Call(t.Context(), bus, me, me, wire.GftpUploadFinishedRequest{Hash: &hash})
		return err
	}
	sum := sha3.Sum256(data(100))
	right := hex.EncodeToString(sum[:])

	if err := chunk(1<<41, []byte("x")); !errors.Is(err, golem.ErrExhausted) {
		t.Errorf("far offset: got %v, want ErrExhausted", err)
	}
	if err := chunk(0, make([]byte, 1<<20+1)); !errors.Is(err, golem.ErrExhausted) {
		t.Errorf("long chunk: got %v, want ErrExhausted", err)
	}
	if err := chunk(0, data(99)); err != nil {
		t.Fatal(err)
	}
	if err := finish(right); !errors.Is(err, wire.ErrGftpIntegrity) {
		t.Errorf("wrong hash: got %v, want ErrGftpIntegrity", err)
	}
	if got := entries(t, dir); got != "" {
		t.Errorf("left behind %q", got)
	}
	// A sender that missed an answer says the same again.
	for range 2 {
		if err := errors.Join(chunk(50, data(100)[50:]), chunk(0, data(100)[:50]), chunk(0, data(100)[:50])); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(finish(strings.ToUpper(right)), finish(right)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, filepath.Join(dir, "f")), data(100)) {
		t.Error("content differs")
	}
	if err := chunk(0, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := p.Failure(u); err != nil {
		t.Errorf("the sender's fault is taken for ours: %v", err)
	}
	if err := p.Close(u); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, dir); got != "f" {
		t.Errorf("left behind %q", got)
	}
}

// TestUploadErrors has a receiver that cannot write, and a source that breaks.
func TestUploadErrors(t *testing.T) {
	bus := newBus()
	p := gftp.NewPublisher(bus, me)
	c := gftp.Client{Bus: bus}
	u, err := p.Receive(filepath.Join(t.TempDir(), "none", "f"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Upload(t.Context(), u, bytes.NewReader(data(1<<20))); !errors.Is(err, golem.ErrExhausted) || strings.Contains(err.Error(), os.TempDir()) {
		t.Errorf("no directory: got %v, want ErrExhausted without our path", err)
	}
	if err := p.Failure(u); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), os.TempDir()) {
		t.Errorf("no directory: the receiver knows of %v, want ErrNotExist with the path", err)
	}
	boom := errors.New("boom")
	if _, err := c.Upload(t.Context(), u, io.MultiReader(bytes.NewReader(data(100)), iotest.ErrReader(boom))); !errors.Is(err, boom) {
		t.Errorf("broken source: got %v", err)
	}
}

func TestParseURL(t *testing.T) {
	node := "0x0102030000000000000000000000000000000000"
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"hash", "gftp://" + node + "/3a7bd3e2", true},
		{"uuid of golem-js", "gftp://" + node + "/0c3a24b0-4f1c-4d5c-9d2e-000000000000", true},
		{"upper-case scheme", "GFTP://" + node + "/a", true},
		{"other scheme", "http://" + node + "/a", false},
		{"no name", "gftp://" + node + "/", false},
		{"no slash", "gftp://" + node, false},
		{"another address", "gftp://" + node + "/a/../../payment", false},
		{"odd letter", "gftp://" + node + "/a?b", false},
		{"long name", "gftp://" + node + "/" + strings.Repeat("a", 129), false},
		{"bad node", "gftp://0x01/a", false},
		{"nothing", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u, err := gftp.ParseURL(test.in)
			if ok := err == nil; ok != test.ok || !ok && !errors.Is(err, golem.ErrInvalid) {
				t.Fatalf("got %v, %v", u, err)
			}
			if test.ok && !strings.EqualFold(u.String(), test.in) {
				t.Errorf("got %s back from %s", u, test.in)
			}
		})
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("gftp://0x0102030000000000000000000000000000000000/abc")
	f.Add("gftp://")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := gftp.ParseURL(s)
		if err != nil {
			return
		}
		if again, err := gftp.ParseURL(u.String()); err != nil || again != u {
			t.Errorf("%q became %q, %v", s, again, err)
		}
	})
}

func BenchmarkDownload(b *testing.B) {
	bus := newBus()
	p := gftp.NewPublisher(bus, me)
	content := data(8 << 20)
	u, err := p.Publish(b.Context(), write(b, filepath.Join(b.TempDir(), "f"), content))
	if err != nil {
		b.Fatal(err)
	}
	f, err := gftp.Client{Bus: bus}.Open(b.Context(), u)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(f.Size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.CopyTo(b.Context(), io.Discard, 0); err != nil {
			b.Fatal(err)
		}
	}
}
