//go:build !unix

package provider

import (
	"os"
	"os/exec"
	"syscall"
)

func groupLeader() *syscall.SysProcAttr { return nil }

// terminate ends a process: there is no way to ask.
func terminate(p *os.Process) { p.Kill() }

// killGroup ends a process; what it has started ends with its lifeline.
func killGroup(p *os.Process) { p.Kill() }

// awaitExit waits for the end of a process.
func awaitExit(cmd *exec.Cmd) { cmd.Wait() }
