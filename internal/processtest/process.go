//go:build unix

// Package processtest runs other programs beside a test, to be killed, frozen and ended by it. They end with the test's process, if need be.
package processtest

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
)

// Process is a child in one of its lives. A killed one is replaced by another. Its methods may be called from any goroutine.
type Process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{}
	err   error

	frozen atomic.Bool
}

// Start runs a command and hands every whole line that it prints, without its end, to hear, one after the other. Standard input is a pipe that stays open until
// the process is ended; standard error is the command's.
func Start(cmd *exec.Cmd, hear func(line []byte) error) (*Process, error) {
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	dieWithParent(cmd)
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for dieWithParent: the thread ends with this goroutine, and so after the child
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(p.ended)
		lines := bufio.NewReader(out)
		var heard error
		for {
			l, err := lines.ReadBytes('\n')
			if err != nil {
				break // the rest is a line that the child did not live to end
			}
			heard = errors.Join(heard, hear(l[:len(l)-1]))
		}
		p.err = errors.Join(heard, cmd.Wait())
	}()
	return p, <-started
}

// Say writes to the standard input of the process.
func (p *Process) Say(text []byte) error {
	_, err := p.stdin.Write(text)
	return err
}

// Ended is closed when the process is gone and everything it said was heard.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Err is how the process ended, once it has: nil if it did so well, and everything it said was liked.
func (p *Process) Err() error { return p.err }

// Kill is kill -9. It returns when the process is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails only for one that has ended
	<-p.ended
	_ = p.stdin.Close()
}

// Freeze stops the process, as a machine does that has too much to do, until it is thawed. It knows nothing of it when it goes on.
func (p *Process) Freeze() error {
	p.frozen.Store(true)
	return p.cmd.Process.Signal(syscall.SIGSTOP)
}

// Thaw lets a frozen process go on. One that was killed meanwhile stays so.
func (p *Process) Thaw() {
	p.frozen.Store(false)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
}

// Frozen reports whether the process is frozen.
func (p *Process) Frozen() bool { return p.frozen.Load() }

// HangUp closes the standard input of the process, which tells those to end in order that read it.
func (p *Process) HangUp() { _ = p.stdin.Close() }

// Terminate asks the process to end in order, by SIGTERM.
func (p *Process) Terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }
