//go:build unix && !linux

package processtest

import "os/exec"

// dieWithParent is only to be had on Linux. Elsewhere a child ends when its input does, if it reads it, unless it is frozen just then.
func dieWithParent(*exec.Cmd) {}
