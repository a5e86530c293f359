//go:build unix

package devnet

import (
	"os"
	"os/exec"
	"syscall"
)

// detach keeps a Ctrl-C at the terminal from reaching the process directly: the
// network is stopped in order.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func interrupt(p *os.Process) { p.Signal(syscall.SIGTERM) }
