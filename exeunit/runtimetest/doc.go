// Package runtimetest is the suite every runtime passes: a program obeying the
// command-line contract between supervisor and runtime (spec exeunit.md §12), in
// process mode.
package runtimetest
