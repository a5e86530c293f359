package golem

// move is one line of a state machine: in state from, event on leads to state to.
type move[S, E ~string] struct {
	from S
	on   E
	to   S
}

// moves is a whole state machine. Anything not listed is [ErrConflict].
type moves[S, E ~string] []move[S, E]

// next returns the state that follows s on e.
func (ms moves[S, E]) next(noun string, s S, e E) (S, error) {
	for _, m := range ms {
		if m.from == s && m.on == e {
			return m.to, nil
		}
	}
	return s, Errorf(ErrConflict, "%s is %s: cannot %s", noun, s, e)
}

// final reports whether no move leaves s.
func (ms moves[S, E]) final(s S) bool {
	for _, m := range ms {
		if m.from == s && m.to != s {
			return false
		}
	}
	return true
}

// Transition is one line of a state machine, as shown in docs/states.md.
type Transition struct{ From, On, To string }

// transitions returns the machine in the order of its table.
func (ms moves[S, E]) transitions() []Transition {
	ts := make([]Transition, len(ms))
	for i, m := range ms {
		ts[i] = Transition{string(m.from), string(m.on), string(m.to)}
	}
	return ts
}

// StateMachines returns the transition table of every noun that has one, by the
// noun's name.
func StateMachines() map[string][]Transition {
	return map[string][]Transition{
		"Proposal":   proposalMoves.transitions(),
		"Agreement":  agreementMoves.transitions(),
		"Activity":   activityMoves.transitions(),
		"Allocation": allocationMoves.transitions(),
		"DebitNote":  debitNoteMoves.transitions(),
		"Invoice":    invoiceMoves.transitions(),
	}
}
