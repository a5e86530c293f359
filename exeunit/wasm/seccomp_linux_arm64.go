package wasm

import "golang.org/x/sys/unix"

const (
	auditArch    = unix.AUDIT_ARCH_AARCH64
	foreignCalls = 0xffffffff // there are none
)

// allowedHere are system calls that other architectures do not have.
var allowedHere = []uint32{unix.SYS_FSTATAT}
