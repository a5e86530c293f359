// Package exeunit is the supervisor of one Activity: the process a Provider's
// agent starts when a Requestor creates an Activity, and that executes what the
// Requestor sends until the Activity ends.
//
// # The life of an Activity
//
//	New → Initialized –deploy→ Deployed –start→ Ready –run, transfer→ Ready
//	                      ↑ terminate, from any of them ↓
//	                 Terminated: destroyed, over a limit, expired, interrupted
//
// The state is a pair, the second member of which says what is under way, and is
// what a Requestor polls. A command moves the state also when it fails, as
// upstream's does; its result tells the difference (spec exeunit.md §6).
//
// # Who does what
//
// The Supervisor binds /public/exeunit/<activity> on the service bus for the
// Requestor's node and reports state and usage to /local/activity of its own. It
// never runs what the Requestor sent: that is done by a [Runtime], for which it
// starts an [Executable] that obeys the command-line contract of exeunit.md §12.
// Images and files are copied by the Supervisor itself.
//
// # Promises
//
// Commands of a batch run in order and stop at the first that fails; batches run
// beside each other, and a command that needs a state which another is changing
// fails as busy. A batch that is handed over twice runs once. Its events and
// results can be had from the beginning, at any time, until the Activity ends;
// of its output the amount given by maxBatchOutput is kept.
//
// What a program prints is not lost while somebody follows it: the program is
// slowed down to the pace of the slowest follower. One who takes nothing for
// followerStall is not waited for, nor is one who does not come, or come back,
// within followerAbsence. Each event of output says how much was printed before
// it, so that followers see what they have missed.
//
// Whatever the Runtime does, memory stays bounded, nothing outside the work and
// cache directories is written, no path given by a Requestor leaves a volume,
// and no process of the Runtime survives the Supervisor.
//
// It never verifies signatures of a payload manifest: it refuses Agreements with
// one. Private networks, service mode and archives are not offered either.
package exeunit
