package wasm

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	headRoom     = 256 << 20 // memory of the engine itself while a program runs, bytes
	maxOpenFiles = 1024

	deployMemory = 4 << 30 // for compiling, bytes
	deployCPU    = 600     // for compiling, seconds
)

// limit sets the limits of a program, on top of what this process has already.
func (o *options) limit() error {
	size, data := mapped()
	limits := []struct {
		what  int
		value uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NOFILE, maxOpenFiles},
		{unix.RLIMIT_DATA, data + o.memoryLimit() + headRoom},
		// Address space is reserved generously, by Go too; it costs nothing.
		{unix.RLIMIT_AS, size + 2*o.memoryLimit() + 16*headRoom},
	}
	if o.storage > 0 {
		limits = append(limits, struct {
			what  int
			value uint64
		}{unix.RLIMIT_FSIZE, uint64(o.storage * (1 << 30))})
	}
	if o.cpu > 0 {
		limits = append(limits, struct {
			what  int
			value uint64
		}{unix.RLIMIT_CPU, o.cpu})
	}
	for _, l := range limits {
		if err := setLimit(l.what, l.value); err != nil {
			return err
		}
	}
	return nil
}

// limitDeploy keeps the compiling of a hostile module within bounds.
func limitDeploy() {
	_, data := mapped()
	setLimit(unix.RLIMIT_CORE, 0)
	setLimit(unix.RLIMIT_CPU, deployCPU)
	setLimit(unix.RLIMIT_DATA, data+deployMemory)
}

// setLimit lowers a limit, or leaves it where it is lower.
func setLimit(what int, value uint64) error {
	if raceDetector && (what == unix.RLIMIT_DATA || what == unix.RLIMIT_AS) {
		return nil // it takes all the address space there is
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(what, &old); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	value = min(value, old.Max)
	if err := unix.Setrlimit(what, &unix.Rlimit{Cur: value, Max: value}); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	return nil
}

// mapped returns the address space and the private memory of this process, in
// bytes.
func mapped() (size, data uint64) {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmSize":
			size = n << 10
		case "VmData":
			data = n << 10
		}
	}
	return size, data
}
