package sheet

import (
	"archive/zip"
	"strconv"
)

const (
	mostFormats    = 4096    // number formats; programs write up to 250
	mostStyles     = 1 << 16 // styles of cells; Excel has 65,490
	mostStyleBytes = 16 << 20
)

// general is the format of a cell that has no style.
var general = &format{}

// styles are the number formats of the styles of cells, by the number of the style.
type styles []*format

func (s styles) of(number int) *format {
	if number < 0 || number >= len(s) {
		return general
	}
	return s[number]
}

// readStyles refuses as Bomb what has far more of them than programs write.
func readStyles(part *zip.File) (styles, error) {
	if part == nil {
		return nil, nil
	}
	if part.UncompressedSize64 > mostStyleBytes {
		return nil, refuse(Bomb)
	}
	codes := map[int]string{} // of formats that the file brings along, by their number
	var used []int            // the number of the format, by that of the style
	formats, group := 0, ""
	err := walk(part, func(t *tokens) error {
		name := string(t.name)
		if t.depth == 2 {
			group = name
		}
		switch {
		case name == "numFmt":
			if formats++; formats > mostFormats {
				return refuse(Bomb)
			}
			if t.depth != 3 || group != "numFmts" {
				return nil // of a style that depends on a condition
			}
			code := t.attribute("formatCode16")
			if len(code) == 0 {
				code = t.attribute("formatCode")
			}
			number := formatNumber(t.attribute("numFmtId"))
			if _, ok := codes[number]; !ok {
				codes[number] = string(code[:min(len(code), mostFormat+1)])
			}
		case name == "xf" && t.depth == 3 && group == "cellXfs":
			if len(used) == mostStyles {
				return refuse(Bomb)
			}
			used = append(used, formatNumber(t.attribute("numFmtId")))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	compiled := map[int]*format{}
	all := make(styles, len(used))
	for i, number := range used {
		f := compiled[number]
		if f == nil {
			if code, ok := codes[number]; ok {
				f = compile(code)
			} else {
				f = builtin(number)
			}
			compiled[number] = f
		}
		all[i] = f
	}
	return all, nil
}

// formatNumber gives 0, which is General, for what is none.
func formatNumber(text []byte) int {
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return 0
	}
	return n
}

// builtin gives the format that every program has by that number, and General for a number that is free. What a date looks like differs
// with the language of the program, from 27 on also which parts of it there are. So all of them come as append of dateShape says,
// and those that are a day in one language and a time in another by what the cell holds.
func builtin(number int) *format {
	shape := (*dateShape)(nil)
	switch number {
	case 14, 15, 16, 17, 27, 28, 29, 30, 31, 36, 50, 51, 54, 57, 58:
		shape = dayShape
	case 18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 52, 53, 55, 56:
		shape = timeShape
	case 22:
		shape = dayTimeShape
	case 46:
		shape = elapsedShape
	default:
		return compile(builtinCodes[number])
	}
	return &format{positive: &section{date: shape}}
}

// builtinCodes leaves out what shows numbers in full.
var builtinCodes = map[int]string{
	1:  "0",
	2:  "0.00",
	3:  "#,##0",
	4:  "#,##0.00",
	9:  "0%",
	10: "0.00%",
	37: "#,##0 ;(#,##0)",
	38: "#,##0 ;[Red](#,##0)",
	39: "#,##0.00 ;(#,##0.00)",
	40: "#,##0.00 ;[Red](#,##0.00)",
	41: `_(* #,##0_);_(* \(#,##0\);_(* "-"_);_(@_)`,
	42: `_("$"* #,##0_);_("$"* \(#,##0\);_("$"* "-"_);_(@_)`,
	43: `_(* #,##0.00_);_(* \(#,##0.00\);_(* "-"??_);_(@_)`,
	44: `_("$"* #,##0.00_);_("$"* \(#,##0.00\);_("$"* "-"??_);_(@_)`,
}
