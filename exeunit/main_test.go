//go:build unix

package exeunit_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golem-go/golem/exeunit"
)

// beRuntime makes this test binary a runtime, of the kind its value names.
const beRuntime = "BE_RUNTIME"

// beSupervisor makes it a supervisor. Its name is one that runtimes are not given.
const beSupervisor = "YAGNA_BE_SUPERVISOR"

// fast keeps programs under the race detector from sleeping when they end.
const fast = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if os.Getenv(beSupervisor) != "" {
		out := exeunit.Stdio{Out: os.Stdout, Err: os.Stderr}
		os.Exit(exeunit.Main(context.Background(), os.Args[1:], out, exeunit.Environment{Env: os.Environ()}))
	}
	if kind := os.Getenv(beRuntime); kind != "" {
		os.Exit(runtimeMain(kind, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// runtimeMain is a runtime that does as its arguments say, however bad that is.
func runtimeMain(kind string, args []string) int {
	options := map[string]string{}
	for len(args) > 0 && strings.HasPrefix(args[0], "--") {
		options[args[0]], args = args[1], args[2:]
	}
	if len(args) == 0 {
		return 64
	}
	switch command, rest := args[0], args[1:]; command {
	case "deploy":
		return fakeDeploy(kind, options)
	case "start":
		fmt.Print("started ", strings.Join(rest, " "))
		return 0
	case "run":
		if _, err := os.Stat(filepath.Join(options["--workdir"], "options")); err != nil {
			return 65
		}
		return fakeRun(options["--workdir"], rest[1], rest[3:])
	case "offer-template":
		return fakeTemplate(kind)
	case "test":
		fmt.Println("tested")
		if kind == "broken" {
			fmt.Fprintln(os.Stderr, "no hardware")
			return 9
		}
		return 0
	}
	return 64
}

func fakeTemplate(kind string) int {
	switch kind {
	case "broken":
		return 9
	case "garbage":
		fmt.Print(`{"properties":{"golem":{"inf":{"cpu":{"vendor":"X"}}},"golem.com.usage.vector":["a"]},"constraints":"(a=1)"}` + "\x1b[0m?")
	case "mute":
		fmt.Print("hello")
	default:
		fmt.Print(`{"properties":{"golem.runtime.capabilities":["test"]},"constraints":""}`)
	}
	return 0
}

func fakeDeploy(kind string, options map[string]string) int {
	for _, name := range []string{"vol-in", "vol-out"} {
		os.MkdirAll(filepath.Join(options["--workdir"], name), 0o755)
	}
	os.WriteFile(filepath.Join(options["--workdir"], "options"), fmt.Append(nil, options), 0o644)
	if image := options["--task-package"]; image != "" {
		b, err := os.ReadFile(image)
		if err != nil || bytes.HasPrefix(b, []byte("bad")) {
			fmt.Fprint(os.Stderr, "the image is bad")
			return 3
		}
	}
	switch kind {
	case "service":
		fmt.Print(`{"valid":{"Ok":""},"startMode":"blocking"}`)
	case "mute":
	default:
		fmt.Print(`noise {"valid":{"Ok":""},"vols":[{"name":"vol-in","path":"/in"},{"name":"vol-out","path":"/out"}]}`)
	}
	return 0
}

func fakeRun(workDir, entry string, args []string) int {
	n := 0
	if len(args) > 0 {
		n, _ = strconv.Atoi(args[0])
	}
	switch entry {
	case "echo":
		fmt.Print(strings.Join(args, " "))
	case "error":
		fmt.Fprint(os.Stderr, strings.Join(args, " "))
	case "exit":
		return n
	case "copy":
		for i, path := range args {
			dir, name := filepath.Split(path)
			args[i] = filepath.Join(workDir, "vol-"+filepath.Base(dir), name)
		}
		b, err := os.ReadFile(args[0])
		if err != nil || os.WriteFile(args[1], b, 0o644) != nil {
			return 1
		}
	case "signal":
		syscall.Kill(os.Getpid(), syscall.Signal(n))
		select {}
	case "env":
		fmt.Print(strings.Join(os.Environ(), "\n"))
	case "bytes": // each argument on its own, slowly
		for _, text := range args {
			b, _ := strconv.Unquote(text)
			os.Stdout.WriteString(b)
			time.Sleep(20 * time.Millisecond)
		}
	case "sleep":
		time.Sleep(time.Duration(n) * time.Millisecond)
	case "hang": // and refuse to be ended
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		fmt.Print("hanging")
		select {}
	case "fork": // leave somebody behind
		child := exec.Command("sleep", "100")
		child.Stdout = os.Stdout
		child.Start()
		fmt.Print(child.Process.Pid)
		if len(args) > 0 {
			select {}
		}
	case "flood": // n MiB
		block := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
		for range n * 16 {
			os.Stdout.Write(block)
		}
	case "burn": // n ms of CPU time
		for {
			var usage syscall.Rusage
			syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
			if time.Duration(usage.Utime.Nano()+usage.Stime.Nano()) > time.Duration(n)*time.Millisecond {
				return 0
			}
		}
	case "allocate": // n MiB, and keep it until told otherwise
		b := make([]byte, n<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		time.Sleep(time.Minute)
		fmt.Print(len(b))
	case "store": // n MiB
		f, _ := os.Create(filepath.Join(workDir, "vol-out", "big"))
		io.CopyN(f, zeros{}, int64(n)<<20)
		f.Close()
		time.Sleep(time.Minute)
	case "link": // plant links that lead out
		out := filepath.Join(workDir, "vol-out")
		os.Symlink("/etc/hostname", filepath.Join(out, "absolute"))
		os.Symlink("../options", filepath.Join(out, "relative"))
		os.Symlink("..", filepath.Join(out, "up"))
		os.Symlink("inside", filepath.Join(out, "good"))
		os.WriteFile(filepath.Join(out, "inside"), []byte("inside"), 0o755)
		syscall.Mkfifo(filepath.Join(out, "pipe"), 0o644)
	default:
		fmt.Fprintf(os.Stderr, "no entry point %q", entry)
		return 127
	}
	return 0
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
