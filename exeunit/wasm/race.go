//go:build race

package wasm

// raceDetector says that this program is being tested with the race detector.
const raceDetector = true
