package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// progress shows how far something has come: on a terminal as a bar that moves, elsewhere as a line every few seconds, so that what is short says
// nothing there.
type progress struct {
	out   io.Writer
	live  bool
	label string
	show  func(n int64) string // an amount, with thousands parted or in MiB
	unit  string               // of the amount, with a space before it
	now   func() time.Time

	drawn       time.Time // zero before the first
	shown       bool      // a bar stands on the terminal
	from, later mark      // what the speed is measured from: some seconds ago
}

// mark is how far something was at an instant.
type mark struct {
	at   time.Time
	done int64
}

const (
	barWidth  = 16
	drawEvery = 100 * time.Millisecond
	lineEvery = 5 * time.Second
	speedOver = 5 * time.Second // to twice that
)

// progress begins to show something on stderr.
func (e *environment) progress(label string, show func(int64) string, unit string) *progress {
	file, is := e.stderr.(*os.File)
	live := is && isTerminal(file) && os.Getenv("TERM") != "dumb"
	return &progress{out: e.stderr, live: live, label: label, show: show, unit: unit, now: time.Now}
}

// set says how far it is. A total of 0 is not known.
func (p *progress) set(done, total int64) {
	now := p.now()
	switch here := (mark{now, done}); {
	case p.from.at.IsZero() || done < p.from.done:
		p.from, p.later = here, here
		if !p.live {
			p.drawn = now
		}
	case now.Sub(p.later.at) > speedOver:
		p.from, p.later = p.later, here
	}
	every := lineEvery
	if p.live {
		every = drawEvery
	}
	if now.Sub(p.drawn) < every && !(p.live && done == total) { // the last one may stand for a while
		return
	}
	p.drawn, p.shown = now, p.live
	text := p.label
	switch {
	case p.live && total > 0:
		full := int(min(done, total) * barWidth / total)
		text += " [" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "]"
	case !p.live:
		text += ":"
	}
	text += " " + p.show(done)
	if total > 0 {
		text += " of " + p.show(total)
	}
	text += p.unit + p.speed(now, done, total)
	if p.live {
		fmt.Fprintf(p.out, "\r%s\x1b[K", text)
	} else {
		fmt.Fprintln(p.out, text)
	}
}

// speed tells how fast it goes, and how long it will go on, as soon as that can be said.
func (p *progress) speed(now time.Time, done, total int64) string {
	took := now.Sub(p.from.at).Seconds()
	if took < 0.5 || done <= p.from.done {
		return ""
	}
	perSecond := float64(done-p.from.done) / took
	text := fmt.Sprintf(", %s%s/s", p.show(int64(perSecond)), p.unit)
	if total >= done {
		left := time.Duration(float64(total-done) / perSecond * float64(time.Second))
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return text
}

// note says something in between that stays.
func (p *progress) note(text string) {
	p.end()
	fmt.Fprintln(p.out, text)
}

// end takes the bar away: what became of it is said by somebody else.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// grouped is a number with its thousands parted.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// howMany tells how many there are of something whose plural has an s.
func howMany(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(int64(n)) + " " + what + "s"
}

// size is an amount of bytes.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
