package exeunit_test

import "syscall"

// mountSmall makes dir a file system of 1 MiB.
func mountSmall(dir string) error { return syscall.Mount("none", dir, "tmpfs", 0, "size=1m") }

func unmount(dir string) { syscall.Unmount(dir, syscall.MNT_DETACH) }
