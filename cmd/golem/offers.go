package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"

	"github.com/golem-go/golem/rest/client"
)

func (a *app) offersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "offers",
		Short: "List the offers the node knows",
		Long: `List every Offer the node has heard of: who sells, with which Runtime, and for
how much. Prices are tokens an hour: with one thread busy all the time, and for
just being there. "golem run --dry-run" says which of them suit a program, and
why the others do not.`,
		Example: `  golem offers
  golem offers --json | jq '.[].providerId'`,
		Args: cobra.NoArgs,
	}
	c := a.connects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cl, err := c.client(cmd.Context())
		if err != nil {
			return err
		}
		cards, err := cl.Cards(cmd.Context())
		if err != nil {
			return err
		}
		slices.SortFunc(cards, func(a, b client.Card) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
		})
		if cards == nil {
			cards = []client.Card{} // [] in JSON
		}
		return a.show(cards, func(w io.Writer) { listOffers(w, cards) })
	}
	return cmd
}

func listOffers(w io.Writer, cards []client.Card) {
	if len(cards) == 0 {
		fmt.Fprintln(w, "no offers known yet; a node hears of them within seconds of their being published")
		return
	}
	now := time.Now()
	var lines [][]any
	for _, c := range cards {
		signed := "yes"
		if !c.Signed {
			signed = "no"
		}
		lines = append(lines, []any{c.Name, short(c.Node.String()), c.Runtime, c.Subnet, hourly(c.Pricing, true), hourly(c.Pricing, false), startFee(c.Pricing), signed, ago(c.Created, now)})
	}
	rows(w, []any{"provider", "id", "runtime", "subnet", "busy/h", "idle/h", "start", "signed", "published"}, lines, "busy/h", "idle/h", "start")
}

// hourly returns what an hour costs, with one thread busy or none.
func hourly(p *client.Pricing, busy bool) string {
	if p == nil {
		return "?"
	}
	var perSecond float64
	for _, u := range p.Usage {
		if u.Counter == golem.UsageDuration || busy && u.Counter == golem.UsageCPU {
			perSecond += u.Price
		}
	}
	return fmt.Sprintf("%.4f", perSecond*3600)
}

func startFee(p *client.Pricing) string {
	if p == nil {
		return "?"
	}
	return fmt.Sprintf("%.4f", p.Start)
}
