//go:build unix && !linux

package exeunit

import "syscall"

// groupLeader makes a process the leader of a group. Nothing here kills it when
// we die.
func groupLeader() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
