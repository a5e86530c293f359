package exeunit

import (
	"fmt"
	"sync"

	"github.com/golem-go/golem"
)

// machine holds the state of the Activity. A command that needs a state claims
// it by setting what is pending; nothing else excludes commands of different
// batches from each other.
type machine struct {
	tell func() // called after every change, without the lock

	mu        sync.Mutex
	status    golem.ActivityStatus
	moves     int // how often the state was set; tells claims apart
	resetting bool
}

// claim is the right of a command to move the state.
type claim struct {
	pair golem.StatePair
	move int
}

func newMachine(tell func()) *machine {
	return &machine{tell: tell, status: golem.ActivityStatus{State: golem.StatePair{Current: golem.ActivityNew}}}
}

// now returns the state.
func (m *machine) now() golem.ActivityStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

// change runs f under the lock and tells if it went well.
func (m *machine) change(f func() error) error {
	m.mu.Lock()
	err := f()
	m.mu.Unlock()
	if err == nil {
		m.tell()
	}
	return err
}

// set makes pair the state. The lock is held.
func (m *machine) set(pair golem.StatePair, reason string) {
	m.status = golem.ActivityStatus{State: pair, Reason: reason}
	m.moves++
}

// initialize makes the Activity ready for its first command.
func (m *machine) initialize() {
	m.change(func() error {
		m.set(golem.StatePair{Current: golem.ActivityInitialized}, "")
		return nil
	})
}

// begin claims the state for a command, or says why it cannot have it.
func (m *machine) begin(c *golem.Command) (own claim, err error) {
	err = m.change(func() error {
		pair := m.status.State
		if pair.Pending != "" || m.resetting {
			return golem.Errorf(golem.ErrConflict, "Busy: %s", pairText(pair))
		}
		next, err := pair.Current.Next(eventOf(c))
		if err != nil {
			return golem.Errorf(golem.ErrConflict, "%s", invalidState(pair.Current))
		}
		m.set(golem.StatePair{Current: pair.Current, Pending: next}, "")
		own = claim{m.status.State, m.moves}
		return nil
	})
	return own, err
}

// end gives a claim back: the pending state becomes the current one, whether the
// command has succeeded or not. It fails when the state has been taken away
// meanwhile.
func (m *machine) end(own claim) error {
	return m.change(func() error {
		if m.moves != own.move {
			return golem.Errorf(golem.ErrConflict, "Unexpected state: %s, expected %s", pairText(m.status.State), pairText(own.pair))
		}
		m.set(golem.StatePair{Current: own.pair.Pending}, "")
		return nil
	})
}

// beginReset keeps commands out until endReset, and voids the claims there are.
func (m *machine) beginReset() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.resetting || !m.status.State.Alive() {
		return golem.Errorf(golem.ErrConflict, "Busy: %s", pairText(m.status.State))
	}
	m.resetting = true
	m.moves++
	return nil
}

// endReset takes the Activity back to where it can be deployed, unless it is
// ending.
func (m *machine) endReset() {
	m.change(func() error {
		m.resetting = false
		if m.status.State.Alive() {
			m.set(golem.StatePair{Current: golem.ActivityInitialized}, "")
		}
		return nil
	})
}

// beginEnd says that the Activity is ending.
func (m *machine) beginEnd() {
	m.change(func() error {
		m.set(golem.StatePair{Current: m.status.State.Current, Pending: golem.ActivityTerminated}, "")
		return nil
	})
}

// terminate says that the Activity has ended, and why.
func (m *machine) terminate(reason string) {
	m.change(func() error {
		m.set(golem.StatePair{Current: golem.ActivityTerminated}, reason)
		return nil
	})
}

// eventOf returns what a command is to the state machine.
func eventOf(c *golem.Command) golem.ActivityEvent {
	switch {
	case c.Deploy != nil:
		return golem.ActivityDeploy
	case c.Start != nil:
		return golem.ActivityStart
	}
	return golem.ActivityRun
}

// invalidState is what a Requestor is told about a command that the state does
// not allow.
func invalidState(s golem.ActivityState) string {
	switch s {
	case golem.ActivityInitialized:
		return "Activity is initialized - deploy() command is expected now"
	case golem.ActivityDeployed:
		return "Activity is deployed - start() command is expected now"
	case golem.ActivityReady:
		return "Cannot send command after a successful start()"
	}
	return fmt.Sprintf("This command is not allowed when activity is in the %s state", s)
}

// pairText writes a pair as upstream's messages do.
func pairText(p golem.StatePair) string {
	if p.Pending == "" {
		return fmt.Sprintf("StatePair(%s, None)", p.Current)
	}
	return fmt.Sprintf("StatePair(%s, Some(%s))", p.Current, p.Pending)
}
