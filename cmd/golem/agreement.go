package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
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
	cmd.AddCommand(a.agreementListCommand(c), a.agreementShowCommand(c), a.agreementTerminateCommand(c))
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
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			id, err := findAgreement(cmd.Context(), cl, args[0])
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

func (a *app) agreementTerminateCommand(c *connection) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "terminate AGREEMENT",
		Short: "End an agreement, such as one of a program that was killed",
		Long: `End an approved Agreement at once, in the name of whichever party the node is:
what runs under it ends, and what was used is billed.`,
		Example: "  golem agreement list --state Approved\n  golem agreement terminate 2f6e5d1c0b9a",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			id, err := findAgreement(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			if err := cl.TerminateAgreement(cmd.Context(), id, golem.NewReason(reason, "", nil)); err != nil {
				return err
			}
			return a.show(map[string]golem.AgreementID{"terminated": id}, func(w io.Writer) { fmt.Fprintln(w, "agreement", id, "is terminated") })
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "ended by its owner", "what the other party is told")
	return cmd
}

// findAgreement returns the Agreement an id, or the beginning of one, names.
func findAgreement(ctx context.Context, cl *client.Client, text string) (golem.AgreementID, error) {
	text = strings.TrimSuffix(text, "…")
	if id, err := golem.ParseAgreementID(text); err == nil {
		return id, nil
	}
	entries, err := cl.Agreements(ctx, "", "")
	if err != nil {
		return "", err
	}
	var found []golem.AgreementID
	for _, e := range entries {
		if strings.HasPrefix(string(e.ID), text) && !slices.Contains(found, e.ID) {
			found = append(found, e.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", golem.Errorf(golem.ErrNotFound, "no agreement whose id begins with %q; golem agreement list shows them", text)
	case 1:
		return found[0], nil
	}
	return "", golem.Errorf(golem.ErrInvalid, "%d agreements have ids that begin with %q: give more of it", len(found), text)
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
