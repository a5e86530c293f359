package exeunit

import (
	"os"
	"syscall"
)

// groupLeader makes a process the leader of a group. Nothing here kills it when
// we die.
func groupLeader() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// terminateGroup ends a process; there is no way to ask.
func terminateGroup(p *os.Process) error { return p.Kill() }

// killGroup does nothing: descendants are not known here.
func killGroup(*os.Process) {}
