// Golem is a node of the Golem Network, a provider, and a requestor's tool.
//
// One program plays every role; each runs as a process of its own. See
// "golem help", and docs/ for how the parts work together.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/golem-go/golem/internal/lifeline"
)

func main() {
	line := lifeline.Inherited(os.Getenv(lifeline.Env))
	if line != nil {
		go func() {
			line.Broken()
			os.Exit(exitFailed) // whoever started this process is gone
		}()
	}
	a := &app{
		args: os.Args, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		env: os.Getenv,
	}
	if code, ok := a.actAs(context.Background()); ok {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second one ends the program at once
	// A reader who has gone, as head does, is an error of writing: what was rented
	// has to be given back.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	code := a.main(ctx)
	stop()
	os.Exit(code)
}
