package exeunit

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Runtime is what executes the payload of one Activity. The Supervisor calls
// Deploy, Start and Run one at a time; Stop and Resources at any time, also
// beside them. Every method that takes a context ends soon after it, with
// everything it started.
type Runtime interface {
	// Deploy prepares the image and says where its volumes are. It may be
	// called again after Stop.
	Deploy(ctx context.Context, d Deployment, out Stdio) (*Deployed, error)

	// Start makes the Runtime ready for Run.
	Start(ctx context.Context, args []string, out Stdio) error

	// Run executes a program of the image to its end. It returns an *ExitError
	// if that has failed, any other error if it could not be executed.
	Run(ctx context.Context, entryPoint string, args []string, out Stdio) error

	// Stop ends whatever is running, by force after a while, and returns when
	// it has ended or ctx has.
	Stop(ctx context.Context)

	// Resources returns what has been used since the Runtime was made.
	Resources() Resources
}

// Deployment is what a Runtime is told to deploy.
type Deployment struct {
	TaskPackage string   // path of the image, "" for none
	Volumes     string   // JSON object from path to mount, "" for those of the image
	Hostname    string   // "" for the Runtime's own choice
	Env         []string // of programs, NAME=VALUE
}

// Stdio is where output goes. Writers are not called after the method that was
// given them has returned, and each by one goroutine at a time.
type Stdio struct{ Out, Err io.Writer }

// Resources is what a Runtime has used: CPU time of everything that ran, and
// the most memory that was in use at a time, in bytes.
type Resources struct {
	CPU    time.Duration
	Memory int64
}

// ExitError says that a program ended with a code other than 0; -1 stands for a
// signal, which Signal names.
type ExitError struct {
	Code   int
	Signal string
}

// Error returns the text that Requestors are shown.
func (e *ExitError) Error() string {
	if e.Signal != "" {
		return fmt.Sprintf("ExeScript command exited with code %d (%s)", e.Code, e.Signal)
	}
	return fmt.Sprintf("ExeScript command exited with code %d", e.Code)
}
