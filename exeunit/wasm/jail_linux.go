package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/golem-go/golem"
)

// runIsolated runs the program in a process with namespaces of its own, or
// returns an isolationError where that is not possible.
func (o *options) runIsolated(ctx context.Context, stdout, stderr io.Writer) error {
	// The kernel kills the process when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = append([]string{Name}, o.guestArgs()...)
	cmd.Env = goSettings(os.Environ())
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
			unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return isolationError{err}
	}
	status, _ := io.ReadAll(io.LimitReader(r, 4096))
	err = cmd.Wait()
	if reason, failed := strings.CutPrefix(string(status), statusFailed); failed {
		return isolationError{errors.New(reason)}
	}
	return o.ended(cmd.ProcessState, err)
}

// goSettings returns the variables of env that tune the Go runtime: the process
// of a payload has no use for any other.
func goSettings(env []string) []string {
	settings := []string{}
	for _, v := range env {
		for _, name := range []string{"GOGC=", "GOMAXPROCS=", "GOMEMLIMIT=", "GODEBUG=", "GORACE="} {
			if strings.HasPrefix(v, name) {
				settings = append(settings, v)
			}
		}
	}
	return settings
}

// ended returns what the end of a guest means.
func (o *options) ended(state *os.ProcessState, err error) error {
	if state == nil {
		return golem.Errorf(golem.ErrUnavailable, "%w", err)
	}
	if state.Exited() {
		if code := state.ExitCode(); code != 0 {
			return exitError{code, ""} // it has said why
		}
		return nil
	}
	used := state.UserTime() + state.SystemTime()
	if o.cpu > 0 && used >= time.Duration(o.cpu)*time.Second-100*time.Millisecond {
		return exitError{exitCPU, fmt.Sprintf("the program has used up its CPU time of %d s", o.cpu)}
	}
	signal := state.Sys().(syscall.WaitStatus).Signal()
	return exitError{128 + int(signal), "the program was ended by a signal: " + signal.String()}
}

// enterJail makes an empty directory the root of this process, which is in a
// mount namespace of its own. What is open stays open.
func enterJail(workDir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	// Any directory will do to mount on; this one is sure to exist.
	const flags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("none", workDir, "tmpfs", flags, "size=4k,mode=555"); err != nil {
		return fmt.Errorf("empty root: %w", err)
	}
	if err := syscall.Chdir(workDir); err != nil {
		return fmt.Errorf("empty root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	// The old root lies over the new one now.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("old root: %w", err)
	}
	return syscall.Chdir("/")
}

// lockDown gives up everything that running a loaded program does not need.
func (o *options) lockDown() error {
	if err := o.limit(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("dumpable: %w", err)
	}
	dropCapabilities()
	return filterSystemCalls()
}

// dropCapabilities gives up the capabilities of all threads. In a program with
// cgo only those of this thread can be reached; what they allow is refused by
// the filter of system calls as well.
func dropCapabilities() {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0)
	if errno != 0 {
		unix.Capset(&header, &none[0])
	}
}
