// Package wire is the protocol: every message nodes and processes send each
// other, as a list of values of package gsb, grouped by the service that answers
// them. Field names and shapes are upstream's (spec net.md §5), so that Rust
// nodes understand ours and we theirs.
//
// The comment of a message says who sends it, when, and what the receiver must
// do. Receivers tolerate unknown fields and being told the same thing twice.
// Fields are only ever added.
package wire
