//go:build unix

package wasm

import (
	"syscall"

	"github.com/tetratelabs/wazero/experimental"
)

// memory gives payloads memory outside of Go's heap: the address space is taken
// at once, pages of it are made usable as the payload grows, and nothing is
// copied.
type memory struct {
	limit   uint64 // bytes
	refused bool   // the payload wanted more
}

// Allocate implements [experimental.MemoryAllocator].
func (m *memory) Allocate(_, most uint64) experimental.LinearMemory {
	return &linearMemory{memory: m, most: min(most, m.limit)}
}

// linearMemory is the memory of one module.
type linearMemory struct {
	*memory
	most     uint64
	reserved []byte
}

// Reallocate implements [experimental.LinearMemory].
func (l *linearMemory) Reallocate(size uint64) []byte {
	if size > l.most {
		l.refused = true
		return nil
	}
	if l.reserved == nil && l.most > 0 {
		b, err := syscall.Mmap(-1, 0, int(l.most), syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		if err != nil {
			l.refused = true
			return nil
		}
		l.reserved = b
	}
	if size > 0 && syscall.Mprotect(l.reserved[:size], syscall.PROT_READ|syscall.PROT_WRITE) != nil {
		l.refused = true
		return nil
	}
	return l.reserved[:size:size]
}

// Free implements [experimental.LinearMemory].
func (l *linearMemory) Free() {
	if l.reserved != nil {
		syscall.Munmap(l.reserved)
		l.reserved = nil
	}
}
