// Package activity is the node's part in work being done: it lets a Requestor
// create an Activity in a Provider's ExeUnit, send it batches of commands, follow
// them, and end it; and it keeps account of the state and usage of each.
//
// # The life of an Activity
//
//	New → Initialized → Deployed → Ready → … → Terminated
//
// The Requestor's node asks the Provider's for an Activity under an approved
// Agreement ([Service.Create]). The Provider's node writes it down together with
// an event, by which the Provider's agent learns of it ([Service.Events]) and
// starts an ExeUnit. The ExeUnit reports its state to the Provider's node, and its
// usage every second; it is told to shut down by ErrNotFound once the Activity has
// ended. Commands go from the Requestor's node to the ExeUnit directly
// ([Service.Exec], [Service.Results], [Service.Stream]).
//
// [Service.Destroy], the end of the Agreement, and silence of the ExeUnit all lead
// to a second event, which asks the agent to stop the ExeUnit. The Activity is
// Terminated when the ExeUnit or the agent say so, or when neither has for long.
//
// # Who calls whom
//
// Agents call the methods of [Service] through the REST API. Other nodes and
// ExeUnits call the handlers in peer.go over the bus. The Service calls other
// nodes, ExeUnits, and market, by way of [Agreements].
//
// # What it promises
//
//   - What was acknowledged is in the store. Both parties keep a row of their own,
//     by which they answer when the other one is gone.
//   - Terminated is final. A usage counter never decreases.
//   - A batch is written down before it is sent and keeps its id when it is sent
//     again, so that an ExeUnit executes it at most once. What was not acknowledged
//     in time is not sent any more, neither later nor after a restart.
//   - An Activity the Requestor does not want any more, or never got an answer for,
//     is destroyed even if that takes several attempts and restarts.
//   - Events have unique, increasing dates for each Provider and stay until the
//     Activity is forgotten.
//   - An Activity exists for its two parties alone; to others it is ErrNotFound.
//
// It never starts a process, never looks into results, and never counts money.
package activity
