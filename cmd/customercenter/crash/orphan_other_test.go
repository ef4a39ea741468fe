//go:build unix && !linux

package crash

import "os/exec"

// dieWithParent is only to be had on Linux. Elsewhere a child ends when its input does, unless it is frozen just then.
func dieWithParent(*exec.Cmd) {}
