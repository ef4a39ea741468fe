package pages

import (
	"errors"
	"net/http"

	"customercenter/domain/filter"
)

// filterView is the view of the dialog that filters and sorts the list.
type filterView struct {
	Query      []hiddenField
	Conditions conditionsView
	Sorts      field
	Wrong      *banner
	Back       string
	Reset      string
}

// suggested are the conditions that the dialog offers at once: what people filter by most.
var suggested = []string{"created_at", "tags", "channel", filter.AnyText}

func (p *Pages) askFilter(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.customerQuery(r.URL.Query())
	if err != nil {
		v.fail(err)
		return
	}
	form, err := v.conditions(q.use(), q.filter)
	if err != nil {
		v.fail(err)
		return
	}
	form.suggest(suggested...)
	v.showFilter(http.StatusOK, q, form, nil)
}

// use is that of the dialog. Of the past, nothing is counted while a filter is put together.
func (q *customerQuery) use() conditionsUse {
	return conditionsUse{At: "filter", Groups: true, Counted: q.asOf == ""}
}

func (v *visit) showFilter(status int, q *customerQuery, form *conditions, wrong *banner) {
	form.count(v)
	view := filterView{Query: q.hidden(), Conditions: form.view(v), Wrong: wrong, Back: q.path(""), Reset: addressOf(customersPath, clearOf(q)),
		Sorts: field{Name: "sort_by", Label: v.t("customers.sort")}}
	known := false
	for _, sort := range v.sorts() {
		known = known || sort == q.order()
		view.Sorts.Options = append(view.Sorts.Options, option{Value: sort, Text: v.t("customers.sort." + sort), Chosen: sort == q.order()})
	}
	for _, t := range form.terms.all {
		if !form.terms.ordered(t.name) {
			continue
		}
		for _, o := range []option{{Value: t.name, Text: v.t("customers.sort_up", "field", t.label)}, {Value: "-" + t.name, Text: v.t("customers.sort_down", "field", t.label)}} {
			o.Chosen = o.Value == q.order()
			known = known || o.Chosen
			view.Sorts.Options = append(view.Sorts.Options, o)
		}
	}
	if !known {
		view.Sorts.Options = append(view.Sorts.Options, option{Value: q.order(), Text: q.order(), Chosen: true})
	}
	v.showDialog(status, "customers_filter", v.t("customers.filter"), view)
}

// filterCustomers leads to the list with the filter that was put together, if the API understands it.
func (p *Pages) filterCustomers(_ http.ResponseWriter, r *http.Request) {
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
	form, err := v.postedConditions(q.use())
	if err != nil {
		v.fail(err)
		return
	}
	if sort := r.PostForm.Get("sort_by"); sort != "" && sort != q.order() {
		q.sort = sort
	}
	if form.Edited {
		v.showFilter(http.StatusOK, q, form, nil)
		return
	}
	raw := form.JSON()
	var wait *preparing
	if _, err := v.countAsOf(q.asOf, raw); err != nil && !errors.As(err, &wait) { // the list will wait, and say what is wrong
		if !form.refused(err) {
			v.fail(err)
			return
		}
		v.showFilter(http.StatusUnprocessableEntity, q, form, &banner{Tone: "bad", Text: v.t("customers.filter_wrong")})
		return
	}
	to, err := v.leadTo(q, raw)
	if err != nil {
		v.fail(err)
		return
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}
