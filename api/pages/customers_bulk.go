package pages

import (
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/domain/bulk"
)

// bulkAsk is the view of the dialog that asks what is to be done to many, and to whom.
type bulkAsk struct {
	Title, Text string
	Action      string
	Query       []hiddenField
	IDs         []string
	Selected    string // how many are selected, in words
	All         string // how many match, in words
	ToAll       bool   // nobody is selected, or all were asked for
	Tag         *field
	Reason      *field
	Expires     *field
	Button      string
	Danger      bool
	Back        string
	Wrong       *banner
}

// askBulk asks about those who were selected, or about all in the list.
func (p *Pages) askBulk(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.postedQuery()
	if err != nil {
		v.fail(err)
		return
	}
	v.showBulkAsk(http.StatusOK, q, nil)
}

func (v *visit) showBulkAsk(status int, q *customerQuery, failed error) {
	form := v.r.PostForm
	action := bulk.Action(oneOf(form.Get("action"), "tag", "untag", "blacklist", "unblacklist"))
	count, err := v.countOf(q.filter)
	if err != nil {
		v.fail(err)
		return
	}
	ask := bulkAsk{Title: v.t("bulk.ask." + string(action)), Text: v.t("bulk.effect." + string(action)), Action: string(action), Query: q.hidden(), IDs: selected(form["id"]),
		All: v.t("bulk.all", "n", count), Button: v.t("bulk.button." + string(action)), Back: q.path(""), Danger: action == bulk.Blacklist}
	ask.Selected = v.t("bulk.selected", "n", len(ask.IDs))
	ask.ToAll = len(ask.IDs) == 0 || form.Get("scope") == "all"
	switch action {
	case bulk.Tag, bulk.Untag:
		if ask.Tag, err = v.tagChoice(form.Get("tag_id"), wrong(failed, "tag_id", false)); err != nil {
			v.fail(err)
			return
		}
		if len(ask.Tag.Options) == 0 {
			ask.Wrong, ask.Button = &banner{Tone: "warn", Text: v.t("bulk.no_tags")}, ""
		}
	case bulk.Blacklist:
		ask.Reason = &field{Name: "reason", Label: v.t("bulk.reason"), Value: form.Get("reason"), Wrong: wrong(failed, "reason", false), Required: true, Focus: true, Max: 150, Autocomplete: "off"}
		ask.Expires = &field{Name: "expires_at", Label: v.t("bulk.expires"), Type: "datetime-local", Value: form.Get("expires_at"), Hint: v.t("bulk.expires_hint"), Wrong: wrong(failed, "expires_at", false)}
	}
	if failed != nil && !slices.ContainsFunc([]*field{ask.Tag, ask.Reason, ask.Expires}, func(f *field) bool { return f != nil && f.Wrong != "" }) {
		ask.Wrong = otherWrong(failed, "")
	}
	v.showDialog(status, "customers_bulk", ask.Title, ask)
}

// selected are the ids of those who were selected; what is none was not sent by our page.
func selected(ids []string) (known []string) {
	for _, id := range ids {
		if parsed, err := uuid.Parse(id); err == nil {
			known = append(known, parsed.String())
		}
	}
	return known
}

func (v *visit) tagChoice(chosen, wrong string) (*field, error) {
	var tags api.List[api.Tag]
	if err := v.get("/v1/tags", &tags); err != nil {
		return nil, err
	}
	f := &field{Name: "tag_id", Label: v.t("bulk.tag"), Wrong: wrong, Focus: true}
	for _, t := range tags.Items {
		id := t.ID.String()
		f.Options = append(f.Options, option{Value: id, Text: t.Name, Chosen: id == chosen})
	}
	return f, nil
}

func (p *Pages) startBulk(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.postedQuery()
	if err != nil {
		v.fail(err)
		return
	}
	in := api.BulkInput{Action: r.PostForm.Get("action"), Reason: r.PostForm.Get("reason")}
	if r.PostForm.Get("scope") == "all" {
		in.Filter = q.filter
	} else {
		for _, id := range selected(r.PostForm["id"]) {
			in.IDs = append(in.IDs, uuid.MustParse(id))
		}
	}
	if id, err := uuid.Parse(r.PostForm.Get("tag_id")); err == nil {
		in.TagID = id
	}
	if typed := r.PostForm.Get("expires_at"); typed != "" {
		at, err := time.ParseInLocation(typedTime, typed, v.location())
		if err != nil {
			v.showBulkAsk(http.StatusUnprocessableEntity, q, &api.Problem{Errors: []api.FieldError{{Location: "expires_at", Detail: v.t("bulk.expires_wrong")}}})
			return
		}
		in.ExpiresAt = &at
	}
	var made api.Bulk
	err = v.send(http.MethodPost, "/v1/customers/bulk", in, &made)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
		v.showBulkAsk(problem.Status, q, err)
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.done("/bulk/"+made.ID.String()+"?"+backOf(q), notice{Tone: "good", Text: v.t("bulk.started")})
}
