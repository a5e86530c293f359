//go:build !linux

package wasm

import (
	"context"
	"errors"
	"io"
)

// runIsolated is not possible here.
func (o *options) runIsolated(context.Context, io.Writer, io.Writer) error {
	return isolationError{errors.New("namespaces are a feature of Linux")}
}

// enterJail is not possible here.
func enterJail(string) error { return errors.New("namespaces are a feature of Linux") }

// lockDown does nothing here: volumes alone keep a program in.
func (o *options) lockDown() error { return nil }

// limitDeploy does nothing here.
func limitDeploy() {}
