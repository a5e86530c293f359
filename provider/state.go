package provider

import "github.com/golem-go/golem"

// dealState is the state of a deal (spec provider-agent.md §8).
type dealState string

const (
	dealNew         dealState = "New"         // being approved
	dealInitialized dealState = "Initialized" // approved, no Activity yet
	dealComputing   dealState = "Computing"   // an Activity runs
	dealIdle        dealState = "Idle"        // between Activities
	dealClosed      dealState = "Closed"      // ended as agreed
	dealBroken      dealState = "Broken"      // ended by us, for a reason
)

var dealStates = []dealState{dealNew, dealInitialized, dealComputing, dealIdle, dealClosed, dealBroken}

// dealEvent is what can happen to a deal.
type dealEvent string

const (
	dealStart   dealEvent = "start"   // the Agreement is approved
	dealCompute dealEvent = "compute" // an Activity begins
	dealRest    dealEvent = "rest"    // it has ended
	dealClose   dealEvent = "close"
	dealBreak   dealEvent = "break"
)

var dealEvents = []dealEvent{dealStart, dealCompute, dealRest, dealClose, dealBreak}

// dealMoves is the whole state machine. Only one Activity runs at a time: each may
// use all that was set aside for the Agreement.
var dealMoves = []struct {
	from dealState
	on   dealEvent
	to   dealState
}{
	{dealNew, dealStart, dealInitialized},
	{dealNew, dealClose, dealClosed},
	{dealNew, dealBreak, dealBroken},
	{dealInitialized, dealCompute, dealComputing},
	{dealInitialized, dealClose, dealClosed},
	{dealInitialized, dealBreak, dealBroken},
	{dealComputing, dealRest, dealIdle},
	{dealComputing, dealClose, dealClosed},
	{dealComputing, dealBreak, dealBroken},
	{dealIdle, dealCompute, dealComputing},
	{dealIdle, dealClose, dealClosed},
	{dealIdle, dealBreak, dealBroken},
}

// next returns the state that follows s on e, or ErrConflict.
func (s dealState) next(e dealEvent) (dealState, error) {
	for _, m := range dealMoves {
		if m.from == s && m.on == e {
			return m.to, nil
		}
	}
	return s, golem.Errorf(golem.ErrConflict, "the deal is %s: cannot %s", s, e)
}

// ended reports whether nothing can happen to the deal any more.
func (s dealState) ended() bool { return s == dealClosed || s == dealBroken }

// code is why an Agreement was terminated, for programs. The values are upstream's
// (spec provider-agent.md §7).
type code string

const (
	codeSuccess              code = "Success"
	codeInitializationError  code = "InitializationError"
	codeExpired              code = "Expired"
	codeNoActivity           code = "NoActivity"
	codeDebitNotesDeadline   code = "DebitNotesDeadline"
	codeDebitNoteRejected    code = "DebitNoteRejected"
	codeDebitNoteCancelled   code = "DebitNoteCancelled"
	codeDebitNoteNotPaid     code = "DebitNoteNotPaid"
	codeRequestorUnreachable code = "RequestorUnreachable"
	codeShutdown             code = "Shutdown"
)

// ending is how a deal ends.
type ending struct {
	code    code
	message string
	theirs  bool // the Requestor has terminated the Agreement, it need not be told
}

func (e *ending) reason() *golem.Reason {
	return golem.NewReason(e.message, golem.ReasonProviderCode, string(e.code))
}
