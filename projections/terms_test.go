package projections

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"customercenter/domain/text"
)

// Stored numbers: whoever changes one of these must raise the version of the read model.
func TestNumbersOfSetsAndTermsNeverChange(t *testing.T) {
	terms := needleTerms("acme", termName, "王小明")
	for name, c := range map[string]struct{ got, want int64 }{
		"live":   {facet(facetLive, ""), 4682873818970819821},
		"tag":    {facet(facetTag, "01900000-0000-7000-8000-000000000001"), 5443657263301832985},
		"option": {facetCustomOption("level", "o1"), 1582391004297566521},
		"gram":   {gram(gramName, '王'), 2<<32 | '王'},
		"term":   {terms[0], 62139872031857},
		"bucket": {inBucket(5, 305), 305<<48 + 5},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, want %d", name, c.got, c.want)
		}
	}
	if len(terms) != 2 {
		t.Errorf("%d terms for three Chinese characters, want the two pairs", len(terms))
	}
}

func TestNeedleTerms(t *testing.T) {
	for _, c := range []struct {
		kind   termKind
		needle string
		n      int
	}{
		{termName, "", 0}, {termName, "王", 0}, {termName, "王小", 1}, {termName, "王小明", 2}, {termName, "李 雷", 2},
		{termName, "ab", 1}, {termName, "abc", 1}, {termName, "abcd", 2}, {termName, "王ab", 2}, {termName, "王abc", 2}, {termName, "abc王", 2}, {termName, "ab1", 1},
		{termName, "王王王", 1}, {termName, "🙂🙂", 1},
		{termExternalID, "a", 0}, {termExternalID, "ab", 0}, {termExternalID, "a1", 0}, {termExternalID, "王1", 1}, {termExternalID, "王二", 1}, {termExternalID, "a-", 1}, {termExternalID, "a-b", 1}, {termExternalID, "wx_9", 2},
		{termPhone, "13", 0}, {termPhone, "138", 1}, {termPhone, "1380000", 4}, // 000 is there twice
		{termPhone, "13912345678", 4}, {termName, "王小明的哥哥", 4}, {termExternalID, "webim-visitor-", 4}, // some of them
	} {
		if terms := needleTerms("acme", c.kind, c.needle); len(terms) != c.n {
			t.Errorf("%q of kind %d has %d terms, want %d", c.needle, c.kind, len(terms), c.n)
		}
	}
}

// A text that contains a needle has all the needle's terms, in the bucket of its customer, and is in all of its characters' sets.
func TestWhoContainsTheNeedleHasItsTerms(t *testing.T) {
	alphabet := []rune("王小明 李雷abcÉxyz019-_%.🙂ﬁＡİß\u0345")
	rapid.Check(t, func(t *rapid.T) {
		word := func(name string) string {
			return text.Fold(string(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 12).Draw(t, name)))
		}
		row := customerTextRow{
			Ordinal: rapid.Int64Range(1, 5_000_000).Draw(t, "ordinal"), ExternalID: word("external id"), Nickname: word("nickname"), Name: word("name"), Phone: word("phone"),
		}
		row.Terms = termsOf("acme", &row)
		if !slices.IsSorted(row.Terms) || len(slices.Compact(slices.Clone(row.Terms))) != len(row.Terms) {
			t.Fatal("terms are not ascending, each once")
		}
		grams := textGrams(&row)
		for _, c := range []struct {
			kind termKind
			gram gramKind
			text string
		}{
			{termName, gramNickname, row.Nickname}, {termName, gramName, row.Name}, {termExternalID, gramExternalID, row.ExternalID}, {termPhone, 0, row.Phone},
		} {
			runes := []rune(c.text)
			from := rapid.IntRange(0, len(runes)).Draw(t, "from")
			needle := string(runes[from:rapid.IntRange(from, len(runes)).Draw(t, "to")])
			for _, term := range needleTerms("acme", c.kind, needle) {
				if _, has := slices.BinarySearch(row.Terms, inBucket(term, termBucket(int(row.Ordinal/bucketSize)))); !has {
					t.Fatalf("%q of kind %d is in %q, its terms are not", needle, c.kind, c.text)
				}
			}
			if c.gram == 0 {
				continue
			}
			for g := range gramsOf(c.gram, needle) {
				if !slices.Contains(grams, g) {
					t.Fatalf("%q is in %q, its characters' sets are not", needle, c.text)
				}
			}
		}
	})
}

func TestTermsTellTextsApart(t *testing.T) {
	seen := map[int64]string{}
	for _, tenant := range []string{"acme", "acm", "other"} {
		for _, kind := range []termKind{termName, termExternalID, termPhone} {
			for _, needle := range []string{"王小", "小王", "abc", "ab", "bc", "138", "38", "ａｂ"} {
				for _, term := range needleTerms(tenant, kind, needle) {
					what := fmt.Sprint(tenant, " ", kind, " ", needle)
					if other, taken := seen[term]; taken {
						t.Errorf("%s and %s have the same term", what, other)
					}
					if term>>termBits != 0 {
						t.Errorf("a term of %s reaches into the bucket", what)
					}
					seen[term] = what
				}
			}
		}
	}
}

func TestCharactersWithSets(t *testing.T) {
	for _, c := range []struct {
		kind gramKind
		text string
		n    int
	}{
		{gramNickname, "王 小王", 3}, {gramName, "a1-", 3}, {gramExternalID, "wx_9-王", 2}, {gramExternalID, "abc", 0}, {gramNickname, " \u3000", 0},
	} {
		if n := len(slices.Collect(gramsOf(c.kind, c.text))); n != c.n {
			t.Errorf("%q of kind %d has %d sets, want %d", c.text, c.kind, n, c.n)
		}
	}
}

func TestNicknamesAreSortedByPinyin(t *testing.T) {
	order := newNicknameOrder()
	sorted := []string{"", "-x", "123", "Anna", "bob", "Émile", "zebra", "阿明", "陈_%", "李雷", "刘洋", "王小", "王小明", "张伟", "赵敏"}
	for i := range sorted[1:] {
		if slices.Compare(order.key(sorted[i]), order.key(sorted[i+1])) >= 0 {
			t.Errorf("%q is not before %q", sorted[i], sorted[i+1])
		}
	}
	for _, same := range [][2]string{{"ＡＮＮＡ", "anna"}, {"Emile", "émile"}, {strings.Repeat("王", 17), strings.Repeat("王", 16)}, {" a ", "a"}} {
		if !slices.Equal(order.key(same[0]), order.key(same[1])) {
			t.Errorf("%q and %q are not at the same place", same[0], same[1])
		}
	}
	if key := order.key(""); key == nil || len(key) != 0 {
		t.Errorf("no nickname has the key %v", key)
	}
	if a, b := order.key("🙂"), order.key("😀"); len(a) == 0 || slices.Equal(a, b) {
		t.Error("emoji are not told apart")
	}
	if n := len(order.key(strings.Repeat("𠮷", 256))); n > 100 {
		t.Errorf("a key has %d bytes", n)
	}
}
