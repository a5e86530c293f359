//go:build unix

package exeunit_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/exeunit/runtimetest"
)

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	write(t, good, []byte("good"))
	write(t, bad, []byte("bad"))
	runtimetest.Test(t, runtimetest.Runtime{
		Path: self(t), Env: append(os.Environ(), beRuntime+"=good", fast), Image: good, BadImage: bad,
		Echo: []string{"echo"}, Exit: []string{"exit"}, Hang: []string{"hang"}, Copy: []string{"copy"}, In: "/in", Out: "/out",
	})
}

func TestMainModes(t *testing.T) {
	base := `"golem.activity.caps.deploy.report-progress":true,"golem.activity.caps.transfer.protocol":["gftp","http","https"],"golem.activity.caps.transfer.report-progress":true,`
	vector := `"golem.com.usage.vector":["golem.usage.duration_sec","golem.usage.cpu_sec","golem.usage.gib","golem.usage.storage_gib"]`
	tests := []struct {
		name, kind, args string
		code             int
		out, err         string
	}{
		{"template", "good", "-b %s offer-template", 0, `{"properties":{` + base + vector + `,"golem.runtime.capabilities":["test"]},"constraints":""}` + "\n", ""},
		{"template with garbage", "garbage", "-b %s offer-template", 0, `{"properties":{` + base + `"golem.com.usage.vector":["a"],"golem.inf.cpu.vendor":"X"},"constraints":"(a=1)"}` + "\n", ""},
		{"template of a broken runtime", "broken", "-b %s offer-template", 0, `{"properties":{` + base + vector + `},"constraints":""}` + "\n", ""},
		{"no template", "mute", "-b %s offer-template", 1, "", "offer template of the runtime: invalid character 'h' looking for beginning of value\n"},
		{"test", "good", "-b %s test", 0, "tested\n", ""},
		{"test fails", "broken", "-b %s test", 1, "tested\n", "no hardware\nTest failed: ExeScript command exited with code 9\n"},
		{"no runtime", "", "-b /none test", 1, "", "runtime: stat /none: no such file or directory\n"},
		{"no agreement", "good", "-b %s service-bus a /local/activity -a /none -w %w -c %w", 1, "", "agreement: open /none: no such file or directory\n"},
		{"usage", "", "", 2, "", "a command is missing\n\n" + exeunit.Usage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := strings.Fields(strings.NewReplacer("%s", self(t), "%w", t.TempDir()).Replace(test.args))
			env := exeunit.Environment{Env: append(os.Environ(), beRuntime+"="+test.kind, fast)}
			code := exeunit.Main(t.Context(), args, exeunit.Stdio{Out: &out, Err: &errs}, env)
			if code != test.code || out.String() != test.out || errs.String() != test.err {
				t.Errorf("got %d,\n%s%s", code, out.String(), errs.String())
			}
		})
	}
}

// supervisor starts a process that executes a script from a file.
func supervisor(t *testing.T, script string) (cmd *exec.Cmd, work string) {
	t.Helper()
	dir := t.TempDir()
	work = filepath.Join(dir, "work")
	write(t, filepath.Join(dir, "script.json"), []byte(script))
	write(t, filepath.Join(dir, "agreement.json"), []byte(`{"offer":{"properties":{"golem.com.usage.vector":[]}}}`))
	cmd = exec.Command(self(t), "-b", self(t), "--runtime-managed-image", "from-file", filepath.Join(dir, "script.json"),
		"-a", filepath.Join(dir, "agreement.json"), "-w", work, "-c", filepath.Join(dir, "cache"))
	cmd.Env = append(os.Environ(), beSupervisor+"=1", beRuntime+"=good", fast)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, work
}

// awaitChild waits for the process of a run command.
func awaitChild(t *testing.T, parent int) int {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
		for _, task := range tasks {
			b, _ := os.ReadFile(task)
			for _, text := range strings.Fields(string(b)) {
				line, _ := os.ReadFile("/proc/" + text + "/cmdline")
				if pid, err := strconv.Atoi(text); err == nil && strings.Contains(string(line), "--entrypoint") {
					return pid
				}
			}
		}
	}
	t.Fatal("no program runs")
	return 0
}

const hanging = `[{"deploy":{}},{"start":{}},{"run":{"entry_point":"hang"}}]`

// TestKilledSupervisor has a supervisor that can tell its processes nothing.
func TestKilledSupervisor(t *testing.T) {
	cmd, _ := supervisor(t, hanging)
	child := awaitChild(t, cmd.Process.Pid)
	cmd.Process.Kill()
	cmd.Wait()
	awaitDeath(t, child)
}

func TestSignalledSupervisor(t *testing.T) {
	cmd, work := supervisor(t, `[{"deploy":{}},{"start":{}},{"run":{"entry_point":"sleep","args":["100000"]}}]`)
	child := awaitChild(t, cmd.Process.Pid)
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	awaitDeath(t, child)
	if got := tree(t, work); got != "options" {
		t.Errorf("work directory holds %s", got)
	}
}
