//go:build unix

package exeunit

import (
	"io/fs"
	"syscall"
)

// diskUsage returns the share of one name in the disk space of a file.
func diskUsage(info fs.FileInfo) int64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.Size()
	}
	names := int64(1)
	if !info.IsDir() {
		names = max(int64(st.Nlink), 1)
	}
	return int64(st.Blocks) * 512 / names
}
