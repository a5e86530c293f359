package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/node"
)

func (a *app) nodeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "Run a node"}
	cmd.AddCommand(a.nodeRunCommand())
	return cmd
}

// nodeOptions are the flags of node run.
type nodeOptions struct {
	node.Config
	fund bool
}

func (a *app) nodeRunCommand() *cobra.Command {
	var o nodeOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a node until it is interrupted",
		Long: `Run a node: its identity, market, activities and payments, its REST API for
programs and its bus for ExeUnits. Its state is one directory; started again with
the same directory it goes on where it was.

With --json it prints one line when it serves: nodeId, apiUrl, appKey, gsbUrl.`,
		Example: `  golem node run --hub 127.0.0.1:7464
  YAGNA_AUTOCONF_APPKEY=secret golem node run --data-dir /var/lib/golem --hub hub.example:7464`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runNode(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "data-dir", a.dataDir(), "directory of the node's state [GOLEM_DATA_DIR, YAGNA_DATADIR]")
	f.StringVar(&o.API, "api-url", a.env("YAGNA_API_URL"), "where the REST API listens; default http://127.0.0.1:7465 [YAGNA_API_URL]")
	f.StringVar(&o.GSB, "gsb-url", a.env("GSB_URL"), "where the bus listens for other processes: unix:/path, tcp://host:port or none [GSB_URL]")
	f.StringVar(&o.Hub, "hub", a.env("CENTRAL_NET_HOST"), "hub of the network, [sha224hex@]host:port [CENTRAL_NET_HOST]")
	f.StringSliceVar(&o.AllowOrigins, "api-allow-origin", list(a.env("YAGNA_API_ALLOW_ORIGIN")), "web pages that may use the API with any app-key [YAGNA_API_ALLOW_ORIGIN]")
	f.BoolVar(&o.fund, "fund", false, "ask the network's faucet for tokens when the node has started")
	return cmd
}

func (a *app) runNode(ctx context.Context, o nodeOptions) error {
	log, err := a.log()
	if err != nil {
		return err
	}
	o.Log, o.Version = log, version()
	o.AutoconfSecret = golem.Secret(a.env("YAGNA_AUTOCONF_ID_SECRET"))
	o.AutoconfAppKey = golem.Secret(a.env("YAGNA_AUTOCONF_APPKEY"))
	if o.Hub == "" {
		return usageError{hint{golem.Errorf(golem.ErrInvalid, "which network? --hub is not set"), "start a hub with \"golem hub run\", or everything with \"golem devnet\""}}
	}
	n, err := node.New(ctx, o.Config)
	if err != nil {
		return err
	}
	defer n.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ran := make(chan error, 1)
	go func() {
		ran <- n.Run(ctx)
		cancel(nil) // a node that has ended does not become ready
	}()
	if err := a.nodeReady(ctx, n, o); err != nil {
		cancel(nil)
		return cmp.Or(<-ran, err)
	}
	return <-ran
}

// nodeReady finishes the start: it leaves a way in for the person the node
// belongs to, and says that the node serves.
func (a *app) nodeReady(ctx context.Context, n *node.Node, o nodeOptions) error {
	key, err := n.AppKey(ctx, "golem-cli")
	if err != nil {
		return err
	}
	ac := access{n.API(), key.Key.Reveal(), n.GSB()}
	if err := ac.write(o.Dir); err != nil {
		return err
	}
	if o.fund {
		if err := awaitFunds(ctx, n); err != nil {
			return err
		}
	}
	if a.json {
		return a.printLine(struct {
			Node golem.NodeID `json:"nodeId"`
			access
		}{n.ID(), ac})
	}
	o.Log.Info("node serves", "node", n.ID(), "api", ac.URL, "bus", ac.GSB, "dir", o.Dir)
	return nil
}

// awaitFunds asks the faucet until it can be reached.
func awaitFunds(ctx context.Context, n *node.Node) error {
	const patience, pause = 20 * time.Second, 50 * time.Millisecond
	limit := time.Now().Add(patience)
	for {
		err := n.Fund(ctx)
		if err == nil || !golem.KindOf(err).Retryable() || time.Now().After(limit) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
