package market_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestScripts plays the scripts in testdata: lines that begin with "$ " are
// commands, what follows is their recorded outcome. Ids are replaced by names in
// the order in which they appear: o1 and d1 are subscriptions, x1 Proposals, under
// the same name at both nodes, a1 Agreements.
//
//	node N [claimed|unsigned|silent]   a node; silent ones do not announce that they sign
//	offer N, demand N [properties constraints]
//	withdraw N S · sleep D · cut N · heal · restart N · stop N · loss P
//	events N S                         collects what there is and prints it
//	counter N S X [properties constraints] · rejectx N S X TEXT · proposal N S X
//	propose N X [validity] · confirm N A [session] · approve N A [timeout] · wait N A [timeout]
//	cancel N A TEXT · reject N A TEXT · terminate N A TEXT · reason N A
//	state A                            the state at each node
//	news N [session]                   the events of Agreements since the last time
//	start COMMAND · join               runs a command beside the script; waits for all
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".script"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			bubble(t, p2ptest.Config{Latency: 10 * time.Millisecond}, func(t *testing.T, w *world) {
				got = (&script{w: w, nodes: map[string]*node{}, ids: map[string]string{}, seen: map[string]time.Time{}}).play(text)
			})
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), string(got)); diff != "" {
				t.Errorf("transcript (-want +got):\n%s", diff)
			}
		})
	}
}

// script is a script being played.
type script struct {
	w       *world
	nodes   map[string]*node
	ids     map[string]string // name to id, without the letter of a role
	names   []string          // in order
	seen    map[string]time.Time
	started []chan string
}

func (s *script) play(text []byte) []byte {
	var out bytes.Buffer
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		command, isCommand := strings.CutPrefix(line, "$ ")
		if !isCommand {
			if line == "" || strings.HasPrefix(line, "#") {
				fmt.Fprintln(&out, line)
			}
			continue
		}
		fmt.Fprintln(&out, line)
		for result := range strings.Lines(s.do(strings.Fields(command))) {
			fmt.Fprintf(&out, "  %s\n", strings.TrimSuffix(result, "\n"))
		}
	}
	return out.Bytes()
}

// name returns the name of an id, a new one of the given letter for one not seen yet.
func (s *script) name(letter, id string) string {
	key := strings.TrimPrefix(strings.TrimPrefix(id, "R-"), "P-")
	for _, n := range s.names {
		if s.ids[n] == key {
			return n
		}
	}
	n := 1
	for _, other := range s.names {
		if other[:1] == letter {
			n++
		}
	}
	name := fmt.Sprint(letter, n)
	s.ids[name], s.names = key, append(s.names, name)
	return name
}

// hide replaces ids by names.
func (s *script) hide(text string) string {
	for _, n := range s.names {
		text = strings.ReplaceAll(text, "R-"+s.ids[n], n)
		text = strings.ReplaceAll(text, "P-"+s.ids[n], n)
		text = strings.ReplaceAll(text, s.ids[n], n)
	}
	for name, n := range s.nodes {
		text = strings.ReplaceAll(text, n.id.String(), name)
	}
	return text
}

func (s *script) sub(name string) golem.SubscriptionID { return golem.SubscriptionID(s.ids[name]) }
func (s *script) deal(name string) golem.AgreementID   { return golem.AgreementID(s.ids[name]) }

// proposal returns a node's copy: the letter is that of its role.
func (s *script) proposal(sub, name string) golem.ProposalID {
	role := golem.Requestor
	if strings.HasPrefix(sub, "o") {
		role = golem.Provider
	}
	return golem.ProposalID(role.Letter() + "-" + s.ids[name])
}

// result renders the outcome of a command.
func (s *script) result(text string, err error) string {
	if err != nil {
		return s.hide(fmt.Sprintf("%s: %v", golem.KindOf(err), err))
	}
	return s.hide(text)
}

// opt returns argument i or a default.
func opt(args []string, i int, def string) string {
	if i < len(args) {
		return args[i]
	}
	return def
}

func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
}

// do executes a command.
func (s *script) do(args []string) string {
	ctx, n := context.Background(), s.nodes[opt(args, 1, "")]
	switch args[0] {
	case "node":
		s.nodes[args[1]] = s.w.node(args[1], mode(opt(args, 2, "")))
		return ""
	case "sleep":
		time.Sleep(duration(args[1]))
		return ""
	case "cut":
		s.w.sw.Isolate(n.net)
		return ""
	case "heal":
		s.w.sw.Heal()
		return ""
	case "restart":
		n.restart()
		return ""
	case "stop":
		n.stop()
		return ""
	case "loss":
		s.w.sw.Change(func(c *p2ptest.Config) { fmt.Sscan(args[1], &c.Loss) })
		return ""
	case "start":
		done := make(chan string, 1)
		s.started = append(s.started, done)
		go func() { done <- strings.Join(args[1:], " ") + ": " + orOK(s.do(args[1:])) }()
		return ""
	case "join":
		var results []string
		for _, done := range s.started {
			results = append(results, <-done)
		}
		s.started = nil
		return strings.Join(results, "\n")
	case "state":
		return s.state(args[1])
	case "news":
		return s.news(ctx, args[1], n, opt(args, 2, ""))
	case "events":
		return s.events(n, args[2])
	}
	if text, err, ok := s.agree(ctx, n, args); ok {
		return s.result(text, err)
	}
	text, err := s.negotiate(ctx, n, args)
	return s.result(text, err)
}

func orOK(text string) string {
	if text == "" {
		return "ok"
	}
	return text
}

// mode returns the configuration of a kind of node.
func mode(name string) func(*market.Config) {
	return func(c *market.Config) {
		silent := func(context.Context, golem.NodeID) ([]string, error) { return nil, nil }
		switch name {
		case "unsigned": // as upstream's nodes are
			c.Signer, c.Features = nil, silent
		case "silent":
			c.Features = silent
		}
	}
}

// publication reads properties and constraints, which have no blanks.
func publication(args []string, i int, def market.Publication) market.Publication {
	if i+1 < len(args) {
		return market.Publication{Properties: []byte(args[i]), Constraints: args[i+1]}
	}
	return def
}

// negotiate executes a command about subscriptions and Proposals.
func (s *script) negotiate(ctx context.Context, n *node, args []string) (string, error) {
	switch args[0] {
	case "offer":
		id, err := n.PublishOffer(ctx, n.id, publication(args, 2, offer))
		return s.name("o", string(id)), err
	case "demand":
		id, err := n.PublishDemand(ctx, n.id, publication(args, 2, demand))
		return s.name("d", string(id)), err
	case "withdraw":
		if strings.HasPrefix(args[2], "o") {
			return "", n.WithdrawOffer(ctx, n.id, s.sub(args[2]))
		}
		return "", n.WithdrawDemand(ctx, n.id, s.sub(args[2]))
	case "counter":
		def := demand
		if strings.HasPrefix(args[2], "o") {
			def = offer
		}
		id, err := n.Counter(ctx, n.id, s.sub(args[2]), s.proposal(args[2], args[3]), publication(args, 4, def))
		if err != nil {
			return "", err
		}
		return s.name("x", string(id)), nil
	case "rejectx":
		return "", n.Reject(ctx, n.id, s.sub(args[2]), s.proposal(args[2], args[3]), reason(args[4]))
	case "proposal":
		x, err := n.Proposal(ctx, n.id, s.sub(args[2]), s.proposal(args[2], args[3]))
		if err != nil {
			return "", err
		}
		return s.show(x), nil
	case "propose":
		id, err := n.ProposeAgreement(ctx, n.id, golem.ProposalID("R-"+s.ids[args[2]]), time.Now().Add(duration(opt(args, 3, "1h"))))
		if err != nil {
			return "", err
		}
		return s.name("a", string(id)), nil
	}
	panic("unknown command " + args[0])
}

func reason(text string) *golem.Reason {
	if text == "-" {
		return nil
	}
	return &golem.Reason{Message: text}
}

// agree executes a command about Agreements.
func (s *script) agree(ctx context.Context, n *node, args []string) (text string, err error, ok bool) {
	id := s.deal(opt(args, 2, ""))
	switch args[0] {
	case "confirm":
		return "", n.Confirm(ctx, n.id, id, opt(args, 3, "")), true
	case "approve":
		return "", n.Approve(ctx, n.id, id, "", duration(opt(args, 3, "5s"))), true
	case "wait":
		ctx, cancel := context.WithTimeout(ctx, duration(opt(args, 3, "10s")))
		defer cancel()
		return "", n.WaitForApproval(ctx, n.id, id), true
	case "cancel":
		return "", n.Cancel(ctx, n.id, id, reason(args[3])), true
	case "reject":
		return "", n.RejectAgreement(ctx, n.id, id, reason(args[3])), true
	case "terminate":
		return "", n.Terminate(ctx, n.id, id, reason(args[3])), true
	case "reason":
		e, err := n.Termination(ctx, n.id, id)
		if err != nil {
			return "", err, true
		}
		return fmt.Sprintf("by %s: %s", e.By, e.Reason.Text()), nil, true
	}
	return "", nil, false
}

// show renders a Proposal.
func (s *script) show(x *market.Exchange) string {
	text := fmt.Sprintf("%s %s by %s", s.name("x", string(x.ID)), x.State, x.IssuerID())
	if x.Prev == "" {
		return text
	}
	for _, n := range s.names {
		if s.ids[n] == x.Prev.Hash() {
			return text + " after " + n
		}
	}
	return text + " after the offer"
}

// events collects and prints what there is.
func (s *script) events(n *node, sub string) string {
	collect := n.CollectDemand
	if strings.HasPrefix(sub, "o") {
		collect = n.CollectOffer
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := collect(ctx, n.id, s.sub(sub), 20)
	if err != nil {
		return s.result("", err)
	}
	var lines []string
	for _, e := range c.News {
		switch e.Kind {
		case market.EventProposal:
			lines = append(lines, "proposal "+s.show(e.Exchange))
		case market.EventRejection:
			lines = append(lines, fmt.Sprintf("rejected %s: %s", s.name("x", string(e.Proposal)), e.Reason.Text()))
		case market.EventAgreement:
			lines = append(lines, fmt.Sprintf("agreement %s %s", s.name("a", string(e.Agreement.ID)), e.Agreement.State.Public()))
		}
	}
	if err := c.Delivered(context.Background()); err != nil {
		return s.result("", err)
	}
	return s.hide(strings.Join(lines, "\n"))
}

// state prints the state of an Agreement at each node that has it.
func (s *script) state(name string) string {
	var parts []string
	for _, node := range slices.Sorted(maps(s.nodes)) {
		n := s.nodes[node]
		a, err := n.Agreement(context.Background(), n.id, s.deal(name))
		switch {
		case errors.Is(err, golem.ErrNotFound):
		case err != nil:
			parts = append(parts, node+" "+s.result("", err))
		default:
			parts = append(parts, fmt.Sprintf("%s %s", node, a.State))
		}
	}
	return strings.Join(parts, ", ")
}

func maps[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// news prints the events of Agreements since the last time.
func (s *script) news(ctx context.Context, name string, n *node, session string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	key := name + "/" + session
	es, err := n.AgreementEvents(ctx, market.EventQuery{Owner: n.id, Session: session, After: s.seen[key], Max: 100})
	if err != nil {
		return s.result("", err)
	}
	var lines []string
	for _, e := range es {
		if !e.At.After(s.seen[key]) {
			lines = append(lines, "(not after the one before)")
		}
		s.seen[key] = e.At
		line := fmt.Sprintf("%s %s", s.name("a", string(e.Agreement)), strings.TrimSuffix(strings.TrimPrefix(string(e.Type), "Agreement"), "Event"))
		if e.Type != golem.AgreementApprovedEvent {
			line += fmt.Sprintf(" by %s: %s", e.By, e.Reason.Text())
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
