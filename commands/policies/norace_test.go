//go:build !race

package policies

const tenth = 1
