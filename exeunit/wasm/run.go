package wasm

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/golem-go/golem"
)

// run runs a program of the task package: in namespaces of its own where they
// are to be had, else in this process.
func (o *options) run(ctx context.Context, stdout, stderr io.Writer) error {
	if o.isolation != isolationReduced {
		err := o.runIsolated(ctx, stdout, stderr)
		if _, unavailable := err.(isolationError); !unavailable {
			o.isolated = true
			return err
		}
		if o.isolation == isolationFull {
			return golem.Errorf(golem.ErrUnsupported, "full isolation is not possible here: %w", err)
		}
		o.whyReduced = err.Error()
	}
	p, err := o.load(ctx, stdout, stderr)
	if err != nil {
		return err
	}
	if err := o.lockDown(); err != nil {
		return golem.Errorf(golem.ErrUnavailable, "isolation: %w", err)
	}
	return p.run(ctx)
}

// isolationError says why namespaces cannot be had.
type isolationError struct{ err error }

func (e isolationError) Error() string { return e.err.Error() }

// What a guest tells the process that has started it about its isolation.
const (
	statusJailed = "jailed"
	statusFailed = "failed: "
)

// guest runs a program in the namespaces that this process was started in.
func (o *options) guest(ctx context.Context, stdout, stderr io.Writer) error {
	status := os.NewFile(3, "status")
	if status == nil {
		return golem.Errorf(golem.ErrInvalid, "command %s is for internal use", commandGuest)
	}
	defer status.Close()
	p, err := o.load(ctx, stdout, stderr)
	if err != nil {
		return err
	}
	err = enterJail(o.workDir)
	if err == nil {
		err = o.lockDown()
	}
	if err != nil {
		fmt.Fprint(status, statusFailed, err)
		return exitError{exitFailure, ""}
	}
	if _, err := fmt.Fprint(status, statusJailed); err != nil {
		return err
	}
	status.Close()
	return p.run(ctx)
}

//go:embed selftest/selftest.wasm
var selftest []byte

// report is what the self-test finds out.
type report struct {
	Isolation isolation `json:"isolation"`
	Reason    string    `json:"reason,omitempty"` // for reduced isolation
}

// test runs a program that tries what programs need, and prints how isolated it
// was.
func (o *options) test(ctx context.Context, stdout io.Writer) error {
	r, err := o.probe(ctx)
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	return print(stdout, r)
}

// isolationProperty is what an Offer says about isolation: full or reduced.
const isolationProperty = "golem.runtime.wasm.isolation"

// offer prints what can be offered.
func (o *options) offer(ctx context.Context, stdout io.Writer) error {
	r, err := o.probe(ctx)
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	return print(stdout, map[string]any{
		"properties":  map[string]any{isolationProperty: r.Isolation},
		"constraints": "",
	})
}

func print(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

// probe deploys and runs the self-test.
func (o *options) probe(ctx context.Context) (r report, err error) {
	dir, err := os.MkdirTemp("", Name)
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	image := filepath.Join(dir, "selftest.wasm")
	if err := os.WriteFile(image, selftest, 0o600); err != nil {
		return r, err
	}
	own := *o
	own.workDir, own.taskPackage, own.cacheDir, own.entryPoint, own.volumes = dir, image, "", "selftest", ""
	if err := own.deploy(ctx, io.Discard); err != nil {
		return r, err
	}
	var out, errs bytes.Buffer
	err = own.run(ctx, &out, &errs)
	switch {
	case err != nil:
		return r, golem.Errorf(golem.ErrUnavailable, "%w %s", err, bytes.TrimSpace(errs.Bytes()))
	case out.String() != "ok\n":
		return r, golem.Errorf(golem.ErrUnavailable, "the program printed %q", clip(out.String()))
	}
	r = report{isolationReduced, own.whyReduced}
	if own.isolated {
		r.Isolation = isolationFull
	}
	return r, nil
}
