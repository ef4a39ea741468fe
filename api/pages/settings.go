package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	domain "customercenter/domain/settings"
)

var settingsPage = page{
	place:  &place{Section: "settings", Order: 40, Name: "settings", Icon: "sliders", Path: "/settings", Operation: "change-settings"},
	words:  settingWords,
	routes: (*Pages).settingPages,
}

func (p *Pages) settingPages(r chi.Router) {
	r.Get("/settings", p.showSettings)
	r.Post("/settings", p.changeSettings)
}

// settingsView is the view of the tenant's settings and what was changed of them.
type settingsView struct {
	ETag       string
	Was        hidden // the values that the form began with
	Wrong      *banner
	Zone       zoneField
	Week       field
	Center     accessSwitch
	Blacklist  accessSwitch
	Link       field
	LinkSample string // how a link would look; empty: there is none
	Import     status
	History    *historyView
}

type zoneField struct {
	field
	Zones []string // to choose from; any other can be typed
}

type accessSwitch struct {
	On  bool
	Now string // what somebody else has set meanwhile; empty: the same
}

// zones are those that are offered.
var zones = []string{"Asia/Shanghai", "Asia/Urumqi", "Asia/Hong_Kong", "Asia/Taipei", "Asia/Singapore", "Asia/Tokyo", "Asia/Seoul", "Asia/Bangkok", "Asia/Ho_Chi_Minh", "Asia/Jakarta",
	"Asia/Kolkata", "Asia/Dubai", "Europe/Moscow", "Europe/Berlin", "Europe/Paris", "Europe/London", "America/Sao_Paulo", "America/New_York", "America/Chicago", "America/Los_Angeles",
	"Australia/Sydney", "Pacific/Auckland", "UTC"}

var weekDays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// tenantSettings asks the API for the settings as they are now, and for their ETag.
func (v *visit) tenantSettings() (s api.Settings, etag string, err error) {
	header, err := v.ask(call{method: http.MethodGet, path: "/v1/settings"}, &s)
	return s, header.Get("ETag"), err
}

func (p *Pages) showSettings(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	now, etag, err := v.tenantSettings()
	if err != nil {
		v.fail(err)
		return
	}
	v.showTheSettings(http.StatusOK, &settingsDraft{Settings: now, etag: etag, was: valuesOf(&now)}, nil)
}

// settingsDraft is the settings as somebody wants to have them.
type settingsDraft struct {
	api.Settings
	etag string
	was  map[string]string // the values that the form began with
	// theirs are the values that somebody else has set meanwhile, where the draft has another one.
	theirs map[string]string
}

// valuesOf are the settings that can be changed, as the form has them.
func valuesOf(s *api.Settings) map[string]string {
	yes := func(is bool) string {
		if is {
			return "true"
		}
		return ""
	}
	return map[string]string{"time_zone": s.TimeZone, "week_start": s.WeekStart, "order_link": s.OrderLink,
		"customer_center": yes(s.AgentAccess.CustomerCenter), "blacklist": yes(s.AgentAccess.Blacklist)}
}

// set puts values into settings.
func set(s *api.Settings, values map[string]string) {
	s.TimeZone, s.WeekStart, s.OrderLink = values["time_zone"], values["week_start"], values["order_link"]
	s.AgentAccess = api.AgentAccess{CustomerCenter: values["customer_center"] == "true", Blacklist: values["blacklist"] == "true"}
}

// merge takes over what somebody else has set meanwhile and the draft has left alone. It reports whether both have changed the same to different values.
func (d *settingsDraft) merge(now *api.Settings, etag string) (conflict bool) {
	values, theirs := valuesOf(&d.Settings), map[string]string{}
	for name, is := range valuesOf(now) {
		switch {
		case values[name] == d.was[name]:
			values[name] = is
		case values[name] != is && is != d.was[name]:
			theirs[name] = is
		}
	}
	merged := *now
	set(&merged, values)
	*d = settingsDraft{Settings: merged, etag: etag, was: valuesOf(now), theirs: theirs}
	return len(theirs) > 0
}

// showTheSettings shows a draft of the settings with what is wrong with it.
func (v *visit) showTheSettings(code int, d *settingsDraft, problem error) {
	view := settingsView{
		ETag: d.etag, Was: hidden{},
		Zone: zoneField{field{Name: "time_zone", Label: v.t("settings.zone"), Hint: v.t("settings.zone_help"), Value: d.TimeZone, Wrong: wrong(problem, "time_zone", false),
			Required: true, Max: 64, Autocomplete: "off"}, zones},
		Week:      field{Name: "week_start", Label: v.t("settings.week"), Hint: v.t("settings.week_help"), Wrong: wrong(problem, "week_start", false)},
		Center:    accessSwitch{On: d.AgentAccess.CustomerCenter},
		Blacklist: accessSwitch{On: d.AgentAccess.Blacklist},
		Link: field{Name: "order_link", Label: v.t("settings.link"), Hint: v.t("settings.link_help"), Value: d.OrderLink, Wrong: wrong(problem, "order_link", false),
			Max: domain.MaxOrderLink, Placeholder: "https://shop.example/orders?buyer={external_id}", Autocomplete: "off"},
		Import: status{Hollow: true, Text: v.t("settings.not_granted")},
	}
	for name, value := range d.was {
		view.Was["was_"+name] = value
	}
	if zone, err := time.LoadLocation(d.TimeZone); err == nil && d.TimeZone != "" {
		view.Zone.Hint = v.t("settings.zone_now", "now", v.p.Now().In(zone).Format(exactly)) + v.t("settings.zone_help")
	}
	for _, day := range weekDays {
		view.Week.Options = append(view.Week.Options, option{day, v.speech.one("settings.day", day), day == d.WeekStart})
	}
	if d.OrderLink != "" && view.Link.Wrong == "" {
		view.LinkSample = strings.ReplaceAll(d.OrderLink, "{external_id}", v.t("fields.sample.external_id"))
	}
	if slices.Contains(d.Entitlements, domain.EntitlementImport) {
		view.Import = status{Tone: "good", Text: v.t("settings.granted")}
	}
	switch p, refused := refusal(problem); {
	case len(d.theirs) > 0:
		v.showTheirs(&view, d.theirs)
	case refused && view.Zone.Wrong+view.Week.Wrong+view.Link.Wrong == "":
		view.Wrong = &banner{Tone: "bad", Text: p.Detail}
	case refused:
		view.Wrong = &banner{Tone: "bad", Text: v.t("settings.not_saved"), More: v.t("settings.not_saved_text")}
	}
	history, err := v.history("/v1/settings/history")
	if err != nil {
		v.fail(err)
		return
	}
	view.History = history
	v.show(code, "settings", v.t("settings.title"), view)
}

// showTheirs shows both values where somebody else was faster.
func (v *visit) showTheirs(view *settingsView, theirs map[string]string) {
	view.Wrong = &banner{Tone: "warn", Text: v.t("settings.lost"), More: v.t("settings.lost_text")}
	for name, is := range theirs {
		switch name {
		case "time_zone":
			view.Zone.Wrong = v.t("settings.now", "value", is)
		case "week_start":
			view.Week.Wrong = v.t("settings.now", "value", v.speech.one("settings.day", is))
		case "order_link":
			view.Link.Wrong = v.t("settings.now", "value", cmp.Or(is, v.t("facts.unset")))
		case "customer_center":
			view.Center.Now = v.t("settings.now", "value", v.allowed(is))
		case "blacklist":
			view.Blacklist.Now = v.t("settings.now", "value", v.allowed(is))
		}
	}
}

func (v *visit) allowed(is string) string {
	if is == "true" {
		return v.t("settings.allowed")
	}
	return v.t("settings.not_allowed")
}

func (p *Pages) changeSettings(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if !access.May(v.in.Role, "change-settings") {
		v.fail(errNotFound)
		return
	}
	before, etag, err := v.tenantSettings()
	if err != nil {
		v.fail(err)
		return
	}
	d, values := settingsDraft{Settings: before, etag: r.PostFormValue("etag"), was: map[string]string{}}, map[string]string{}
	for name := range valuesOf(&before) {
		values[name] = r.PostFormValue(name)
		if was, given := r.PostForm["was_"+name]; given {
			d.was[name] = was[0]
		}
	}
	set(&d.Settings, values)
	if d.etag != "" && d.etag != etag && d.merge(&before, etag) {
		v.showTheSettings(http.StatusPreconditionFailed, &d, nil)
		return
	}
	var after api.Settings
	answer, err := v.ask(call{method: http.MethodPatch, path: "/v1/settings", ifMatch: d.etag, body: api.SettingsInput{TimeZone: &d.TimeZone, WeekStart: &d.WeekStart, OrderLink: &d.OrderLink,
		AgentAccess: &api.AgentAccessInput{CustomerCenter: &d.AgentAccess.CustomerCenter, Blacklist: &d.AgentAccess.Blacklist}}}, &after)
	problem, refused := refusal(err)
	switch {
	case refused && problem.Status < http.StatusInternalServerError && problem.Status != http.StatusForbidden:
		v.showTheSettings(problem.Status, &d, err)
	case err != nil:
		v.fail(err)
	case after.Version == before.Version:
		v.done("/settings", notice{Tone: "good", Text: v.t("settings.same")})
	default:
		fields := hidden(valuesOf(&before))
		fields["etag"] = answer.Get("ETag")
		for name, value := range valuesOf(&after) {
			fields["was_"+name] = value
		}
		v.done("/settings", notice{Tone: "good", Text: v.t("settings.saved"), Undo: &undo{Action: "/settings", Fields: fields}})
	}
}
