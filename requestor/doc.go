// Package requestor buys.
package requestor
