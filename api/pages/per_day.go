package pages

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/projections"
)

// perDayPage tells how many customers are new, and how many sessions began, on each of the last days. Over the lists it is a strip that can be folded.
var perDayPage = page{words: perDayWords, routes: (*Pages).perDayPages}

func (p *Pages) perDayPages(r chi.Router) {
	for _, what := range []string{"customers", "sessions"} {
		r.Get("/"+what+"/per-day", func(_ http.ResponseWriter, r *http.Request) { visitOf(r).showPerDay(what) })
	}
}

// perDayStrip is the strip over a list. What it shows is fetched when the list is there.
type perDayStrip struct {
	Path, Title string
	Folded      bool
}

// perDayStrip is the one over the list of customers or sessions; nil if the visitor is not told how many there are.
func (v *visit) perDayStrip(what string) *perDayStrip {
	if !access.May(v.in.Role, "count-"+what+"-per-day") {
		return nil
	}
	return &perDayStrip{Path: "/" + what + "/per-day", Title: v.speech.one("per_day.title", what), Folded: chartsFolded(v.r)}
}

// perDayView is the page, of which the strip shows the bars.
type perDayView struct {
	Crumbs []crumb
	Title  string
	Head   string // of the column of numbers
	Facts  []fact
	Bars   *bars // nil: there was nothing
	None   string
	Days   []fact // the latest first
}

// bars are numbers of days, drawn on the server.
type bars struct {
	Text              string // the same in words
	Width             int    // of the view box, which is barsHeight high
	Bars              []bar
	From, Middle, End string // days named below
}

type bar struct{ X, Y, Height, Text string }

// In units of a view box that is stretched to the room there is: a day's part of the width, and how much of that is its bar.
const (
	barsHeight = 48
	dayWidth   = 10
	barWidth   = 7
)

func (v *visit) showPerDay(what string) {
	var days api.List[projections.Day]
	if err := v.get("/v1/"+what+"/per-day", &days); err != nil {
		v.fail(err)
		return
	}
	view := perDayView{Crumbs: []crumb{{"/" + what, v.t(what + ".title")}}, Title: v.speech.one("per_day.title", what), Head: v.speech.one("per_day.head", what),
		None: v.speech.one("per_day.none", what)}
	var most projections.Day
	var sum int64
	for _, d := range days.Items {
		sum += d.Count
		if d.Count > most.Count {
			most = d
		}
		view.Days = append([]fact{{Name: d.Date, Value: grouped(d.Count)}}, view.Days...)
	}
	if sum > 0 {
		today := days.Items[len(days.Items)-1]
		view.Facts = []fact{{Name: v.t("per_day.sum"), Value: grouped(sum)}, {Name: v.t("per_day.today"), Value: grouped(today.Count)},
			{Name: v.t("per_day.most", "day", monthAndDay(most.Date)), Value: grouped(most.Count)}}
		view.Bars = barsOf(days.Items, most.Count, view.Title+v.t("per_day.text", "sum", sum, "today", today.Count, "most", most.Count, "day", most.Date))
	}
	v.show(http.StatusOK, "per_day_page", view.Title, view)
}

// barsOf draws a bar for each day, the highest to the top. text says the same in words.
func barsOf(days []projections.Day, most int64, text string) *bars {
	b := &bars{Text: text, Width: len(days) * dayWidth, From: monthAndDay(days[0].Date), Middle: monthAndDay(days[len(days)/2].Date), End: monthAndDay(days[len(days)-1].Date)}
	for i, d := range days {
		if d.Count == 0 {
			continue
		}
		height := max(1, barsHeight*float64(d.Count)/float64(most)) // one is to be seen beside thousands
		b.Bars = append(b.Bars, bar{X: place1(float64(i*dayWidth) + (dayWidth-barWidth)/2.0), Y: place1(barsHeight - height), Height: place1(height), Text: d.Date + " · " + grouped(d.Count)})
	}
	return b
}

// monthAndDay is a date without its year.
func monthAndDay(date string) string { return date[len("2006-"):] }
