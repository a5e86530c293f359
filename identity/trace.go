package identity

import "github.com/golem-go/golem"

// Change is what happened to an identity or an app-key.
type Change string

// The changes.
const (
	Created  Change = "created"
	Updated  Change = "updated" // alias, default or password
	Unlocked Change = "unlocked"
	Locked   Change = "locked"
	Dropped  Change = "dropped"
)

// Trace is told what happens, for logs and transcripts. Members may be nil; they
// must return soon.
type Trace struct {
	// Identity is called after an identity has changed.
	Identity func(c Change, i golem.Identity)
	// AppKey is called after an app-key was created or dropped.
	AppKey func(c Change, name string)
	// NotTold is called when Config.OnChange has failed and will be repeated.
	NotTold func(err error)
}

func (t Trace) identity(c Change, i golem.Identity) {
	if t.Identity != nil {
		t.Identity(c, i)
	}
}

func (t Trace) appKey(c Change, name string) {
	if t.AppKey != nil {
		t.AppKey(c, name)
	}
}

func (t Trace) notTold(err error) {
	if t.NotTold != nil {
		t.NotTold(err)
	}
}
