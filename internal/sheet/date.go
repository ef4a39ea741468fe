package sheet

import (
	"bytes"
	"strconv"
	"time"
)

const secondsOfADay = 24 * 60 * 60

// epoch is what the numbers of dates count from: days since the end of 1899, or, in files that say so, since the beginning of 1904.
type epoch struct{ from1904 bool }

// moment is what a date says. Spreadsheet programs have two days that there were not: 1900-01-00, which a time alone is on, and 1900-02-29.
type moment struct {
	year, day            int
	month                time.Month
	hour, minute, second int
	dayless              bool  // it is a time alone
	elapsed              int64 // seconds since the epoch
}

// moment reports false for what is no date: negative numbers, and those behind the year 9999. A part of a second is rounded.
func (e epoch) moment(n decimal) (moment, bool) {
	const most, most1904 = 2958466, 2957004 // days at which the year 10000 begins
	if n.negative || n.point > 7 {
		return moment{}, false
	}
	var room [32]byte
	v, err := strconv.ParseFloat(string(n.appendInFull(room[:0])), 64)
	if err != nil || v >= most || e.from1904 && v >= most1904 {
		return moment{}, false
	}
	m := moment{elapsed: int64(v*secondsOfADay + 0.5), dayless: v < 1}
	day, rest := int(m.elapsed/secondsOfADay), int(m.elapsed%secondsOfADay)
	m.hour, m.minute, m.second = rest/3600, rest/60%60, rest%60
	switch {
	case e.from1904:
		m.year, m.month, m.day = time.Date(1904, 1, 1+day, 0, 0, 0, 0, time.UTC).Date()
	case day == 0:
		m.year, m.month = 1900, 1
	case day == 60:
		m.year, m.month, m.day = 1900, 2, 29
	case day < 60:
		m.year, m.month, m.day = time.Date(1899, 12, 31+day, 0, 0, 0, 0, time.UTC).Date()
	default:
		m.year, m.month, m.day = time.Date(1899, 12, 30+day, 0, 0, 0, 0, time.UTC).Date()
	}
	return m, m.year <= 9999
}

// parseMoment reads a date as strict files have it: 2026-11-26T15:04:05. A zone is left out, as cells have none.
func parseMoment(text []byte) (moment, bool) {
	text = bytes.TrimSuffix(text, []byte("Z"))
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02", "15:04:05", "T15:04:05", "2006-01-02T15:04"} {
		// A part of a second may follow the seconds in any of them.
		t, err := time.Parse(layout, string(text))
		if err != nil {
			continue
		}
		t = t.Round(time.Second)
		m := moment{hour: t.Hour(), minute: t.Minute(), second: t.Second(), dayless: t.Year() == 0}
		if m.dayless {
			m.elapsed = int64(m.hour*3600 + m.minute*60 + m.second)
			m.year, m.month = 1900, 1
			return m, true
		}
		m.year, m.month, m.day = t.Date()
		m.elapsed = int64(t.Sub(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)) / time.Second)
		return m, m.year <= 9999
	}
	return moment{}, false
}

// dateShape is what a format has of a date.
type dateShape struct {
	day, time, elapsed bool
	shown              []piece // of one that is kept as it is; nil for all others
}

// The shapes of the formats that every program has.
var (
	dayShape     = &dateShape{day: true}
	timeShape    = &dateShape{time: true}
	dayTimeShape = &dateShape{day: true, time: true}
	elapsedShape = &dateShape{elapsed: true}
)

// dateShapeOf gives nil for what has other places for digits than those of parts of a second.
func dateShapeOf(pieces []piece) *dateShape {
	d := &dateShape{}
	kept, order := true, ""
	for i := range pieces {
		p := &pieces[i]
		switch p.kind {
		case dateUnit:
			letter := p.text[:1]
			switch {
			case letter == "m" && minutes(pieces, i):
				letter = "n"
				d.time = true
			case letter == "h" || letter == "s":
				d.time = true
			default:
				d.day = true
			}
			p.text = letter + p.text[1:]
			if n := len(p.text); letter == "y" {
				kept = kept && (n == 3 || n == 4)
			} else {
				kept = kept && n <= 2
			}
			order += letter
		case elapsed:
			d.elapsed = true
			kept = false
		case halfDay:
			d.time = true
			kept = false
		case digit:
			if i == 0 || pieces[i-1].kind != point && pieces[i-1].kind != digit {
				return nil
			}
			kept = false
		case numerals:
			kept = false
		case optional, spaced, percent, letters:
			return nil
		}
	}
	if kept && (order == "ymd" || order == "ymdhn" || order == "ymdhns") {
		d.shown = pieces
	}
	d.elapsed = d.elapsed && !d.day
	return d
}

// minutes tells those from months: they come behind hours or before seconds.
func minutes(pieces []piece, at int) bool {
	for i := at - 1; i >= 0; i-- {
		if k := pieces[i].kind; k == elapsed || k == dateUnit {
			if k == elapsed || pieces[i].text[0] == 'h' || pieces[i].text[0] == 's' {
				return true
			}
			break
		}
	}
	for _, p := range pieces[at+1:] {
		if p.kind == dateUnit {
			return p.text[0] == 's'
		}
	}
	return false
}

// append appends a date that begins with its year and goes down from there in numbers as the format shows it: 2026/11/26 15:04, 2026年11月26日.
// All others come as 2026-11-26 or 2026-11-26 15:04:05, as nobody can tell 11/12 from 12/11 afterwards; which of them, is up to what the
// format has. Times alone come as 15:04:05, and those that go on behind 24 hours as 30:04:05. Where a format has only the time of a moment
// that has a day as well, the day comes with it.
func (d *dateShape) append(dst []byte, m moment) []byte {
	switch {
	case d.shown != nil:
		return d.appendShown(dst, m)
	case d.elapsed:
		dst = strconv.AppendInt(dst, m.elapsed/3600, 10)
		return appendTwo(appendTwo(dst, ':', m.minute), ':', m.second)
	case d.day || !m.dayless:
		dst = appendDigits(dst, m.year, 4)
		dst = appendTwo(appendTwo(dst, '-', int(m.month)), '-', m.day)
		if !d.time || !d.day && m.hour+m.minute+m.second == 0 {
			return dst
		}
		dst = append(dst, ' ')
	}
	dst = appendDigits(dst, m.hour, 2)
	return appendTwo(appendTwo(dst, ':', m.minute), ':', m.second)
}

func (d *dateShape) appendShown(dst []byte, m moment) []byte {
	for _, p := range d.shown {
		if p.kind != dateUnit {
			dst = append(dst, p.text...)
			continue
		}
		switch n := len(p.text); p.text[0] {
		case 'y':
			dst = appendDigits(dst, m.year, 4)
		case 'm':
			dst = appendDigits(dst, int(m.month), n)
		case 'd':
			dst = appendDigits(dst, m.day, n)
		case 'h':
			dst = appendDigits(dst, m.hour, n)
		case 'n':
			dst = appendDigits(dst, m.minute, n)
		case 's':
			dst = appendDigits(dst, m.second, n)
		}
	}
	return dst
}

func appendTwo(dst []byte, before byte, v int) []byte { return appendDigits(append(dst, before), v, 2) }

// appendDigits appends at least so many digits.
func appendDigits(dst []byte, v, least int) []byte {
	for n := 10; least > 1; n *= 10 {
		if least--; v < n {
			dst = append(dst, '0')
		}
	}
	return strconv.AppendInt(dst, int64(v), 10)
}
