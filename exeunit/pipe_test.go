//go:build unix

package exeunit

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// sleepy takes its time for the first piece it gets.
type sleepy struct {
	bytes.Buffer
	pause time.Duration
}

func (s *sleepy) Write(b []byte) (int, error) {
	time.Sleep(s.pause)
	s.pause = 0
	return s.Buffer.Write(b)
}

// TestPipeOutlivesProcess has a process end long before its output is taken.
func TestPipeOutlivesProcess(t *testing.T) {
	t.Parallel()
	out := &sleepy{pause: drainDelay + 500*time.Millisecond}
	c := command{path: "/bin/sh", args: []string{"-c", "printf 1; sleep 0.2; printf %060000d 2"}, env: []string{"PATH=/bin:/usr/bin"}}
	if err := new(processes).run(t.Context(), c, Stdio{Out: out, Err: io.Discard}); err != nil || out.Len() != 60001 {
		t.Errorf("got %d bytes, %v", out.Len(), err)
	}
}
