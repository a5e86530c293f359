package exeunit

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
)

// The forms are those of upstream's tests (spec exeunit.md §26) and their kind.
func TestParseLocation(t *testing.T) {
	const node = "0x0102030000000000000000000000000000000000"
	tests := []struct {
		in     string
		scheme string // "" for an error
		rest   string // path or url
		hash   string
	}{
		{"dir", "container", "/dir", ""},
		{"/golem/work/a", "container", "/golem/work/a", ""},
		{"container:/golem/work/a", "container", "/golem/work/a", ""},
		{"container:///golem/work/a", "container", "/golem/work/a", ""},
		{"CONTAINER:/a", "container", "/a", ""},
		{"container:a", "container", "/a", ""},
		{"container:/a%20b", "container", "/a b", ""},
		{"container:/50%", "container", "/50%", ""},
		{"container:/a//b", "container", "/a//b", ""},
		{"C:/", "c", "", ""},
		{"file:///etc/passwd", "file", "", ""},
		{"http://location.com", "http", "http://location.com", ""},
		{"http:location.com", "http", "http://location.com", ""},
		{"HTTPS://user:pass@location.com/a?b#c", "https", "https://user:pass@location.com/a?b", ""},
		{"gftp://" + node + "/abc", "gftp", "gftp://" + node + "/abc", ""},
		{"hash:sha3:0f0f:http://location.com", "http", "http://location.com", "sha3:0f0f"},
		{"hash://sha3:0f0f:http://location.com", "http", "http://location.com", "sha3:0f0f"},
		{"HASH://alg:0xFF00FF00:http://location.com", "http", "http://location.com", "alg:ff00ff00"},
		{"hash:alg:0xff00:dir", "container", "/dir", "alg:ff00"},
		{"hashes", "container", "/hashes", ""},

		{"", "", "", ""},
		{"http://", "", "", ""},
		{"http:", "", "", ""},
		{"https:///", "", "", ""},
		{"http://:80", "", "", ""},
		{"http://a b/", "", "", ""},
		{"hash:", "", "", ""},
		{"hash:alg", "", "", ""},
		{"hash:alg:", "", "", ""},
		{"hash:alg:val", "", "", ""},
		{"hash:alg:val:", "", "", ""},
		{"hash:alg:val:http://location.com", "", "", ""},
		{"hash:alg:0f0f0f", "", "", ""},
		{"hash:alg:0f0f0f:", "", "", ""},
		{"hash:alg:0f0:http://location.com", "", "", ""},
		{"hash:alg:0x:http://location.com", "", "", ""},
		{"hash::0f0f:http://location.com", "", "", ""},
		{"hash://:0f0f:http://location.com", "", "", ""},
		{"hash:alg:0f0f:http://", "", "", ""},
		{"hash:http://location.com", "", "", ""},
		{"container://host/a", "", "", ""},
		{"container:/a/../../b", "", "", ""},
		{"container:/a/%2e%2e/b", "", "", ""},
		{"container:/a%00b", "", "", ""},
		{"gftp://" + node, "", "", ""},
		{"gftp:abc", "", "", ""},
	}
	for _, test := range tests {
		t.Run(test.in, func(t *testing.T) {
			l, err := parseLocation(test.in, schemeContainer)
			if test.scheme == "" {
				if !errors.Is(err, golem.ErrInvalid) {
					t.Fatalf("got %+v, %v; want ErrInvalid", l, err)
				}
				return
			}
			rest, hash := l.path, ""
			if l.web != nil {
				rest = l.web.String()
			} else if l.scheme == "gftp" {
				rest = l.file.String()
			}
			if l.digest != nil {
				hash = l.digest.algorithm + ":" + hex.EncodeToString(l.digest.sum)
			}
			if err != nil || l.scheme != test.scheme || rest != test.rest || hash != test.hash {
				t.Errorf("got %v, %s, %q, %q", err, l.scheme, rest, hash)
			}
		})
	}
}

func FuzzParseLocation(f *testing.F) {
	for _, s := range []string{"dir", "hash://alg:0xFF00FF00:http://location.com", "container:/a/%2e%2e/b", "gftp://0x0102030000000000000000000000000000000000/a"} {
		f.Add(s)
	}
	volumes := []Volume{{"vol-a", "/"}, {"vol-b", "/a/b"}}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseLocation(s, schemeContainer)
		if err != nil || l.scheme != schemeContainer {
			return
		}
		v, name, err := locate(volumes, l.path)
		if err == nil && !filepath.IsLocal(name) {
			t.Errorf("%q leads to %q in %s", s, name, v.Name)
		}
	})
}

func TestLocate(t *testing.T) {
	volumes := []Volume{{"a", "/golem"}, {"b", "/golem/work"}, {"c", "/out"}}
	root := []Volume{{"r", "/"}, {"s", "/s"}}
	tests := []struct {
		name    string
		volumes []Volume
		path    string
		volume  string // "" for ErrNotFound
		rest    string
	}{
		{"plain", volumes, "/out/f", "c", "f"},
		{"longest", volumes, "/golem/work/f", "b", "f"},
		{"not by letters", volumes, "/golem/worker/f", "a", "worker/f"},
		{"deep", volumes, "/golem/x/y", "a", "x/y"},
		{"the volume itself", volumes, "/out", "c", "."},
		{"with a slash at the end", volumes, "/out/", "c", "."},
		{"file with a slash at the end", volumes, "/out/d/", "c", "d"},
		{"double slash after the volume", volumes, "/out//f", "", ""},
		{"double slash later", volumes, "/out/a//f", "c", "a/f"},
		{"none", volumes, "/etc/passwd", "", ""},
		{"no volumes", nil, "/a", "", ""},
		{"root volume", root, "/etc/passwd", "r", "etc/passwd"},
		{"inside the root volume", root, "/s/f", "s", "f"},
		{"root itself", root, "/", "r", "."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v, rest, err := locate(test.volumes, test.path)
			if test.volume == "" {
				if !errors.Is(err, golem.ErrNotFound) {
					t.Errorf("got %v, %q, %v; want ErrNotFound", v, rest, err)
				}
			} else if err != nil || v.Name != test.volume || rest != test.rest {
				t.Errorf("got %v, %q, %v", v, rest, err)
			}
		})
	}
}

func TestImageName(t *testing.T) {
	tests := []struct{ in, want string }{
		{"hash:sha3:0f0f:http://a.b/dir/image.gvmi?x=y", "image_0f0f.gvmi"},
		{"hash:sha3:0f0f:http://a.b/..", "image_0f0f"},
		{"hash:sha3:0f0f:http://a.b/", "__0f0f"},
		{"hash:sha3:0f0f:http://a.b", "image_0f0f"},
		{"hash:sha3:0f0f:http://a.b/.hidden", "image_0f0f.hidden"},
		{"hash:sha3:0f0f:http://a.b/a%2f..%2fb c", "b_c_0f0f"},
		{"hash:sha3:0f0f:http://a.b/" + strings.Repeat("x", 300) + ".zip", strings.Repeat("x", 48) + "_0f0f.zip"},
		{"hash:sha3:0f0f:gftp://0x0102030000000000000000000000000000000000/abc", "abc_0f0f"},
	}
	for _, test := range tests {
		l, err := parseLocation(test.in, schemeFile)
		if err != nil {
			t.Fatal(err)
		}
		if got := imageName(&l); got != test.want || !filepath.IsLocal(got) {
			t.Errorf("%.60s: got %q, want %q", test.in, got, test.want)
		}
	}
}

// The three shapes are those of upstream's tests.
func TestParseDeployed(t *testing.T) {
	tests := []struct {
		name, in string
		want     *Deployed // nil for ErrInvalid
	}{
		{"full", `{"valid":{"Ok":""},"vols":[{"name":"vol-1","path":"/in"}],"startMode":"blocking"}`, &Deployed{[]Volume{{"vol-1", "/in"}}, StartBlocking}},
		{"no mode", `{"valid":{"Ok":""},"vols":[{"name":"vol-1","path":"in/"}]}`, &Deployed{[]Volume{{"vol-1", "/in"}}, StartEmpty}},
		{"only validity", `{"valid":{"Ok":""}}`, &Deployed{nil, StartEmpty}},
		{"validity is not looked at", `{"valid":{"Err":"no"}}`, &Deployed{nil, StartEmpty}},
		{"nothing", " \n", &Deployed{nil, StartEmpty}},
		{"noise before", "deploying…\n{}", &Deployed{nil, StartEmpty}},
		{"noise after", "{} done", &Deployed{nil, StartEmpty}},
		{"no object", "deployed", nil},
		{"broken", `{"vols":[`, nil},
		{"unknown mode", `{"startMode":"lazy"}`, nil},
		{"volume outside", `{"vols":[{"name":"../x","path":"/in"}]}`, nil},
		{"absolute volume", `{"vols":[{"name":"/etc","path":"/in"}]}`, nil},
		{"the work directory", `{"vols":[{"name":"a/..","path":"/in"}]}`, nil},
		{"no name", `{"vols":[{"path":"/in"}]}`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseDeployed([]byte(test.in))
			if test.want == nil {
				if !errors.Is(err, golem.ErrInvalid) {
					t.Errorf("got %+v, %v; want ErrInvalid", got, err)
				}
			} else if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
		})
	}
	b, err := EncodeDeployed(Deployed{StartMode: StartEmpty}, "done")
	if want := `{"valid":{"Ok":"done"},"vols":[],"startMode":"empty"}`; err != nil || string(b) != want {
		t.Errorf("encoded %s, %v; want %s", b, err, want)
	}
}

func FuzzParseDeployed(f *testing.F) {
	f.Add([]byte(`{"valid":{"Ok":""},"vols":[{"name":"vol-1","path":"/in"}],"startMode":"blocking"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDeployed(b)
		if err != nil {
			return
		}
		for _, v := range d.Volumes {
			if !filepath.IsLocal(v.Name) || !filepath.IsAbs(v.Path) {
				t.Errorf("volume %+v", v)
			}
		}
	})
}

func TestVolumeOverride(t *testing.T) {
	tests := []struct{ name, in, want string }{ // want "!" for ErrInvalid
		{"none", ``, ""},
		{"null", `null`, ""},
		{"empty list", `[]`, ""},
		{"list", `["/b","/a"]`, `{"/a":{"host":{}},"/b":{"host":{}}}`},
		{"map", `{"/a":{"storage":{"size":"10GiB"}}}`, `{"/a":{"storage":{"size":"10GiB"}}}`},
		{"relative", `["a"]`, "!"},
		{"dots", `["/a/../b"]`, "!"},
		{"number", `1`, "!"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := volumeOverride(json.RawMessage(test.in))
			if bad := errors.Is(err, golem.ErrInvalid); bad != (test.want == "!") || !bad && got != test.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestParseAgreement(t *testing.T) {
	flat := `{"agreementId":"a","demand":{"requestorId":"0x0100000000000000000000000000000000000000","properties":{
		"golem.srv.comp.task_package":"hash:sha3:00:http://x","golem.srv.comp.expiration":1700000000123}},
		"offer":{"providerId":"0x0200000000000000000000000000000000000000","properties":{
		"golem.com.usage.vector":["a","b"],"golem.inf.mem.gib":1.5,"golem.inf.storage.gib":20,"golem.inf.cpu.threads":4}}}`
	nested := `{"agreementId":"a","demand":{"requestorId":"0x0100000000000000000000000000000000000000","properties":{
		"golem":{"srv":{"comp":{"task_package":"hash:sha3:00:http://x"}},"srv.comp.expiration":1700000000123}}},
		"offer":{"providerId":"0x0200000000000000000000000000000000000000","properties":{
		"golem":{"com":{"usage":{"vector":["a","b"]}},"inf":{"mem.gib":1.5,"storage":{"gib":20},"cpu":{"threads":4}}}}}}`
	want := &Agreement{
		ID: "a", Requestor: golem.NodeID{1}, Provider: golem.NodeID{2}, TaskPackage: "hash:sha3:00:http://x",
		Vector: []string{"a", "b"}, Expiration: time.UnixMilli(1700000000123).UTC(), Threads: 4, Memory: 1.5, Storage: 20,
	}
	for _, text := range []string{flat, nested} {
		got, err := ParseAgreement([]byte(text))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"offer":{"properties":{"golem.com.usage.vector":[1]}}}`, `{"offer":{"properties":{"golem.com.usage.vector":"a"}}}`} {
		if a, err := ParseAgreement([]byte(bad)); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("%s: got %+v, %v; want ErrInvalid", bad, a, err)
		}
	}
	odd, err := ParseAgreement([]byte(`{"demand":{"properties":{"golem.srv.comp.expiration":1e300,"golem.srv.comp.payload":"x"}},"offer":{"properties":{"golem.com.usage.vector":[],"golem.inf.mem.gib":-1}}}`))
	if err != nil || !odd.Expiration.IsZero() || odd.Memory != 0 || !odd.Manifest {
		t.Errorf("got %+v, %v", odd, err)
	}
	if _, err := ReadAgreement(filepath.Join(t.TempDir(), "none")); !errors.Is(err, golem.ErrInvalid) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}

func TestParseOptions(t *testing.T) {
	base := Options{Mode: ModeServiceBus, Binary: "rt", ServiceID: "id", ReportURL: "/local/activity", Agreement: "a", WorkDir: "w", CacheDir: "c"}
	with := func(edit func(o *Options)) Options { o := base; edit(&o); return o }
	tests := []struct {
		name, args string
		want       Options
		err        string
	}{
		{"agent", "-b rt service-bus id /local/activity -c c -w w -a a", base, ""},
		{"options first", "-c c -w w -a a -b rt service-bus id /local/activity", base, ""},
		{"long names", "--binary rt service-bus id /local/activity --cache-dir=c --work-dir=w --agreement=a", base, ""},
		{"attached", "-brt service-bus id /local/activity -cc -w=w -aa", base, ""},
		{"switches", "-b rt --cap-handoff --runtime-managed-image -r x service-bus id /local/activity -c c -w w -a a -r --y --requestor-pub-key 00",
			with(func(o *Options) { o.ManagedHardware, o.ManagedImage, o.RuntimeArgs = true, true, []string{"x", "--y"} }), ""},
		{"alias", "-b rt --runtime-managed-hardware --inform-runtime service-bus id /local/activity -c c -w w -a a",
			with(func(o *Options) { o.ManagedHardware, o.InformRuntime = true, true }), ""},
		{"limits", "-b rt service-bus id /local/activity -c c -w w -a a --cpu-limit 90s --duration-limit=1h --command-timeout 5m --allow-private",
			with(func(o *Options) {
				o.CPULimit, o.DurationLimit, o.CommandTimeout, o.AllowPrivate = 90*time.Second, time.Hour, 5*time.Minute, true
			}), ""},
		{"from a file", "-b rt from-file s.json -c c -w w -a a --service-id i", Options{Mode: ModeFromFile, Binary: "rt", Script: "s.json", ServiceID: "i", Agreement: "a", WorkDir: "w", CacheDir: "c"}, ""},
		{"template", "-b rt -r x offer-template", Options{Mode: ModeOfferTemplate, Binary: "rt", RuntimeArgs: []string{"x"}}, ""},
		{"test", "test -b rt", Options{Mode: ModeTest, Binary: "rt"}, ""},

		{"nothing", "", Options{}, "a command is missing"},
		{"no runtime", "test", Options{}, "option -b, the runtime, is missing"},
		{"unknown command", "-b rt fly", Options{}, `command "fly" is unknown`},
		{"unknown option", "-b rt test --fast", Options{}, "option --fast is unknown"},
		{"no value", "test -b", Options{}, "option -b needs a value"},
		{"value of a switch", "-b rt --cap-handoff=no test", Options{}, "option --cap-handoff takes no value"},
		{"few words", "-b rt service-bus id", Options{}, "command service-bus takes 2 arguments, got 1"},
		{"no directories", "-b rt service-bus id /local/activity -a a -w w", Options{}, "command service-bus needs option -c"},
		{"other report url", "-b rt service-bus id /public/x -c c -w w -a a", Options{}, `report url "/public/x": only /local/activity is supported`},
		{"bad duration", "-b rt test --cpu-limit soon", Options{}, `option --cpu-limit: time: invalid duration "soon"`},
		{"negative duration", "-b rt test --cpu-limit -5s", Options{}, "option --cpu-limit: -5s is negative"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseOptions(strings.Fields(test.args))
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("got %v, want %s", err, test.err)
				}
			} else if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestTemplate(t *testing.T) {
	tests := []struct {
		name, a, b, want string
	}{
		{"both nested and flat", `{"properties":{"a":{"b":1},"c":[1,2]},"constraints":""}`, `{"properties":{"a.b":2,"c":[3]}}`, `{"properties":{"a.b":2,"c":[3]},"constraints":""}`},
		{"one constraint", `{"constraints":"(x=1)"}`, `{"constraints":" () "}`, `{"properties":{},"constraints":"(x=1)"}`},
		{"two constraints", `{"constraints":"(x=1)"}`, `{"constraints":"(y=1)"}`, `{"properties":{},"constraints":"(\u0026(x=1) (y=1))"}`},
		{"garbage after", `{"properties":{"a":1}}`, "{\"properties\":{\"b\":2}}\x1b[0m", `{"properties":{"a":1,"b":2},"constraints":""}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, err1 := ParseTemplate([]byte(test.a))
			b, err2 := ParseTemplate([]byte(test.b))
			got, err3 := json.Marshal(a.Merge(b))
			if err := errors.Join(err1, err2, err3); err != nil || string(got) != test.want {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
		})
	}
	if _, err := ParseTemplate([]byte("hello")); !errors.Is(err, golem.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

// TestCaptureParts writes the same bytes in pieces of every size.
func TestCaptureParts(t *testing.T) {
	const text = "0123456789"
	tests := []struct {
		name string
		mode golem.CaptureAtEnd
		want string
	}{
		{"all", golem.CaptureAtEnd{}, text},
		{"head 0", golem.CaptureAtEnd{Head: new(uint64(0))}, ""},
		{"head 3", golem.CaptureAtEnd{Head: new(uint64(3))}, "012"},
		{"head 10", golem.CaptureAtEnd{Head: new(uint64(10))}, text},
		{"head much", golem.CaptureAtEnd{Head: new(uint64(math.MaxUint64))}, text},
		{"tail 0", golem.CaptureAtEnd{Tail: new(uint64(0))}, ""},
		{"tail 1", golem.CaptureAtEnd{Tail: new(uint64(1))}, "9"},
		{"tail 3", golem.CaptureAtEnd{Tail: new(uint64(3))}, "789"},
		{"tail 10", golem.CaptureAtEnd{Tail: new(uint64(10))}, text},
		{"tail 11", golem.CaptureAtEnd{Tail: new(uint64(11))}, text},
		{"tail much", golem.CaptureAtEnd{Tail: new(uint64(math.MaxUint64))}, text},
		{"both 0", golem.CaptureAtEnd{HeadTail: new(uint64(0))}, ""},
		{"both 1", golem.CaptureAtEnd{HeadTail: new(uint64(1))}, "0"},
		{"both 2", golem.CaptureAtEnd{HeadTail: new(uint64(2))}, "09"},
		{"both 5", golem.CaptureAtEnd{HeadTail: new(uint64(5))}, "01289"},
		{"both 10", golem.CaptureAtEnd{HeadTail: new(uint64(10))}, text},
		{"both 12", golem.CaptureAtEnd{HeadTail: new(uint64(12))}, text},
		{"both much", golem.CaptureAtEnd{HeadTail: new(uint64(math.MaxUint64))}, text},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for size := 1; size <= len(text); size++ {
				var b budget
				b.left.Store(100)
				c, err := newCapture(&golem.CaptureMode{AtEnd: &test.mode}, &b, nil)
				if err != nil {
					t.Fatal(err)
				}
				for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
					c.Write([]byte(rest[:min(size, len(rest))]))
				}
				if out, missed := c.finish(); out.Text != test.want || missed != 0 {
					t.Errorf("in pieces of %d: got %q, missed %d; want %q", size, out.Text, missed, test.want)
				}
			}
		})
	}
}

func TestCaptureBudget(t *testing.T) {
	capture := func(mode golem.CaptureAtEnd, left int64, text string) (golem.Output, uint64) {
		var b budget
		b.left.Store(left)
		c, err := newCapture(&golem.CaptureMode{AtEnd: &mode}, &b, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []byte(text) {
			c.Write([]byte{r})
		}
		return c.finish()
	}
	if out, missed := capture(golem.CaptureAtEnd{}, 4, "0123456789"); out.Text != "0123" || missed != 6 {
		t.Errorf("all: %q, %d", out.Text, missed)
	}
	if out, missed := capture(golem.CaptureAtEnd{Tail: new(uint64(8))}, 4, "0123456789"); out.Text != "6789" || missed != 4 {
		t.Errorf("tail: %q, %d", out.Text, missed)
	}
	if out, missed := capture(golem.CaptureAtEnd{Format: "bin"}, 11, "0123456789"); string(out.Bytes) != "01" || missed != 8 {
		t.Errorf("bytes: %q, %d", out.Bytes, missed)
	}
	if out, _ := capture(golem.CaptureAtEnd{}, 5, "\xff\xfe\xfd"); out.Text != "ÿþ" {
		t.Errorf("not text: %q", out.Text)
	}
}

func FuzzCapture(f *testing.F) {
	f.Add([]byte("a\xe2\x82\xacb"), uint8(2))
	f.Add([]byte("\xf0\x9f\x98\x80\xff"), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var b budget
		b.left.Store(1 << 20)
		streamed := ""
		c, err := newCapture(&golem.CaptureMode{Stream: &golem.CaptureStream{}}, &b, func(o golem.Output) { streamed += o.Text })
		if err != nil {
			t.Fatal(err)
		}
		for rest := text; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			c.Write(rest[:n])
			rest = rest[n:]
		}
		c.finish()
		if !utf8.ValidString(streamed) || utf8.Valid(text) && streamed != string(text) {
			t.Errorf("%q was streamed as %q", text, streamed)
		}
	})
}

func TestEventLog(t *testing.T) {
	var l eventLog
	add := func(text string, size int) { l.add(golem.RuntimeEvent{Batch: golem.BatchID(text)}, size) }
	add("started", -1)
	for i := range 1000 {
		add("output", 1<<20-entryCost)
		if i == 500 {
			add("finished", -1)
		}
	}
	if l.held > maxBatchOutput || len(l.entries) > 100 {
		t.Errorf("holds %d bytes in %d entries", l.held, len(l.entries))
	}
	var got []string
	last := -1
	for next := 0; ; next = last + 1 {
		e, at, ok := l.from(next)
		if !ok {
			break
		}
		if at <= last {
			t.Fatalf("event %d after %d", at, last)
		}
		got, last = append(got, string(e.Batch)), at
	}
	if want := "started finished output output output output output output"; strings.Join(got, " ") != want || last != 1001 {
		t.Errorf("got %v, the last is %d", got, last)
	}
}

func TestCheckPublic(t *testing.T) {
	tests := []struct {
		address string
		public  bool
	}{
		{"93.184.216.34:80", true},
		{"[2606:2800:220:1::1]:443", true},
		{"127.0.0.1:80", false},
		{"127.8.8.8:80", false},
		{"10.1.2.3:80", false},
		{"172.16.0.1:80", false},
		{"192.168.1.1:80", false},
		{"169.254.169.254:80", false},
		{"100.64.0.1:80", false},
		{"0.0.0.0:80", false},
		{"255.255.255.255:80", false},
		{"224.0.0.1:80", false},
		{"[::1]:80", false},
		{"[::]:80", false},
		{"[fe80::1%eth0]:80", false},
		{"[fd00::1]:80", false},
		{"[::ffff:127.0.0.1]:80", false},
		{"[64:ff9b::7f00:1]:80", false},
		{"nonsense", false},
	}
	for _, test := range tests {
		if err := checkPublic(test.address); (err == nil) != test.public || err != nil && !errors.Is(err, golem.ErrForbidden) {
			t.Errorf("%s: got %v", test.address, err)
		}
	}
}

func TestStorage(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "big")
	block := make([]byte, 1<<20)
	for _, name := range []string{filepath.Join(dir, "a"), outside} {
		if err := os.WriteFile(name, block, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	deep := filepath.Join(dir, "x/y/z")
	if err := errors.Join(
		os.MkdirAll(deep, 0o755), os.WriteFile(filepath.Join(deep, "b"), block, 0o644),
		os.Link(filepath.Join(dir, "a"), filepath.Join(deep, "again")),
		os.Symlink(outside, filepath.Join(deep, "file")), os.Symlink(filepath.Dir(outside), filepath.Join(deep, "dir")),
		os.Symlink("..", filepath.Join(deep, "up")),
	); err != nil {
		t.Fatal(err)
	}
	s := &storage{dir: dir}
	s.measure(t.Context())
	if n := s.size(); n < 2<<20 || n > 2<<20+64<<10 {
		t.Errorf("got %d bytes, want a little more than 2 MiB", n)
	}
	path := dir
	for range maxDirectoryDepth + 2 {
		path = filepath.Join(path, "d")
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	s.measure(t.Context())
	if err := s.failure(); !errors.Is(err, golem.ErrExhausted) {
		t.Errorf("nested: got %v, want ErrExhausted", err)
	}
}
