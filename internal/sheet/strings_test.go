package sheet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// Texts come back by their number, in any order, whether they lie in memory, in the file, or across the edge of a page or of the two.
func TestTexts(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	random := rand.New(rand.NewPCG(1, 2))
	lengths := []int{0, 1, 12, 127, 128, pageBytes - 4, pageBytes - 3, pageBytes - 2, pageBytes - 1, pageBytes, pageBytes + 1, 3*pageBytes + 7, 16383, 16384, 40_000}
	text := func(i int) string {
		start := fmt.Sprint(i)
		return start + strings.Repeat(string(rune('a'+i%26)), lengths[i*7%len(lengths)])
	}
	for _, n := range []int{0, 1, textsPerRef, 500, 4000} { // the last ones are 36 MB
		texts := &texts{}
		for i := range n {
			if err := texts.add([]byte(text(i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := texts.done(); err != nil {
			t.Fatal(err)
		}
		if spilled := texts.spill != nil; texts.count != n || spilled != (n == 4000) {
			t.Errorf("%d of %d texts, in a file: %v", texts.count, n, spilled)
		}
		for k := range n {
			i := k
			if k%2 == 1 {
				i = random.IntN(n)
			}
			got, err := texts.appendTo([]byte("before "), i)
			if err != nil || string(got) != "before "+text(i) {
				t.Fatalf("text %d of %d: %.20q with %d bytes, %v; want %.20q with %d", i, n, got[7:], len(got)-7, err, text(i), len(text(i)))
			}
		}
		if err := texts.close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
			t.Errorf("files are left behind: %v, %v", left, err)
		}
		if n == 4000 {
			clear(texts.cache)
			if _, err := texts.appendTo(nil, n-1); err == nil || !strings.HasPrefix(err.Error(), "sheet: ") {
				t.Errorf("from a file that is closed: %v", err)
			}
		}
	}
}

func TestTextsWithoutRoomForThem(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/none")
	texts, page := &texts{}, make([]byte, pageBytes)
	var err error
	for i := 0; i <= pagesKept && err == nil; i++ {
		err = texts.add(page)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "sheet: ") {
		t.Errorf("%v, want that there is no directory", err)
	}
	if err := texts.close(); err != nil {
		t.Error(err)
	}
}
