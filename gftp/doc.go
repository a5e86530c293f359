// Package gftp is the file transfer of the Golem Network: files of one node,
// read or written by others in chunks over the service bus.
//
// # The two ends
//
// A [Publisher] makes files of this machine readable under the hash of their
// content, and opens upload slots under random names. A [Client] copies from and
// to them. Either is addressed by a [URL]:
//
//	gftp://0x5be…/3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b
//
// There is no other permission than knowing the name: whoever was told the hash
// of a file may read it, whoever was told the name of a slot may write to it.
//
// # Promises
//
// A file is served as it was when it was published: one that has been changed
// since is refused, not served with the hash of another. What a Client writes
// comes in the order of the file and in bounded memory, whatever the peer
// answers; a peer's answer that does not fit what was asked for ends the copy.
// An upload appears under its final path only when it is complete and its hash,
// if announced, is right.
//
// The messages are those of spec net.md §5, rows 14 to 14c; the helper program
// that SDKs drive over JSON-RPC is a layer above.
package gftp
