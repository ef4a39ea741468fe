package pages

import (
	"fmt"
	"net/url"
	"strings"

	"customercenter/api"
	"customercenter/projections"
)

// chart is a line over days, drawn on the server.
type chart struct {
	Title, Text string // what it shows, and the same in words
	Since       string // "last 30 days"
	Line, Area  string // paths
	Grid        []chartLine
	GridX       string // where its lines begin
	LabelX      string // where their values end
	EndX, EndY  string
	NowX, NowY  string
	Now         string
	Days        []chartDay
	Entered     string
	Left        string
}

// chartLine is a line of the grid, with its value.
type chartLine struct{ Y, TextY, Value string }

// chartDay is a day named below.
type chartDay struct{ X, Anchor, Text string }

// Bounds of a chart, in units of its view box.
const (
	chartRight            = 284.0
	chartTop, chartBottom = 14.0, 108.0
	// Left of the lines is room for the values.
	chartLabel, chartGap = 6.2, 6.0 // a character, and what is between
	chartLeast           = 34.0
)

// groupChart draws how many were in a group on each of the last days; nil if that is not known, or there is nothing to see yet.
func (v *visit) groupChart(g *api.Group) (*chart, error) {
	var sizes api.List[projections.GroupDay]
	if err := v.get("/v1/groups/"+url.PathEscape(g.ID.String())+"/size", &sizes); err != nil {
		return nil, err
	}
	days := sizes.Items
	for len(days) > 1 && days[1].Members == 0 && days[1].Entered == 0 { // before the day before somebody was in it
		days = days[1:]
	}
	return v.chartOf(days, v.t("groups.chart_title", "n", len(days))), nil
}

// chartOf draws how many were in a group on each of some days; nil if these are too few. title is what it shows.
func (v *visit) chartOf(days []projections.GroupDay, title string) *chart {
	if len(days) < 3 {
		return nil
	}
	first, last := days[0], days[len(days)-1]
	low, high := first.Members, first.Members
	var entered, left int64
	for _, d := range days {
		low, high = min(low, d.Members), max(high, d.Members)
		entered, left = entered+d.Entered, left+d.Left
	}
	low, high, step := gridOf(low, high)
	edge := max(chartLeast, chartGap+chartLabel*float64(len(grouped(high))))
	x := func(i int) float64 { return edge + (chartRight-edge)*float64(i)/float64(len(days)-1) }
	y := func(n int64) float64 { return chartBottom - (chartBottom-chartTop)*float64(n-low)/float64(high-low) }
	c := &chart{
		Title: title, Since: v.t("groups.chart_since", "n", len(days)), Entered: moved("+", entered), Left: moved("−", left),
		Text:  v.t("groups.chart_text", "from", first.Date, "before", first.Members, "to", last.Date, "after", last.Members, "entered", entered, "left", left),
		GridX: place1(edge), LabelX: place1(edge - chartGap), EndX: place1(x(len(days) - 1)), EndY: place1(y(last.Members)), NowX: place1(chartRight), NowY: place1(y(last.Members) - 8), Now: grouped(last.Members),
	}
	var line strings.Builder
	for i, d := range days {
		fmt.Fprintf(&line, "%s%s,%s", map[bool]string{true: "M", false: " "}[i == 0], place1(x(i)), place1(y(d.Members)))
	}
	c.Line = line.String()
	c.Area = fmt.Sprintf("%sL%s,%s %s,%sZ", c.Line, place1(chartRight), place1(chartBottom), place1(edge), place1(chartBottom))
	for n := low; n <= high; n += step {
		c.Grid = append(c.Grid, chartLine{Y: place1(y(n)), TextY: place1(y(n) + 4), Value: grouped(n)})
	}
	c.Days = []chartDay{{place1(edge), "start", monthAndDay(first.Date)}, {place1(chartRight), "end", monthAndDay(last.Date)}}
	if len(days) >= 5 {
		middle := len(days) / 2
		c.Days = []chartDay{c.Days[0], {place1(x(middle)), "middle", monthAndDay(days[middle].Date)}, c.Days[1]}
	}
	return c
}

// moved is how many came or went, with a sign unless it is nobody.
func moved(sign string, n int64) string {
	if n == 0 {
		return "0"
	}
	return sign + grouped(n)
}

// place1 is a place in a chart.
func place1(f float64) string { return fmt.Sprintf("%.1f", f) }

// gridOf widens a span to round values, with two to four steps between them.
func gridOf(low, high int64) (from, to, step int64) {
	if high-low < 2 {
		high = low + 2
	}
	step = 1
	for unit := int64(1); ; unit *= 10 {
		for _, times := range []int64{1, 2, 5} {
			step = unit * times
			from = low / step * step
			to = (high + step - 1) / step * step
			if (to-from)/step <= 4 {
				return from, to, step
			}
		}
	}
}
