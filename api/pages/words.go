package pages

import (
	"fmt"
	"strconv"
	"strings"

	"customercenter/internal/locale"
	"customercenter/projections"
)

// language is one of the two that the pages speak. What the API says, codes and histories, package locale has the words for.
type language = locale.Language

const (
	english = locale.English
	chinese = locale.Chinese
)

func languages() []language { return []language{chinese, english} }

// htmlTag is a language as HTML names it.
func htmlTag(l language) string {
	if l == chinese {
		return "zh-CN"
	}
	return "en"
}

// words are what a page says, by a short name such as "blacklist.title". A name begins with that of its page, so that pages can be written apart.
//
// {n} stands for an argument; {n?customer:customers} for the first word if it is 1, and the second otherwise.
type words map[string]word

type word struct{ zh, en string }

func (w word) in(l language) string {
	if l == chinese {
		return w.zh
	}
	return w.en
}

// dictionary has the words of all pages. It panics if two say different things by one name: a mistake in this package.
func dictionary() words {
	d := words{}
	for _, more := range append([]words{shellWords, companyWords, partWords, catalogueWords, partsPage.words}, pageWords()...) {
		for key, w := range more {
			if _, twice := d[key]; twice {
				panic("pages: two words are called " + key)
			}
			d[key] = w
		}
	}
	return d
}

func pageWords() (w []words) {
	for _, page := range all {
		w = append(w, page.words)
	}
	return w
}

// speech is the dictionary in one language.
type speech map[string]string

func speechIn(l language) speech {
	s := speech{}
	for key, w := range dictionary() {
		s[key] = w.in(l)
	}
	return s
}

// tell says a word with arguments, each a name and its value. What has no words is told by its name; a test sees to it that nothing is.
func (s speech) tell(key string, args ...any) string {
	text, ok := s[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return text
	}
	given := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		given[fmt.Sprint(args[i])] = args[i+1]
	}
	return fill(text, given)
}

// one says the word for a value of a kind, such as "role.admin"; the value itself if it has none.
func (s speech) one(kind string, value any) string {
	if text, ok := s[kind+"."+fmt.Sprint(value)]; ok {
		return text
	}
	return fmt.Sprint(value)
}

// fill replaces every {…} of a text.
func fill(text string, args map[string]any) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		inside, after, _ := strings.Cut(rest, "}")
		name, choice, chooses := strings.Cut(inside, "?")
		if chooses {
			one, many, _ := strings.Cut(choice, ":")
			if told(args[name]) == "1" {
				b.WriteString(one)
			} else {
				b.WriteString(many)
			}
		} else {
			b.WriteString(told(args[name]))
		}
		text = after
	}
}

// told is an argument as people read it.
func told(value any) string {
	switch v := value.(type) {
	case int:
		return grouped(int64(v))
	case int64:
		return grouped(v)
	case projections.Count:
		return counted(v)
	case *projections.Count:
		return counted(*v)
	}
	return fmt.Sprint(value)
}

// counted is a count as people read it: "1,000+" if there may be more.
func counted(c projections.Count) string {
	if c.Exact {
		return grouped(c.Value)
	}
	return grouped(c.Value) + "+"
}

// grouped is a number with its thousands parted.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
