package pages

import (
	"net/http"

	"customercenter/api"
)

// What is done with an import. What is in the way, the import's page tells.

// withImport does something with the import that the address names.
func (p *Pages) withImport(r *http.Request, do func(v *visit, i *api.Import, path string)) {
	v := visitOf(r)
	i, err := v.theImport()
	if err != nil {
		v.fail(err)
		return
	}
	do(v, &i, "/import/"+i.ID.String())
}

func (p *Pages) askStartImport(_ http.ResponseWriter, r *http.Request) {
	p.withImport(r, func(v *visit, i *api.Import, path string) {
		c := confirm{Title: v.t("import.ask_start", "name", i.FileName), Text: v.t("import.ask_start_text", "n", i.Rows), Action: path + "/start",
			Button: v.t("import.ask_start_button"), Back: path}
		v.showDialog(http.StatusOK, "confirm", c.Title, c)
	})
}

func (p *Pages) startImport(_ http.ResponseWriter, r *http.Request) {
	p.withImport(r, func(v *visit, i *api.Import, path string) {
		dry := r.PostFormValue("dry_run") == "true"
		if err := v.send(http.MethodPost, "/v1/imports/"+i.ID.String()+"/start", api.StartInput{DryRun: dry}, nil); err != nil {
			v.refused(path, err)
			return
		}
		text := v.t("import.started", "name", i.FileName)
		if dry {
			text = v.t("import.trial_started", "name", i.FileName)
		}
		v.done(path, notice{Tone: "good", Text: text})
	})
}

func (p *Pages) askCancelImport(_ http.ResponseWriter, r *http.Request) {
	p.withImport(r, func(v *visit, i *api.Import, path string) {
		c := confirm{Title: v.t("import.ask_cancel", "name", i.FileName), Text: v.t("import.ask_cancel_text"), Action: path + "/cancel",
			Button: v.t("import.ask_cancel_button"), Danger: true, Back: path}
		switch importState(i) {
		case "trying":
			c.Text = v.t("import.ask_cancel_trying")
		case "importing":
			c.Text = v.t("import.ask_cancel_importing", "n", i.Created)
		}
		v.showDialog(http.StatusOK, "confirm", c.Title, c)
	})
}

func (p *Pages) cancelImport(_ http.ResponseWriter, r *http.Request) {
	p.withImport(r, func(v *visit, i *api.Import, path string) {
		if err := v.send(http.MethodPost, "/v1/imports/"+i.ID.String()+"/cancel", nil, nil); err != nil {
			v.refused(path, err)
			return
		}
		v.done(path, notice{Tone: "good", Text: v.t("import.canceled", "name", i.FileName)})
	})
}

func (p *Pages) askRevertImport(_ http.ResponseWriter, r *http.Request) {
	p.withImport(r, func(v *visit, i *api.Import, path string) {
		c := confirm{Title: v.t("import.ask_revert", "name", i.FileName), Text: v.t("import.ask_revert_text", "n", i.Created), Action: path + "/revert",
			Button: v.t("import.ask_revert_button"), Danger: true, Back: path}
		v.showDialog(http.StatusOK, "confirm", c.Title, c)
	})
}

func (p *Pages) revertImport(_ http.ResponseWriter, r *http.Request) {
	p.withImport(r, func(v *visit, i *api.Import, path string) {
		if err := v.send(http.MethodPost, "/v1/imports/"+i.ID.String()+"/revert", nil, nil); err != nil {
			v.refused(path, err)
			return
		}
		v.done(path, notice{Tone: "good", Text: v.t("import.revert_started", "name", i.FileName)})
	})
}
