// Package node puts one node together: everything is constructed here, top to
// bottom, with ordinary calls. A Node is the whole of what "golem node run" runs,
// and as a value what a simulation runs many of.
//
// Start reading at [New].
package node
