// Package payment keeps the books of a node: what is owed to it and by it, who
// has promised to pay what, and what has been paid.
//
// # The life of a bill
//
// A Provider issues a DebitNote or an Invoice and sends it. The Requestor's
// agent accepts it against an Allocation; in the same transaction the document
// changes its status, the Allocation is charged, and an [Obligation] to pay the
// difference to what was accepted before is written down, together with what the
// Provider must be told. Obligations to one address are gathered into an
// [Order], which a [Driver] carries out. When it reports the transfer, the
// documents that are covered are settled, and a Payment for each Provider, with
// the proof, is signed and sent. The Provider checks the proof with its own
// driver, books the Payment and settles its own copies by the same rule.
//
// # Who calls it, and whom it calls
//
// REST handlers call [Service]. Services of other nodes reach it through the
// messages of package wire (peer.go). It asks the market for Agreements and the
// activity service for Activities, and it uses drivers; it imports none of them.
//
// # Promises
//
// Everything acknowledged is on the disk. Each change is one [Store.Step]: rows
// are read, a pure decision (a sheet) is made, the books are checked, and the
// change is written, in one transaction, together with the events it causes and
// the messages it obliges us to send. Messages and orders are rows until they
// are acknowledged; [Service.Run] repeats them with growing delays, each on its
// own, so that one that is refused holds up no other. Being told the same thing
// twice changes nothing and is answered as the first time.
//
// An Order is handed to its driver again after every start until it is settled,
// under the same id. A driver that pays an id at most once therefore makes every
// payment happen exactly once, wherever a process is killed.
//
// # The books
//
// For each party of an Agreement, and for each Activity, four totals are kept:
// due, accepted, scheduled and paid (spec payment.md §3.3). On the Requestor's
// side paid ≤ scheduled ≤ accepted ≤ due always holds, the totals of Activities
// never exceed those of their Agreement, every increase of accepted, scheduled
// and paid equals that of the obligations behind it, and what an Allocation has
// spent equals the obligations charged to it. A step that would break one of
// these fails with golem.ErrInternal and changes nothing. [Service.Audit] adds
// everything up from the start.
//
// # What it never does
//
// It never decides whether a bill is justified: agents do. It never pays without
// an Allocation, and never more than the Allocation has left. It never takes a
// payer's word for a payment.
package payment
