//go:build linux

package wasm_test

import (
	"context"
	"crypto/sha3"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/gftp"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// TestSupervised has a Requestor buy a program's run from a supervisor: the image
// and a file come from it, and a file goes back.
func TestSupervised(t *testing.T) {
	requestor, activity := golem.NodeID{1}, golem.NewActivityID()
	bus := gsb.New(gsb.Config{Identities: func() []golem.NodeID { return []golem.NodeID{requestor} }})
	files := gftp.NewPublisher(bus, requestor)
	code := read(t, guest)
	image, err := files.PublishBytes([]byte(code))
	if err != nil {
		t.Fatal(err)
	}
	input, err := files.PublishBytes([]byte("some input"))
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "output")
	slot, err := files.Receive(output)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	s, err := exeunit.New(exeunit.Config{
		Activity: activity, Bus: bus, WorkDir: work, CacheDir: t.TempDir(),
		Agreement: &exeunit.Agreement{
			Requestor: requestor, Vector: []string{golem.UsageDuration, golem.UsageCPU, golem.UsageMemory}, Memory: 0.125, Storage: 1,
			TaskPackage: fmt.Sprintf("hash:sha3:%x:%s", sha3.Sum512([]byte(code)), image),
		},
		Runtime: &exeunit.Executable{
			Path: self(t), Env: environment(), WorkDir: work, Hardware: &exeunit.Hardware{Threads: 1, MemoryGiB: 0.125, StorageGiB: 1},
		},
		MemoryHeadRoom: 0.25,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	}()

	exec := func(script string) []golem.CommandResult {
		cs, err := golem.ParseScript(script)
		if err != nil {
			t.Fatal(err)
		}
		r := wire.ExecRequest{Activity: activity, Batch: golem.NewBatchID(), Script: cs}
		var id golem.BatchID
		for { // until it is bound
			id, err = wire.Exec.At(string(activity)).Call(t.Context(), bus, requestor, requestor, r)
			if err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		q := wire.BatchResultsRequest{Activity: activity, Batch: id, Timeout: new(float32(60))}
		rs, err := wire.BatchResults.At(string(activity)).Call(t.Context(), bus, requestor, requestor, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			if r.Result != golem.ResultOk {
				t.Fatalf("command %d: %s %s", r.Index, *r.Message, r.Stderr)
			}
		}
		return rs
	}
	script := strings.NewReplacer("INPUT", input.String(), "SLOT", slot.String()).Replace(`[{"deploy":{}},{"start":{}},
		{"transfer":{"from":"INPUT","to":"container:/in/f"}},
		{"run":{"entry_point":"copy","args":["copy","/in/f","/out/f"]}},
		{"transfer":{"from":"container:/out/f","to":"SLOT"}},
		{"run":{"entry_point":"my name","args":["name"],"capture":{"stdout":{"stream":{}}}}}]`)
	if rs := exec(script); len(rs) != 6 || rs[5].Stdout.Text != "my name" {
		t.Errorf("got %+v", rs)
	}
	if got := read(t, output); got != "some input" {
		t.Errorf("got back %q", got)
	}
	// A program that takes all the memory it is allowed is not over the limit.
	rs := exec(`[{"run":{"entry_point":"x","args":["grow","120"],"capture":{"stdout":{"atEnd":{}}}}}]`)
	if len(rs) != 1 || rs[0].Stdout.Text != "grown" {
		t.Errorf("got %+v", rs)
	}
	// What has been deployed before starts at once.
	exec(`[{"terminate":{}}]`)
	begun := time.Now()
	exec(`[{"deploy":{}},{"start":{}},{"run":{"entry_point":"x","args":["echo"]}}]`)
	t.Logf("deploy, start and run from the cache took %v", time.Since(begun))
	u, err := wire.ExeUnitUsage.At(string(activity)).Call(t.Context(), bus, requestor, requestor, wire.ActivityQuery{Activity: activity})
	if err != nil || u.Current[1] <= 0 || u.Current[1] > 60 || u.Current[2] > 0.5 {
		t.Errorf("usage is %v, %v", u.Current, err)
	}
}
