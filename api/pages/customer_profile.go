package pages

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/projections"
)

// profileRow is a field of the profile, in the order that the tenant gave the fields.
type profileRow struct {
	Key, Label, Value string
	Unset, Block      bool   // nothing is there; it has several lines
	Hidden            string // why the value is not told
	Copy              bool   // the id: it can be copied, and never changes
	Orders            string // the address of the customer's orders elsewhere
	Edit              string // the address of the form; empty: it is not the visitor's to change
	Form              *profileForm
}

// profileForm changes one field.
type profileForm struct {
	Action, Label, Type, Value string
	Options                    []option
	Hint, Wrong                string
	Was                        string // the value that its reader saw, as JSON
	Back                       string
	Conflict                   *conflict
}

// conflict is what somebody else made of the field in the meantime.
type conflict struct{ Theirs, Yours string }

// profileEdit is the field that is being changed: what was typed, and what came of it.
type profileEdit struct {
	key      string
	value    json.RawMessage // nil: what is there
	wrong    string
	conflict bool
}

// profile is the profile as rows.
func (v *visit) profile(c *projections.Customer, ask *customerAsk) ([]profileRow, error) {
	var fields api.List[api.Field]
	if err := v.get(v.of("/v1/fields"), &fields); err != nil {
		return nil, err
	}
	may := v.may("edit-customer")
	var rows []profileRow
	for _, f := range fields.Items {
		if !f.Shown || !f.Enabled {
			continue
		}
		row := profileRow{Key: f.Key, Label: f.Label}
		if f.Key == "external_id" {
			row.Value, row.Copy, row.Orders = c.ExternalID, v.in.Personal, v.orders(c)
			rows = append(rows, row)
			continue
		}
		raw := rawValue(c, &f)
		row.Value, row.Block = v.fieldText(&f, raw), f.Type == "multiline" || f.Key == "description"
		row.Unset = row.Value == ""
		if !f.System && !v.in.Personal { // the API does not even tell whether there is a value
			row.Hidden = v.t("customer.masked")
		}
		if may {
			row.Edit = customerPath(c.ID.String()) + "/fields/" + url.PathEscape(f.Key) + "?" + url.Values{"back": {ask.here}}.Encode()
			if ask.edit != nil && ask.edit.key == f.Key {
				row.Form = v.profileForm(c, &f, raw, ask)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (v *visit) profileForm(c *projections.Customer, f *api.Field, raw json.RawMessage, ask *customerAsk) *profileForm {
	form := &profileForm{
		Action: customerPath(c.ID.String()) + "/fields/" + url.PathEscape(f.Key), Label: f.Label, Type: f.Type, Hint: f.Hint, Wrong: ask.edit.wrong,
		Was: jsonText(raw), Back: ask.here,
	}
	if f.Key == "description" {
		form.Type = "multiline"
	}
	typed := raw
	if ask.edit.value != nil {
		typed = ask.edit.value
	}
	if ask.edit.conflict {
		form.Conflict = &conflict{Theirs: v.fieldText(f, raw), Yours: v.fieldText(f, typed)}
	}
	switch f.Type {
	case "select":
		form.Options = append([]option{{Value: "", Text: v.t("facts.unset")}}, choicesOf(f.Options, []string{textIn(typed)})...)
	case "multi_select":
		form.Options = choicesOf(f.Options, listIn(typed))
	case "cascade":
		form.Options = append([]option{{Value: "", Text: v.t("facts.unset")}}, paths(f.Options, nil, "", jsonText(typed))...)
	default:
		form.Value = textIn(typed)
	}
	return form
}

// fields are the tenant's fields, in order.
func (v *visit) fields() ([]api.Field, error) {
	var list api.List[api.Field]
	err := v.get("/v1/fields", &list)
	return list.Items, err
}

// orders is the address of the customer's orders in the tenant's shop.
func (v *visit) orders(c *projections.Customer) string {
	if !v.in.Personal || v.settings().OrderLink == "" {
		return ""
	}
	return strings.ReplaceAll(v.settings().OrderLink, "{external_id}", strings.ReplaceAll(url.QueryEscape(c.ExternalID), "+", "%20"))
}

// rawValue is the value of a field as the API has it; nil if it is not set.
func rawValue(c *projections.Customer, f *api.Field) json.RawMessage {
	values := map[string]json.RawMessage{}
	source := []byte(c.Profile.Custom)
	if f.System {
		c := c.Profile
		c.Custom = nil
		source, _ = json.Marshal(c) // texts only: cannot fail
	}
	_ = json.Unmarshal(source, &values) // the API's own answer; what is not there is not set
	return orUnset(values[f.Key])
}

// orUnset is a value; nil for one that says that nothing is set.
func orUnset(raw json.RawMessage) json.RawMessage {
	if text := string(raw); text == "null" || text == `""` || text == "[]" {
		return nil
	}
	return raw
}

// jsonText is a value as JSON in its shortest form.
func jsonText(raw json.RawMessage) string {
	var b bytes.Buffer
	if len(raw) == 0 || json.Compact(&b, raw) != nil {
		return "null"
	}
	return b.String()
}

// textIn is a value that is a text; a number is its text.
func textIn(raw json.RawMessage) (text string) {
	if json.Unmarshal(raw, &text) != nil && len(raw) > 0 && string(raw) != "null" {
		return string(raw)
	}
	return text
}

// listIn is a value that is a list.
func listIn(raw json.RawMessage) (ids []string) {
	_ = json.Unmarshal(raw, &ids) // what is no list has nobody chosen
	return ids
}

// fieldText is the value of a field in words.
func (v *visit) fieldText(f *api.Field, raw json.RawMessage) string {
	switch f.Type {
	case "select":
		return labelOf(f.Options, textIn(raw))
	case "multi_select", "cascade":
		var labels []string
		for _, id := range listIn(raw) {
			labels = append(labels, labelOf(f.Options, id))
		}
		if f.Type == "cascade" {
			return strings.Join(labels, " / ")
		}
		return strings.Join(labels, v.t("customer.comma"))
	}
	return textIn(raw)
}

// labelOf is what an option is called, wherever it is in the tree.
func labelOf(options []api.FieldOption, id string) string {
	for _, o := range options {
		if o.ID == id {
			return o.Label
		}
		if label := labelOf(o.Options, id); label != "" {
			return label
		}
	}
	return ""
}

func choicesOf(options []api.FieldOption, chosen []string) (all []option) {
	for _, o := range options {
		all = append(all, option{Value: o.ID, Text: o.Label, Chosen: slices.Contains(chosen, o.ID)})
	}
	return all
}

// paths are all ways through a cascade, each by its ids as JSON.
func paths(options []api.FieldOption, above []string, labels, chosen string) (all []option) {
	for _, o := range options {
		way := append(slices.Clone(above), o.ID)
		ids, _ := json.Marshal(way) // texts: cannot fail
		all = append(all, option{Value: string(ids), Text: labels + o.Label, Chosen: string(ids) == chosen})
		all = append(all, paths(o.Options, way, labels+o.Label+" / ", chosen)...)
	}
	return all
}

// typedValue is what a form says a field is to be. An undo says it as it was, as JSON.
func typedValue(r *http.Request, f *api.Field) json.RawMessage {
	if raw := r.PostFormValue("raw"); raw != "" && json.Valid([]byte(raw)) {
		return json.RawMessage(raw)
	}
	var value any = r.PostFormValue("value")
	switch f.Type {
	case "multi_select":
		value = append([]string{}, r.PostForm["value"]...)
	case "cascade":
		if chosen := r.PostFormValue("value"); chosen != "" && json.Valid([]byte(chosen)) {
			return json.RawMessage(chosen)
		}
	}
	raw, _ := json.Marshal(value) // texts: cannot fail
	return raw
}

// editField changes one field. Whoever typed had seen a value: if there is another one by now, both are shown, and nothing is changed. That
// somebody changed something else of the customer meanwhile is no conflict.
func (p *Pages) editField(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	id, key := chi.URLParam(r, "id"), chi.URLParam(r, "key")
	fields, err := v.fields()
	if err != nil {
		v.fail(err)
		return
	}
	at := slices.IndexFunc(fields, func(f api.Field) bool { return f.Key == key })
	if at < 0 {
		v.fail(errNotFound)
		return
	}
	f := &fields[at]
	value := typedValue(r, f)
	// Whoever writes between the reading and the writing here is looked at again, once the read model has had time to show it.
	for wait := 20 * time.Millisecond; wait < time.Second; wait *= 2 {
		customer, etag, err := v.customerWithTag(id)
		if err != nil {
			v.failCustomer(err)
			return
		}
		now := rawValue(customer, f)
		if was := r.PostFormValue("was"); was != "" && was != jsonText(now) && jsonText(value) != jsonText(now) {
			v.showCustomer(id, customerAsk{status: http.StatusPreconditionFailed, edit: &profileEdit{key: key, value: value, conflict: true}})
			return
		}
		var saved projections.Customer
		answer, err := v.ask(call{method: http.MethodPatch, path: "/v1" + customerPath(id), body: profilePatch(f, value), ifMatch: etag}, &saved)
		problem, refused := refusal(err)
		switch {
		case refused && problem.Status == http.StatusPreconditionFailed:
			time.Sleep(wait)
			continue
		case refused && problem.Status == http.StatusUnprocessableEntity:
			v.showCustomer(id, customerAsk{status: problem.Status, edit: &profileEdit{key: key, value: value, wrong: firstWrong(problem)}})
		case err != nil:
			v.refused(v.back(customerPath(id)), err)
		case jsonText(rawValue(&saved, f)) == jsonText(now) && answer.Get("X-Stale") == "": // nothing was changed
			http.Redirect(v.w, v.r, v.back(customerPath(id)), http.StatusSeeOther)
		default:
			written := rawValue(&saved, f)
			if answer.Get("X-Stale") != "" { // what came back is older
				written = orUnset(value)
			}
			v.done(v.back(customerPath(id)), notice{Tone: "good", Text: v.t("customer.saved", "field", f.Label), Undo: &undo{
				Action: customerPath(id) + "/fields/" + url.PathEscape(key), Fields: hidden{"raw": jsonText(now), "was": jsonText(written), "back": v.back("")}}})
		}
		return
	}
	v.fail(errors.New("pages: others write to the customer all the time"))
}

// firstWrong is what the API says of the only field that was sent.
func firstWrong(p *api.Problem) string {
	if len(p.Errors) > 0 {
		return p.Errors[0].Detail
	}
	return p.Detail
}

func profilePatch(f *api.Field, value json.RawMessage) api.EditInput {
	if f.System {
		return api.EditInput{Profile: api.ProfileEdit{f.Key: value}}
	}
	custom, _ := json.Marshal(map[string]json.RawMessage{f.Key: value}) // valid JSON: cannot fail
	return api.EditInput{Profile: api.ProfileEdit{"custom": custom}}
}
