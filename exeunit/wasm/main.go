package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Exit statuses other than those of payloads.
const (
	exitTrap    = 134 // the payload has trapped, as abort() ends a process
	exitMemory  = 137 // it has trapped after memory was refused to it
	exitCPU     = 152 // it has used up its CPU time
	exitFailure = 125 // the payload was not run, for the reason given on stderr
)

// commandGuest is how the runtime calls itself inside of the namespaces.
const commandGuest = "guest"

// Main is the runtime's process: it executes args, which do not hold the
// program's name, and returns the exit status. That of a payload is its own; a
// trap is 134, used-up CPU time 152, everything else that keeps it from running
// to its end 125 or 137, with the reason on stderr. Main changes the process it
// runs in for good: nothing is to be done after it but to exit.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n\n%s", Name, err, usage)
		return exitFailure
	}
	err = o.execute(ctx, stdout, stderr)
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if exit.text != "" {
			fmt.Fprintf(stderr, "%s: %s\n", Name, exit.text)
		}
		return exit.code
	}
	fmt.Fprintf(stderr, "%s: %v\n", Name, err)
	return exitFailure
}

func (o *options) execute(ctx context.Context, stdout, stderr io.Writer) error {
	switch o.command {
	case "deploy":
		return o.deploy(ctx, stdout)
	case "start":
		_, err := readDeployment(o.workDir)
		return err
	case "run":
		return o.run(ctx, stdout, stderr)
	case commandGuest:
		return o.guest(ctx, stdout, stderr)
	case "offer-template":
		return o.offer(ctx, stdout)
	}
	return o.test(ctx, stdout)
}

// exitError is a status to exit with, and what to say about it.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }
