//go:build unix

package node

import (
	"os"
	"syscall"

	"github.com/golem-go/golem"
)

// ownDir checks that a directory is ours and nobody else can write to it.
func ownDir(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !ok || int(stat.Uid) != os.Geteuid() {
		return golem.Errorf(golem.ErrForbidden, "%s is not a directory of ours alone: remove it, or say where the bus socket is to be", path)
	}
	return nil
}
