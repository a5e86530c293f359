package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/hub"
	"github.com/golem-go/golem/internal/dirlock"
	"github.com/golem-go/golem/node"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/sqlite"
)

func (a *app) hubCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "hub", Short: "Run the hub of a private network"}
	cmd.AddCommand(a.hubRunCommand())
	return cmd
}

type hubOptions struct {
	listen        string
	dir           string
	allowUnproven bool
	noLedger      bool
}

func (a *app) hubRunCommand() *cobra.Command {
	var o hubOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a hub until it is interrupted",
		Long: `Run the hub of a private network: nodes connect to it and call each other
through it. A node proves its identity with its key when it joins, and cannot
speak for another. The hub also keeps the ledger of test tokens by which devnets
pay, unless told not to.

With --json it prints one line when it serves: hub.`,
		Example: `  golem hub run --listen tcp://0.0.0.0:7464 --data-dir /var/lib/golem-hub`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runHub(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "tcp://127.0.0.1:"+router.DefaultPort, "where to listen: tcp://host:port or unix:/path")
	f.StringVar(&o.dir, "data-dir", filepath.Join(a.dataDir(), "hub"), "directory of the ledger")
	f.BoolVar(&o.allowUnproven, "allow-unproven", false, "admit nodes that do not prove their identity, as upstream's cannot")
	f.BoolVar(&o.noLedger, "no-ledger", false, "keep no ledger of test tokens")
	return cmd
}

func (a *app) runHub(ctx context.Context, o hubOptions) error {
	log, err := a.log()
	if err != nil {
		return err
	}
	h, err := hub.New(hub.Config{Verifier: node.Verifier, AllowUnproven: o.allowUnproven, Log: log})
	if err != nil {
		return err
	}
	if !o.noLedger {
		lock, err := dirlock.Lock(o.dir, "hub")
		if err != nil {
			return err
		}
		defer lock.Close()
		db, err := openLedger(ctx, o.dir, h)
		if err != nil {
			return err
		}
		defer db.Close()
	}
	l, err := router.Listen(ctx, o.listen)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.Serve(ctx, l) })
	if a.json {
		if err := a.printLine(map[string]string{"hub": l.Addr().String()}); err != nil {
			return err
		}
	}
	log.Info("hub serves", "address", l.Addr())
	return g.Wait()
}

// openLedger makes the hub keep a ledger in dir.
func openLedger(ctx context.Context, dir string, h *hub.Hub) (*sqlite.DB, error) {
	db, err := sqlite.Open(ctx, filepath.Join(dir, "ledger.db"))
	if err != nil {
		return nil, err
	}
	book, err := local.Open(ctx, local.BookConfig{Store: db.Ledger(), Verifier: node.Verifier})
	if err == nil {
		_, err = local.Serve(h.Bus(), book)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}
