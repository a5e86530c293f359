package sqlite

import (
	"strings"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

const (
	columnsAllocation = "id, owner, platform, address, total, spent, state, timeout, created, updated, deposit"

	sqlPutAllocation = "INSERT INTO pay_allocation (" + columnsAllocation + ", deposit_contract, deposit_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT (id) DO UPDATE SET total = excluded.total, spent = excluded.spent, state = excluded.state," +
		" timeout = excluded.timeout, updated = excluded.updated, deposit = excluded.deposit"
	sqlAllocation      = "SELECT " + columnsAllocation + " FROM pay_allocation WHERE id = ?"
	sqlAllocations     = "SELECT " + columnsAllocation + " FROM pay_allocation WHERE owner = ? AND state = 'Active' AND created > ? ORDER BY created LIMIT ?"
	sqlAllocationsOn   = "SELECT " + columnsAllocation + " FROM pay_allocation WHERE platform = ? AND address = ? AND state = 'Active'"
	sqlAllocationsWith = "SELECT " + columnsAllocation + " FROM pay_allocation WHERE deposit_contract = ? AND deposit_id = ? AND deposit IS NOT NULL"
	sqlExpiring        = "SELECT " + columnsAllocation + " FROM pay_allocation WHERE state = 'Active' AND timeout > '' ORDER BY timeout LIMIT ?"
	sqlAllocationsFrom = "SELECT " + columnsAllocation + " FROM pay_allocation WHERE id > ? ORDER BY id LIMIT ?"
)

func scanAllocation(r row) (a golem.Allocation, err error) {
	err = r.Scan(&a.ID, into(&a.Owner), into(&a.Platform), into(&a.Address), into(&a.Total), into(&a.Spent), &a.State,
		into(&a.Timeout), into(&a.Created), into(&a.Updated), fromJSON{&a.Deposit})
	return a, err
}

func (t *Tx) putAllocation(a *golem.Allocation) error {
	var contract, id any
	if a.Deposit != nil {
		contract, id = strings.ToLower(a.Deposit.Contract), strings.ToLower(a.Deposit.ID)
	}
	_, err := t.exec(sqlPutAllocation, a.ID, text{a.Owner}, text{a.Platform}, text{a.Address}, text{a.Total}, text{a.Spent}, a.State,
		at(a.Timeout), at(a.Created), at(a.Updated), asJSON[golem.Deposit]{a.Deposit}, contract, id)
	return err
}

// Allocation implements payment.AllocationReader.
func (b books) Allocation(id golem.AllocationID) (golem.Allocation, error) {
	return one(b.q, scanAllocation, sqlAllocation, id)
}

// Allocations implements payment.AllocationReader.
func (b books) Allocations(owner golem.NodeID, p payment.Page) ([]golem.Allocation, error) {
	return all(b.q, scanAllocation, sqlAllocations, text{owner}, since(p.After), limit(p.Limit))
}

// AllocationsOn implements payment.AllocationReader.
func (b books) AllocationsOn(a payment.Account) ([]golem.Allocation, error) {
	return all(b.q, scanAllocation, sqlAllocationsOn, text{a.Platform}, text{a.Address})
}

// AllocationsWith implements payment.AllocationReader.
func (b books) AllocationsWith(d golem.Deposit) ([]golem.Allocation, error) {
	return all(b.q, scanAllocation, sqlAllocationsWith, strings.ToLower(d.Contract), strings.ToLower(d.ID))
}

// Expiring implements payment.AllocationReader.
func (b books) Expiring(n int) ([]golem.Allocation, error) {
	return all(b.q, scanAllocation, sqlExpiring, n)
}

// AllocationsFrom implements payment.AllocationReader.
func (b books) AllocationsFrom(after golem.AllocationID, n int) ([]golem.Allocation, error) {
	return all(b.q, scanAllocation, sqlAllocationsFrom, after, n)
}
