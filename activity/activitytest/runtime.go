package activitytest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

// Runtime executes one command. It may emit output while it does, and returns
// the code the command finished with and, if that is not 0, a message.
type Runtime func(ctx context.Context, c golem.Command, emit func(golem.RuntimeEventKind)) (code int, message string)

// Scripted is a Runtime that takes a second for every command but run, and runs
// these programs:
//
//	echo words…      prints the words
//	sleep seconds    takes its time
//	count n          prints n lines, one each second
//	exit code        fails with that code
//
// Any other program succeeds at once.
func Scripted(ctx context.Context, c golem.Command, emit func(golem.RuntimeEventKind)) (code int, message string) {
	switch {
	case c.Run == nil:
		return sleep(ctx, time.Second)
	case c.Run.EntryPoint == "echo":
		printOut(emit, strings.Join(c.Run.Args, " ")+"\n")
	case c.Run.EntryPoint == "sleep":
		secs, _ := strconv.ParseFloat(argument(c.Run), 64)
		return sleep(ctx, time.Duration(secs*float64(time.Second)))
	case c.Run.EntryPoint == "count":
		n, _ := strconv.Atoi(argument(c.Run))
		for i := range n {
			if code, message := sleep(ctx, time.Second); code != 0 {
				return code, message
			}
			printOut(emit, fmt.Sprintln(i+1))
		}
	case c.Run.EntryPoint == "exit":
		code, _ := strconv.Atoi(argument(c.Run))
		return code, fmt.Sprintf("ExeScript command exited with code %d", code)
	}
	return 0, ""
}

func argument(r *golem.RunCommand) string {
	if len(r.Args) == 0 {
		return ""
	}
	return r.Args[0]
}

func printOut(emit func(golem.RuntimeEventKind), text string) {
	emit(golem.RuntimeEventKind{Stdout: &golem.Output{Text: text}})
}

// sleep waits, and fails where the command is interrupted.
func sleep(ctx context.Context, d time.Duration) (code int, message string) {
	select {
	case <-time.After(d):
		return 0, ""
	case <-ctx.Done():
		return -1, "interrupted"
	}
}
