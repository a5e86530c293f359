package activitytest

import (
	"context"
	"sync"

	"github.com/golem-go/golem"
)

// Agreements are the Agreements of one node. The zero value has none.
type Agreements struct {
	mu   sync.Mutex
	byID map[golem.AgreementID]golem.Agreement
}

// Put adds an Agreement or replaces it.
func (as *Agreements) Put(a golem.Agreement) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if as.byID == nil {
		as.byID = map[golem.AgreementID]golem.Agreement{}
	}
	as.byID[a.ID] = a
}

// SetState changes the state of an Agreement.
func (as *Agreements) SetState(id golem.AgreementID, st golem.AgreementState) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a := as.byID[id]
	a.State = st
	as.byID[id] = a
}

// Agreement implements activity.Agreements.
func (as *Agreements) Agreement(_ context.Context, who golem.NodeID, id golem.AgreementID) (*golem.Agreement, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a, ok := as.byID[id]
	if !ok {
		return nil, golem.Errorf(golem.ErrNotFound, "agreement %s not found", id)
	}
	if _, err := a.RoleOf(who); err != nil {
		return nil, err
	}
	return &a, nil
}
