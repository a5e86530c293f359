//go:build unix

package script

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/devnet"
	"github.com/golem-go/golem/rest/client"
)

var killSeed = flag.Uint64("kill-seed", 0, "when TestKill kills; 0 is another time in each run")

// TestKill kills all processes of a network with kill -9, again and again, at any
// time while a job is bought, and starts them again. In the end everything that
// was promised is paid, once, and no token has come or gone.
func TestKill(t *testing.T) {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("again with -kill-seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	for range 5 {
		net, kill := startNetwork(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		job := buyJobs(ctx, net)
		time.Sleep(300*time.Millisecond + time.Duration(dice.Int64N(int64(3*time.Second))))
		kill()
		cancel()
		<-job
	}
	net, kill := startNetwork(t, dir)
	defer kill()
	if out, err := buyJob(t.Context(), net).CombinedOutput(); err != nil {
		t.Errorf("after all that nothing can be bought: %v\n%s", err, out)
	}
	balanced(t, net)
}

// startNetwork starts a devnet in a process of its own, and returns how to kill it.
func startNetwork(t *testing.T, dir string) (*devnet.Network, func()) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "golem"), "devnet", "--json", "--data-dir", dir)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	var net devnet.Network
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &net)
	}
	if err != nil {
		kill()
		t.Fatalf("the network does not start again: %v", err)
	}
	return &net, kill
}

// buyJob is a command that buys a run.
func buyJob(ctx context.Context, net *devnet.Network) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "golem"), "run", filepath.Join(bin, "tool.wasm"), "--", "out=x", "sleep=100ms")
	cmd.Env = append(os.Environ(), "YAGNA_API_URL="+net.Requestor.URL, "YAGNA_APPKEY="+net.Requestor.AppKey)
	return cmd
}

// buyJobs buys one run after the other until ctx ends.
func buyJobs(ctx context.Context, net *devnet.Network) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			buyJob(ctx, net).Run() // fails when the network is killed, as it should
		}
	}()
	return done
}

// balanced waits until nothing is owed any more and wants all books to agree with
// each other and with the ledger.
func balanced(t *testing.T, net *devnet.Network) {
	t.Helper()
	buyer := client.New(net.Requestor.URL, net.Requestor.AppKey, nil)
	var sellers []*client.Client
	for _, p := range net.Providers {
		sellers = append(sellers, client.New(p.URL, p.AppKey, nil))
	}
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		spent := accountOf(t, buyer)
		held, earned := *spent.Balance, golem.Amount{}
		quiet := spent.Undelivered == 0
		for _, c := range sellers {
			s := accountOf(t, c)
			held, earned = held.Add(*s.Balance), earned.Add(s.Incoming.Paid)
			quiet = quiet && s.Undelivered == 0
		}
		if held != golem.Tokens(1000) {
			t.Fatalf("there are %s tokens, not 1000", held)
		}
		if out := spent.Outgoing; quiet && out.Accepted == out.Paid && out.Paid == earned {
			t.Logf("%s paid for %d agreements", out.Paid, out.Agreements)
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("promised and paid: %+v; earned %s; messages left %v", spent.Outgoing, earned, !quiet)
		}
	}
	for _, c := range append(sellers, buyer) {
		report, err := c.Audit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			t.Errorf("%s: %s", c.URL(), f)
		}
	}
}

func accountOf(t *testing.T, c *client.Client) client.PaymentStatus {
	t.Helper()
	all, err := c.PaymentStatus(t.Context())
	if err != nil || len(all) != 1 || all[0].Balance == nil {
		t.Fatalf("payment status %+v, %v", all, err)
	}
	return all[0]
}
