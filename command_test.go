package golem_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
)

// TestParseScript reads what the SDKs send (spec rest-api.md §5.8).
func TestParseScript(t *testing.T) {
	tests := []struct{ name, script, commands string }{
		{"golem-js start-up", `[{"deploy":{}},{"start":{}}]`, "deploy start"},
		{"golem-js volumes", `[{"deploy":{"volumes":{"/golem/work":{"storage":{"size":"2g"}}}}}]`, "deploy"},
		{"volumes as a list", `[{"deploy":{"volumes":["/a","/b"]}}]`, "deploy"},
		{"golem-js run", `[{"run":{"entry_point":"/bin/sh","args":["-c","echo hi"],"capture":{"stdout":{"atEnd":{"format":"string"}},"stderr":{"atEnd":{"format":"string"}}}}}]`, "run"},
		{"yapapi start-up", `[{"deploy":{}},{"start":{"args":[]}}]`, "deploy start"},
		{"yapapi run", `[{"run":{"entry_point":"/bin/sh","args":[],"capture":{"stdout":{"stream":{}},"stderr":{"stream":{}}}}}]`, "run"},
		{"transfer", `[{"transfer":{"from":"gftp://0x1/2","to":"container:/a"}}]`, "transfer"},
		{"transfer of an archive", `[{"transfer":{"from":"container:/a","to":"http://h/a.zip","format":"zip.0","depth":3}}]`, "transfer"},
		{"transfer of some files", `[{"transfer":{"from":"container:/a","to":"http://h/a.tar","format":"tar","fileset":[{"pattern":"*.txt"},"b"]}}]`, "transfer"},
		{"transfer with progress", `[{"transfer":{"from":"a","to":"b","progress":{"updateInterval":"300ms","updateStep":null}}}]`, "transfer"},
		{"unknown members", `[{"terminate":{"why":"done"}},{"sign":{"x":[1]}}]`, "terminate sign"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cs, err := golem.ParseScript(tt.script)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, c := range cs {
				names = append(names, c.Name())
			}
			if got := strings.Join(names, " "); got != tt.commands {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestParseScriptRefuses(t *testing.T) {
	for name, script := range map[string]string{
		"empty":             ``,
		"no JSON":           `hello`,
		"no commands":       `[]`,
		"null":              `null`,
		"an object":         `{"deploy":{}}`,
		"null command":      `[null]`,
		"no command":        `[{}]`,
		"two commands":      `[{"deploy":{},"start":{}}]`,
		"unknown command":   `[{"reboot":{}}]`,
		"null content":      `[{"terminate":null}]`,
		"text content":      `[{"terminate":"now"}]`,
		"no entry point":    `[{"run":{"args":[]}}]`,
		"no target":         `[{"transfer":{"from":"a"}}]`,
		"no source":         `[{"transfer":{"to":"a"}}]`,
		"negative depth":    `[{"transfer":{"from":"a","to":"b","depth":-1}}]`,
		"arguments as text": `[{"run":{"entry_point":"a","args":"b"}}]`,
		"node id":           `[{"deploy":{"net":[{"id":"n","ip":"i","nodeIp":"x","nodes":{"i":"me"}}]}}]`,
		"more than one":     `[{"sign":{}}] [{"sign":{}}]`,
	} {
		if cs, err := golem.ParseScript(script); golem.KindOf(err) != golem.ErrInvalid {
			t.Errorf("%s: got %v, %v; want ErrInvalid", name, cs, err)
		}
	}
	_, err := golem.ParseScript(`[{"terminate":null}]`)
	if want := `command "terminate": want an object`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCommandNames(t *testing.T) {
	if got := (&golem.Command{}).Name(); got != "" {
		t.Errorf("no command is %q", got)
	}
	for name := range forms {
		c, ok := forms[name].(golem.Command)
		if want, _, _ := strings.Cut(strings.TrimPrefix(name, "command_"), "_"); ok && c.Name() != want {
			t.Errorf("%s is named %q", name, c.Name())
		}
	}
}

// TestOutput checks the three forms of captured output.
func TestOutput(t *testing.T) {
	for in, want := range map[string]golem.Output{
		`null`:      {},
		`""`:        {},
		`"hi\n"`:    {Text: "hi\n"},
		`[104,105]`: {Bytes: []byte("hi")},
		`[]`:        {Bytes: []byte{}},
		`[0,255]`:   {Bytes: []byte{0, 255}},
	} {
		var o golem.Output
		if err := json.Unmarshal([]byte(in), &o); err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, o); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
		if o.IsZero() {
			in = "null"
		}
		if b, err := json.Marshal(o); err != nil || string(b) != in {
			t.Errorf("%s is written as %s, %v", in, b, err)
		}
	}
	for _, in := range []string{`5`, `true`, `{}`, `[256]`, `[-1]`, `["a"]`, `[1.5]`} {
		var o golem.Output
		wantKind(t, json.Unmarshal([]byte(in), &o), golem.ErrInvalid)
	}
	if got := (golem.Output{Bytes: []byte("hi")}).String() + (golem.Output{Text: "ho"}).String(); got != "hiho" {
		t.Errorf("as text: %q", got)
	}
	old := golem.Output{Text: "old"}
	if err := json.Unmarshal([]byte(`[1]`), &old); err != nil || old.Text != "" {
		t.Errorf("something old remains: %+v, %v", old, err)
	}
}

func TestStatePair(t *testing.T) {
	for in, want := range map[string]golem.StatePair{
		`["Ready",null]`:             {Current: golem.ActivityReady},
		`["Initialized","Deployed"]`: {Current: golem.ActivityInitialized, Pending: golem.ActivityDeployed},
	} {
		var p golem.StatePair
		if err := json.Unmarshal([]byte(in), &p); err != nil || p != want {
			t.Errorf("%s is %v, %v", in, p, err)
		}
		if b, err := json.Marshal(p); err != nil || string(b) != in {
			t.Errorf("%s is written as %s, %v", in, b, err)
		}
	}
	for _, in := range []string{`null`, `[]`, `[null,null]`, `["ready",null]`, `["Ready","x"]`, `"Ready"`, `{"state":1}`, `[1,2]`} {
		var p golem.StatePair
		wantKind(t, json.Unmarshal([]byte(in), &p), golem.ErrInvalid)
	}
}

func TestNaiveTime(t *testing.T) {
	base := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for ns, want := range map[int]string{
		0:           "2026-01-02T03:04:05",
		678_000_000: "2026-01-02T03:04:05.678",
		678_900_000: "2026-01-02T03:04:05.678900",
		123_456_789: "2026-01-02T03:04:05.123456789",
		100:         "2026-01-02T03:04:05.000000100",
	} {
		nt := golem.NaiveTime{Time: base.Add(time.Duration(ns)).In(time.FixedZone("x", 3600))}
		b, err := json.Marshal(nt)
		if err != nil || string(b) != `"`+want+`"` {
			t.Errorf("%d ns: %s, %v; want %s", ns, b, err, want)
		}
		var back golem.NaiveTime
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(nt.Time) || back.Location() != time.UTC {
			t.Errorf("%s comes back as %s, %v", b, back, err)
		}
	}
	for _, in := range []string{`"2026-01-02T03:04:05Z"`, `"2026-01-02T05:04:05+02:00"`} {
		var nt golem.NaiveTime
		if err := json.Unmarshal([]byte(in), &nt); err != nil || !nt.Equal(base) {
			t.Errorf("%s is %s, %v", in, nt, err)
		}
	}
	for _, in := range []string{`""`, `"2026-01-02"`, `"now"`, `5`, `{}`, `"2026-13-02T03:04:05"`} {
		var nt golem.NaiveTime
		wantKind(t, json.Unmarshal([]byte(in), &nt), golem.ErrInvalid)
	}
}
