package pages

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/domain/projection"
	"customercenter/projections/projector"
)

// modelOf is the read model of an address: its name, what people call it, and where the API has it.
func (v *visit) modelOf() (name, what, path string) {
	name = chi.URLParam(v.r, "name")
	return name, v.speech.one("system_model", name), "/v1/projections/" + url.PathEscape(name)
}

// buildOf is the build that a form or an address names.
func (v *visit) buildOf() (build int64, err error) {
	if build, err = strconv.ParseInt(v.r.FormValue("build"), 10, 64); err != nil {
		return 0, errNotFound
	}
	return build, nil
}

// parkedView is the view of the customers whose events a read model could not take in. Nothing of theirs is shown but the id.
type parkedView struct {
	Title, Summary string
	Rows           []parkedRow
	Empty          *empty
	May            bool
	Action         string
}

type parkedRow struct {
	Customer, Tenant, Event, Reason string
	Since                           *moment
}

func (p *Pages) showParked(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	name, what, path := v.modelOf()
	var found api.List[projector.Parked]
	if err := v.get(path+"/parked", &found); err != nil {
		v.fail(err)
		return
	}
	view := parkedView{Title: v.t("system.parked_of", "what", what), Summary: v.t("system.parked_text"), May: access.May(v.in.Role, "retry-parked"),
		Action: "/system/models/" + url.PathEscape(name)}
	for _, k := range found.Items {
		event := v.t("system.parked_event", "type", k.Type, "n", k.Position)
		if k.Type == "clock" {
			event = v.t("system.parked_clock", "n", k.Position)
		}
		view.Rows = append(view.Rows, parkedRow{Customer: k.Customer.String(), Tenant: k.Tenant, Event: event, Reason: k.Reason, Since: v.moment(&k.Since)})
	}
	if len(view.Rows) == 0 {
		view.Empty = &empty{Icon: "check", Title: v.t("system.parked_none"), Text: v.t("system.parked_none_text"), Actions: []action{{Path: "/system", Text: v.t("system.back")}}}
	}
	v.show(http.StatusOK, "system_parked", view.Title, view)
}

func (p *Pages) retryParked(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	name, _, path := v.modelOf()
	back := "/system/models/" + url.PathEscape(name) + "/parked"
	in := map[string]string{"tenant": r.PostFormValue("tenant"), "customer_id": r.PostFormValue("customer")}
	if err := v.send(http.MethodPost, path+"/retry", in, nil); err != nil {
		v.refused(back, err)
		return
	}
	v.done(back, notice{Tone: "good", Text: v.t("system.retried", "id", in["customer_id"])})
}

func (p *Pages) askSkip(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).showSkip(http.StatusOK, "")
}

// showSkip asks why to go on with a parked customer without the events that cannot be applied.
func (v *visit) showSkip(status int, wrong string) {
	name, what, _ := v.modelOf()
	id, path := v.r.FormValue("customer"), "/system/models/"+url.PathEscape(name)
	c := confirm{Title: v.t("system.skip_ask", "id", id, "what", what), Text: v.t("system.skip_text"), Action: path + "/skip", Back: path + "/parked",
		Button: v.t("system.skip_button"), Danger: true, Fields: hidden{"tenant": v.r.FormValue("tenant"), "customer": id},
		Inputs: []field{{Name: "reason", Label: v.t("system.skip_reason"), Hint: v.t("system.skip_hint"), Value: v.r.PostFormValue("reason"), Wrong: wrong, Lines: 3,
			Max: projection.MaxReason, Required: true, Focus: true}},
	}
	v.showDialog(status, "confirm", c.Title, c)
}

func (p *Pages) skipParked(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	name, _, path := v.modelOf()
	back := "/system/models/" + url.PathEscape(name) + "/parked"
	in := map[string]string{"tenant": r.PostFormValue("tenant"), "customer_id": r.PostFormValue("customer"), "reason": r.PostFormValue("reason")}
	var skipped api.Skipped
	if err := v.send(http.MethodPost, path+"/skip", in, &skipped); err != nil {
		if wrong := wrong(err, "reason", false); wrong != "" {
			v.showSkip(http.StatusUnprocessableEntity, wrong)
			return
		}
		v.refused(back, err)
		return
	}
	v.done(back, notice{Tone: "good", Text: v.t("system.skipped", "id", in["customer_id"], "n", len(skipped.Positions))})
}

func (p *Pages) askRebuild(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	name, what, _ := v.modelOf()
	c := confirm{Title: v.t("system.rebuild_ask", "what", what), Text: v.t("system.rebuild_text"), Action: "/system/models/" + url.PathEscape(name) + "/rebuild",
		Button: v.t("system.rebuild_button"), Back: "/system"}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) rebuild(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	_, what, path := v.modelOf()
	if err := v.send(http.MethodPost, path+"/rebuild", nil, nil); err != nil {
		v.refused("/system", err)
		return
	}
	v.done("/system", notice{Tone: "good", Text: v.t("system.rebuilding", "what", what)})
}

// differencesView is the view of what is not the same in two builds.
type differencesView struct {
	Title string
	Rows  []differenceRow
}

// differenceRow is a table that differs, with the keys of the first rows that do.
type differenceRow struct {
	Tenant, Table, Served, Other string
	Keys                         []string
}

func differenceRows(all []projector.Difference) (rows []differenceRow) {
	for _, d := range all {
		rows = append(rows, differenceRow{d.Tenant, d.Table, grouped(d.Rows[0]), grouped(d.Rows[1]), d.Keys})
	}
	return rows
}

// verifyBuild compares a build with the one that is served, and says what differs. Without a build it has the log folded anew for that.
func (p *Pages) verifyBuild(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	_, what, path := v.modelOf()
	if r.PostFormValue("build") == "" {
		if err := v.send(http.MethodPost, path+"/verify", nil, nil); err != nil {
			v.refused("/system", err)
			return
		}
		v.done("/system", notice{Tone: "good", Text: v.t("system.verify_started", "what", what)})
		return
	}
	build, err := v.buildOf()
	var found api.Verified
	if err == nil {
		err = v.send(http.MethodPost, path+"/verify", api.BuildInput{Build: build}, &found)
	}
	switch {
	case err != nil:
		v.refused("/system", err)
	case len(found.Differences) == 0:
		v.done("/system", notice{Tone: "good", Text: v.t("system.same", "n", strconv.FormatInt(build, 10), "what", what)})
	default:
		view := differencesView{Title: v.t("system.differ", "n", strconv.FormatInt(build, 10), "what", what), Rows: differenceRows(found.Differences)}
		v.show(http.StatusOK, "system_differences", view.Title, view)
	}
}

func (p *Pages) askSwitchBuild(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.askBuild("switch", confirm{Text: v.t("system.switch_text"), Button: v.t("system.switch")}, func(what, build string) string {
		return v.t("system.switch_ask", "what", what, "n", build)
	})
}

func (p *Pages) askDropBuild(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.askBuild("drop", confirm{Text: v.t("system.drop_text"), Button: v.t("system.drop_button"), Danger: true}, func(what, build string) string {
		return v.t("system.drop_ask", "what", what, "n", build)
	})
}

// askBuild asks before something is done with a build.
func (v *visit) askBuild(verb string, c confirm, title func(what, build string) string) {
	name, what, _ := v.modelOf()
	build, err := v.buildOf()
	if err != nil {
		v.fail(err)
		return
	}
	id := strconv.FormatInt(build, 10)
	c.Title, c.Action, c.Back, c.Fields = title(what, id), "/system/models/"+url.PathEscape(name)+"/"+verb, "/system", hidden{"build": id}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) switchBuild(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	name, what, path := v.modelOf()
	build, err := v.buildOf()
	var before api.List[projector.Status]
	if err == nil {
		err = v.get("/v1/projections", &before)
	}
	if err == nil {
		err = v.send(http.MethodPost, path+"/switch", api.BuildInput{Build: build}, nil)
	}
	if err != nil {
		v.refused("/system", err)
		return
	}
	n := notice{Tone: "good", Text: v.t("system.switched", "what", what, "n", strconv.FormatInt(build, 10))}
	for _, s := range before.Items {
		if s.Projection == name && s.State == projector.StatusLive {
			n.Undo = &undo{Action: "/system/models/" + url.PathEscape(name) + "/switch", Fields: hidden{"build": strconv.FormatInt(s.Build, 10)}}
		}
	}
	v.done("/system", n)
}

func (p *Pages) dropBuild(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	_, what, path := v.modelOf()
	build, err := v.buildOf()
	if err == nil {
		err = v.send(http.MethodPost, path+"/drop", api.BuildInput{Build: build}, nil)
	}
	if err != nil {
		v.refused("/system", err)
		return
	}
	v.done("/system", notice{Tone: "good", Text: v.t("system.dropped", "what", what, "n", strconv.FormatInt(build, 10))})
}
