package provider

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// machine returns all there is: what this process may use, which in a container
// is less than the machine has.
func machine(dir string) (h Hardware, err error) {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return h, err
	}
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return h, err
	}
	h.Threads = runtime.NumCPU()
	h.Cores = physicalCores(cpuinfo, h.Threads)
	h.Memory = memoryTotal(meminfo)
	limit, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err == nil {
		h.Memory = memoryLimit(limit, h.Memory)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return h, err
	}
	h.Storage, err = storageFree(dir)
	return h, err
}

// physicalCores counts the cores of /proc/cpuinfo, of which each may have several
// threads. Machines that do not tell have one for each thread.
func physicalCores(cpuinfo []byte, threads int) int {
	type core struct{ socket, id string }
	cores := map[core]bool{}
	var c core
	for line := range bytes.Lines(append(cpuinfo, '\n')) {
		name, value, _ := strings.Cut(string(line), ":")
		switch strings.TrimSpace(name) {
		case "physical id":
			c.socket = strings.TrimSpace(value)
		case "core id":
			c.id = strings.TrimSpace(value)
		case "":
			if c.id != "" {
				cores[c] = true
			}
			c = core{}
		}
	}
	if len(cores) == 0 {
		return threads
	}
	return min(len(cores), threads)
}

// memoryTotal returns the GiB of /proc/meminfo.
func memoryTotal(meminfo []byte) float64 {
	for line := range bytes.Lines(meminfo) {
		if value, ok := strings.CutPrefix(string(line), "MemTotal:"); ok {
			kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kib / (1 << 20)
		}
	}
	return 0
}

// memoryLimit returns total, or the limit of the control group if that is less.
func memoryLimit(limit []byte, total float64) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(string(limit)), 64)
	if err != nil { // "max"
		return total
	}
	return min(total, n/(1<<30))
}

// storageFree returns the GiB that are free where dir is.
func storageFree(dir string) (float64, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return float64(st.Bavail) * float64(st.Bsize) / (1 << 30), nil
}
