// Package locale has the words for every code that a person may meet, in Chinese and in English.
//
// There is one catalogue: words.go has the codes, jobs.go what is said of them with rows and jobs, fields.go and events.go what histories say,
// template.go the template of imports. A test fails when a code that occurs anywhere in the tree has no words.
package locale

import (
	"strings"

	"golang.org/x/text/language"
)

// Language is one of the languages that the product speaks.
type Language int

// The languages. English is the zero value and what is spoken to whoever asks for neither.
const (
	English Language = iota
	Chinese
)

var matcher = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// Parse returns the language that suits a header Accept-Language best.
func Parse(acceptLanguage string) Language {
	if acceptLanguage == "" {
		return English
	}
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(tags) == 0 {
		return English
	}
	// Whatever is neither Chinese nor English is answered in English, like a header that cannot be read.
	_, index, confidence := matcher.Match(tags...)
	if confidence == language.No {
		return English
	}
	return Language(index)
}

// Tag is the language as HTTP and HTML name it.
func (l Language) Tag() string {
	if l == Chinese {
		return "zh"
	}
	return "en"
}

// text is the same words in both languages. {name} stands for an argument, and {name:how} for one that is told in a special way: see told.
// What stands in [ ] is left out if one of the arguments in it is not there.
type text struct{ en, zh string }

func (t text) in(l Language) string {
	if l == Chinese {
		return t.zh
	}
	return t.en
}

// entry is what a code says: a title that is always the same, and a sentence about this occurrence.
type entry struct{ title, detail text }

// Known reports whether there are words for the code.
func Known(code string) bool {
	_, ok := find(code)
	return ok
}

// KnownRule reports whether there are words for that rule of the code VALIDATION.
func KnownRule(rule string) bool {
	_, ok := rules[rule]
	return ok
}

// Title returns the short words for a code, the same at every occurrence. A code without words is its own title.
func Title(l Language, code string) string {
	e, ok := find(code)
	if !ok {
		return code
	}
	return e.title.in(l)
}

// Detail returns a sentence for a code at this occurrence. location is the field that is wrong, empty if none is; args fill
// the words. For VALIDATION the argument "rule" decides the sentence.
func Detail(l Language, code, location string, args map[string]any) string {
	e, ok := find(code)
	if !ok {
		return code
	}
	sentence := e.detail
	if rule, _ := args["rule"].(string); rule != "" {
		if r, ok := rules[rule]; ok {
			sentence = r
		}
	}
	return tell(l, sentence, args, map[string]string{"field": Field(l, location)})
}

// Field returns what people call the field at a location such as "profile.wechat_id"; the location itself if it has no name.
func Field(l Language, location string) string {
	if location == "" {
		return text{"the value", "该值"}.in(l)
	}
	last := location[strings.LastIndexByte(location, '.')+1:]
	if name, ok := fields[last]; ok {
		return name.in(l)
	}
	return location
}

// find looks a code up. <FIELD>_TOO_LONG has one entry for all fields.
func find(code string) (entry, bool) {
	if e, ok := codes[code]; ok {
		return e, true
	}
	if field, ok := strings.CutSuffix(code, "_TOO_LONG"); ok {
		if _, ok := fields[strings.ToLower(field)]; ok {
			return codes["TOO_LONG"], true
		}
	}
	return entry{}, false
}

// fill replaces every {name} of the words.
func fill(words string, value func(name string) string) string {
	if !strings.Contains(words, "{") {
		return words
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(words, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		b.WriteString(value(name))
		words = after
	}
}
