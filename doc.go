// Package golem is the vocabulary of the Golem Network: the nouns every other
// package speaks, their identifiers, their exact text forms, their state
// machines and their errors. It performs no I/O and reads no clock.
//
// # The story the nouns tell
//
// A Provider publishes an [Offer], a Requestor a [Demand]. Where both match, a
// [Proposal] is exchanged and countered until the Requestor promotes the
// Provider's last one to an [Agreement]. Under an approved Agreement the
// Requestor creates an [Activity] in the Provider's ExeUnit and sends it
// batches of [Command]. What was used is billed by [DebitNote] and finally by
// one [Invoice]; both are accepted against an [Allocation] and settled by a
// [Payment] on a [Platform].
//
// # Conventions
//
// Every identifier is a type of its own. Every type has one JSON form, the one
// upstream's REST API uses; the same field names are used on the service bus.
// Amounts are exact integers of 10⁻¹⁸ tokens. Times are UTC.
//
// A state machine is a table of moves (see state.go); a move that is not in the
// table is [ErrConflict], never a panic, because the event may come from
// somebody else's node.
//
// Errors have a [Kind], which travels over the service bus and the REST API and
// comes back as the same value.
package golem
