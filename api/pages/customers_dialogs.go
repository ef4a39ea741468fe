package pages

import (
	"net/http"
	"net/url"
	"strconv"

	"customercenter/api"
	"customercenter/projections"
)

// exportView is the view of the dialog that asks for a file.
type exportView struct {
	Title, Text string
	Query       []hiddenField
	Back        string
	Wrong       *banner
}

func (p *Pages) askExport(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.customerQuery(r.URL.Query())
	if err != nil {
		v.fail(err)
		return
	}
	v.showExport(http.StatusOK, q, nil)
}

func (v *visit) showExport(status int, q *customerQuery, wrong *banner) {
	count, err := v.countOf(q.filter)
	if err != nil {
		v.fail(err)
		return
	}
	title, back := v.t("customers.export"), q.path("")
	if q.asOf != "" {
		wrong, q.asOf = &banner{Tone: "warn", Text: v.t("customers.export_now")}, ""
	}
	v.showDialog(status, "customers_export", title, exportView{Title: title, Text: v.t("customers.export_text", "n", count), Query: q.hidden(), Back: back, Wrong: wrong})
}

func (p *Pages) exportCustomers(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if err := r.ParseForm(); err != nil {
		v.fail(errBroken)
		return
	}
	q, err := v.customerQuery(r.PostForm)
	if err != nil {
		v.fail(err)
		return
	}
	in := api.ExportInput{Filter: q.filter, Sort: q.order(), Format: oneOf(r.PostForm.Get("format"), "xlsx", "csv")}
	if r.PostForm.Get("columns") == "list" {
		in.Columns = []string{"nickname", "name"}
		for _, c := range v.columns(q) {
			if c.name != "name" {
				in.Columns = append(in.Columns, c.name)
			}
		}
	}
	var made api.Export
	if err := v.send(http.MethodPost, "/v1/exports", in, &made); err != nil {
		if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
			v.showExport(problem.Status, q, &banner{Tone: "bad", Text: problem.Detail})
			return
		}
		v.fail(err)
		return
	}
	v.done("/exports", notice{Tone: "good", Text: v.t("customers.exporting", "file", made.FileName)})
}

func (p *Pages) askNewCustomer(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).showNewCustomer(http.StatusOK, api.CustomerInput{}, nil)
}

// showNewCustomer asks who is to be added. Only accounts that are connected can have new customers.
func (v *visit) showNewCustomer(status int, in api.CustomerInput, err error) {
	var associations api.List[api.Association]
	if err := v.get("/v1/associations", &associations); err != nil {
		v.fail(err)
		return
	}
	account := field{Name: "association_id", Label: v.t("customers.channel"), Wrong: wrong(err, "association_id", false)}
	for _, a := range associations.Items {
		if !a.Removed {
			id := strconv.Itoa(a.ID)
			account.Options = append(account.Options, option{Value: id, Text: a.Name + " · " + v.speech.one("channel", a.Channel), Chosen: a.ID == in.AssociationID})
		}
	}
	c := confirm{Title: v.t("customers.new"), Text: v.t("customers.new_text"), Action: customersPath + "/new", Button: v.t("customers.add"), Back: customersPath}
	if len(account.Options) == 0 {
		c.Text, c.Wrong = "", &banner{Tone: "warn", Text: v.t("customers.new_unconnected")}
		c.Action, c.Button = "/associations", ""
		v.showDialog(status, "customers_unconnected", c.Title, c)
		return
	}
	c.Inputs = []field{account,
		{Name: "external_id", Label: v.t("customers.id"), Value: in.ExternalID, Hint: v.t("customers.new_id_hint"), Wrong: wrong(err, "external_id", true), Required: true, Focus: true, Max: 64, Autocomplete: "off"},
		{Name: "nickname", Label: v.t("conditions.field.nickname"), Value: in.Nickname, Wrong: nicknameWrong(err), Max: 256, Autocomplete: "off"}}
	v.showDialog(status, "confirm", c.Title, c)
}

func nicknameWrong(err error) string {
	if text := wrong(err, "nickname", false); text != "" {
		return text
	}
	return wrong(err, "profile.nickname", false)
}

func (p *Pages) createCustomer(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	id, _ := strconv.Atoi(r.PostFormValue("association_id")) // what is no number is refused
	in := api.CustomerInput{AssociationID: id, ExternalID: r.PostFormValue("external_id"), Nickname: r.PostFormValue("nickname")}
	var made projections.Customer
	err := v.send(http.MethodPost, "/v1/customers", in, &made)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
		v.showNewCustomer(problem.Status, in, err)
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.done(customersPath+"/"+url.PathEscape(made.ID.String()), notice{Tone: "good", Text: v.t("customers.created", "name", v.nameOf(&made))})
}
