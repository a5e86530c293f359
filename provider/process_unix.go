//go:build unix && !linux

package provider

import (
	"os"
	"os/exec"
	"syscall"
)

// groupLeader makes a process the leader of a group of its own, so that signals
// for this one do not reach it.
func groupLeader() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// terminate asks a process to end; it ends those of its group.
func terminate(p *os.Process) { syscall.Kill(p.Pid, syscall.SIGTERM) }

// killGroup ends what is left of a process's group.
func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }

// awaitExit waits for the end of a process.
func awaitExit(cmd *exec.Cmd) { cmd.Wait() }
