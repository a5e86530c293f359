//go:build !race

package exeunit_test

// floodSize is how much a program prints to see whether memory grows, in MiB.
const floodSize = 1024
