package main

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/golem-go/golem/requestor"
)

// TestTeller checks that a program's output and the line of progress do not get
// into each other's way.
func TestTeller(t *testing.T) {
	var screen bytes.Buffer
	tell := &teller{w: &screen, on: true}
	out := &besideLine{tell, &screen}
	tell.progress(requestor.Progress{Provider: "ann\x1b[2J", Text: "deploy", Done: 1 << 62, Total: 1 << 62})
	io.WriteString(out, "hello\n4")
	io.WriteString(out, "2")
	tell.progress(requestor.Progress{Text: strings.Repeat("x", 100)})
	tell.line("%s: paid", "a\nb")
	want := "\r\x1b[Kann[2J: deploy 100 %" + "\r\x1b[Khello\n4" + "2" +
		"\n\r\x1b[K" + strings.Repeat("x", 78) + "…" + "\r\x1b[Ka b: paid\n"
	if got := screen.String(); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestTellerAtOnce has a rental tell of its end while the program prints.
func TestTellerAtOnce(t *testing.T) {
	tell := &teller{w: io.Discard, on: true}
	out := &besideLine{tell, io.Discard}
	var all sync.WaitGroup
	for _, f := range []func(){
		func() { tell.progress(requestor.Progress{Text: "x"}) }, tell.clear,
		func() { tell.line("x") }, func() { io.WriteString(out, "x") },
	} {
		all.Go(f)
	}
	all.Wait()
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain ✓\nsecond line":        "plain ✓\nsecond line",
		"\x1b]0;title\x07\tand\rmore": "]0;title and more",
		"\u009b2J\u202e\xff":          "2J\uFFFD",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
	var table bytes.Buffer
	rows(&table, []any{"provider", "n"}, [][]any{{"\x1b[31mann\nbob", 7}})
	if got := table.String(); strings.ContainsRune(got, '\x1b') || !strings.Contains(got, "[31mann bob") {
		t.Errorf("got %q", got)
	}
}

// TestSecrets checks that ExeUnits are told nothing by which the node is used.
func TestSecrets(t *testing.T) {
	env := []string{"PATH=/bin", "YAGNA_APPKEY=k", "YAGNA_AUTOCONF_ID_SECRET=s", "YAGNA_AUTOCONF_APPKEY=k", "YA_RT_MEM=4"}
	if got := withoutSecrets(env); !slices.Equal(got, []string{"PATH=/bin", "YA_RT_MEM=4"}) || len(env) != 5 {
		t.Errorf("got %q of %q", got, env)
	}
}

// TestExitStatus ends as programs do, and never as if one that failed had not.
func TestExitStatus(t *testing.T) {
	for _, test := range []struct {
		ran  error
		code int
		says string
	}{
		{nil, 0, ""},
		{&requestor.ExitError{Code: 3}, 3, ""},
		{&requestor.ExitError{Code: 255}, 255, ""},
		{&requestor.ExitError{Code: 256}, 1, "golem: the program exited with code 256\n"},
		{&requestor.ExitError{Code: -1, Message: "Usage limit exceeded"}, 1, "golem: the program was stopped: Usage limit exceeded\n"},
		{errors.New("lost\x1b[2J"), 1, "golem: lost[2J\n"},
	} {
		var out, said bytes.Buffer
		a := &app{stdout: &out, stderr: &said}
		code := a.exitCode(a.reportRun(newTeller(a, false), requestor.Bill{}, test.ran, nil))
		if code != test.code || said.String() != test.says {
			t.Errorf("%v: got %d, %q", test.ran, code, said.String())
		}
	}
}
