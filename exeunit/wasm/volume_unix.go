//go:build unix

package wasm

import "syscall"

// openNonBlock keeps the opening of a named pipe, which then is refused, from
// waiting for somebody at its other end.
const openNonBlock = syscall.O_NONBLOCK
