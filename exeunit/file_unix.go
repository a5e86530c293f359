//go:build unix

package exeunit

import (
	"os"
	"syscall"
)

// nonBlock makes opening a named pipe return at once.
const nonBlock = syscall.O_NONBLOCK

// tryLock locks f against other processes and reports whether it could. Closing
// f unlocks it.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK || err == syscall.EINTR {
		return false, nil
	}
	return err == nil, err
}
