package exeunit

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// groupLeader makes a process the leader of a group that is killed with us.
func groupLeader() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// maxDescendants is the most processes of one command that are measured.
const maxDescendants = 4096

// ticksPerSecond is the unit of times in /proc, which Linux fixes for programs.
const ticksPerSecond = 100

// measure returns what the process pid and its descendants use.
func measure(pid int) (f footprint) {
	queue := []int{pid}
	for i := 0; i < len(queue) && i < maxDescendants; i++ {
		f.cpu += cpuTime(queue[i])
		memory, mapped := memory(queue[i])
		f.memory += memory
		f.mapped += mapped
		queue = append(queue, children(queue[i])...)
	}
	return f
}

// children returns the child processes of pid.
func children(pid int) (pids []int) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue
		}
		for _, text := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(text); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// cpuTime returns the CPU time of a process and of its children that have ended.
func cpuTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The second field is the program's name, which may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks int64
	for i := 11; i < 15 && i < len(fields); i++ { // utime, stime, cutime, cstime
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// memory returns the most memory a process had, without what shows files, and
// how much shows files.
func memory(pid int) (most, mapped int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	var peak int64
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "VmHWM":
			peak = kibibytes(value)
		case "RssFile":
			mapped = kibibytes(value)
		}
	}
	return max(peak-mapped, 0), mapped
}

// kibibytes parses "  1234 kB".
func kibibytes(s string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(s), " kB"), 10, 64)
	return n << 10
}

// consumption returns the CPU time of an ended process and its descendants, and
// the most memory one of them had.
func consumption(state *os.ProcessState) (cpu time.Duration, resident int64) {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0
	}
	// A process begins as a copy of us, and the figure is never below ours.
	var own syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &own) == nil && usage.Maxrss > own.Maxrss {
		resident = usage.Maxrss << 10
	}
	return state.UserTime() + state.SystemTime(), resident
}
