package text_test

import (
	"testing"
	"unicode/utf8"

	"customercenter/domain/text"
)

func TestLine(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		ok             bool
	}{
		{"plain", "王小明", "王小明", true},
		{"trimmed, ideographic space too", " \u3000王小明\n", "王小明", true},
		{"composed", "e\u0301", "é", true},
		{"joined emoji stay whole", "👩\u200d💻", "👩\u200d💻", true},
		{"only white space", " \t ", "", true},
		{"line feed inside", "a\nb", "", false},
		{"line separator inside", "a\u2028b", "", false},
		{"tab inside", "a\tb", "", false},
		{"NUL", "a\x00b", "", false},
		{"NUL at the end", "a\x00", "", false},
		{"C1 control", "a\u0085b", "", false},
		{"broken UTF-8", "a\xffb", "", false},
		{"half a surrogate pair", "\xed\xa0\x80", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := text.Line(c.in); got != c.want || ok != c.ok {
				t.Errorf("Line(%q) = %q, %v, want %q, %v", c.in, got, ok, c.want, c.ok)
			}
		})
	}
}

func TestBlockKeepsLinesAndTabs(t *testing.T) {
	if got, ok := text.Block(" a\r\n\tb\n "); got != "a\n\tb" || !ok {
		t.Errorf("Block = %q, %v", got, ok)
	}
	for _, s := range []string{"a\rb", "a\x00b", "a\x1bb", "a\xffb"} {
		if got, ok := text.Block(s); ok {
			t.Errorf("Block(%q) = %q, want it refused", s, got)
		}
	}
}

func TestVerbatim(t *testing.T) {
	if !text.Verbatim(" a\x1b\r\n") {
		t.Error("text with controls other than NUL must pass")
	}
	if text.Verbatim("a\x00") || text.Verbatim("\xff") {
		t.Error("NUL and broken UTF-8 must not pass")
	}
}

func TestFold(t *testing.T) {
	for a, b := range map[string]string{
		"VIP": "vip", "ＶＩＰ": "vip", " Straße ": "strasse", "ﬁt": "fit", "e\u0301": "É", "ΑΣ": "ας", "\u0345": "ι",
	} {
		if text.Fold(a) != text.Fold(b) {
			t.Errorf("Fold(%q) = %q, Fold(%q) = %q, want the same", a, text.Fold(a), b, text.Fold(b))
		}
	}
	if text.Fold("重要") == text.Fold("重耍") {
		t.Error("different names must stay different")
	}
}

func FuzzNormalForms(f *testing.F) {
	for _, s := range []string{"", " a ", "e\u0301", "ＶＩＰ", "\u0345\u0301", "a\x00", "\xff", "İstanbul", "\u1e9e", "\u03b1\u0345\u0301", "\u00a8 x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, form := range map[string]func(string) (string, bool){"Line": text.Line, "Block": text.Block} {
			got, ok := form(s)
			if !ok {
				if got != "" {
					t.Fatalf("%s(%q) refused and still returned %q", name, s, got)
				}
				continue
			}
			if !text.Verbatim(got) {
				t.Fatalf("%s(%q) = %q cannot be stored", name, s, got)
			}
			if again, ok := form(got); !ok || again != got {
				t.Fatalf("%s(%q) = %q, and again %q, %v", name, s, got, again, ok)
			}
		}
		if utf8.ValidString(s) {
			folded := text.Fold(s)
			if again := text.Fold(folded); again != folded {
				t.Fatalf("Fold(%q) = %q, and again %q", s, folded, again)
			}
		}
	})
}
