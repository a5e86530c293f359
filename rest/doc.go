// Package rest is the HTTP API of a node, in upstream's paths and shapes, so that
// existing SDKs work unmodified (spec rest-api.md).
//
// Everything a request passes through is in this order: the CORS rules of
// app-keys, the app-key itself, the route table (routes.go), one handler. A
// handler decodes, calls one method of one service and encodes; it knows no rule
// of the field. [Server.serve] is the only place that turns errors into statuses
// and the only one that logs a request.
//
// Errors are {"message": …}, as upstream has them. The header Golem-Error
// carries the kind of package golem, so that our own client gets the same error
// value back; Golem-Hint says what to do.
package rest
