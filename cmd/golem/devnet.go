package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem/devnet"
)

// devnetDir is where a devnet keeps its state unless told otherwise.
func (a *app) devnetDir() string { return filepath.Join(a.dataDir(), "devnet") }

func (a *app) devnetCommand() *cobra.Command {
	cfg := devnet.Config{}
	cmd := &cobra.Command{
		Use:   "devnet",
		Short: "Run a whole network on this machine until it is interrupted",
		Long: `Run a whole Golem network on this machine, on loopback only: a hub, a node that
buys and has test tokens, and nodes that sell. Every part is a process of its own;
all end with this one, also when it is killed. Started again with the same
directory the network goes on where it was.

While it runs, "golem run" and the other commands find it by themselves, unless
--data-dir says where it is: then set GOLEM_DATA_DIR as it tells. With
--json it prints one line when it is ready: API URL and app-key of every node.`,
		Example: `  golem devnet
  golem devnet --providers 4 --data-dir ./net`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDevnet(cmd.Context(), cfg) },
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Dir, "data-dir", a.devnetDir(), "directory of the network's state")
	f.IntVar(&cfg.Providers, "providers", 2, "nodes that sell")
	f.StringVar(&cfg.Subnet, "subnet", "public", "market the nodes trade on")
	return cmd
}

func (a *app) runDevnet(ctx context.Context, cfg devnet.Config) (err error) {
	if cfg.Exe, err = executable(); err != nil {
		return err
	}
	n, err := devnet.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	if a.json {
		err = a.printLine(n)
	} else {
		describeDevnet(a.stdout, n)
	}
	if err != nil {
		return err
	}
	return a.watchDevnet(ctx, n)
}

// watchDevnet tells of processes that end by themselves, until ctx ends.
func (a *app) watchDevnet(ctx context.Context, n *devnet.Network) error {
	for {
		lost, err := n.Watch(ctx)
		if err != nil {
			return nil // interrupted, as intended
		}
		fmt.Fprintf(a.stderr, "golem: %s has ended (%v); its last words:\n%s\n", lost.Name, lost.Err, lost.Log)
	}
}

// describeDevnet says how to reach the network.
func describeDevnet(w io.Writer, n *devnet.Network) {
	lines := [][]any{{"requestor", n.Requestor.ID, n.Requestor.URL, n.Requestor.AppKey}}
	for _, p := range n.Providers {
		lines = append(lines, []any{p.Name, p.ID, p.URL, p.AppKey})
	}
	rows(w, []any{"node", "id", "REST API", "app-key"}, lines)
	fmt.Fprintf(w, `
For your own programs and SDKs:

    export YAGNA_API_URL=%s YAGNA_APPKEY=%s

For golem itself, in another terminal:

    export GOLEM_DATA_DIR=%s

Ctrl-C ends the network.
`, n.Requestor.URL, n.Requestor.AppKey, n.Requestor.Dir)
}
