package main

import (
	"strings"
	"testing"
	"time"
)

// shownProgress is what is shown of steps that are a number of milliseconds apart.
func shownProgress(live bool, apart int, total int64, steps ...int64) string {
	var out strings.Builder
	now := time.Unix(1e9, 0)
	p := &progress{out: &out, live: live, label: "Importing", show: grouped, unit: " rows", now: func() time.Time { return now }}
	for _, done := range steps {
		p.set(done, total)
		now = now.Add(time.Duration(apart) * time.Millisecond)
	}
	p.end()
	return out.String()
}

func TestProgress(t *testing.T) {
	const clear = "\x1b[K"
	for _, test := range []struct {
		name string
		got  string
		want string
	}{
		{"a bar", shownProgress(true, 1000, 40_000, 0, 10_000, 20_000, 40_000),
			"\rImporting [----------------] 0 of 40,000 rows" + clear +
				"\rImporting [####------------] 10,000 of 40,000 rows, 10,000 rows/s, 3s left" + clear +
				"\rImporting [########--------] 20,000 of 40,000 rows, 10,000 rows/s, 2s left" + clear +
				"\rImporting [################] 40,000 of 40,000 rows, 13,333 rows/s, 0s left" + clear + "\r" + clear},
		{"a bar of an unknown length", shownProgress(true, 1000, 0, 0, 1500), "\rImporting 0 rows" + clear + "\rImporting 1,500 rows, 1,500 rows/s" + clear + "\r" + clear},
		{"a bar moves ten times a second at most, and to its end", shownProgress(true, 10, 3, 0, 1, 2, 3),
			"\rImporting [----------------] 0 of 3 rows" + clear + "\rImporting [################] 3 of 3 rows" + clear + "\r" + clear},
		{"a bar that begins anew", shownProgress(true, 1000, 10, 5, 10, 0, 1),
			"\rImporting [########--------] 5 of 10 rows" + clear + "\rImporting [################] 10 of 10 rows, 5 rows/s, 0s left" + clear +
				"\rImporting [----------------] 0 of 10 rows" + clear + "\rImporting [#---------------] 1 of 10 rows, 1 rows/s, 9s left" + clear + "\r" + clear},
		{"lines", shownProgress(false, 2500, 1000, 0, 100, 200, 300, 400), "Importing: 200 of 1,000 rows, 40 rows/s, 20s left\nImporting: 400 of 1,000 rows, 40 rows/s, 15s left\n"},
		{"nothing, when it is over soon", shownProgress(false, 1000, 40, 0, 10, 20, 40), ""},
		{"nothing at all", shownProgress(true, 1000, 10), ""},
	} {
		if test.got != test.want {
			t.Errorf("%s:\n%q instead of\n%q", test.name, test.got, test.want)
		}
	}
}

// The speed is that of the last seconds: what went slowly at first is forgotten.
func TestProgressForgetsASlowBeginning(t *testing.T) {
	steps := make([]int64, 40)
	for i := range steps {
		steps[i] = int64(max(0, i-20) * 1000)
	}
	got := shownProgress(true, 1000, 100_000, steps...)
	if !strings.Contains(got, " 19,000 of 100,000 rows, 1,000 rows/s, 1m21s left") {
		t.Errorf("%q", got)
	}
}

func TestAmounts(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -999: "-999", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 20 << 20: "20.0 MiB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
	if howMany(1, "row") != "1 row" || howMany(0, "row") != "0 rows" || howMany(1000, "row") != "1,000 rows" {
		t.Errorf("%s, %s, %s", howMany(1, "row"), howMany(0, "row"), howMany(1000, "row"))
	}
}
