package processtest

import (
	"os/exec"
	"syscall"
)

// dieWithParent has a child killed when the thread that starts it ends. A frozen child would not notice the end of its input.
func dieWithParent(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
