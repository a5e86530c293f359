package local

import (
	"context"
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// Serve makes a ledger answer on a bus, until release is called.
func Serve(b gsb.Binder, l Ledger) (release func(), err error) {
	var releases []func()
	var errs []error
	add := func(release func(), err error) {
		releases, errs = append(releases, release), append(errs, err)
	}
	add(wire.LedgerInfo.Handle(b, func(ctx context.Context, _ gsb.Peer, _ gsb.Unit) (Info, error) {
		return l.Info(ctx)
	}))
	add(wire.LedgerTransfer.Handle(b, func(ctx context.Context, _ gsb.Peer, o Order) (Entry, error) {
		return l.Transfer(ctx, o)
	}))
	add(wire.LedgerBalance.Handle(b, func(ctx context.Context, _ gsb.Peer, a wire.LedgerAddress) (wire.LedgerHolding, error) {
		sum, err := l.Balance(ctx, a.Address)
		return wire.LedgerHolding{Amount: sum}, err
	}))
	add(wire.LedgerEntryAt.Handle(b, func(ctx context.Context, _ gsb.Peer, s wire.LedgerSeq) (Entry, error) {
		return l.Entry(ctx, s.Seq)
	}))
	add(wire.LedgerFund.Handle(b, func(ctx context.Context, _ gsb.Peer, a wire.LedgerAddress) (Entry, error) {
		return l.Fund(ctx, a.Address)
	}))
	release = func() {
		for _, r := range releases {
			if r != nil {
				r()
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// remoteTimeout bounds one question to a remote ledger.
const remoteTimeout = 15 * time.Second

// Remote is a ledger reached through a bus, usually that of the hub.
type Remote struct{ bus gsb.Caller }

// NewRemote returns the ledger that c reaches.
func NewRemote(c gsb.Caller) *Remote { return &Remote{c} }

// ask makes one call of a remote ledger.
func ask[Req, Resp any](ctx context.Context, r *Remote, m gsb.Method[Req, Resp], req Req) (Resp, error) {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	resp, err := m.Call(ctx, r.bus, golem.NodeID{}, golem.NodeID{}, req)
	switch {
	case err != nil && ctx.Err() != nil:
		err = golem.Errorf(golem.ErrUnavailable, "the devnet's ledger does not answer: %w", err)
	case errors.Is(err, golem.ErrInternal):
		err = golem.Errorf(golem.ErrUnavailable, "the devnet's ledger: %w", err)
	}
	return resp, err
}

// Info implements [Ledger].
func (r *Remote) Info(ctx context.Context) (Info, error) {
	return ask(ctx, r, wire.LedgerInfo, gsb.Unit{})
}

// Transfer implements [Ledger].
func (r *Remote) Transfer(ctx context.Context, o Order) (Entry, error) {
	return ask(ctx, r, wire.LedgerTransfer, o)
}

// Balance implements [Ledger].
func (r *Remote) Balance(ctx context.Context, a golem.Address) (golem.Amount, error) {
	h, err := ask(ctx, r, wire.LedgerBalance, wire.LedgerAddress{Address: a})
	return h.Amount, err
}

// Entry implements [Ledger].
func (r *Remote) Entry(ctx context.Context, seq uint64) (Entry, error) {
	return ask(ctx, r, wire.LedgerEntryAt, wire.LedgerSeq{Seq: seq})
}

// Fund implements [Ledger].
func (r *Remote) Fund(ctx context.Context, a golem.Address) (Entry, error) {
	return ask(ctx, r, wire.LedgerFund, wire.LedgerAddress{Address: a})
}
