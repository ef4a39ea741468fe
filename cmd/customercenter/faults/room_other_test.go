//go:build unix && !linux

package faults

import (
	"testing"

	"customercenter/internal/pgtest"
)

func (r *room) mount(*testing.T, *pgtest.Cluster) (why string) {
	return "a small disk is only mounted on Linux"
}

func (r *room) fill(*testing.T) {}
