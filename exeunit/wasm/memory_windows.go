package wasm

import "github.com/tetratelabs/wazero/experimental"

// memory gives payloads memory of Go's heap.
type memory struct {
	limit   uint64 // bytes
	refused bool   // the payload wanted more
}

// Allocate implements [experimental.MemoryAllocator].
func (m *memory) Allocate(_, most uint64) experimental.LinearMemory {
	return &linearMemory{memory: m, most: min(most, m.limit)}
}

type linearMemory struct {
	*memory
	most uint64
	b    []byte
}

// Reallocate implements [experimental.LinearMemory].
func (l *linearMemory) Reallocate(size uint64) []byte {
	if size > l.most {
		l.refused = true
		return nil
	}
	l.b = append(l.b, make([]byte, size-uint64(len(l.b)))...)
	return l.b
}

// Free implements [experimental.LinearMemory].
func (l *linearMemory) Free() { l.b = nil }
