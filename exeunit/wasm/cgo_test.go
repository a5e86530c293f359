//go:build cgo

package wasm_test

// usesCgo says that threads of this program cannot all be reached, so that some
// keep capabilities in their namespace, to no use.
const usesCgo = true
