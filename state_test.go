package golem_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/golem-go/golem"
)

// noun is a state machine as a person reads about it in docs/states.md.
type noun struct {
	name  string
	about string
	start []string
	next  func(state, event string) (string, error)
	final func(state string) bool
}

func next[S, E ~string](f func(S, E) (S, error)) func(state, event string) (string, error) {
	return func(state, event string) (string, error) {
		to, err := f(S(state), E(event))
		return string(to), err
	}
}

func final[S ~string](f func(S) bool) func(string) bool {
	return func(s string) bool { return f(S(s)) }
}

var nouns = []noun{
	{
		"Proposal",
		"A Proposal begins as a match and is negotiated by countering it; only the Requestor can make an Agreement of it, and whoever refused one may reopen it.",
		[]string{"Initial", "Draft"},
		next(golem.ProposalState.Next), final(golem.ProposalState.Final),
	},
	{
		"Agreement",
		"An Agreement is proposed by the Requestor, approved by the Provider, and in force when both know that the other knows; while that is under way it is Approving, which agents see as Pending.",
		[]string{"Proposal"},
		next(golem.AgreementState.Next), final(golem.AgreementState.Final),
	},
	{
		"Activity",
		"An Activity follows its ExeUnit, from deploying an image to being destroyed; recover stands for the return to whatever state the ExeUnit reports after a silence.",
		[]string{"New"},
		next(golem.ActivityState.Next), final(golem.ActivityState.Final),
	},
	{
		"Allocation",
		"An Allocation is spent by accepting documents until its owner releases it or its time is up.",
		[]string{"Active"},
		next(golem.AllocationState.Next), final(golem.AllocationState.Final),
	},
	{
		"DebitNote",
		"A DebitNote is ISSUED at the Provider and begins as RECEIVED at the Requestor, who accepts or rejects it; a payment settles it.",
		[]string{"ISSUED", "RECEIVED"},
		next(golem.DocumentStatus.Next), final(golem.DocumentStatus.Final),
	},
	{
		"Invoice",
		"An Invoice goes the same way as a DebitNote, once for each Agreement.",
		[]string{"ISSUED", "RECEIVED"},
		next(golem.DocumentStatus.Next), final(golem.DocumentStatus.Final),
	},
}

// members returns the states and the events of a machine in the order of its
// table.
func members(ts []golem.Transition) (states, events []string) {
	add := func(to *[]string, s string) {
		if !slices.Contains(*to, s) {
			*to = append(*to, s)
		}
	}
	for _, t := range ts {
		add(&states, t.From)
		add(&events, t.On)
	}
	for _, t := range ts {
		add(&states, t.To)
	}
	return states, events
}

func TestEveryMachineIsDescribed(t *testing.T) {
	machines := golem.StateMachines()
	if len(machines) != len(nouns) {
		t.Errorf("%d machines, %d described", len(machines), len(nouns))
	}
	for _, n := range nouns {
		if len(machines[n.name]) == 0 {
			t.Errorf("%s has no machine", n.name)
		}
	}
}

// TestStates walks every pair of state and event of every noun.
func TestStates(t *testing.T) {
	machines := golem.StateMachines()
	for _, n := range nouns {
		t.Run(n.name, func(t *testing.T) {
			states, events := members(machines[n.name])
			var out strings.Builder
			for _, s := range states {
				exits := 0
				for _, e := range events {
					to, err := n.next(s, e)
					if err != nil {
						wantKind(t, err, golem.ErrConflict)
						if to != s {
							t.Errorf("%s on %s: refused, and yet %s", s, e, to)
						}
						to = "-"
					} else if to != s {
						exits++
					}
					fmt.Fprintf(&out, "%-14s %-16s %s\n", s, e, to)
				}
				if n.final(s) != (exits == 0) {
					t.Errorf("%s: final is %v with %d ways out", s, n.final(s), exits)
				}
			}
			golden(t, "testdata/states/"+strings.ToLower(n.name)+".txt", out.String())
			for _, foreign := range []string{"", "nonsense"} {
				_, err := n.next(foreign, events[0])
				wantKind(t, err, golem.ErrConflict)
				_, err = n.next(states[0], foreign)
				wantKind(t, err, golem.ErrConflict)
			}
		})
	}
}

// TestReachable finds states nothing leads to, and states without end.
func TestReachable(t *testing.T) {
	machines := golem.StateMachines()
	for _, n := range nouns {
		states, _ := members(machines[n.name])
		reached := slices.Clone(n.start)
		for range states {
			for _, m := range machines[n.name] {
				if slices.Contains(reached, m.From) && !slices.Contains(reached, m.To) {
					reached = append(reached, m.To)
				}
			}
		}
		if len(reached) != len(states) {
			t.Errorf("%s: of %v only %v can be reached from %v", n.name, states, reached, n.start)
		}
		if !slices.ContainsFunc(states, n.final) {
			t.Errorf("%s never ends", n.name)
		}
	}
}

// TestStatesDocument keeps docs/states.md in step with the tables.
func TestStatesDocument(t *testing.T) {
	var out strings.Builder
	out.WriteString(`# States

How the nouns change. These diagrams are drawn from the tables in package golem by ` + "`go test -run States -update .`" + `;
what is not an arrow here is refused with the error kind ` + "`conflict`" + `.
`)
	machines := golem.StateMachines()
	for _, n := range nouns {
		fmt.Fprintf(&out, "\n## %s\n\n%s\n\n```mermaid\nstateDiagram-v2\n", n.name, n.about)
		for _, s := range n.start {
			fmt.Fprintf(&out, "    [*] --> %s\n", s)
		}
		for _, m := range machines[n.name] {
			fmt.Fprintf(&out, "    %s --> %s: %s\n", m.From, m.To, m.On)
		}
		states, _ := members(machines[n.name])
		for _, s := range states {
			if n.final(s) {
				fmt.Fprintf(&out, "    %s --> [*]\n", s)
			}
		}
		out.WriteString("```\n")
	}
	golden(t, "docs/states.md", out.String())
}

func TestParseStates(t *testing.T) {
	parsers := map[string]func(string) error{
		"Agreement": func(s string) error { _, err := golem.ParseAgreementState(s); return err },
		"Activity":  func(s string) error { _, err := golem.ParseActivityState(s); return err },
		"Invoice":   func(s string) error { _, err := golem.ParseDocumentStatus(s); return err },
	}
	for name, parse := range parsers {
		states, _ := members(golem.StateMachines()[name])
		for _, s := range states {
			if err := parse(s); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, s := range []string{"", "nonsense", strings.ToLower(states[0])} {
			wantKind(t, parse(s), golem.ErrInvalid)
		}
	}
}

func TestStateAnswers(t *testing.T) {
	if got := golem.AgreementApproving.Public(); got != golem.AgreementPending {
		t.Errorf("agents see %s, want Pending", got)
	}
	if got := golem.AgreementApproved.Public(); got != golem.AgreementApproved {
		t.Errorf("agents see %s, want Approved", got)
	}
	for s, want := range map[golem.DocumentStatus]bool{golem.DocumentAccepted: true, golem.DocumentSettled: true, golem.DocumentReceived: false, golem.DocumentRejected: false} {
		if s.Concluded() != want {
			t.Errorf("%s is concluded: %v", s, !want)
		}
	}
	for pair, want := range map[golem.StatePair]bool{
		{Current: golem.ActivityReady}:                                    true,
		{Current: golem.ActivityReady, Pending: golem.ActivityTerminated}: false,
		{Current: golem.ActivityTerminated}:                               false,
	} {
		if pair.Alive() != want {
			t.Errorf("%v is alive: %v", pair, !want)
		}
	}
}
