package provider

import (
	"context"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
)

// Launcher runs ExeUnits. [Processes] is the one that starts processes.
type Launcher interface {
	// Probe tests a runtime and returns what can be said about it in an Offer. An
	// error says why it cannot be used; the others still can.
	Probe(ctx context.Context, d Descriptor) (exeunit.Template, error)

	// Run starts the ExeUnit of an Activity and returns when nothing of it is left.
	// When ctx ends the ExeUnit is given a few seconds to end, and then killed. An
	// error says how it has ended, for the Requestor to read; it is [ErrNotStarted]
	// where there never was one.
	Run(ctx context.Context, t Task) error
}

// ErrNotStarted is how Launcher.Run says that an ExeUnit could not be started.
var ErrNotStarted = golem.Errorf(golem.ErrUnavailable, "creation failed")

// Task is what an ExeUnit is started for.
type Task struct {
	Activity  golem.ActivityID
	Agreement *golem.Agreement
	Runtime   Descriptor
	PublicKey string // of the Requestor, hex, for ExeUnits in enclaves; mostly ""
}
