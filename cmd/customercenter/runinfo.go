package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"customercenter/internal/traffic"
)

// runInfo is run.json in the data directory of `up`: what scripts, tests and the other commands need to find it. Owner only.
type runInfo struct {
	PID          int                   `json:"pid"`
	URL          string                `json:"url"`
	NATSURL      string                `json:"nats_url"`
	DatabaseURL  string                `json:"database_url"`
	Tenant       string                `json:"tenant,omitempty"`       // of the demo
	Associations []traffic.Association `json:"associations,omitempty"` // of the demo
	Tokens       map[string]string     `json:"tokens,omitempty"`       // of the demo, by role
}

func runFile(dir string) string { return filepath.Join(dir, "run.json") }

// write replaces run.json in one step: a reader sees the old one or the new one.
func (r *runInfo) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("run.json: %w", err)
	}
	return replaceFile(runFile(dir), append(text, '\n'))
}

// replaceFile puts a file, for its owner only, in the place of another in one step: a reader, and a machine that loses its power, sees the old
// one or the new one.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".next-*") // mode 0600
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// readRunInfo reads what an `up` on this directory wrote, now or earlier; nil if there was none.
func readRunInfo(dir string) (*runInfo, error) {
	text, err := os.ReadFile(runFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("run.json: %w", err)
	}
	var r runInfo
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s is not what `customercenter up` writes: %w", runFile(dir), err)
	}
	return &r, nil
}
