//go:build !linux

package exeunit_test

import "os"

func mountSmall(string) error { return os.ErrPermission }

func unmount(string) {}
