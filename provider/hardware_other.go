//go:build !linux

package provider

import "runtime"

// machine returns modest figures, except for the threads: what there is of the
// rest is not detected here, and has to be told in Config.Hardware.
func machine(string) (Hardware, error) {
	return Hardware{Threads: runtime.NumCPU(), Cores: runtime.NumCPU(), Memory: 2, Storage: 10}, nil
}
