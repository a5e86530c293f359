// Package lifeline ties the life of processes to that of the one that started
// them, also when that one is killed and can tell nobody: the parent holds the
// writing end of a pipe that nothing is ever written to; its children, and
// theirs, hold the reading end and see it close.
package lifeline

import (
	"os"
	"os/exec"
	"strconv"
)

// Env is the environment variable that carries the number of the inherited file
// descriptor.
const Env = "GOLEM_LIFELINE"

// Line is one end of a lifeline. A nil Line ties nobody.
type Line struct {
	read  *os.File
	write *os.File // nil in children
}

// New returns a lifeline that breaks when this process ends or closes it.
func New() (*Line, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &Line{read: r, write: w}, nil
}

// Inherited returns the lifeline this process was started on: fd is the value of
// [Env]. It returns nil where there is none.
func Inherited(fd string) *Line {
	n, err := strconv.Atoi(fd)
	if err != nil || n < 3 {
		return nil
	}
	return &Line{read: os.NewFile(uintptr(n), "lifeline")}
}

// Pass makes cmd inherit the line. It is called after all other ExtraFiles and
// Env are set.
func (l *Line) Pass(cmd *exec.Cmd) {
	if l == nil {
		return
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, l.read)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, Env+"="+strconv.Itoa(2+len(cmd.ExtraFiles)))
}

// Broken blocks until the line breaks. Only the process that holds the reading
// end alone may call it; for a nil Line it blocks for ever.
func (l *Line) Broken() {
	if l == nil {
		select {}
	}
	var buf [1]byte
	for {
		if _, err := l.read.Read(buf[:]); err != nil {
			return
		}
	}
}

// Close breaks the line, if this process made it.
func (l *Line) Close() error {
	if l == nil || l.write == nil {
		return nil
	}
	return l.write.Close()
}
