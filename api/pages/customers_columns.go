package pages

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"customercenter/domain/filter"
)

// How somebody wants the list to be is kept in cookies, as the language is: columns by their names, and how dense the rows are.
const (
	columnsCookie = "cc_columns"
	densityCookie = "cc_density" // compact, or nothing
	mostColumns   = 20
)

// column is a column of the list besides the customer, by its name in saved views.
type column struct{ name string }

// listColumns are the columns that the list offers to everybody, in the order in which they stand, and whether they are shown unless somebody
// chooses. On a narrow page those that are extra are left out.
var listColumns = []struct {
	name         string
	shown, extra bool
}{
	{"external_id", true, false}, {"channel", true, false}, {"tags", true, false}, {"groups", true, true}, {"last_session_at", true, false}, {"created_at", true, true},
	{"phone", false, false}, {"company", false, false}, {"email", false, false}, {"qq", false, false}, {"wechat_id", false, false}, {"description", false, false},
	{"session_count", false, false}, {"message_count", false, false}, {"rating_avg", false, false}, {"last_message_at", false, false}, {"first_session_at", false, false},
	{"updated_at", false, false}, {"created_via", false, false}, {"suppressed_count", false, false},
}

// sortable are the columns that everybody's list can be sorted by.
var sortable = []string{"created_at", "last_session_at", "updated_at"}

func anyCustom(columns []column) bool {
	return slices.ContainsFunc(columns, func(c column) bool { return strings.HasPrefix(c.name, "custom.") })
}

// columns are those that are shown: of the saved view, if it has any; else as the visitor has chosen.
func (v *visit) columns(q *customerQuery) []column {
	var names []string
	cookie, err := v.r.Cookie(columnsCookie)
	switch {
	case q.saved != nil && len(q.saved.Columns) > 0:
		names = q.saved.Columns
	case err == nil && cookie.Value != "":
		names = strings.Split(cookie.Value, "-")
	default:
		for _, c := range listColumns {
			if c.shown {
				names = append(names, c.name)
			}
		}
	}
	var shown []column
	for _, c := range listColumns {
		if slices.Contains(names, c.name) || c.name == "channel" && slices.Contains(names, "association") {
			shown = append(shown, column{c.name})
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, "custom.") && !slices.Contains(shown, column{name}) && len(shown) < mostColumns {
			shown = append(shown, column{name})
		}
	}
	return shown
}

func (v *visit) compactRows() bool {
	cookie, err := v.r.Cookie(densityCookie)
	return err == nil && cookie.Value == "compact"
}

// columnsView is the view of the dialog that chooses columns and density.
type columnsView struct {
	Options []option
	Density []option
	Fixed   string // of which view the columns are; empty: they can be chosen
	Back    string
}

func (p *Pages) askColumns(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.customerQuery(r.URL.Query())
	if err != nil {
		v.fail(err)
		return
	}
	t, err := v.terms(needs{fields: true})
	if err != nil {
		v.fail(err)
		return
	}
	shown := v.columns(q)
	view := columnsView{Back: q.path(""), Density: []option{{Value: "standard", Text: v.t("customers.standard"), Chosen: !v.compactRows()}, {Value: "compact", Text: v.t("customers.compact"), Chosen: v.compactRows()}}}
	for _, c := range listColumns {
		view.Options = append(view.Options, option{Value: c.name, Text: v.columnLabel(c.name, t), Chosen: slices.Contains(shown, column{c.name})})
	}
	for _, custom := range t.all {
		if custom.section == "custom" {
			view.Options = append(view.Options, option{Value: custom.name, Text: custom.label, Chosen: slices.Contains(shown, column{custom.name})})
		}
	}
	if q.saved != nil && len(q.saved.Columns) > 0 {
		view.Fixed = q.saved.Name
	}
	v.showDialog(http.StatusOK, "customers_columns", v.t("customers.columns"), view)
}

// columnLabel is what a column is called.
func (v *visit) columnLabel(name string, t *terms) string {
	switch name {
	case "channel":
		return v.t("customers.channel")
	case "external_id":
		return v.t("customers.id")
	case "last_session_at":
		return v.t("customers.last_session")
	}
	if t != nil && strings.HasPrefix(name, "custom.") {
		if label, ok := t.names.Fields[name]; ok {
			return label
		}
	}
	return v.speech.one("conditions.field", name)
}

// keepColumns keeps what was chosen in the menu.
func (p *Pages) keepColumns(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if err := r.ParseForm(); err != nil {
		v.fail(errBroken)
		return
	}
	keep := func(name, value string) {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
			Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	if names := r.PostForm["column"]; r.PostForm.Has("columns") {
		names = slices.DeleteFunc(names, func(name string) bool { return !plainName(name) })
		if len(names) == 0 {
			names = []string{"none"}
		}
		keep(columnsCookie, strings.Join(names[:min(len(names), mostColumns)], "-"))
	}
	keep(densityCookie, oneOf(r.PostForm.Get("density"), "standard", "compact"))
	http.Redirect(w, r, v.back(customersPath), http.StatusSeeOther)
}

// plainName reports whether a name may stand in a cookie: names of fields consist of small letters, digits, _ and a point.
func plainName(name string) bool {
	return name != "" && len(name) < 50 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") == ""
}

// sortMenu is the order of the list, and those that there are.
type sortMenu struct {
	Now     string
	Query   []hiddenField // of the list, without its order
	Options []option
}

// sortMenu offers the orders that the visitor may ask for.
func (v *visit) sortMenu(q *customerQuery, t *terms) (m sortMenu) {
	unsorted := *q
	unsorted.sort = ""
	m.Query = unsorted.hidden()
	for _, sort := range v.sorts() {
		m.Options = append(m.Options, option{Value: sort, Text: v.t("customers.sort." + sort), Chosen: sort == q.order()})
		if sort == q.order() {
			m.Now = v.t("customers.sort." + sort)
		}
	}
	if m.Now == "" { // by a custom field, from a saved view or the head of a column
		m.Now = v.columnLabel(strings.TrimPrefix(q.order(), "-"), t)
	}
	return m
}

func (v *visit) sorts() []string {
	sorts := []string{"-created_at", "created_at", "-last_session_at", "last_session_at", "-updated_at", "updated_at"}
	if v.in.Personal {
		sorts = append(sorts, "nickname", "-nickname")
	}
	return sorts
}

// head is the head of a column.
type head struct {
	Label  string
	Path   string // of the list in its order; empty: it has none
	Sorted string // ascending or descending; empty: it is in another order
	Extra  bool
	Number bool
}

func (v *visit) heads(q *customerQuery, columns []column, t *terms) []head {
	heads := []head{v.head(q, "nickname", v.t("customers.customer"), v.in.Personal)}
	for _, c := range columns {
		h := v.head(q, c.name, v.columnLabel(c.name, t), slices.Contains(sortable, c.name) || v.in.Personal && t.ordered(c.name))
		for _, known := range listColumns {
			h.Extra = h.Extra || known.name == c.name && known.extra
		}
		h.Number = numeric(c.name)
		heads = append(heads, h)
	}
	return heads
}

func numeric(name string) bool {
	return strings.HasSuffix(name, "_count") || strings.HasPrefix(name, "rating_")
}

// ordered reports whether customers can be sorted by a custom field.
func (t *terms) ordered(name string) bool {
	term, known := t.find(name)
	return known && strings.HasPrefix(name, "custom.") && term.kind != filter.Choice
}

// head leads to the list in the order of a column: first the way in which people mostly want it, then the other one.
func (v *visit) head(q *customerQuery, name, label string, ordered bool) head {
	h := head{Label: label}
	now, descends := strings.CutPrefix(q.order(), "-")
	if now == name {
		h.Sorted = "ascending"
		if descends {
			h.Sorted = "descending"
		}
	}
	if !ordered {
		return h
	}
	latest := name != "nickname" && !strings.HasPrefix(name, "custom.")
	to := name
	if h.Sorted == "ascending" || h.Sorted == "" && latest {
		to = "-" + name
	}
	h.Path = q.sorted(to)
	return h
}
