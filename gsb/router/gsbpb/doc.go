// Package gsbpb is the schema of the router protocol, gsb.proto, in Go. Its
// types stop at the border of package router.
package gsbpb
