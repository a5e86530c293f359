package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
)

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how the node is doing",
		Long: `Tell how the node is doing: whether it is connected, and which of its loops, if
any, has stopped going round. The exit status is 1 when something is wrong.`,
		Example: `  golem status
  golem status --json`,
		Args: cobra.NoArgs,
	}
	c := a.connects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cl, err := c.client(cmd.Context())
		if err != nil {
			return err
		}
		s, err := cl.NodeStatus(cmd.Context())
		if err != nil {
			return err
		}
		if err := a.show(s, func(w io.Writer) { describeStatus(w, s) }); err != nil {
			return err
		}
		if len(s.Problems()) > 0 {
			return exitError{exitFailed}
		}
		return nil
	}
	return cmd
}

func describeStatus(w io.Writer, s golem.NodeStatus) {
	connected := "connected"
	if !s.Network.Connected {
		connected = "NOT CONNECTED"
	}
	fmt.Fprintf(w, "node      %s\nversion   %s\nrunning   since %s\nREST API  %s\nbus       %s\nnetwork   %s, %s\n",
		s.Node, s.Version, s.Started.Local().Format(time.DateTime), s.API, s.GSB, s.Network.Overlay, connected)
	problems := s.Problems()
	if len(problems) == 0 {
		fmt.Fprintf(w, "health    ok, %d loops going round\n", len(s.Loops))
	}
	for _, p := range problems {
		fmt.Fprintf(w, "PROBLEM   %s\n", p)
	}
}
