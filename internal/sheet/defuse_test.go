package sheet

import "testing"

// What was defused is read back as it was.
func TestArmed(t *testing.T) {
	for _, text := range []string{"", "=1+1", "-5度", "@a", " +x", "\t=1", "'", "'quoted'", "''=1", "+8613800138000", "plain", "＝1"} {
		if got := Armed(defuse(text)); got != text {
			t.Errorf("%q is written as %q and read as %q", text, defuse(text), got)
		}
	}
}
