//go:build unix

package postgres

import "testing"

func TestSharedBuffersAreAPartOfTheMemory(t *testing.T) {
	const gib = 1 << 30
	for memory, want := range map[uint64]uint64{0: gib / 4, gib: gib / 4, 16 * gib: 2 * gib, 24 * gib: 3 * gib, 512 * gib: 4 * gib} {
		if got := sharedBuffers(memory); got != want {
			t.Errorf("of %d GiB %d MiB, want %d", memory/gib, got>>20, want>>20)
		}
	}
}
