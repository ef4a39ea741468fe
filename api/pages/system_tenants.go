package pages

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
)

// importing is the paid capability that tenants may be given.
const importing = "import"

// tenantsView is the view of the tenants of the installation.
type tenantsView struct {
	Tabs    *tabs
	Summary string
	Slug    field
	Name    field
	Rows    []tenantRow
	Empty   *empty
}

type tenantRow struct {
	Slug, Name string
	Created    *moment
	Import     string // the address of the dialog
}

// showTenants lists them, with what is wrong with the one that was to be added.
func (v *visit) showTenants(status int, problem error) {
	var tenants api.List[api.Tenant]
	if err := v.get("/v1/tenants", &tenants); err != nil {
		v.fail(err)
		return
	}
	view := tenantsView{
		Tabs: v.systemTabs(), Summary: v.t("system.tenants_summary", "n", len(tenants.Items)),
		Slug: field{Name: "slug", Label: v.t("system.slug"), Hint: v.t("system.slug_hint"), Max: 32, Required: true, Autocomplete: "off", Value: v.r.PostFormValue("slug"), Wrong: wrong(problem, "slug", true)},
		Name: field{Name: "name", Label: v.t("system.tenant_name"), Max: 100, Required: true, Autocomplete: "off", Value: v.r.PostFormValue("name"), Wrong: wrong(problem, "name", false)},
	}
	view.Slug.Focus, view.Name.Focus = view.Slug.Wrong != "", view.Slug.Wrong == "" && view.Name.Wrong != ""
	for _, t := range tenants.Items {
		at := t.CreatedAt.In(time.UTC)
		view.Rows = append(view.Rows, tenantRow{Slug: t.Slug, Name: t.Name, Created: v.moment(&at), Import: "/system/tenants/" + url.PathEscape(t.Slug) + "/import"})
	}
	if len(view.Rows) == 0 {
		view.Empty = &empty{Icon: "users", Title: v.t("system.tenants_none"), Text: v.t("system.tenants_none_text")}
	}
	v.show(status, "system_tenants", v.t("system.tenants"), view)
}

func (p *Pages) createTenant(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var made api.Tenant
	err := v.send(http.MethodPost, "/v1/tenants", api.TenantInput{Slug: r.PostFormValue("slug"), Name: r.PostFormValue("name")}, &made)
	if problem, refused := refusal(err); refused && (problem.Status == http.StatusUnprocessableEntity || problem.Status == http.StatusConflict) {
		v.showTenants(http.StatusUnprocessableEntity, err)
		return
	}
	if err != nil {
		v.refused("/system/tenants", err)
		return
	}
	v.done("/system/tenants", notice{Tone: "good", Text: v.t("system.tenant_created", "name", made.Name, "slug", made.Slug)})
}

// askEntitlement asks before a tenant is allowed to import, or is not any more.
func (p *Pages) askEntitlement(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var t api.OneTenant
	if err := v.get("/v1/tenants/"+url.PathEscape(chi.URLParam(r, "slug")), &t); err != nil {
		v.fail(err)
		return
	}
	c := confirm{Title: v.t("system.grant_ask", "name", t.Name), Text: v.t("system.grant_text"), Button: v.t("system.grant"), Fields: hidden{"do": "grant"},
		Action: "/system/tenants/" + url.PathEscape(t.Slug) + "/import", Back: "/system/tenants"}
	if slices.Contains(t.Entitlements, importing) {
		c.Title, c.Text, c.Button, c.Fields, c.Danger = v.t("system.revoke_ask", "name", t.Name), v.t("system.revoke_text"), v.t("system.revoke"), hidden{"do": "revoke"}, true
	}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) changeEntitlement(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	action := "/system/tenants/" + url.PathEscape(chi.URLParam(r, "slug")) + "/import"
	method, back := http.MethodPut, hidden{"do": "revoke"}
	if r.PostFormValue("do") == "revoke" {
		method, back = http.MethodDelete, hidden{"do": "grant"}
	}
	var t api.OneTenant
	if err := v.send(method, "/v1/tenants/"+url.PathEscape(chi.URLParam(r, "slug"))+"/entitlements/"+importing, nil, &t); err != nil {
		v.refused("/system/tenants", err)
		return
	}
	text := v.t("system.revoked", "name", t.Name)
	if method == http.MethodPut {
		text = v.t("system.granted", "name", t.Name)
	}
	v.done("/system/tenants", notice{Tone: "good", Text: text, Undo: &undo{Action: action, Fields: back}})
}
