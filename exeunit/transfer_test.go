//go:build unix

package exeunit_test

import (
	"bytes"
	"context"
	"crypto/sha3"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gftp"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// readyUnit returns a unit that has been deployed and started.
func readyUnit(t testing.TB) *unit {
	u := newUnit(t, "good")
	u.cfg.AllowPrivate = true // test servers are on this machine
	u.start()
	u.must(ready)
	return u
}

// copy executes a transfer and returns its message.
func (u *unit) copy(from, to string) string {
	u.t.Helper()
	return message(u.do(fmt.Sprintf(`[{"transfer":{"from":%q,"to":%q}}]`, from, to)))
}

func (u *unit) out(name string) string { return filepath.Join(u.cfg.WorkDir, "vol-out", name) }

func (u *unit) publish(b []byte) string {
	u.t.Helper()
	f, err := u.files.PublishBytes(b)
	if err != nil {
		u.t.Fatal(err)
	}
	return f.String()
}

const transferError = "Local service error: Transfer error: "

func TestTransfer(t *testing.T) {
	u := readyUnit(t)
	content := pattern(200_000)
	web := newWebServer(t, content)
	received := filepath.Join(t.TempDir(), "received")
	slot, err := u.files.Receive(received)
	if err != nil {
		t.Fatal(err)
	}
	hash := fmt.Sprintf("hash:sha3:%x:", sha3.Sum512(content))

	for _, step := range []struct{ from, to string }{
		{web.URL + "/file", "container:/in/a"},
		{"container:/in/a", "/out/b/c/d"},
		{hash + "container:/out/b/c/d", web.URL + "/put"},
		{hash + u.publish(content), "container:/out/e"},
		{"container:/out/e", slot.String()},
		{web.URL + "/file", web.URL + "/put2"},
		{"container:/out/e", "container:/in/a"},
	} {
		if got := u.copy(step.from, step.to); got != "" {
			t.Errorf("%s to %s: %s", step.from, step.to, got)
		}
	}
	for name, got := range map[string][]byte{
		"b/c/d": read(t, u.out("b/c/d")), "e": read(t, u.out("e")), "put": web.got("/put"), "put2": web.got("/put2"), "slot": read(t, received),
	} {
		if !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes differ", name, len(got))
		}
	}
	if got := tree(t, u.cfg.WorkDir); got != "options vol-in/a vol-out/b/c/d vol-out/e" {
		t.Errorf("work directory holds %s", got)
	}
}

func TestTransferEmpty(t *testing.T) {
	u := readyUnit(t)
	web := newWebServer(t, nil)
	received := filepath.Join(t.TempDir(), "received")
	slot, err := u.files.Receive(received)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ from, to string }{
		{web.URL + "/file", "container:/in/a"},
		{u.publish(nil), "container:/in/b"},
		{"container:/in/a", web.URL + "/put"},
		{"container:/in/a", slot.String()},
	} {
		if got := u.copy(step.from, step.to); got != "" {
			t.Errorf("%s to %s: %s", step.from, step.to, got)
		}
	}
	if b := read(t, received); len(b) != 0 || web.got("/put") == nil || tree(t, u.cfg.WorkDir) != "options vol-in/a vol-in/b" {
		t.Errorf("received %d bytes; %s", len(b), tree(t, u.cfg.WorkDir))
	}
}

func TestTransferErrors(t *testing.T) {
	u := readyUnit(t)
	write(t, u.out("f"), []byte("content"))
	if err := os.Mkdir(u.out("d"), 0o755); err != nil {
		t.Fatal(err)
	}
	web := newWebServer(t, []byte("content"))
	wrong := fmt.Sprintf("%x", sha3.Sum256([]byte("other")))
	right := fmt.Sprintf("%x", sha3.Sum256([]byte("content")))
	tests := []struct{ name, from, to, want string }{
		{"no such file", "container:/out/none", "container:/in/a", "no such file or directory"},
		{"no such volume", "container:/etc/passwd", "container:/in/a", "path not found in container: /etc/passwd"},
		{"to no volume", "container:/out/f", "container:/etc/passwd", "path not found in container: /etc/passwd"},
		{"directory", "container:/out/d", "container:/in/a", "not a regular file"},
		{"to a directory", "container:/out/f", "container:/out/d", "file exists"},
		{"to a volume", "container:/out/f", "container:/out", "the destination is a directory"},
		{"below a file", "container:/out/f", "container:/out/f/g", "file exists"},
		{"dots", "container:/out/../f", "container:/in/a", `location "container:/out/../f": a container path has no .. in it`},
		{"file scheme", "file:///etc/passwd", "container:/in/a", "scheme file is not supported"},
		{"to file scheme", "container:/out/f", "file:///tmp/x", "scheme file is not supported"},
		{"ftp", "ftp://a.b/c", "container:/in/a", "scheme ftp is not supported"},
		{"wrong hash", "hash:sha3:" + wrong + ":container:/out/f", "container:/in/a", "Incorrect hash provided or downloaded image is corrupted: calculated hash " + right + " differs from the expected one " + wrong},
		{"other digest", "hash:md5:00112233445566778899aabbccddeeff:container:/out/f", "container:/in/a", "Unsupported digest: md5"},
		{"other length", "hash:sha3:0011:container:/out/f", "container:/in/a", "Unsupported digest: sha3 of 16 bits"},
		{"hash of the target", "container:/out/f", "hash:sha3:" + right + ":container:/in/a", "a hash belongs to what a transfer reads from"},
		{"404", web.URL + "/none", "container:/in/a", "GET: the server answered 404 Not Found"},
		{"refused put", "container:/out/f", web.URL + "/forbidden", "PUT: the server answered 403 Forbidden"},
		{"endless redirection", web.URL + "/loop", "container:/in/a", "more than 10 redirections"},
		{"not gftp", "gftp://x/y", "container:/in/a", `location "gftp://x/y": file url "gftp://x/y": node id "x": want 0x and 40 hex digits`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := u.copy(test.from, test.to); got != transferError+test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	for _, script := range []string{
		`[{"transfer":{"from":"container:/out/f","to":"container:/in/a","format":"tar"}}]`,
		`[{"transfer":{"from":"container:/out/f","to":"container:/in/a","fileset":"*.txt"}}]`,
	} {
		if got := message(u.do(script)); got != transferError+"archives and sets of files are not supported; transfer single files" {
			t.Errorf("%s: got %q", script, got)
		}
	}
	if got := tree(t, u.cfg.WorkDir); got != "options vol-out/f" {
		t.Errorf("work directory holds %s", got)
	}
}

// TestTransferEscape has links and pipes in a volume that the payload made.
func TestTransferEscape(t *testing.T) {
	u := readyUnit(t)
	u.must(run("link"))
	write(t, filepath.Join(u.cfg.WorkDir, "vol-in/f"), []byte("new"))
	secret := read(t, filepath.Join(u.cfg.WorkDir, "options"))
	tests := []struct {
		name, path    string
		read, written string // "" for success
	}{
		{"absolute link", "absolute", "path escapes from parent", ""},
		{"link up", "relative", "path escapes from parent", ""},
		{"through a link up", "up/options", "path escapes from parent", "path escapes from parent"},
		{"link inside", "good", "", ""},
		{"pipe", "pipe", "not a regular file", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := func(text string) string {
				if text == "" {
					return ""
				}
				return transferError + text
			}
			if got := u.copy("container:/out/"+test.path, "container:/in/stolen"); got != want(test.read) {
				t.Errorf("read: got %q, want %q", got, test.read)
			}
			if got := u.copy("container:/in/f", "container:/out/"+test.path); got != want(test.written) {
				t.Errorf("written: got %q, want %q", got, test.written)
			}
		})
	}
	// What was a link is a file now; what it led to is as it was.
	if !bytes.Equal(read(t, filepath.Join(u.cfg.WorkDir, "options")), secret) || string(read(t, u.out("inside"))) != "inside" {
		t.Error("a file behind a link has been written to")
	}
}

func TestTransferKeepsMode(t *testing.T) {
	u := readyUnit(t)
	u.must(run("link")) // makes the executable out/inside
	write(t, filepath.Join(u.cfg.WorkDir, "vol-in/f"), []byte("new"))
	if got := u.copy("container:/in/f", "container:/out/inside"); got != "" {
		t.Fatal(got)
	}
	if info, err := os.Stat(u.out("inside")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

// TestTransferPrivate reaches for a server of the Provider's own network.
func TestTransferPrivate(t *testing.T) {
	web := newWebServer(t, []byte("secret"))
	u := newUnit(t, "good").start()
	u.must(ready)
	write(t, u.out("f"), []byte("content"))
	const want = transferError + "dial tcp: transfers from or to addresses that are not public are not allowed here"
	clean := func(s string) string {
		return strings.ReplaceAll(s, " "+strings.TrimPrefix(web.URL, "http://"), "")
	}
	if got := clean(u.copy(web.URL+"/file", "container:/in/a")); got != want {
		t.Errorf("got %q", got)
	}
	if got := clean(u.copy("container:/out/f", strings.Replace(web.URL, "127.0.0.1", "localhost", 1)+"/put")); !strings.Contains(got, "not public") || web.got("/put") != nil {
		t.Errorf("got %q", got)
	}
}

// TestTransferResume has a server that breaks the first connection.
func TestTransferResume(t *testing.T) {
	t.Parallel()
	content := pattern(1 << 20)
	for _, ranges := range []bool{true, false} {
		t.Run(fmt.Sprintf("ranges %v", ranges), func(t *testing.T) {
			t.Parallel()
			u := readyUnit(t)
			web := newWebServer(t, content)
			web.cut, web.ranges = 300_000, ranges
			id := u.exec(fmt.Sprintf(`[{"transfer":{"from":"hash:sha3:%x:%s/cut","to":"container:/in/a","progress":{"updateInterval":"1ms"}}}]`, sha3.Sum384(content), web.URL))
			if r := u.results(id)[0]; r.Result != golem.ResultOk || !bytes.Equal(read(t, filepath.Join(u.cfg.WorkDir, "vol-in/a")), content) {
				t.Errorf("got %s %q", r.Result, message(r))
			}
			want := map[bool]string{true: "0 300000", false: "0 0"}[ranges]
			if got := web.begun("/cut"); got != want {
				t.Errorf("requests from %s, want %s", got, want)
			}
			var told []string
			for _, e := range u.stream(id) {
				if p := e.Kind.Progress; p != nil && p.Message != nil {
					told = append(told, *p.Message)
				}
			}
			if diff := cmp.Diff([]string{"Retry in 2s because of error: unexpected EOF"}, told); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	content := pattern(3 << 20)
	u := newUnit(t, "good").image(string(content))
	u.start()
	id := u.exec(`[{"deploy":{"progress":{"updateInterval":"1ms"}}},{"terminate":{}},{"deploy":{"progress":{}}}]`)
	if rs := u.results(id); rs[len(rs)-1].Result != golem.ResultOk || len(rs) != 3 {
		t.Fatal(message(rs[len(rs)-1]))
	}
	var done uint64
	var n int
	cached := false
	for _, e := range u.stream(id) {
		p := e.Kind.Progress
		switch {
		case p == nil:
		case p.Message != nil:
			cached = cached || *p.Message == "Deployed image from cache" && e.Index == 2
		default:
			if n++; *p.Progress[0] < done || *p.Progress[1] != uint64(len(content)) || p.Step != [2]uint64{0, 1} || *p.Unit != "Bytes" {
				t.Errorf("progress %+v after %d", p, done)
			}
			done = *p.Progress[0]
		}
	}
	if n == 0 || done != uint64(len(content)) || !cached {
		t.Errorf("%d progress events, the last at %d; from cache: %v", n, done, cached)
	}
}

func TestImage(t *testing.T) {
	content := []byte("an image")
	sum := sha3.Sum224(content)
	tests := []struct{ name, url, want string }{ // %s: a server
		{"no hash", "%s/file", `Local service error: Transfer error: task package "%s/file" has no hash: want hash:sha3:<hex>:<url>`},
		{"wrong hash", fmt.Sprintf("hash:sha3:%x:%%s/file", sha3.Sum224(nil)), "Local service error: Transfer error: Incorrect hash provided or downloaded image is corrupted: calculated hash " + fmt.Sprintf("%x differs from the expected one %x", sum, sha3.Sum224(nil))},
		{"local file", fmt.Sprintf("hash:sha3:%x:/etc/hostname", sum), "Local service error: Transfer error: scheme file is not supported for images"},
		{"container", fmt.Sprintf("hash:sha3:%x:container:/etc/hostname", sum), "Local service error: Transfer error: scheme container is not supported for images"},
		{"none", "", "task package (image) path was not provided"},
		{"good", fmt.Sprintf("hash:sha3:%x:%%s/file", sum), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			web := newWebServer(t, content)
			u := newUnit(t, "good").image("")
			u.cfg.AllowPrivate = true
			u.cfg.Agreement.TaskPackage = strings.ReplaceAll(test.url, "%s", web.URL)
			u.start()
			got := message(u.do(`[{"deploy":{}}]`))
			if want := strings.ReplaceAll(test.want, "%s", web.URL); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			wantTree := ""
			if test.want == "" {
				wantTree = fmt.Sprintf("file_%x", sum)
			}
			if got := strings.ReplaceAll(strings.Join(withoutLocks(tree(t, u.cfg.CacheDir)), " "), u.cfg.CacheDir, ""); got != wantTree {
				t.Errorf("cache holds %q, want %q", got, wantTree)
			}
		})
	}
}

func withoutLocks(names string) (kept []string) {
	for _, n := range strings.Fields(names) {
		if !strings.HasSuffix(n, ".lock") {
			kept = append(kept, n)
		}
	}
	return kept
}

// TestSharedCache has several activities deploy one image at a time.
func TestSharedCache(t *testing.T) {
	content := pattern(1 << 20)
	web := newWebServer(t, content)
	web.delay = 300 * time.Millisecond
	cache := t.TempDir()
	name := fmt.Sprintf("file_%x", sha3.Sum256(content))
	// What a supervisor left behind that was killed while it downloaded.
	write(t, filepath.Join(cache, "tmp", name+".0123.part"), []byte("half"))
	var wg sync.WaitGroup
	for range 4 {
		u := newUnit(t, "good").image("")
		u.cfg.AllowPrivate, u.cfg.CacheDir = true, cache
		u.cfg.Agreement.TaskPackage = fmt.Sprintf("hash:sha3:%x:%s/file", sha3.Sum256(content), web.URL)
		u.start()
		wg.Go(func() {
			if r := u.do(`[{"deploy":{"progress":{}}}]`); r.Result != golem.ResultOk {
				t.Error(message(r))
			}
		})
	}
	wg.Wait()
	if got := web.begun("/file"); got != "0" {
		t.Errorf("requests from %s, want one", got)
	}
	if got := withoutLocks(tree(t, cache)); len(got) != 1 || !bytes.Equal(read(t, filepath.Join(cache, got[0])), content) {
		t.Errorf("cache holds %v", got)
	}
}

// TestDestroyDuringTransfer ends the Activity while a peer does not answer.
func TestDestroyDuringTransfer(t *testing.T) {
	u := newUnit(t, "good")
	silent := gftp.URL{Node: requestor, Name: "silent"}
	wire.GftpMetadata.At(silent.Name).Handle(u.bus, func(context.Context, gsb.Peer, gsb.Unit) (wire.GftpMetadataReply, error) {
		return wire.GftpMetadataReply{FileSize: 1 << 20}, nil
	})
	var asked atomic.Int32
	wire.GftpGetChunk.At(silent.Name).Handle(u.bus, func(ctx context.Context, _ gsb.Peer, r wire.GftpGetChunkRequest) (wire.GftpChunk, error) {
		if r.Offset == 0 {
			return wire.GftpChunk{Content: make([]byte, r.Size)}, nil
		}
		asked.Add(1)
		<-ctx.Done()
		return wire.GftpChunk{}, ctx.Err()
	})
	u.start()
	u.must(ready)
	for _, how := range []string{"terminate", "destroy"} {
		id := u.exec(fmt.Sprintf(`[{"transfer":{"from":"%s","to":"container:/in/a"}}]`, silent))
		for asked.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		asked.Store(0)
		begun := time.Now()
		if how == "terminate" {
			u.must(`[{"terminate":{}}]`)
			if rs := u.results(id); len(rs) != 1 || rs[0].Result != golem.ResultError {
				t.Errorf("%s: got %+v", how, rs)
			}
			u.must(ready)
		} else {
			u.stop(nil)
			<-u.ended
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%s took %v", how, took)
		}
		if got := tree(t, u.cfg.WorkDir); got != "options" {
			t.Errorf("%s: work directory holds %s", how, got)
		}
	}
}

// TestLargeFile copies more than the Agreement's storage.
func TestLargeFile(t *testing.T) {
	u := newUnit(t, "good")
	u.cfg.AllowPrivate = true
	u.cfg.Agreement.Storage = 0.001
	u.start()
	u.must(ready)
	want := transferError + "the content has more than the 1073741 bytes that are allowed"
	if got := u.copy(u.publish(pattern(2<<20)), "container:/in/a"); got != want {
		t.Errorf("known size: got %q", got)
	}
	web := newWebServer(t, pattern(2<<20))
	if got := u.copy(web.URL+"/nosize", "container:/in/a"); got != want {
		t.Errorf("unknown size: got %q", got)
	}
	if got := tree(t, u.cfg.WorkDir); got != "options" {
		t.Errorf("work directory holds %s", got)
	}
}

// webServer has one content and takes others.
type webServer struct {
	*httptest.Server
	content []byte
	cut     int // bytes sent before the connection breaks, at /cut
	ranges  bool
	delay   time.Duration

	mu     sync.Mutex
	puts   map[string][]byte
	starts map[string][]string
}

func newWebServer(t testing.TB, content []byte) *webServer {
	w := &webServer{content: content, ranges: true, puts: map[string][]byte{}, starts: map[string][]string{}}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (s *webServer) got(path string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts[path]
}

// begun returns the offsets from which path was read.
func (s *webServer) begun(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.starts[path], " ")
}

func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	offset := 0
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &offset)
	if r.Method == http.MethodGet {
		s.mu.Lock()
		s.starts[r.URL.Path] = append(s.starts[r.URL.Path], strconv.Itoa(offset))
		s.mu.Unlock()
		time.Sleep(s.delay)
	}
	switch {
	case r.URL.Path == "/forbidden":
		http.Error(w, "no", http.StatusForbidden)
	case r.Method == http.MethodPut:
		b, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.puts[r.URL.Path] = append([]byte{}, b...)
		s.mu.Unlock()
	case r.URL.Path == "/loop":
		http.Redirect(w, r, "/loop", http.StatusFound)
	case r.URL.Path == "/nosize" && r.Method == http.MethodHead:
		http.Error(w, "no", http.StatusMethodNotAllowed)
	case r.URL.Path == "/nosize":
		w.(http.Flusher).Flush()
		w.Write(s.content)
	case r.URL.Path == "/file":
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.content))
	case r.URL.Path == "/cut":
		s.serveCut(w, offset)
	default:
		http.NotFound(w, r)
	}
}

// serveCut breaks the first connection after some bytes.
func (s *webServer) serveCut(w http.ResponseWriter, offset int) {
	if !s.ranges {
		offset = 0
	} else {
		w.Header().Set("Accept-Ranges", "bytes")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(s.content)-offset))
	if offset > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, len(s.content)-1, len(s.content)))
		w.WriteHeader(http.StatusPartialContent)
	}
	if s.begun("/cut") != "0" {
		w.Write(s.content[offset:])
		return
	}
	w.Write(s.content[:s.cut])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// TestFullDisk has a volume without room.
func TestFullDisk(t *testing.T) {
	u := readyUnit(t)
	small := filepath.Join(u.cfg.WorkDir, "vol-in")
	if err := mountSmall(small); err != nil {
		if !errors.Is(err, os.ErrPermission) {
			t.Fatal(err)
		}
		t.Skip("only root can mount")
	}
	defer unmount(small)
	if got := u.copy(u.publish(pattern(2<<20)), "container:/in/a"); got != transferError+"no space left on device" {
		t.Errorf("got %q", got)
	}
	if got := tree(t, small); got != "" {
		t.Errorf("left behind %s", got)
	}
}
