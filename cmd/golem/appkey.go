package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
)

func (a *app) appKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "app-key",
		Short: "Let programs use the node",
		Long: `App-keys let programs act as an identity of the node over its REST API. Whoever
has one can spend that identity's money.`,
		Example: `  golem app-key create my-script
  export YAGNA_APPKEY=$(golem app-key create my-script)`,
	}
	c := a.connects(cmd)
	cmd.AddCommand(a.appKeyCreateCommand(c), a.appKeyListCommand(c), a.appKeyDropCommand(c))
	return cmd
}

func (a *app) appKeyCreateCommand(c *connection) *cobra.Command {
	var origins []string
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Create an app-key and print it; one of that name that exists is printed as it is",
		Example: "  golem app-key create my-script\n  golem app-key create my-page --allow-origins https://example.org",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			k, err := cl.CreateAppKey(cmd.Context(), golem.AppKey{Name: args[0], Role: golem.RoleManager, AllowOrigins: origins})
			if err != nil {
				return err
			}
			return a.show(k.Key.Reveal(), func(w io.Writer) { fmt.Fprintln(w, k.Key.Reveal()) })
		},
	}
	cmd.Flags().StringSliceVar(&origins, "allow-origins", nil, "web pages that may use it")
	return cmd
}

func (a *app) appKeyListCommand(c *connection) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List app-keys",
		Example: "  golem app-key list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			keys, err := cl.AppKeys(cmd.Context(), "")
			if err != nil {
				return err
			}
			return a.show(keysAsUpstream(keys), func(w io.Writer) { listAppKeys(w, keys) })
		},
	}
}

// listedKey is an app-key in the JSON form of upstream's command line.
type listedKey struct {
	Name    string       `json:"name"`
	Key     string       `json:"key"`
	ID      golem.NodeID `json:"id"`
	Role    string       `json:"role"`
	Created time.Time    `json:"created"`
}

func keysAsUpstream(keys []golem.AppKey) []listedKey {
	ks := []listedKey{}
	for _, k := range keys {
		ks = append(ks, listedKey{k.Name, k.Key.Reveal(), k.Identity, k.Role, k.Created})
	}
	return ks
}

func listAppKeys(w io.Writer, keys []golem.AppKey) {
	var lines [][]any
	for _, k := range keys {
		lines = append(lines, []any{k.Name, k.Key.Reveal(), short(k.Identity.String()), k.Role, strings.Join(k.AllowOrigins, " ")})
	}
	rows(w, []any{"name", "key", "identity", "role", "origins"}, lines)
}

func (a *app) appKeyDropCommand(c *connection) *cobra.Command {
	return &cobra.Command{
		Use:     "drop NAME",
		Short:   "Drop an app-key; programs that use it are locked out",
		Example: "  golem app-key drop my-script",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			if err := cl.DropAppKey(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.show(nil, func(io.Writer) {})
		},
	}
}
