package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/rest/client"
)

func (a *app) agreementCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agreement",
		Short: "Look at agreements",
		Example: `  golem agreement list --state Approved
  golem agreement show 2f6e…`,
	}
	c := a.connects(cmd)
	cmd.AddCommand(a.agreementListCommand(c), a.agreementShowCommand(c))
	return cmd
}

func (a *app) agreementListCommand(c *connection) *cobra.Command {
	var state string
	var most int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List agreements, the newest first",
		Example: "  golem agreement list\n  golem agreement list --state Terminated --limit 100",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			as, err := listAgreements(cmd.Context(), cl, golem.AgreementState(state), most)
			if err != nil {
				return err
			}
			return a.show(as, func(w io.Writer) { printAgreements(w, as) })
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only those in this state, such as Approved")
	cmd.Flags().IntVar(&most, "limit", 20, "how many")
	return cmd
}

// listedAgreement is an Agreement at a glance.
type listedAgreement struct {
	ID      golem.AgreementID    `json:"agreementId"`
	State   golem.AgreementState `json:"state"`
	Role    golem.Role           `json:"role"`
	Peer    golem.NodeID         `json:"peer"`
	Created time.Time            `json:"timestamp"`
}

func listAgreements(ctx context.Context, cl *client.Client, state golem.AgreementState, most int) ([]listedAgreement, error) {
	entries, err := cl.Agreements(ctx, state, "")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b client.AgreementEntry) int { return b.Created.Compare(a.Created) })
	as := []listedAgreement{}
	for _, e := range entries[:max(0, min(len(entries), most))] {
		ag, err := cl.Agreement(ctx, e.ID)
		if err != nil {
			return nil, err
		}
		as = append(as, listedAgreement{e.ID, ag.State, e.Role, ag.Party(e.Role.Other()), e.Created})
	}
	return as, nil
}

func printAgreements(w io.Writer, as []listedAgreement) {
	now := time.Now()
	var lines [][]any
	for _, ag := range as {
		lines = append(lines, []any{ag.ID, ag.State, ag.Role, short(ag.Peer.String()), ago(ag.Created, now)})
	}
	rows(w, []any{"agreement", "state", "as", "with", "created"}, lines)
}

func (a *app) agreementShowCommand(c *connection) *cobra.Command {
	return &cobra.Command{
		Use:     "show AGREEMENT",
		Short:   "Show an agreement: who, what, for how much, and who signed",
		Example: "  golem agreement show $(golem agreement list --json | jq -r '.[0].agreementId')",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := golem.ParseAgreementID(args[0])
			if err != nil {
				return err
			}
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			ag, err := cl.Agreement(cmd.Context(), id)
			if err != nil {
				return err
			}
			return a.show(ag, func(w io.Writer) { describeAgreement(w, ag) })
		},
	}
}

func describeAgreement(w io.Writer, ag *golem.Agreement) {
	fmt.Fprintf(w, "agreement  %s\nstate      %s\nrequestor  %s\nprovider   %s\ncreated    %s\nvalid to   %s\n",
		ag.ID, ag.State, ag.Requestor(), ag.Provider(), ag.Created.Local().Format(time.DateTime), ag.ValidTo.Local().Format(time.DateTime))
	if !ag.Approved.IsZero() {
		fmt.Fprintf(w, "approved   %s\n", ag.Approved.Local().Format(time.DateTime))
	}
	fmt.Fprintf(w, "signed     proposed %s, approved %s, committed %s\n\noffer      %s\n           %s\ndemand     %s\n           %s\n",
		signed(ag.Signatures.Proposed), signed(ag.Signatures.Approved), signed(ag.Signatures.Committed),
		oneLine(ag.Offer.Properties), oneLine(ag.Offer.Constraints), oneLine(ag.Demand.Properties), oneLine(ag.Demand.Constraints))
}

// signed says whether a step of the handshake carries a real signature.
func signed(sig string) string {
	if _, err := golem.ParseSignature(sig); err == nil {
		return "✓"
	}
	return "–"
}
