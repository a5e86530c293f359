// Package script tests the program as people use it: its command line, in
// scripts (testdata/*.txtar), with real processes on one machine.
package script
