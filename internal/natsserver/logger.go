//go:build unix

package natsserver

import (
	"fmt"
	"log/slog"
)

// logger passes on what the server warns of, and drops what it merely tells. The
// server's messages name streams, addresses and sizes, never what a message says.
type logger struct {
	fatal chan string // the first reason why the server cannot run
}

func newLogger() *logger { return &logger{fatal: make(chan string, 1)} }

func (l *logger) Noticef(string, ...any) {}
func (l *logger) Debugf(string, ...any)  {}
func (l *logger) Tracef(string, ...any)  {}

func (l *logger) Warnf(format string, args ...any) {
	slog.Warn("natsserver: " + fmt.Sprintf(format, args...))
}

func (l *logger) Errorf(format string, args ...any) {
	slog.Error("natsserver: " + fmt.Sprintf(format, args...))
}

// Fatalf must not end the process, as the server's own logger would: Start
// returns the reason instead, and later ones are logged.
func (l *logger) Fatalf(format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	select {
	case l.fatal <- reason:
	default:
		slog.Error("natsserver: " + reason)
	}
}
