//go:build unix

package exeunit

import (
	"os"
	"syscall"
)

// terminateGroup asks a process and its group to end.
func terminateGroup(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGTERM)
	if err == syscall.ESRCH {
		return os.ErrProcessDone
	}
	return err
}

// killGroup ends what is left of a process's group.
func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
