package locale

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// tell fills a sentence from arguments, and from words that are ready.
func tell(l Language, sentence text, args map[string]any, words map[string]string) string {
	value := func(name string) (string, bool) {
		if word, ready := words[name]; ready {
			return word, true
		}
		name, how, _ := strings.Cut(name, ":")
		arg, given := args[name]
		return told(l, arg, how), given
	}
	return fill(without(sentence.in(l), value), func(name string) string {
		if word, given := value(name); given {
			return word
		}
		return "?"
	})
}

// without leaves out the parts in [ ] that name a value which there is not, and takes the brackets off the others.
func without(words string, value func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(words, "[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		part, after, _ := strings.Cut(rest, "]")
		all := true
		fill(part, func(name string) string {
			_, given := value(name)
			all = all && given
			return ""
		})
		if all {
			b.WriteString(part)
		}
		words = after
	}
}

// told is an argument in words:
//
//	MiB      a number of bytes, in MiB, never more than it is
//	count    a number with its thousands parted
//	letter   the number of a column, as spreadsheet programs call columns
//	field    a field by what people call it
//
// anything else is a kind of words, see Word. Arguments may come from the log, where every number is a float.
func told(l Language, arg any, how string) string {
	switch how {
	case "":
		return plain(arg)
	case "MiB":
		hundredths := int64(number(arg) * 100 / (1 << 20))
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100), "0"), ".")
	case "count":
		return Count(int(number(arg)))
	case "letter":
		return letter(int(number(arg)))
	case "field":
		return Field(l, plain(arg))
	}
	return Word(l, how, plain(arg))
}

// plain is an argument as it is; of a float that is whole, as a whole number.
func plain(arg any) string {
	if f, is := arg.(float64); is && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return fmt.Sprint(arg)
}

func number(arg any) float64 {
	switch n := arg.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case float64:
		return n
	case json.Number:
		f, _ := n.Float64()
		return f
	}
	return 0
}

// Count is a whole number with its thousands parted, which both languages do by a comma.
func Count(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// letter is what spreadsheet programs call the column of that number: A, …, Z, AA, …
func letter(column int) string {
	if column < 1 {
		return strconv.Itoa(column)
	}
	name := ""
	for ; column > 0; column = (column - 1) / 26 {
		name = string(rune('A'+(column-1)%26)) + name
	}
	return name
}
