package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/projections/projector"
)

var systemPage = page{
	place:  &place{Section: "settings", Order: 60, Name: "system", Icon: "pulse", Path: "/system", Operation: "list-projections"},
	words:  systemWords,
	routes: (*Pages).systemPages,
}

func (p *Pages) systemPages(r chi.Router) {
	r.Get("/system", p.showSystem)
	r.Get("/system/tenants", func(_ http.ResponseWriter, r *http.Request) { visitOf(r).showTenants(http.StatusOK, nil) })
	r.Post("/system/tenants", p.createTenant)
	r.Get("/system/tenants/{slug}/import", p.askEntitlement)
	r.Post("/system/tenants/{slug}/import", p.changeEntitlement)
	r.Get("/system/letters", p.showLetters)
	r.Post("/system/letters/resend", p.resendLetter)
	r.Get("/system/letters/discard", p.askDiscardLetter)
	r.Post("/system/letters/discard", p.discardLetter)
	r.Get("/system/models/{name}/parked", p.showParked)
	r.Post("/system/models/{name}/retry", p.retryParked)
	r.Get("/system/models/{name}/skip", p.askSkip)
	r.Post("/system/models/{name}/skip", p.skipParked)
	r.Get("/system/models/{name}/rebuild", p.askRebuild)
	r.Post("/system/models/{name}/rebuild", p.rebuild)
	r.Post("/system/models/{name}/verify", p.verifyBuild)
	r.Get("/system/models/{name}/switch", p.askSwitchBuild)
	r.Post("/system/models/{name}/switch", p.switchBuild)
	r.Get("/system/models/{name}/drop", p.askDropBuild)
	r.Post("/system/models/{name}/drop", p.dropBuild)
}

// slow is how many seconds something may be behind and still be well: the same as in /readyz.
const slow = 60

// keepingUp is how many seconds something is behind that keeps up: who follows the log does so in steps.
const keepingUp = 2

// refreshMost is how often the page looks again by itself, every 5 seconds: after 20 minutes nobody is looking, and a sign-in that nobody
// uses is to end.
const refreshMost = 240

// systemView is the view of how far everything is.
type systemView struct {
	Tabs      *tabs // nil: there is only one
	Well      string
	Troubles  []banner
	Models    []modelRow
	Differing []differenceRow // tables that were not what the log says when they were last verified
	Parts     []partRow
	Behind    []behindRow
	More      string // says that not all that is behind is shown
	Operator  bool
	Checked   string
	Refresh   string // the address to look at next; empty: it does not look again by itself
}

// modelRow is a read model: the build that is served.
type modelRow struct {
	Name, What string
	Build      string
	State      status
	Behind     string
	Parked     int64
	Verified   *moment // nil: never
	Others     []buildRow
	Busy       bool // it is being rebuilt
	Path       string
}

// buildRow is a build that is not served.
type buildRow struct {
	Build    int64
	Text     string
	Progress *progress // nil: it is built
	Older    bool      // it was served before
	Path     string
}

// partRow is something else that follows the log.
type partRow struct {
	What   string
	State  status
	Behind string
}

// behindRow is a tenant for whom something is behind.
type behindRow struct{ Tenant, What, Behind, Why string }

func (p *Pages) showSystem(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var models api.List[projector.Status]
	var parts api.List[api.Lag]
	for path, into := range map[string]any{"/v1/projections": &models, "/v1/lag": &parts} {
		if err := v.get(path, into); err != nil {
			v.fail(err)
			return
		}
	}
	view := systemView{Tabs: v.systemTabs(), Operator: v.in.Role == access.Operator, Models: v.models(models.Items), Parts: v.parts(parts.Items)}
	v.troubles(&view, models.Items, parts.Items)
	if err := v.differing(&view, models.Items); err != nil {
		v.fail(err)
		return
	}
	now := v.p.Now().In(v.location()).Format("15:04:05 MST")
	view.Checked = v.t("system.resting", "at", now)
	if beat, _ := strconv.Atoi(r.URL.Query().Get("beat")); beat < refreshMost {
		view.Checked, view.Refresh = v.t("system.checked", "at", now), "/system?beat="+strconv.Itoa(beat+1)
	}
	v.show(http.StatusOK, "system", v.t("system.title"), view)
}

func (v *visit) systemTabs() *tabs {
	if !access.May(v.in.Role, "list-tenants") {
		return nil
	}
	here := v.r.URL.Path
	return &tabs{Label: v.t("system.title"), Groups: []tabGroup{{Tabs: []tab{
		{Path: "/system", Text: v.t("system.state"), Icon: "pulse", Current: here != "/system/tenants" && here != "/system/letters"},
		{Path: "/system/letters", Text: v.t("system.letters"), Icon: "warn", Current: here == "/system/letters"},
		{Path: "/system/tenants", Text: v.t("system.tenants"), Icon: "users", Current: here == "/system/tenants"},
	}}}}
}

// models are the read models, each with all tenants together.
func (v *visit) models(all []projector.Status) (rows []modelRow) {
	byName := map[string][]projector.Status{}
	var names []string
	for _, s := range all {
		if byName[s.Projection] == nil {
			names = append(names, s.Projection)
		}
		byName[s.Projection] = append(byName[s.Projection], s)
	}
	for _, name := range names {
		row := modelRow{Name: name, What: v.speech.one("system_model", name), Path: "/system/models/" + name}
		worst := lagging{}
		live, verified := int64(0), (*time.Time)(nil)
		for _, s := range byName[name] {
			if s.State == projector.StatusLive {
				live, row.Build = s.Build, v.t("system.build", "n", s.Build, "version", s.Version)
				row.Parked += int64(s.Parked)
				worst.add(s.LagEvents, s.LagSeconds, s.Stopped)
				if s.VerifiedAt != nil && (verified == nil || s.VerifiedAt.Before(*verified)) {
					verified = s.VerifiedAt
				}
			}
		}
		row.Verified = v.moment(verified)
		row.State, row.Behind = v.keeping(worst)
		row.Others = v.otherBuilds(name, live, byName[name])
		for _, o := range row.Others {
			row.Busy = row.Busy || o.Progress != nil
		}
		rows = append(rows, row)
	}
	return rows
}

// differing tells which tables and rows are not what the log says.
func (v *visit) differing(view *systemView, models []projector.Status) error {
	var names []string
	for _, s := range models {
		if s.State == projector.StatusLive && s.Differing > 0 && !slices.Contains(names, s.Projection) {
			names = append(names, s.Projection)
		}
	}
	for _, name := range names {
		var found api.List[projector.Verification]
		if err := v.get("/v1/projections/"+name+"/verify", &found); err != nil {
			return err
		}
		for _, verified := range found.Items {
			view.Differing = append(view.Differing, differenceRows(verified.Differences)...)
		}
	}
	return nil
}

// otherBuilds are the builds that are not served: those that are being built, that were not put to use, and that were served before.
func (v *visit) otherBuilds(name string, live int64, all []projector.Status) (rows []buildRow) {
	sums := map[int64]*progress{}
	for _, s := range all {
		if s.State == projector.StatusLive {
			continue
		}
		if sums[s.Build] == nil {
			sums[s.Build] = &progress{}
			rows = append(rows, buildRow{Build: s.Build, Path: "/system/models/" + name, Older: s.Build < live})
		}
		sum := sums[s.Build]
		sum.Done, sum.Total = sum.Done+s.Position, sum.Total+s.Head
		switch s.State {
		case projector.StatusBuilding:
			sum.Label = v.t("system.building", "n", s.Build)
		case projector.StatusVerifying:
			sum.Label = v.t("system.verifying", "n", s.Build)
		}
	}
	for i := range rows {
		row := &rows[i]
		switch sum := sums[row.Build]; {
		case sum.Label != "":
			row.Text = sum.Label
			sum.Text = v.t("system.built", "done", sum.Done, "total", sum.Total)
			row.Progress = sum
		case row.Older:
			row.Text = v.t("system.older", "n", row.Build)
		default:
			row.Text = v.t("system.beside", "n", row.Build)
		}
	}
	return rows
}

// lagging is how far something is behind with all tenants together.
type lagging struct {
	events  int64
	seconds float64
	stopped bool
}

func (l *lagging) add(events int64, seconds float64, stopped string) {
	l.events, l.seconds, l.stopped = l.events+events, max(l.seconds, seconds), l.stopped || stopped != ""
}

// keeping says how something is.
func (v *visit) keeping(l lagging) (status, string) {
	switch {
	case l.stopped:
		return status{Tone: "bad", Text: v.t("system.stopped")}, v.behind(l)
	case l.seconds > slow:
		return status{Tone: "warn", Text: v.t("system.slow")}, v.behind(l)
	}
	return status{Tone: "good", Text: v.t("system.well")}, v.behind(l)
}

// behind is a lag in words.
func (v *visit) behind(l lagging) string {
	if l.events == 0 || !l.stopped && l.seconds < keepingUp {
		return v.t("system.no_lag")
	}
	return v.t("system.lag", "n", l.events, "time", v.lasted(time.Duration(l.seconds*float64(time.Second))))
}

func (v *visit) parts(all []api.Lag) (rows []partRow) {
	sums := map[string]*lagging{}
	var names []string
	for _, l := range all {
		if sums[l.Part] == nil {
			sums[l.Part] = &lagging{}
			names = append(names, l.Part)
		}
		sums[l.Part].add(l.LagEvents, l.LagSeconds, l.Stopped)
	}
	for _, name := range names {
		row := partRow{What: v.speech.one("system_part", name)}
		row.State, row.Behind = v.keeping(*sums[name])
		rows = append(rows, row)
	}
	return rows
}

// mostBehind is how many of those that are behind are told one by one.
const mostBehind = 20

// troubles says what is not well, or in one line that all is.
func (v *visit) troubles(view *systemView, models []projector.Status, parts []api.Lag) {
	type trouble struct {
		behindRow
		seconds float64
	}
	var all []trouble
	stopped, slowly, parked, differing := 0, 0, int64(0), 0
	add := func(tenant, what string, events int64, seconds float64, why string) {
		if why == "" && seconds <= slow {
			return
		}
		if why != "" {
			stopped++
		} else {
			slowly, why = slowly+1, "slow"
		}
		all = append(all, trouble{behindRow{tenant, what, v.behind(lagging{events, seconds, true}), v.speech.one("system_why", why)}, seconds})
	}
	for _, s := range models {
		if s.State == projector.StatusLive {
			add(s.Tenant, v.speech.one("system_model", s.Projection), s.LagEvents, s.LagSeconds, s.Stopped)
			parked += int64(s.Parked)
			differing += s.Differing
		}
	}
	for _, l := range parts {
		add(l.Tenant, v.speech.one("system_part", l.Part), l.LagEvents, l.LagSeconds, l.Stopped)
	}
	slices.SortStableFunc(all, func(a, b trouble) int { return cmp.Compare(b.seconds, a.seconds) })
	for i, t := range all {
		if i == mostBehind {
			view.More = v.t("system.more", "n", len(all)-mostBehind)
			break
		}
		view.Behind = append(view.Behind, t.behindRow)
	}
	if stopped > 0 {
		view.Troubles = append(view.Troubles, banner{Tone: "bad", Text: v.t("system.some_stopped", "n", stopped), More: v.t("system.some_stopped_text")})
	}
	if slowly > 0 {
		view.Troubles = append(view.Troubles, banner{Tone: "warn", Text: v.t("system.some_slow", "n", slowly), More: v.t("system.some_slow_text")})
	}
	if differing > 0 {
		view.Troubles = append(view.Troubles, banner{Tone: "bad", Text: v.t("system.some_differ", "n", differing), More: v.t("system.some_differ_text")})
	}
	if parked > 0 {
		view.Troubles = append(view.Troubles, banner{Tone: "warn", Text: v.t("system.some_parked", "n", parked), More: v.t("system.some_parked_text")})
	}
	if len(view.Troubles) == 0 {
		view.Well = v.t("system.all_well")
	}
}
