package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/projections"
)

// importView is the view of one import.
type importView struct {
	importRow
	Steps    []step
	Facts    string // size, rows, whether tags are created
	Figures  []figure
	Banner   *banner
	Told     string // to readers, when it has gone on
	Actions  []deed
	Rejected int
	Files    []action // of the refused rows
	Gone     bool     // the rows are not kept any more
	Tabs     *tabs
	Outcomes []importOutcome
	More     onward
	Kept     []keptRow
	MoreKept onward
	Trial    bool
}

// figure is a number with what it is of.
type figure struct {
	Name, Tone, Live string
	Number           int64
}

// deed is what can be done with the thing that a page shows: a form that is sent, or the address of a dialog.
type deed struct {
	ID, Text, Icon  string
	Post, Dialog    string // where the form is sent, or the address of the dialog
	Link            string // or of another page
	Fields          hidden
	Primary, Danger bool
	Not             string // why it cannot be done now; empty: it can
	Told            bool   // the page says so already
}

// importOutcome is what became of a row.
type importOutcome struct {
	Row            int
	Column, Detail string
	Value          string // of the cell that is wrong; empty: nothing is in it, or it is not known
	Code           string // of a refusal
	Path           string // of the customer; empty in a dry run
	Nickname, ID   string // of the customer, as far as they are known
}

// keptRow is a customer whom a revert has left alone.
type keptRow struct {
	Row int
	Who who
}

const outcomesAPage = 50

// theImport asks the API for the import that the address names.
func (v *visit) theImport() (i api.Import, err error) {
	return i, v.get("/v1/imports/"+url.PathEscape(chi.URLParam(v.r, "id")), &i)
}

func (p *Pages) showImport(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	i, err := v.theImport()
	if err != nil {
		v.fail(err)
		return
	}
	state := importState(&i)
	view := importView{importRow: v.importRow(&i), Rejected: i.Rejected, Trial: i.DryRun, Facts: v.importFacts(&i)}
	if view.Progress != nil {
		view.Progress.Region = "import"
		v.follows()
	}
	view.Steps = v.importSteps(map[string]int{"waiting": 1, "trying": 1, "tried": 1}[state])
	if view.Steps[0].Current { // it is done, or is being done, in earnest
		view.Steps = v.importSteps(2)
		view.Steps[2].Done, view.Steps[2].Current = state != "importing", state == "importing"
	}
	view.Gone = i.KeptUntil != nil && !p.Now().Before(*i.KeptUntil)
	view.Figures, view.Banner = v.importFigures(state, &i), v.importBanner(state, &i)
	view.Actions = v.importDeeds(state, &i, view.Gone)
	view.Told = v.t("import.told", "name", i.FileName, "state", view.State.Text, "outcome", view.Outcome)
	if err := v.addOutcomes(&view, &i); err != nil {
		v.fail(err)
		return
	}
	if err := v.addKept(&view, &i); err != nil {
		v.fail(err)
		return
	}
	v.show(http.StatusOK, "import_job", i.FileName, view)
}

func (v *visit) importFacts(i *api.Import) string {
	tags := v.t("import.facts_tags_refused")
	if i.CreateTags {
		tags = v.t("import.facts_tags_created")
	}
	return v.t("import.facts", "format", i.Format, "size", size(i.Bytes), "n", i.Rows, "tags", tags)
}

// importFigures are the numbers of an import.
func (v *visit) importFigures(state string, i *api.Import) []figure {
	rows := figure{Name: v.t("import.figure_rows"), Number: int64(i.Rows)}
	switch state {
	case "waiting":
		return []figure{rows}
	case "trying", "tried":
		return []figure{rows, {Name: v.t("import.figure_would"), Tone: tone(i.Created, "good"), Live: "created", Number: int64(i.Created)},
			{Name: v.t("import.figure_would_not"), Tone: tone(i.Rejected, "bad"), Live: "rejected", Number: int64(i.Rejected)}}
	}
	all := []figure{rows}
	if !i.DryRun {
		all = append(all, figure{Name: v.t("import.figure_created"), Tone: tone(i.Created, "good"), Live: "created", Number: int64(i.Created)},
			figure{Name: v.t("import.figure_rejected"), Tone: tone(i.Rejected, "bad"), Live: "rejected", Number: int64(i.Rejected)})
	}
	if i.Reverting || i.Status == "reverted" {
		all = append(all, figure{Name: v.t("import.figure_withdrawn"), Live: "withdrawn", Number: int64(i.Withdrawn)},
			figure{Name: v.t("import.figure_kept"), Tone: tone(i.Kept, "warn"), Live: "kept", Number: int64(i.Kept)})
	}
	return all
}

// tone is a tone for a number that is not 0.
func tone(n int, tone string) string {
	if n == 0 {
		return ""
	}
	return tone
}

// importBanner says how things stand, and what to do.
func (v *visit) importBanner(state string, i *api.Import) *banner {
	if i.Status == "failed" {
		return &banner{Tone: "bad", Text: v.t("import.now_" + state), More: i.Detail}
	}
	b := &banner{Tone: "live", Text: v.t("import.now_"+state, "n", i.Created), More: v.t("import.now_" + state + "_text")}
	switch state {
	case "imported":
		b.Tone = "good"
		if i.Created == 0 {
			b.Tone, b.Text = "warn", v.t("import.now_imported_nobody")
		}
		if i.Rejected > 0 {
			b.More = v.t("import.now_imported_rejected", "n", i.Rejected)
		}
	case "tried":
		if i.Created == 0 {
			b.Tone, b.Text, b.More = "warn", v.t("import.now_tried_nobody"), v.t("import.now_tried_nobody_text")
		}
	case "canceled":
		b.Tone = "warn"
		if !i.DryRun && i.Created > 0 {
			b.More = v.t("import.now_canceled_some", "n", i.Created)
		}
	case "reverted":
		b.Tone = "good"
		if i.Kept > 0 {
			b.More = v.t("import.now_reverted_kept", "n", i.Kept)
		}
	}
	return b
}

// importDeeds are what can be done with an import as it is, and what cannot be done and why.
func (v *visit) importDeeds(state string, i *api.Import, gone bool) (deeds []deed) {
	path := "/import/" + i.ID.String()
	not := ""
	switch {
	case !v.mayImport():
		not = v.t("import.not_entitled")
	case gone:
		not = v.t("import.gone")
	}
	try := deed{ID: "try", Text: v.t("import.try"), Icon: "eye", Post: path + "/start", Fields: hidden{"dry_run": "true"}, Not: not}
	again := try
	again.Text = v.t("import.try_again")
	cancel := deed{ID: "cancel", Text: v.t("import.cancel"), Dialog: path + "/cancel"}
	revert := deed{ID: "revert", Text: v.t("import.revert"), Icon: "undo", Dialog: path + "/revert"}
	switch state {
	case "waiting":
		try.Primary = true
		return []deed{cancel, {ID: "start", Text: v.t("import.start_untried"), Dialog: path + "/start", Not: not}, try}
	case "trying", "importing":
		return []deed{cancel}
	case "tried":
		start := deed{ID: "start", Text: v.t("import.start", "n", i.Created), Post: path + "/start", Primary: true, Not: not}
		if i.Created == 0 {
			start.Not, start.Told = v.t("import.nobody"), true
		}
		return []deed{again, start}
	case "revert_failed":
		return []deed{revert}
	case "imported", "failed", "canceled":
		if i.DryRun {
			return []deed{again}
		}
		if i.Created > 0 {
			return []deed{revert, {ID: "open", Text: v.t("import.open"), Icon: "users", Link: importedCustomers(i), Primary: state == "imported"}}
		}
	}
	return nil
}

// importedCustomers is the address of the list of customers with those whom an import has created: filters know whether somebody was imported, and
// when, but not by which file. So another import of the same minutes is in it too, as the conditions in the list say.
func importedCustomers(i *api.Import) string {
	until := i.CreatedAt
	if i.FinishedAt != nil {
		until = *i.FinishedAt
	}
	filter := fmt.Sprintf(`{"all":[{"field":"imported","op":"is","value":true},{"field":"created_at","op":"between","value":[%q,%q]}]}`,
		i.CreatedAt.UTC().Format(time.RFC3339), until.Add(time.Second).UTC().Format(time.RFC3339)) // whole seconds, outwards
	return "/customers?" + url.Values{"view": {"all"}, "filter": {filter}}.Encode()
}

// addOutcomes adds what became of the rows, the refused ones or all.
func (v *visit) addOutcomes(view *importView, i *api.Import) error {
	if i.Created+i.Rejected == 0 {
		return nil
	}
	path := "/import/" + i.ID.String()
	query := v.r.URL.Query()
	all := query.Get("rows") == "all" || i.Rejected == 0
	asked := url.Values{"limit": {strconv.Itoa(outcomesAPage)}, "cursor": {query.Get("cursor")}}
	if !all {
		asked.Set("outcome", "rejected")
	}
	var list api.List[api.ImportRow]
	if err := v.get("/v1/imports/"+i.ID.String()+"/rows?"+asked.Encode(), &list); err != nil {
		return err
	}
	count := func(n int) *projections.Count { return &projections.Count{Value: int64(n), Exact: true} }
	if i.Rejected > 0 {
		view.Tabs = &tabs{Label: v.t("import.rows"), Groups: []tabGroup{{Tabs: []tab{
			{Path: path, Text: v.t("import.rows_rejected"), Count: count(i.Rejected), Current: !all},
			{Path: path + "?rows=all", Text: v.t("import.rows_all"), Count: count(i.Created + i.Rejected), Current: all},
		}}}}
		if !view.Gone {
			other := map[string]string{"csv": "xlsx", "xlsx": "csv"}[i.Format]
			view.Files = []action{{Path: path + "/rejected", Text: v.t("import.download", "format", i.Format)},
				{Path: path + "/rejected?format=" + other, Text: other}}
		}
	}
	for _, row := range list.Items {
		o := importOutcome{Row: row.Row, Column: row.Heading, Value: row.Value, Detail: row.Detail, Code: row.Code, Nickname: row.Nickname, ID: row.ExternalID}
		if row.CustomerID != nil && i.Status != "reverted" {
			o.Path = "/customers/" + row.CustomerID.String()
		}
		view.Outcomes = append(view.Outcomes, o)
	}
	summary := ""
	if n := len(list.Items); n > 0 {
		summary = v.t("import.rows_shown", "first", list.Items[0].Row, "last", list.Items[n-1].Row)
	}
	view.More = onwardOf(v.r.URL, v.t("import.rows_pager"), summary, list.Next)
	return nil
}

// addKept adds the customers whom a revert has left alone. There is a page of them for itself, which "kept" in the address leads on in.
func (v *visit) addKept(view *importView, i *api.Import) error {
	if i.Kept == 0 {
		return nil
	}
	cursor := v.r.URL.Query().Get("kept")
	var list api.List[api.ImportKept]
	if err := v.get("/v1/imports/"+i.ID.String()+"/kept?"+url.Values{"limit": {"20"}, "cursor": {cursor}}.Encode(), &list); err != nil {
		return err
	}
	for _, kept := range list.Items {
		row := keptRow{Row: kept.Row}
		customer, err := v.customer(kept.CustomerID.String())
		if problem, refused := refusal(err); refused && problem.Status == http.StatusNotFound {
			row.Who = who{Avatar: avatarOf(""), Nameless: v.t("import.kept_gone")} // erased or withdrawn since
		} else if err != nil {
			return err
		} else {
			name := v.nameOf(customer)
			row.Who = who{Avatar: avatarOf(name), Name: name, Below: customer.ExternalID, Path: "/customers/" + kept.CustomerID.String()}
		}
		view.Kept = append(view.Kept, row)
	}
	path := "/import/" + i.ID.String()
	view.MoreKept = onward{Label: v.t("import.kept_pager"), Summary: v.t("import.kept_shown", "n", i.Kept)}
	if cursor != "" {
		view.MoreKept.First = path
	}
	if list.Next != "" {
		view.MoreKept.Next = path + "?" + url.Values{"kept": {list.Next}}.Encode()
	}
	return nil
}
