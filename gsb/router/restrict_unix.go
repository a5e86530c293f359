//go:build unix

package router

import "syscall"

// restrict gives a socket its mode before there is a file that others could open.
// Linux applies it; elsewhere the chmod that follows does.
func restrict(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
}
