//go:build race

package policies

// The race detector makes everything ten times as slow, so tests that kill processes do a tenth of the work with it.
const tenth = 10
