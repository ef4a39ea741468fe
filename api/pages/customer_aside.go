package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/domain/text"
	"customercenter/projections"
)

// asideView is who the customer is: profile, tags, groups, blacklist.
type asideView struct {
	Again     string // the address to look at once more, because the last write is not shown yet
	Profile   []profileRow
	FieldsURL string // of the page that says which fields there are; empty: not the visitor's
	Tags      tagsCard
	Groups    []groupWhy
	Listing   listingCard
	Facts     []fact
	Erase     string // the address of the dialog; empty: not the visitor's
	// Everything is the address of the file with all that is known; empty: not the visitor's.
	Everything string
}

type tagsCard struct {
	Tags []tagOf
	Add  *tagPicker // nil: the visitor does not tag
}

type tagOf struct {
	Tag    tag
	Remove string // the address; empty: not the visitor's to take off
	Back   string
}

// tagPicker offers the tags that the customer does not have.
type tagPicker struct {
	Action, Back string
	Tags         []projections.Named
	Create       bool // a name that no tag has makes one
}

// groupWhy is a group that the customer is in, and why.
type groupWhy struct {
	ID, Name, Path string
	Since          *moment
	Cause          string // event, clock or rule
	Why            []string
}

type listingCard struct {
	On             bool
	Status         status
	Put, Remove    string // addresses of the dialogs; empty: not the visitor's
	Reason, Actor  string
	Since, Expires *moment
	Held           string // how many messages were held back since then
	HeldEver       int
	HeldURL        string // where they can be read
	MayNot         bool   // agents of this tenant do not use the blacklist
}

func (v *visit) aside(c *projections.Customer, etag string, ask *customerAsk) (a *asideView, err error) {
	a = &asideView{}
	if v.comesBack() {
		a.Again = ask.here
	}
	if a.Profile, err = v.profile(c, ask); err != nil {
		return nil, err
	}
	if v.may("change-field") {
		a.FieldsURL = "/fields"
	}
	if a.Tags, err = v.tagsCard(c, ask); err != nil {
		return nil, err
	}
	if a.Groups, err = v.groupsWhy(c); err != nil {
		return nil, err
	}
	a.Listing = v.listingCard(c, ask)
	a.Facts, a.Erase, a.Everything = v.figures(c), v.eraseAsk(c), v.everythingFile(c)
	return a, nil
}

// comesBack reports whether this part of the page has to be asked for once more by itself: the page as a whole does so in its frame, which is not
// there when only a part is put into it.
func (v *visit) comesBack() bool {
	var n notice
	return v.stale && v.r.Header.Get("HX-Request") != "" && len(v.in.Notice) > 0 && json.Unmarshal(v.in.Notice, &n) == nil && !n.Late
}

func (v *visit) figures(c *projections.Customer) []fact {
	facts := []fact{
		{Name: v.t("customer.sessions"), Value: grouped(int64(c.SessionCount))},
		{Name: v.t("customer.last_session"), When: v.moment(c.LastSessionAt), Unset: c.LastSessionAt == nil},
		{Name: v.t("customer.messages"), Value: grouped(int64(c.MessageCount))},
		{Name: v.t("customer.last_written"), When: v.moment(c.LastCustomerMessageAt), Unset: c.LastCustomerMessageAt == nil},
		{Name: v.t("customer.rating"), Unset: c.RatingAvg == nil},
	}
	if c.RatingAvg != nil {
		facts[4].Value = v.t("customer.rating_of", "score", strconv.FormatFloat(*c.RatingAvg, 'f', 1, 64))
	}
	return facts
}

func (v *visit) tagsCard(c *projections.Customer, ask *customerAsk) (card tagsCard, err error) {
	path := customerPath(c.ID.String()) + "/tags"
	may := v.may("tag-customer")
	has := map[string]bool{}
	for _, t := range c.Tags {
		id := t.ID.String()
		has[id] = true
		shown := tagOf{Tag: tag{t.Name, hueOf(id)}, Back: ask.here}
		if may {
			shown.Remove = path + "/" + id + "/remove"
		}
		card.Tags = append(card.Tags, shown)
	}
	if !may {
		return card, nil
	}
	var all api.List[api.Tag]
	if err := v.get("/v1/tags", &all); err != nil {
		return card, err
	}
	card.Add = &tagPicker{Action: path, Back: ask.here, Create: access.May(v.in.Role, "create-tag")}
	for _, t := range all.Items {
		if !has[t.ID.String()] {
			card.Add.Tags = append(card.Add.Tags, projections.Named{ID: t.ID, Name: t.Name})
		}
	}
	return card, nil
}

// addTag puts a tag on the customer: one that was picked, or the one of that name, which an admin makes by naming it.
func (p *Pages) addTag(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	id := chi.URLParam(r, "id")
	back := v.back(customerPath(id))
	var all api.List[api.Tag]
	if err := v.get("/v1/tags", &all); err != nil {
		v.fail(err)
		return
	}
	picked, name, said := r.PostFormValue("tag"), r.PostFormValue("name"), ""
	for _, t := range all.Items {
		if t.ID.String() == picked || picked == "" && text.Fold(t.Name) == text.Fold(name) {
			picked, said = t.ID.String(), v.t("customer.tagged", "name", t.Name)
		}
	}
	if picked == "" && text.Fold(name) == "" {
		http.Redirect(v.w, r, back, http.StatusSeeOther)
		return
	}
	if picked == "" {
		if !access.May(v.in.Role, "create-tag") {
			v.done(back, notice{Tone: "bad", Text: v.t("customer.no_such_tag", "name", name)})
			return
		}
		var made api.Tag
		if err := v.send(http.MethodPost, "/v1/tags", api.TagInput{Name: name}, &made); err != nil {
			v.refused(back, err)
			return
		}
		picked, said = made.ID.String(), v.t("customer.tagged_new", "name", made.Name)
	}
	if err := v.send(http.MethodPut, "/v1"+customerPath(id)+"/tags/"+url.PathEscape(picked), nil, nil); err != nil {
		v.refused(back, err)
		return
	}
	v.done(back, notice{Tone: "good", Text: said, Undo: &undo{Action: customerPath(id) + "/tags/" + picked + "/remove", Fields: hidden{"back": back}}})
}

func (p *Pages) removeTag(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	id, tagID := chi.URLParam(r, "id"), chi.URLParam(r, "tag")
	back := v.back(customerPath(id))
	if err := v.send(http.MethodDelete, "/v1"+customerPath(id)+"/tags/"+url.PathEscape(tagID), nil, nil); err != nil {
		v.refused(back, err)
		return
	}
	n := notice{Tone: "good", Text: v.t("customer.untagged_one")}
	if t, _, err := v.tag(tagID); err == nil {
		n.Text = v.t("customer.untagged", "name", t.Name)
		n.Undo = &undo{Action: customerPath(id) + "/tags", Fields: hidden{"tag": tagID, "back": back}}
	}
	v.done(back, n)
}

// groupsWhy are the customer's groups, with why.
func (v *visit) groupsWhy(c *projections.Customer) ([]groupWhy, error) {
	if !access.May(v.in.Role, "list-customer-groups") {
		return nil, nil
	}
	var list api.List[api.CustomerGroup]
	if err := v.get(v.of("/v1"+customerPath(c.ID.String())+"/groups"), &list); err != nil {
		return nil, err
	}
	var rows []groupWhy
	for _, g := range list.Items {
		row := groupWhy{ID: g.Group.ID.String(), Name: g.Group.Name, Path: v.stays("/groups/" + g.Group.ID.String()), Since: v.moment(&g.Since), Cause: g.Cause.Kind}
		for _, e := range g.Evidence {
			row.Why = append(row.Why, e.Text)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (v *visit) listingCard(c *projections.Customer, ask *customerAsk) listingCard {
	card := listingCard{On: c.Listing != nil, HeldEver: c.SuppressedCount, Status: status{Tone: "bad", Text: v.t("customer.listed")}}
	may := v.asOf == "" && v.mayBlacklist()
	card.MayNot = !may && v.in.Role == access.Agent
	back := "?" + url.Values{"back": {ask.here}}.Encode()
	if v.in.Role != access.Agent { // agents' history has no messages
		card.HeldURL = v.stays(customerPath(c.ID.String()) + "/changes?kind=held")
	}
	if l := c.Listing; l != nil {
		card.Reason, card.Actor, card.Since, card.Expires, card.Held = l.Reason, v.actor(l.Actor), v.moment(&l.Since), v.moment(l.ExpiresAt), grouped(int64(l.SuppressedMessages))
		if may {
			card.Remove = "/blacklist/" + c.ID.String() + "/remove" + back
		}
	} else if may {
		card.Put = customerPath(c.ID.String()) + "/blacklist" + back
	}
	return card
}
