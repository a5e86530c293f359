// Package local is the payment driver of devnets: a ledger kept by the devnet's
// hub, with transfers signed by the payer and verified by the payee. It needs no
// chain, no gas and no internet, and it loses no token.
//
// [Book] is the ledger, as the hub process hosts it: append-only [Entry] lines,
// each containing the hash of the one before; balances; and a faucet that grants
// every address its first tokens. It refuses overdrafts and wrong signatures. The
// pair of payer and key names a transfer: asking for it again answers with the
// entry there is, which is what makes paying exactly once possible.
//
// [Serve] makes a Book answer on the bus and [Remote] calls one there, so that
// nodes reach it through their connection to the hub. [Driver] works with
// either.
//
// What is proven: a payee looks the entry up and checks the payer's signature
// itself. What is not: the hub could deny an entry or rewrite history, since it
// is the only keeper. Devnet tokens are worth nothing; that is why this is
// enough, and why the driver must not be offered anywhere else.
package local
