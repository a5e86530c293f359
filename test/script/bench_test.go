//go:build unix

package script

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/devnet"
	"github.com/golem-go/golem/rest/client"
)

// BenchmarkBinary tells how large the program is.
func BenchmarkBinary(b *testing.B) {
	fi, err := os.Stat(filepath.Join(bin, "golem"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
	}
	b.ReportMetric(float64(fi.Size())/1e6, "MB")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkNodeStart tells how long a node takes, from the start of its process,
// to answer the first request.
func BenchmarkNodeStart(b *testing.B) {
	net := newNetwork(b)
	dir := b.TempDir()
	for b.Loop() {
		url, stop := startNode(b, dir, net.Hub)
		resp, err := http.Get(url + "/version/get")
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		stop()
		b.StartTimer()
	}
}

// BenchmarkIdleNode tells how much memory a node has that knows two offers and is
// asked nothing.
func BenchmarkIdleNode(b *testing.B) {
	net := newNetwork(b)
	for b.Loop() {
	}
	time.Sleep(10 * time.Second)
	b.ReportMetric(resident(b, net.Requestor.PID), "MiB")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRun tells how long it takes to buy the run of a module that the
// Provider has compiled before: all of it, from the start of the command to the
// first output, and from the approval of the Agreement to the first output.
func BenchmarkRun(b *testing.B) {
	net := newNetwork(b)
	buyer := client.New(net.Requestor.URL, net.Requestor.AppKey, nil)
	for range 4 { // until both providers have the module
		runTool(b, net)
	}
	var command, approval time.Duration
	for b.Loop() {
		start := time.Now()
		first := runTool(b, net)
		b.StopTimer()
		command += first.Sub(start)
		approval += first.Sub(lastApproval(b, buyer))
		b.StartTimer()
	}
	b.ReportMetric(float64(command.Milliseconds())/float64(b.N), "ms-to-output")
	b.ReportMetric(float64(approval.Milliseconds())/float64(b.N), "ms-after-approval")
}

// BenchmarkDemo tells how long the demonstration takes.
func BenchmarkDemo(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		cmd := exec.Command(filepath.Join(bin, "golem"), "demo", "--json", "--out", filepath.Join(dir, "picture.png"))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}

// newNetwork is a devnet for a benchmark.
func newNetwork(b *testing.B) *devnet.Network {
	b.Helper()
	net, err := devnet.Start(b.Context(), devnet.Config{Exe: filepath.Join(bin, "golem"), Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := net.Stop(); err != nil {
			b.Error(err)
		}
	})
	return net
}

// startNode starts a node and returns when it says where it serves.
func startNode(b *testing.B, dir, hub string) (url string, stop func()) {
	cmd := exec.Command(filepath.Join(bin, "golem"), "node", "run", "--json", "--data-dir", dir, "--hub", hub, "--api-url", "http://127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	var ready struct {
		URL string `json:"apiUrl"`
	}
	if err := json.NewDecoder(stdout).Decode(&ready); err != nil {
		b.Fatal(err)
	}
	return ready.URL, func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
}

// resident returns the memory of a process, in MiB.
func resident(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("needs /proc")
	}
	_, line, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(line)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kib) / 1024
}

// runTool buys a run and returns when its first output came.
func runTool(b *testing.B, net *devnet.Network) (first time.Time) {
	cmd := exec.Command(filepath.Join(bin, "golem"), "run", filepath.Join(bin, "tool.wasm"), "--", "out=x")
	cmd.Env = append(os.Environ(), "YAGNA_API_URL="+net.Requestor.URL, "YAGNA_APPKEY="+net.Requestor.AppKey)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReader(stdout)
	if _, err := r.ReadByte(); err == nil {
		first = time.Now()
	}
	io.Copy(io.Discard, r)
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%v\n%s", err, &stderr)
	}
	return first
}

// lastApproval returns when the latest Agreement was approved.
func lastApproval(b *testing.B, c *client.Client) (last time.Time) {
	entries, err := c.Agreements(b.Context(), golem.AgreementTerminated, "")
	if err != nil {
		b.Fatal(err)
	}
	var latest client.AgreementEntry
	for _, e := range entries {
		if e.Created.After(latest.Created) {
			latest = e
		}
	}
	ag, err := c.Agreement(b.Context(), latest.ID)
	if err != nil {
		b.Fatal(err)
	}
	return ag.Approved
}
