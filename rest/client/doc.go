// Package client calls the REST API of a node: ours or upstream's. Methods are
// named as the service's are; the errors of one of our nodes come back as the
// same kinds of package golem.
package client
