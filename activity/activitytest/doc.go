// Package activitytest has what activities need around them in tests and
// simulations: an [ExeUnit] that executes batches without starting a process, an
// [Agent] of a Provider that starts and stops them, and [Agreements] without a
// market. All are working implementations, not mocks: the ExeUnit keeps the state
// machine, the results and the events that the protocol asks for, and its usage
// grows with time, virtual time in a bubble.
package activitytest
