// Tool is a WASI program for the scripts: it does what its arguments say, one
// after the other.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	for _, arg := range os.Args[1:] {
		verb, rest, _ := strings.Cut(arg, "=")
		if err := do(verb, rest); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
}

func do(verb, rest string) error {
	switch verb {
	case "out":
		fmt.Println(rest)
	case "err":
		fmt.Fprintln(os.Stderr, rest)
	case "env":
		fmt.Println(rest + "=" + os.Getenv(rest))
	case "upper": // FROM:TO
		from, to, _ := strings.Cut(rest, ":")
		return upper(from, to)
	case "fill": // FILE:BYTES
		name, size, _ := strings.Cut(rest, ":")
		return fill(name, size)
	case "sleep":
		d, err := time.ParseDuration(rest)
		time.Sleep(d)
		return err
	case "print": // BYTES
		return printLines(rest)
	case "exit":
		code, _ := strconv.Atoi(rest)
		os.Exit(code)
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
	return nil
}

func upper(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, []byte(strings.ToUpper(string(b))), 0o644)
}

func fill(name, size string) error {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(f, zeros{}, n)
	return err
}

// printLines prints lines of 64 bytes that count themselves, and cuts the last one.
func printLines(size string) error {
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(os.Stdout, 1<<20)
	for i := 0; n > 0; i++ {
		line := fmt.Sprintf("%063d\n", i)
		line = line[:min(n, len(line))]
		if _, err := w.WriteString(line); err != nil {
			return err
		}
		n -= len(line)
	}
	return w.Flush()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
