//go:build unix

package script

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/golem-go/golem/devnet"
)

var update = flag.Bool("update", false, "rewrite what scripts compare output with")

// bin is where the programs of the scripts are: golem, and tool.wasm.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "golem-script-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	if err := errors.Join(build("golem", "../../cmd/golem"), build("tool.wasm", "./testdata/tool", "GOOS=wasip1", "GOARCH=wasm")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(name, pkg string, env ...string) error {
	cmd := exec.Command("go", "build", "-o", filepath.Join(bin, name), pkg)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Values["network"] = &network{}
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("TOOL", filepath.Join(bin, "tool.wasm"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TMPDIR", filepath.Join(e.WorkDir, "tmp"))
			if err := os.Mkdir(e.Getenv("TMPDIR"), 0o700); err != nil {
				return err
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"devnet":    startDevnet,
			"end":       endDevnet,
			"gone":      gone,
			"crash":     crash,
			"crashdemo": crashDemo,
			"has":       has,
			"counted":   counted,
			"paid":      paid,
			"left":      left,
			"ends":      ends,
			"settle":    settle,
		},
	})
}

// network is a devnet of a script.
type network struct {
	cmd *exec.Cmd
	net devnet.Network
	pid map[string]int
}

func networkOf(ts *testscript.TestScript) *network { return ts.Value("network").(*network) }

// startDevnet is the command "devnet [flags]": it starts a devnet in $WORK/net, and
// makes its requestor the node that commands find.
func startDevnet(ts *testscript.TestScript, neg bool, args []string) {
	n := networkOf(ts)
	*n = network{cmd: exec.Command(filepath.Join(bin, "golem"), append([]string{"devnet", "--json", "--data-dir", ts.MkAbs("net")}, args...)...)}
	n.cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("WORK"))
	n.cmd.Stderr = os.Stderr
	stdout, err := n.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(n.cmd.Start())
	ts.Defer(func() {
		n.cmd.Process.Kill()
		n.cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		ts.Fatalf("devnet is not ready: %v", err)
	}
	ts.Check(json.Unmarshal(line, &n.net))
	n.pid = map[string]int{n.net.Requestor.Name: n.net.Requestor.PID}
	for _, p := range n.net.Providers {
		n.pid[p.Name] = p.PID
	}
	for _, a := range n.net.Agents {
		n.pid[a.Name] = a.PID
	}
	ts.Setenv("GOLEM_DATA_DIR", n.net.Requestor.Dir)
}

// endDevnet is the command "end SIGNAL": it ends the devnet and waits for it.
func endDevnet(ts *testscript.TestScript, neg bool, args []string) {
	n := networkOf(ts)
	signal := map[string]os.Signal{"INT": os.Interrupt, "KILL": os.Kill}[args[0]]
	ts.Check(n.cmd.Process.Signal(signal))
	if err := n.cmd.Wait(); (err != nil) != neg {
		ts.Fatalf("devnet ended with %v", err)
	}
}

// gone is the command of that name: every process of the devnet ends soon.
func gone(ts *testscript.TestScript, neg bool, args []string) {
	for name, pid := range networkOf(ts).pid {
		for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			if syscall.Kill(pid, 0) != nil || isZombie(pid) {
				break
			}
			if time.Since(begin) > 10*time.Second {
				ts.Fatalf("%s, pid %d, has survived", name, pid)
			}
		}
	}
}

func isZombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(b), ") Z ")
}

// crash is the command "crash NAME": it kills a process of the devnet.
func crash(ts *testscript.TestScript, neg bool, args []string) {
	pid := networkOf(ts).pid[args[0]]
	if pid == 0 {
		ts.Fatalf("no process %s", args[0])
	}
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
}

// crashDemo is the command "crashdemo NAME": it kills a process of the demo's
// network when that works on something.
func crashDemo(ts *testscript.TestScript, neg bool, args []string) {
	dir := filepath.Join(ts.Getenv("WORK"), "tmp", "golem-demo-*", args[0])
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if works, _ := filepath.Glob(filepath.Join(dir, "exe-unit", "work", "*", "*")); len(works) > 0 {
			break
		}
		if time.Since(begin) > 30*time.Second {
			ts.Fatalf("%s does not begin to work", args[0])
		}
	}
	pids, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, name := range pids {
		line, _ := os.ReadFile(name)
		own := strings.Contains(string(line), ts.Getenv("WORK")+"/tmp/golem-demo-") && strings.Contains(string(line), "/"+args[0]+"\x00")
		if own && strings.Contains(string(line), "\x00provider\x00run\x00") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			ts.Check(err)
			ts.Check(syscall.Kill(pid, syscall.SIGKILL))
			return
		}
	}
	ts.Fatalf("no process of %s", args[0])
}

// has is the command "has PATH VALUE": the JSON on standard output has, at a path
// such as agreements.0.cost, a value with that text.
func has(ts *testscript.TestScript, neg bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for part := range strings.SplitSeq(args[0], ".") {
		v = member(v, part)
	}
	if text := fmt.Sprint(v); (text == args[1]) == neg {
		ts.Fatalf("%s is %s", args[0], text)
	}
}

// counted is the command "counted FILE BYTES": the file, or stdout, is what the
// tool prints for print=BYTES.
func counted(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	rest, line := text, 0
	for ; len(rest) > 0; line++ {
		want := fmt.Sprintf("%063d\n", line)
		if want = want[:min(len(want), len(rest))]; rest[:len(want)] != want {
			break
		}
		rest = rest[len(want):]
	}
	if whole := rest == "" && fmt.Sprint(len(text)) == args[1]; whole == neg {
		ts.Fatalf("%s has %d bytes, want %s; line %d is %.64q", args[0], len(text), args[1], line, rest)
	}
}

// member returns a member of an object, or of a list by its number; len is the
// length of a list.
func member(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[name]
	case []any:
		if name == "len" {
			return len(v)
		}
		for i := range v {
			if fmt.Sprint(i) == name {
				return v[i]
			}
		}
	}
	return nil
}

// approved returns the ids of the requestor's approved agreements.
func approved(ts *testscript.TestScript) (ids []string) {
	ts.Check(ts.Exec("golem", "agreement", "list", "--state", "Approved", "--json"))
	var list []struct {
		ID string `json:"agreementId"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &list))
	for _, ag := range list {
		ids = append(ids, ag.ID)
	}
	return ids
}

// paid is the command of that name: in the report of a demo on standard output, all
// tiles are there and every invoice that has come is settled, one at least.
func paid(ts *testscript.TestScript, neg bool, args []string) {
	var report struct {
		Tiles      int
		Agreements []struct {
			Tiles  int
			Status string `json:"invoiceStatus"`
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &report))
	settled := 0
	for _, ag := range report.Agreements {
		report.Tiles -= ag.Tiles
		switch ag.Status {
		case "SETTLED":
			settled++
		case "":
		default:
			ts.Fatalf("an invoice is %s", ag.Status)
		}
	}
	if report.Tiles != 0 || settled == 0 {
		ts.Fatalf("%d tiles are missing, %d invoices are settled", report.Tiles, settled)
	}
}

// left is the command of that name: it waits until there is an agreement.
func left(ts *testscript.TestScript, neg bool, args []string) {
	for begin := time.Now(); len(approved(ts)) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			ts.Fatalf("there is no agreement")
		}
	}
}

// ends is the command of that name: it terminates all agreements, by the
// beginnings of their ids.
func ends(ts *testscript.TestScript, neg bool, args []string) {
	for _, id := range approved(ts) {
		ts.Check(ts.Exec("golem", "agreement", "terminate", id[:12]))
	}
}

// settle is the command "settle": it waits until all invoices of the requestor are
// settled and nothing is reserved.
func settle(ts *testscript.TestScript, neg bool, args []string) {
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		ts.Check(ts.Exec("golem", "payment", "status", "--json"))
		var all []struct {
			Reserved string
			Outgoing struct{ Accepted, Paid string }
		}
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &all))
		if s := all[0]; s.Reserved == "0" && s.Outgoing.Accepted == s.Outgoing.Paid {
			return
		}
		if time.Since(begin) > 20*time.Second {
			ts.Fatalf("money is still reserved or owed: %+v", all)
		}
	}
}
