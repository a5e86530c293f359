package provider

import (
	"math"
	"testing"
)

const cpuinfo = `processor	: 0
physical id	: 0
core id		: 0

processor	: 1
physical id	: 0
core id		: 1

processor	: 2
physical id	: 0
core id		: 0

processor	: 3
physical id	: 1
core id		: 0
`

func TestMachine(t *testing.T) {
	if got := physicalCores([]byte(cpuinfo), 4); got != 3 {
		t.Errorf("cores: %d", got)
	}
	if got := physicalCores([]byte(cpuinfo), 2); got != 2 {
		t.Errorf("cores of a container with two threads: %d", got)
	}
	if got := physicalCores([]byte("processor : 0\nBogoMIPS : 50\n"), 4); got != 4 {
		t.Errorf("cores of a machine that does not tell: %d", got)
	}
	if got := memoryTotal([]byte("Foo: 1 kB\nMemTotal:       16291252 kB\nMemFree: 2 kB\n")); math.Abs(got-15.5366) > 0.001 {
		t.Errorf("memory: %v", got)
	}
	if got := memoryLimit([]byte("2147483648\n"), 16); got != 2 {
		t.Errorf("memory of a container: %v", got)
	}
	if got := memoryLimit([]byte("max\n"), 16); got != 16 {
		t.Errorf("memory without limit: %v", got)
	}
}

func TestDetect(t *testing.T) {
	h, err := Detect(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if h.Threads < 1 || h.Cores < 1 || h.Memory < 0.1 || h.Storage < 0.1 || h.check() != nil {
		t.Errorf("detected %+v", h)
	}
	if _, err := Detect("/nowhere/at/all"); err == nil {
		t.Error("a directory that is not there has free space")
	}
}
