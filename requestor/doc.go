// Package requestor buys: it rents machines of Providers, runs programs on them,
// and pays what was agreed on, within a budget.
//
// # Shape
//
//	Connect(Config) ──→ Requestor   one identity and its budget
//	                     │ Survey    who would be asked, at what price
//	                     │ Rent      one machine
//	                     │ Each      many tasks on several machines
//	                     ↓
//	            Order ──→ Rental     an Agreement, and an Activity under it
//	                     │ Run       a program, with files before and after it
//	                     │ Upload, Download, Usage
//	                     │ Close ──→ Bill
//	                     ↓
//	Close                            gives back what was not spent
//
// # The life of a rental
//
//	search → agree → create → deploy → start → upload, run, download … → end → pay
//
// These are the [Stage]s that [Order].Progress is told.
//
// An [Order] becomes a Demand. Offers that suit it, and can cost no more than
// allowed in the whole Timeout, are countered, the best first; 30 milliseconds
// after the first answer the best of those that have come is asked to agree. One
// that takes longer than 1.5 seconds for that is not waited for alone: up to
// three are asked beside each other, the first that agrees gets the order, and
// the others are told that they are not needed. A Provider that has failed is
// the last choice for a while, a longer one each time.
//
// Deploying waits for the first thing that is to be done, and is sent with it.
// What a program prints is streamed. A stream that breaks is opened again, and
// the results are asked for meanwhile, so that nothing is missed or told twice;
// that includes restarts of the own node. Where some of it is lost all the same,
// because its reader was too slow for too long, that is an error of Run.
//
// A rental ends when it is closed, after its Timeout, when the budget is used up,
// or when its Provider fails: it has said nothing for half a minute, has ended
// the Activity or the Agreement, or wants more than it may. [Rental.Err] tells
// which. Whatever ended it, Activity and Agreement are ended too.
//
// # Who is to blame
//
// Errors say who can do something about it:
//
//   - [*ExitError]: the program; it has run and not succeeded.
//   - [*ProviderError]: the Provider, or the way to it; another one may do better.
//   - [*NoProviderError]: the market; it says in a sentence what there is.
//   - ErrExhausted: the budget, the limits of the Agreement, or the disk of this
//     machine.
//   - ErrInvalid: the caller's Order or Process, before anything is done.
//
// [Each] gives a task to another Provider for the second kind only, and for what
// the task marks with [Elsewhere].
//
// # Environment
//
// [Order].Env travels in the deploy command, and is that of all programs of a
// rental. It is an addition to the Golem Network: ExeUnits of this project give
// it to programs of the wasmtime Runtime, others ignore it. What must arrive
// anywhere is better said in arguments or files. It is not secret: the Provider
// reads it, as everything else.
//
// # Promises
//
// What is accepted never exceeds Config.Budget, nor Order.MaxPrice for a rental.
// A debit note or Invoice is accepted only if it is for an Agreement of this
// Requestor and asks no more than the prices agreed on make of the use that is
// possible by this program's clock, and of the use the node knows of. A Provider
// that has failed is paid what was accepted before, and no more.
//
// Nothing stays reserved after [Requestor.Close]: Demands are withdrawn,
// Agreements terminated, published files withdrawn, and the Allocation is
// released. That holds for every moment a context may end at; calls that reserve
// something are not left in the middle. After a crash all of this runs out by
// itself, the Allocation last: a quarter of an hour or more after the last rental
// could have ended.
//
// Every wait has an end. Files appear when they are complete and their hash is
// right.
//
// # Who calls it, and whom it calls
//
// It is a plain client of a node's REST API, ours or upstream's; golem run and
// the demonstration are built on it. Files travel over the node's bus, which is
// joined when the first one does.
//
// # What it never does
//
// It does not look into images: golem run checks a module before it is bought
// for. It does not tell whether a result is right; compare two, or check it, and
// say [Elsewhere]. It keeps no state: a rental does not outlive its program.
package requestor
