package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp wants help for every command, with an example that names it.
func TestHelp(t *testing.T) {
	a := &app{args: []string{"golem"}, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, env: func(string) string { return "" }}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.HasParent() && !c.Hidden {
			checkHelp(t, c)
		}
	}
	walk(a.root())
}

func checkHelp(t *testing.T, c *cobra.Command) {
	switch {
	case c.Short == "":
		t.Errorf("%s has no help", c.CommandPath())
	case c.HasSubCommands():
	case !strings.Contains(c.Example, c.CommandPath()):
		t.Errorf("%s has no example of itself", c.CommandPath())
	}
	for _, line := range strings.Split(c.Long, "\n") {
		if len(line) > 82 {
			t.Errorf("%s: line of %d characters in its help: %s", c.CommandPath(), len(line), line)
		}
	}
}
