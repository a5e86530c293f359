package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
)

func (a *app) idCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "id",
		Short: "Show who the node is",
		Long: `Show the identities of the node. An identity is a key; its address names the
node to others and is its wallet unless another is set.`,
		Example: `  golem id
  golem id create --alias savings
  golem id --json`,
		Args: cobra.NoArgs,
	}
	c := a.connects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cl, err := c.client(cmd.Context())
		if err != nil {
			return err
		}
		ids, err := cl.Identities(cmd.Context())
		if err != nil {
			return err
		}
		return a.show(ids, func(w io.Writer) { listIdentities(w, ids) })
	}
	cmd.AddCommand(a.idCreateCommand(c))
	return cmd
}

func listIdentities(w io.Writer, ids []golem.Identity) {
	var lines [][]any
	for _, id := range ids {
		lines = append(lines, []any{id.ID, id.Alias, mark(id.Default), mark(id.Locked)})
	}
	rows(w, []any{"identity", "alias", "default", "locked"}, lines)
}

func mark(b bool) string {
	if b {
		return "✓"
	}
	return ""
}

func (a *app) idCreateCommand(c *connection) *cobra.Command {
	var n golem.NewIdentity
	cmd := &cobra.Command{
		Use:     "create",
		Short:   "Create an identity",
		Example: "  golem id create --alias savings",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			id, err := cl.CreateIdentity(cmd.Context(), n)
			if err != nil {
				return err
			}
			return a.show(id, func(w io.Writer) { fmt.Fprintln(w, id.ID) })
		},
	}
	cmd.Flags().StringVar(&n.Alias, "alias", "", "a name for it")
	return cmd
}
