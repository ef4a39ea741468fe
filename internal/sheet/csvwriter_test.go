package sheet

import (
	"math/rand/v2"
	"testing"
)

// What is written as it is would not have been changed.
func TestPlainCellsStayAsTheyAre(t *testing.T) {
	pieces := []string{"a", "Z", "7", "王", "鿿", "=", "＝", "+", "＠", "-", "@", " ", "　", "\u200b", "\t", "\r", "\n", "\x00", "\x7f", ",", ";", `"`, "'", ".", "_", "😀", "é", "\xff", "\xe7\x8e"}
	random, seen := rand.New(rand.NewPCG(1, 2)), 0
	for range 200_000 {
		var text string
		for range random.IntN(5) {
			text += pieces[random.IntN(len(pieces))]
		}
		if !plain(text) {
			continue
		}
		seen++
		if cell := csvCell(text); cell != text {
			t.Fatalf("%q would be written as %q", text, cell)
		}
	}
	if seen < 1000 {
		t.Errorf("only %d of the texts were plain", seen)
	}
	for _, text := range []string{"", "u-0000017", "昵称12", "user7@example.com", "2026-11-26 15:04", "来自展会的客户，需要回访"} {
		if !plain(text) {
			t.Errorf("%q is not plain", text)
		}
	}
}
