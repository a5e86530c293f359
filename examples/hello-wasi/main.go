//go:build wasip1

// Command hello-wasi is a program of your own for Golem, as small as it can
// be: it echoes its arguments and its environment, reads a file from one
// directory of the Provider and writes its answer into another.
//
//	GOOS=wasip1 GOARCH=wasm go build -o hello.wasm .
//	hello.wasm /in/name.txt /out/greeting.txt
//
// The directories are the package's mount points. Anything else of the
// Provider's machine is out of reach: there is no network and no other file.
package main

import (
	"bytes"
	"fmt"
	"os"
)

func main() {
	for i, arg := range os.Args[1:] {
		fmt.Printf("argument %d: %s\n", i+1, arg)
	}
	for _, variable := range os.Environ() {
		fmt.Printf("environment: %s\n", variable)
	}
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: hello-wasi /in/FILE /out/FILE")
		os.Exit(2)
	}
	if err := greet(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "hello-wasi:", err)
		os.Exit(1)
	}
}

// greet writes a greeting for whoever is named in the file in into the file out.
func greet(in, out string) error {
	name, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	greeting := fmt.Appendf(nil, "Hello, %s!\n", bytes.TrimSpace(name))
	return os.WriteFile(out, greeting, 0o644)
}
