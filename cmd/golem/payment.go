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

func (a *app) paymentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "payment",
		Short: "Look at money: balances, invoices, the books",
		Example: `  golem payment status
  golem payment invoices`,
	}
	c := a.connects(cmd)
	cmd.AddCommand(a.paymentStatusCommand(c), a.invoicesCommand(c), a.paymentFundCommand(c), a.paymentReleaseCommand(c), a.auditCommand(c))
	return cmd
}

func (a *app) paymentStatusCommand(c *connection) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell what there is, what is set aside, and what was earned and spent",
		Example: `  golem payment status
  golem payment status --json | jq -r '.[0].balance'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			all, err := cl.PaymentStatus(cmd.Context())
			if err != nil {
				return err
			}
			return a.show(all, func(w io.Writer) { describeAccounts(w, all) })
		},
	}
}

func describeAccounts(w io.Writer, all []client.PaymentStatus) {
	var lines [][]any
	for _, s := range all {
		balance := "unknown"
		if s.Balance != nil {
			balance = s.Balance.String()
		}
		lines = append(lines, []any{s.Platform, s.Address, balance, s.Reserved, s.Outgoing.Paid, owed(s.Outgoing), s.Incoming.Paid, owed(s.Incoming)})
	}
	rows(w, []any{"platform", "address", "balance", "reserved", "spent", "to pay", "earned", "to come"}, lines,
		"balance", "reserved", "spent", "to pay", "earned", "to come")
	for _, s := range all {
		if s.Problem != "" {
			fmt.Fprintf(w, "PROBLEM   %s: %s\n", s.Platform, s.Problem)
		}
		for _, p := range s.Problems {
			fmt.Fprintf(w, "PROBLEM   %s: %s %s\n", s.Platform, p.Kind, p.Network)
		}
		if s.Refused > 0 {
			fmt.Fprintf(w, "PROBLEM   %d messages were refused by the other party; they are repeated\n", s.Refused)
		}
	}
}

// owed returns what is accepted and not paid.
func owed(s client.PaymentSummary) golem.Amount { return s.Accepted.Excess(s.Paid) }

// listedInvoice is an Invoice at a glance.
type listedInvoice struct {
	golem.Invoice
	Role golem.Role `json:"role"` // of this node
}

func (a *app) invoicesCommand(c *connection) *cobra.Command {
	var most int
	var status string
	cmd := &cobra.Command{
		Use:   "invoices",
		Short: "List invoices, the newest first",
		Example: `  golem payment invoices
  golem payment invoices --status ACCEPTED --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if status != "" {
				if _, err := golem.ParseDocumentStatus(strings.ToUpper(status)); err != nil {
					return usageError{fmt.Errorf("--status: %w", err)}
				}
			}
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			is, err := listInvoices(cmd.Context(), cl, golem.DocumentStatus(strings.ToUpper(status)), most)
			if err != nil {
				return err
			}
			return a.show(is, func(w io.Writer) { printInvoices(w, is) })
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "only those with this status, such as SETTLED")
	cmd.Flags().IntVar(&most, "limit", 20, "how many")
	return cmd
}

func listInvoices(ctx context.Context, cl *client.Client, status golem.DocumentStatus, most int) ([]listedInvoice, error) {
	me, err := cl.Me(ctx)
	if err != nil {
		return nil, err
	}
	all, err := cl.Invoices(ctx, time.Time{}, 0)
	if err != nil {
		return nil, err
	}
	is := []listedInvoice{}
	for _, i := range slices.Backward(all) {
		role := golem.Requestor
		if i.Issuer == me.Identity {
			role = golem.Provider
		}
		if (status == "" || i.Status == status) && len(is) < most {
			is = append(is, listedInvoice{i, role})
		}
	}
	return is, nil
}

func printInvoices(w io.Writer, is []listedInvoice) {
	now := time.Now()
	var lines [][]any
	for _, i := range is {
		peer := i.Issuer
		if i.Role == golem.Provider {
			peer = i.Recipient
		}
		lines = append(lines, []any{i.ID, i.Status, i.Role, short(peer.String()), i.Amount, strings.ToUpper(i.Platform.Token), ago(i.Timestamp, now), short(i.Agreement)})
	}
	rows(w, []any{"invoice", "status", "as", "with", "amount", "", "issued", "agreement"}, lines, "amount")
}

func (a *app) paymentFundCommand(c *connection) *cobra.Command {
	var platform string
	cmd := &cobra.Command{
		Use:     "fund",
		Short:   "Get test tokens for nothing, on networks that hand them out",
		Example: "  golem payment fund",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var p golem.Platform
			if err := p.UnmarshalText([]byte(platform)); err != nil {
				return usageError{fmt.Errorf("--platform: %w", err)}
			}
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			text, err := cl.Fund(cmd.Context(), p)
			if err != nil {
				return err
			}
			return a.show(map[string]string{"message": text}, func(w io.Writer) { fmt.Fprintln(w, text) })
		},
	}
	cmd.Flags().StringVar(&platform, "platform", "", "driver-network-token; default the node's")
	return cmd
}

func (a *app) paymentReleaseCommand(c *connection) *cobra.Command {
	return &cobra.Command{
		Use:     "release-allocations",
		Aliases: []string{"release"},
		Short:   "Give back everything that is set aside and not promised to anybody",
		Long: `End all Allocations of the node's identity: what programs have set aside and did
not give back, since they were killed. Programs that buy at this moment lose
theirs too. What was accepted is paid all the same.`,
		Example: "  golem payment release-allocations",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			as, err := cl.Allocations(cmd.Context())
			if err != nil {
				return err
			}
			var sum golem.Amount
			for _, al := range as {
				if err := cl.ReleaseAllocation(cmd.Context(), al.ID); err != nil && golem.KindOf(err) != golem.ErrExpired {
					return err
				}
				sum = sum.Add(al.Remaining)
			}
			report := struct {
				Released int          `json:"released"`
				Amount   golem.Amount `json:"amount"`
			}{len(as), sum}
			return a.show(report, func(w io.Writer) { fmt.Fprintf(w, "%d allocations released, %s in all\n", report.Released, sum) })
		},
	}
}

func (a *app) auditCommand(c *connection) *cobra.Command {
	return &cobra.Command{
		Use:   "audit",
		Short: "Add up the node's books from the documents, and compare",
		Long: `Add up the node's books from the documents and compare. Nothing is changed. The
exit status is 1 when something does not add up.`,
		Example: "  golem payment audit",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client(cmd.Context())
			if err != nil {
				return err
			}
			r, err := cl.Audit(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.show(r, func(w io.Writer) { describeAudit(w, r) }); err != nil {
				return err
			}
			if len(r.Findings) > 0 {
				return exitError{exitFailed}
			}
			return nil
		},
	}
}

func describeAudit(w io.Writer, r client.AuditReport) {
	fmt.Fprintf(w, "looked at %d agreements, %d documents, %d allocations, %d orders\n", r.Agreements, r.Documents, r.Allocations, r.Orders)
	for _, f := range r.Findings {
		fmt.Fprintf(w, "WRONG     %s\n", f)
	}
	for _, m := range r.Remarks {
		fmt.Fprintf(w, "remark    %s\n", m)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "everything adds up")
	}
}
