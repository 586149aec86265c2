//go:build unix

package main

import (
	"os"
	"syscall"
)

// cpuTime is what this process has used, in nanoseconds.
func cpuTime() (int64, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano(), err
}

// maxRSS is the most memory that a process had, in the unit of the system: KiB on Linux.
func maxRSS(p *os.ProcessState) int64 { return p.SysUsage().(*syscall.Rusage).Maxrss }
