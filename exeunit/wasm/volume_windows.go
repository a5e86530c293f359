package wasm

// openNonBlock does nothing: there are no named pipes in directories.
const openNonBlock = 0
