package payment

import (
	"context"
	"log/slog"
	"time"

	"github.com/golem-go/golem"
)

// Driver is a way to move tokens. What a driver can do beyond this it offers by
// implementing [Funder], [Initializer], [Depositor], [Batcher] or [Endpointer].
// All methods may be called concurrently; none may panic on what other nodes
// have sent. payment/drivertest is the suite a driver passes.
//
// Upstream's fourteen driver messages (spec payment.md §8) map to this: names and
// networks are Platforms; balance, validation of allocations and checks of
// deposits are Balance and Depositor; transfers with and without Allocation are
// Pay; verification is Confirm; status is Problems; enter, exit and flush do not
// exist. Signatures of payments are made by the service itself, and a locked
// identity shows when the driver's golem.Signer refuses.
type Driver interface {
	// Platforms returns what the driver pays on, the default first. All have the
	// same Driver, which is the driver's name. The list never changes.
	Platforms() []golem.Platform

	// Balance returns what address a holds on p. ErrUnavailable means that it
	// cannot be known at the moment.
	Balance(ctx context.Context, p golem.Platform, a golem.Address) (Balance, error)

	// Pay takes an order over. Orders of one ID are one order: whatever happens,
	// it is carried out once, and calling again is answered the same way. Pay
	// returns quickly; the transfer is reported by Run. A driver may hold an
	// order back until its Due to combine it with others. What is not settled
	// is handed over again after every start, so that a driver need not keep a
	// queue of its own. ErrInvalid and ErrUnsupported mean that the order can
	// never be carried out; it stays in the books and shows in the status.
	Pay(ctx context.Context, o Order) error

	// Confirm returns the transfer that a proof stands for, after checking it
	// against the source of truth and not against what the payer claims.
	// ErrInvalid means that the proof is wrong, ErrNotFound that there is no such
	// transfer (yet), ErrUnavailable that nothing can be said at the moment.
	Confirm(ctx context.Context, p golem.Platform, proof []byte) (Transfer, error)

	// Problems returns what keeps the driver from working, nothing when all is
	// well. It answers from memory.
	Problems(ctx context.Context) []Problem

	// Run carries orders out until ctx ends. It calls settled for each one that
	// has been, again with growing delays while that fails: a nil return means
	// that the books have it. Whoever runs the driver waits for Run to return,
	// after which settled is not called any more.
	Run(ctx context.Context, settled func(context.Context, Settlement) error) error
}

// Funder is a driver that can hand out tokens for nothing, on test networks.
type Funder interface {
	// Fund gives address a tokens and returns a sentence about it. Asking again
	// when there is enough is no error.
	Fund(ctx context.Context, p golem.Platform, a golem.Address) (string, error)
}

// Initializer is a driver that must prepare an account before it sends from it.
type Initializer interface {
	// Init prepares address a. It is called before an Allocation is made and may
	// be repeated. ErrNotFound or ErrUnavailable mean that the account cannot be
	// used.
	Init(ctx context.Context, p golem.Platform, a golem.Address) error
}

// Depositor is a driver that can pay from deposits of third parties.
type Depositor interface {
	// Deposit returns what is known about d after checking its Validate
	// arguments. ErrInvalid means that id or contract are malformed, ErrNotFound
	// that there is no such deposit.
	Deposit(ctx context.Context, p golem.Platform, d golem.Deposit) (DepositStatus, error)
	// ReleaseDeposit gives back what is left. It is repeated until it succeeds.
	ReleaseDeposit(ctx context.Context, p golem.Platform, spender golem.Address, d golem.Deposit) error
}

// Batcher is a driver for which it pays to wait for more.
type Batcher interface {
	// PayDelay returns how long what is accepted may wait to be paid together
	// with others. It overrides [Config.PayDelay]; due dates are kept anyway.
	PayDelay(p golem.Platform) time.Duration
}

// Endpointer is a driver that depends on servers somewhere.
type Endpointer interface {
	// Endpoints returns the servers in use for a network, and how they are.
	Endpoints(ctx context.Context, network string) ([]Endpoint, error)
}

// Endpoint is a server a driver depends on.
type Endpoint struct {
	URL     string    `json:"url"`
	Healthy bool      `json:"healthy"`
	Checked time.Time `json:"lastVerified,omitzero"`
	Problem string    `json:"problem,omitempty"`
}

// Balance is what an address holds.
type Balance struct {
	Amount golem.Amount
	Gas    *Gas      // nil where transfers are free
	Time   time.Time // of the state the balance is taken from; zero: now
}

// Gas is the native currency transfers are paid with.
type Gas struct {
	Symbol  string       `json:"currency_short_name"`
	Name    string       `json:"currency_long_name"`
	Balance golem.Amount `json:"balance"`
}

// OrderID names an Order: 32 hex digits. It is the key by which a driver knows
// that it has paid already.
type OrderID string

// LogValue makes the id readable in structured logs.
func (id OrderID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// Order asks a driver to move an amount from payer to payee, who may be the same.
type Order struct {
	ID       OrderID
	Platform golem.Platform
	Payer    golem.Address
	Payee    golem.Address
	Amount   golem.Amount   // not zero
	Due      time.Time      // zero: as soon as possible
	Deposit  *golem.Deposit // where the tokens come from; nil: the payer's own
}

// Settlement reports that an order has been carried out, for good.
type Settlement struct {
	Order  OrderID
	Amount golem.Amount // moved
	Proof  []byte       // by which anybody can look the transfer up
	Ref    string       // the transfer's name, as [Transfer.Ref] has it
}

// Transfer is what a proof stands for.
type Transfer struct {
	Ref    string // names the transfer on its platform, whatever the form of the proof
	Payer  golem.Address
	Payee  golem.Address
	Amount golem.Amount
	Time   time.Time
}

// DepositStatus is what a driver knows of a deposit.
type DepositStatus struct {
	Spender golem.Address
	Amount  golem.Amount
	ValidTo time.Time
}

// Kinds of problems, as upstream names them.
const (
	InsufficientGas   = "InsufficientGas"
	InsufficientToken = "InsufficientToken"
	InvalidChainID    = "InvalidChainId"
	CantSign          = "CantSign"
	TxStuck           = "TxStuck"
	RPCError          = "RpcError"
)

// Problem is something that keeps a driver from working; its JSON form is
// upstream's DriverStatusProperty.
type Problem struct {
	Kind        string        `json:"kind"`
	Driver      string        `json:"driver"`
	Network     string        `json:"network,omitempty"`
	Address     string        `json:"address,omitempty"`
	NeededGas   *golem.Amount `json:"neededGasEst,omitempty"`
	NeededToken *golem.Amount `json:"neededTokenEst,omitempty"`
	ChainID     int64         `json:"chainId,omitempty"`
}
