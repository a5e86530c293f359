package market

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// The test in this file explores the handshake: every order in which two nodes
// can act, and in which the network can deliver, lose, repeat and overtake
// messages. From each situation it lets the network work and time pass, and wants
// both nodes to end in the same state with nothing left to tell.

// duo is a situation: both nodes and the messages under way. It is comparable.
type duo struct {
	r, p     view
	requests [letters]bool       // under way
	replies  [letters]answerText // under way, "" for none
	over     bool                // the deadline of the approval has passed
	late     bool                // the validity has passed
	gaveUp   bool                // a proposal may be under way that the Requestor believes lost
}

// view is what a situation needs of a Handshake.
type view struct {
	known    bool
	state    golem.AgreementState
	telling  Telling
	proposed bool
	round    int // of the approval
}

// letter is a kind of message.
type letter int

const (
	confirmLetter letter = iota
	cancelLetter
	rejectLetter
	endByRequestor
	endByProvider
	approveLetter                          // of the first round; those of others follow
	commitLetter  = approveLetter + rounds // likewise
	letters       = commitLetter + rounds
)

// rounds is how often the Provider may approve.
const rounds = 3

// split returns the kind of a letter and its round.
func (l letter) split() (letter, int) {
	switch {
	case l >= commitLetter:
		return commitLetter, int(l - commitLetter)
	case l >= approveLetter:
		return approveLetter, int(l - approveLetter)
	}
	return l, 0
}

// statement is the time of the approval of a round.
func statement(round int) time.Time { return epoch.Add(time.Duration(round) * time.Microsecond) }

// answerText is an answer: "ok", or why and state of a refusal.
type answerText string

func textOf(err error) answerText {
	if err == nil {
		return "ok"
	}
	r := refusal(err)
	if r == nil {
		return "internal"
	}
	return answerText(string(r.Why) + "/" + string(r.State))
}

func (a answerText) err() error {
	if a == "ok" {
		return nil
	}
	var why, state string
	for i := range a {
		if a[i] == '/' {
			why, state = string(a[:i]), string(a[i+1:])
		}
	}
	return &wire.Refusal{Why: wire.Why(why), State: golem.AgreementState(state)}
}

var (
	epoch    = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	deadline = epoch.Add(time.Minute)
	validTo  = epoch.Add(time.Hour)
)

// handshake returns the Handshake of a view.
func (v view) handshake(role golem.Role) *Handshake {
	h := &Handshake{Role: role, Telling: v.telling}
	h.State, h.ValidTo, h.Deadline = v.state, validTo, deadline
	if v.proposed {
		h.Signatures.Proposed = golem.NoSignature
	}
	if v.round >= 0 {
		h.Approved = statement(v.round)
	}
	return h
}

func viewOf(h *Handshake) view {
	v := view{true, h.State, h.Telling, h.Signatures.Proposed != "", -1}
	if !h.Approved.IsZero() {
		v.round = int(h.Approved.Sub(epoch) / time.Microsecond)
	}
	return v
}

// now is the time of a situation.
func (d duo) now() time.Time {
	switch {
	case d.late:
		return validTo.Add(time.Minute)
	case d.over:
		return deadline.Add(time.Minute)
	}
	return epoch
}

// at applies decide to one node, as change does: time first.
func (d *duo) at(role golem.Role, decide func(h *Handshake) error) error {
	v := &d.r
	if role == golem.Provider {
		v = &d.p
	}
	if !v.known {
		return &wire.Refusal{Why: wire.WhyNotFound}
	}
	h := v.handshake(role)
	for h.age(d.now()) {
	}
	aged := viewOf(h)
	if err := decide(h); err != nil {
		*v = aged
		return err
	}
	*v = viewOf(h)
	return nil
}

// request is the receiver's side of a message.
func (d *duo) request(l letter) error {
	l, round := l.split()
	switch l {
	case confirmLetter:
		if !d.p.known {
			if d.late {
				return &wire.Refusal{Why: wire.WhyUnexpected}
			}
			d.p = view{known: true, state: golem.AgreementPending, round: -1}
			return nil
		}
		return d.at(golem.Provider, func(h *Handshake) error {
			switch h.State {
			case golem.AgreementPending, golem.AgreementApproving, golem.AgreementApproved:
				return nil
			}
			return &wire.Refusal{Why: wire.WhyUnexpected}
		})
	case approveLetter:
		return d.at(golem.Requestor, func(h *Handshake) error { _, err := h.onApproved(statement(round), ""); return err })
	case commitLetter:
		return d.at(golem.Provider, func(h *Handshake) error {
			again, err := h.onCommitted("")
			if err == nil && !again && !h.Approved.Equal(statement(round)) {
				err = notSigned(h)
			}
			return err
		})
	case cancelLetter:
		return d.at(golem.Provider, func(h *Handshake) error { return h.onCancelled(nil) })
	case rejectLetter:
		return d.at(golem.Requestor, func(h *Handshake) error { return h.onRejected(nil) })
	case endByRequestor:
		return d.at(golem.Provider, func(h *Handshake) error { return h.onTerminated(nil) })
	}
	return d.at(golem.Requestor, func(h *Handshake) error { return h.onTerminated(nil) })
}

// reply is the sender's side of an answer.
func (d *duo) reply(l letter, answer error) error {
	r := refusal(answer)
	l, round := l.split()
	switch l {
	case confirmLetter:
		return d.at(golem.Requestor, func(h *Handshake) error { return h.confirmed(answer) })
	case approveLetter:
		if r == nil {
			return nil
		}
		return d.at(golem.Provider, func(h *Handshake) error { return h.approvalRefused(statement(round), r) })
	case commitLetter:
		return d.at(golem.Requestor, func(h *Handshake) error { return h.committed(statement(round), r) })
	case cancelLetter:
		return d.at(golem.Requestor, func(h *Handshake) error { return h.cancelled(r) })
	case rejectLetter:
		return d.at(golem.Provider, func(h *Handshake) error { return h.rejected(r) })
	case endByRequestor:
		return d.at(golem.Requestor, func(h *Handshake) error { return h.terminated() })
	}
	return d.at(golem.Provider, func(h *Handshake) error { return h.terminated() })
}

// sends returns what a node may send in a situation.
func (d duo) sends() (ls []letter) {
	switch d.r.telling {
	case TellConfirm:
		ls = append(ls, confirmLetter)
	case TellCommit:
		ls = append(ls, commitLetter+letter(d.r.round))
	case TellCancel:
		ls = append(ls, cancelLetter)
	case TellTerminate:
		ls = append(ls, endByRequestor)
	}
	switch {
	case d.p.telling == TellReject:
		ls = append(ls, rejectLetter)
	case d.p.telling == TellTerminate:
		ls = append(ls, endByProvider)
	case d.p.state == golem.AgreementApproving:
		ls = append(ls, approveLetter+letter(d.p.round))
	}
	return ls
}

// timely acts end most of what is interesting; walks choose them rarely.
var timely = map[string]bool{"too late": true, "deadline": true, "cancel": true, "reject": true}

// acts are what agents and clocks may do.
var acts = map[string]func(d *duo) error{
	"confirm": func(d *duo) error {
		return d.at(golem.Requestor, func(h *Handshake) error {
			err := h.confirm("")
			h.Signatures.Proposed = golem.NoSignature
			return err
		})
	},
	"give up confirm": func(d *duo) error {
		d.gaveUp = true
		return d.at(golem.Requestor, func(h *Handshake) error { return h.confirmed(errors.New("no answer")) })
	},
	"cancel": func(d *duo) error {
		return d.at(golem.Requestor, func(h *Handshake) error { return h.cancel(nil) })
	},
	"terminate by requestor": func(d *duo) error {
		return d.at(golem.Requestor, func(h *Handshake) error { return h.terminate(nil) })
	},
	"approve": func(d *duo) error {
		if d.p.round == rounds-1 {
			return errors.New("enough")
		}
		return d.at(golem.Provider, func(h *Handshake) error { return h.approve("", epoch, deadline) })
	},
	"give up approve": func(d *duo) error { return d.at(golem.Provider, (*Handshake).revert) },
	"reject": func(d *duo) error {
		return d.at(golem.Provider, func(h *Handshake) error { return h.reject(nil) })
	},
	"terminate by provider": func(d *duo) error {
		return d.at(golem.Provider, func(h *Handshake) error { return h.terminate(nil) })
	},
	"deadline": func(d *duo) error { d.over = true; return d.touch() },
	"too late": func(d *duo) error { d.over, d.late = true, true; return d.touch() },
}

// touch lets time move both nodes.
func (d *duo) touch() error {
	nothing := func(*Handshake) error { return nil }
	return errors.Join(ignoreRefusal(d.at(golem.Requestor, nothing)), ignoreRefusal(d.at(golem.Provider, nothing)))
}

func ignoreRefusal(err error) error {
	if refusal(err) != nil {
		return nil
	}
	return err
}

// move is something that may happen in a situation.
type move struct {
	how string
	do  func(d *duo) error
}

// moves returns what may happen; some of it is refused.
func (d duo) moves() (ms []move) {
	for _, name := range sortedKeys(acts) {
		ms = append(ms, move{name, acts[name]})
	}
	for _, l := range d.sends() {
		ms = append(ms, move{fmt.Sprint("send ", l), func(d *duo) error { d.requests[l] = true; return nil }})
	}
	for l := range letters {
		if d.requests[l] {
			ms = append(ms,
				move{fmt.Sprint("deliver ", l), func(d *duo) error { d.requests[l] = false; return d.deliver(l) }},
				move{fmt.Sprint("deliver and repeat ", l), func(d *duo) error { return d.deliver(l) }},
				move{fmt.Sprint("lose ", l), func(d *duo) error { d.requests[l] = false; return nil }},
			)
		}
		if answer := d.replies[l]; answer != "" {
			ms = append(ms, move{fmt.Sprint("answer ", l), func(d *duo) error {
				d.replies[l] = ""
				return ignoreRefusal(d.reply(l, answer.err()))
			}})
		}
	}
	return ms
}

// deliver hands a request over.
func (d *duo) deliver(l letter) error {
	d.replies[l] = textOf(d.request(l))
	return nil
}

// settle lets the network work and time pass until nothing happens any more.
func (d duo) settle() duo {
	d.requests, d.replies = [letters]bool{}, [letters]answerText{}
	for round := 0; round < 20; round++ {
		if round == 10 {
			d.over, d.late = true, true
		}
		_ = d.touch()
		for _, l := range d.sends() {
			_ = d.reply(l, d.request(l))
		}
	}
	return d
}

// agree reports whether the nodes agree in the end. A proposal that arrives after
// the Requestor has given it up dies at the Provider by itself.
func (d duo) agree() bool {
	dead := func(s golem.AgreementState) bool {
		return s == golem.AgreementExpired || s == golem.AgreementCancelled || s == golem.AgreementRejected
	}
	return d.r.state == d.p.state || dead(d.r.state) && (!d.p.known || d.gaveUp && dead(d.p.state))
}

// check fails the test if the situation does not end well.
func (d duo) check(t *testing.T, history func() []string) {
	t.Helper()
	for l, answer := range d.replies {
		if answer == "internal" {
			t.Fatalf("request %d is answered by an error that is no refusal after %q", l, history())
		}
	}
	end := d.settle()
	done := end.r.state.Final() || end.r.state == golem.AgreementApproved
	if !end.agree() || !done || end.r.telling != "" || end.p.telling != "" {
		t.Fatalf("ends with requestor %+v, provider %+v after %q", end.r, end.p, history())
	}
}

// TestHandshakeConverges explores every situation near the beginning.
func TestHandshakeConverges(t *testing.T) {
	const most = 5_000
	type step struct {
		from duo
		how  string
	}
	seen := map[duo]step{start: {}}
	for queue := []duo{start}; len(queue) > 0 && len(seen) < most; queue = queue[1:] {
		d := queue[0]
		d.check(t, func() (hs []string) {
			for at := d; at != start; at = seen[at].from {
				hs = append([]string{seen[at].how}, hs...)
			}
			return hs
		})
		for _, m := range d.moves() {
			n := d
			if err := m.do(&n); err != nil {
				continue
			}
			if _, ok := seen[n]; !ok {
				seen[n] = step{d, m.how}
				queue = append(queue, n)
			}
		}
	}
}

var walks = flag.Int("walks", 1000, "random walks through the handshake")

// TestHandshakeWalks explores situations far from it.
func TestHandshakeWalks(t *testing.T) {
	for seed := range *walks {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		d, how := start, []string{}
		for tries := 0; tries < 300 && len(how) < 40; tries++ {
			ms := d.moves()
			m := ms[r.IntN(len(ms))]
			n := d
			if timely[m.how] && r.IntN(16) > 0 || m.do(&n) != nil || n == d {
				continue
			}
			d, how = n, append(how, m.how)
		}
		d.check(t, func() []string { return how })
	}
}

var start = duo{r: view{known: true, state: golem.AgreementProposal, round: -1}}
