package pages

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/api/access"
)

var tokensPage = page{
	place:  &place{Section: "settings", Order: 50, Name: "tokens", Icon: "key", Path: "/tokens", Operation: "list-tokens"},
	words:  tokenWords,
	routes: (*Pages).tokenPages,
}

func (p *Pages) tokenPages(r chi.Router) {
	r.Get("/tokens", p.listTokens)
	r.Post("/tokens", p.createToken)
	r.Get("/tokens/new", p.askCreateToken)
	r.Get("/tokens/{id}/revoke", p.askRevokeToken)
	r.Post("/tokens/{id}/revoke", p.revokeToken)
}

// tokensView is the view of the list.
type tokensView struct {
	Rows  []tokenRow
	Pager pager
}

type tokenRow struct {
	Who      who
	Role     string
	About    string // what the role does not say: which association, whether personal data is masked
	State    status
	Expires  *moment // nil: never
	Used     *moment // nil: never
	Made     *moment
	By       string
	Current  bool
	Revoke   string // the address of the question; empty: it has ended
	WhatEnds string // whose token the question is about
}

// endsSoon is how long before its end a token is said to end soon.
const endsSoon = 7 * 24 * time.Hour

func (p *Pages) listTokens(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var page api.List[api.Token]
	cursor := r.URL.Query().Get("cursor")
	if err := v.get("/v1/tokens?"+url.Values{"cursor": {cursor}}.Encode(), &page); err != nil {
		v.fail(err)
		return
	}
	names, err := v.associationNames()
	if err != nil {
		v.fail(err)
		return
	}
	view := tokensView{Pager: pagerOf(r.URL, v.t("tokens.pager"), "", "", page.Next)}
	if page.Count != nil {
		view.Pager.Summary = v.t("tokens.count", "n", *page.Count)
	}
	if cursor != "" { // the API leads forward only
		view.Pager.Prev = "/tokens"
	}
	for _, t := range page.Items {
		view.Rows = append(view.Rows, v.tokenRow(&t, names))
	}
	v.show(http.StatusOK, "tokens", v.t("tokens.title"), view)
}

func (v *visit) tokenRow(t *api.Token, names map[int]string) tokenRow {
	row := tokenRow{
		Who: who{Avatar: avatarOf(t.ActorID), Name: t.ActorID, Below: t.Name}, Role: v.speech.one("role", t.Role), Expires: v.moment(t.ExpiresAt),
		Used: v.moment(t.LastUsedAt), Made: v.moment(&t.CreatedAt), Current: t.Current, State: status{Tone: "good", Text: v.t("tokens.valid")}, WhatEnds: t.ActorID,
	}
	if t.CreatedBy != nil {
		row.By = t.CreatedBy.ID
	}
	switch {
	case t.AssociationID != 0:
		row.About = v.t("tokens.of_association", "id", strconv.Itoa(t.AssociationID), "name", names[t.AssociationID])
	case t.Role == string(access.Analyst) && t.PersonalData:
		row.About = v.t("tokens.personal")
	case t.Role == string(access.Analyst):
		row.About = v.t("tokens.masked")
	}
	now := v.p.Now()
	switch {
	case t.RevokedAt != nil:
		row.State = status{Hollow: true, Text: v.t("tokens.revoked"), Title: v.moment(t.RevokedAt).Exact}
		return row
	case t.ExpiresAt != nil && !t.ExpiresAt.After(now):
		row.State = status{Hollow: true, Text: v.t("tokens.expired")}
		return row
	case t.ExpiresAt != nil && t.ExpiresAt.Before(now.Add(endsSoon)):
		row.State = status{Tone: "warn", Text: v.t("tokens.soon")}
	}
	row.Revoke = "/tokens/" + t.ID.String() + "/revoke"
	return row
}

// newToken is the view of the form of a token that is to be made.
type newToken struct {
	Place        historyView // the way back
	Key          string      // under which the API makes it once, however often the form is sent
	Roles        []option
	Actor, Name  field
	Associations field
	NoneLeft     bool // there is no association
	Personal     bool
	Expires      field
	Wrong        *banner
}

// never is the choice of a token that does not end; the others are days.
const never = "never"

func (p *Pages) askCreateToken(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	query := r.URL.Query()
	in := api.TokenInput{Role: cmp.Or(query.Get("role"), string(access.Agent))}
	expires := "90"
	if in.Role == string(access.Channel) { // who reports messages should not fall silent one day
		in.AssociationID, _ = strconv.Atoi(query.Get("association"))
		in.ActorID, expires = query.Get("actor"), never
	}
	v.showNewToken(http.StatusOK, &in, expires, nil)
}

func (v *visit) showNewToken(status int, in *api.TokenInput, expires string, problem error) {
	if !access.May(v.in.Role, "create-token") {
		v.fail(errNotFound)
		return
	}
	var all api.List[api.Association]
	if err := v.get("/v1/associations", &all); err != nil {
		v.fail(err)
		return
	}
	view := newToken{
		Place: historyView{Title: v.t("tokens.new"), Back: "/tokens", BackText: v.t("tokens.title")}, Key: uuid.NewString(), Personal: in.PersonalData, NoneLeft: len(all.Items) == 0,
		Actor: field{Name: "actor_id", Label: v.t("tokens.actor"), Hint: v.t("tokens.actor_help"), Value: in.ActorID, Max: 128, Required: true, Focus: true, Autocomplete: "off",
			Wrong: wrong(problem, "actor_id", false)},
		Name: field{Name: "name", Label: v.t("tokens.name"), Hint: v.t("tokens.name_help"), Value: in.Name, Max: 100, Autocomplete: "off", Wrong: wrong(problem, "name", false)},
		Associations: field{Name: "association_id", Label: v.t("tokens.association"), Hint: v.t("tokens.association_help"), Wrong: wrong(problem, "association_id", false),
			Options: []option{{Text: v.t("tokens.association_choose")}}},
		Expires: field{Name: "expires", Label: v.t("tokens.expires"), Wrong: wrong(problem, "expires_at", false)},
	}
	for _, role := range []access.Role{access.Agent, access.Admin, access.Analyst, access.Channel} {
		view.Roles = append(view.Roles, option{string(role), v.speech.one("role", role), in.Role == string(role)})
	}
	for _, a := range all.Items {
		view.Associations.Options = append(view.Associations.Options, option{strconv.Itoa(a.ID), v.t("tokens.of_association", "id", strconv.Itoa(a.ID), "name", a.Name), a.ID == in.AssociationID})
	}
	for _, days := range []int{7, 30, 90, 365} {
		value := strconv.Itoa(days)
		view.Expires.Options = append(view.Expires.Options, option{value, v.t("tokens.days", "n", days), expires == value})
	}
	view.Expires.Options = append(view.Expires.Options, option{never, v.t("tokens.never"), expires == never})
	if p, refused := refusal(problem); refused && view.Actor.Wrong+view.Name.Wrong+view.Associations.Wrong+view.Expires.Wrong == "" {
		view.Wrong = &banner{Tone: "bad", Text: p.Detail}
	}
	v.show(status, "new_token", v.t("tokens.new"), view)
}

// madeToken is the view of a token that was made: the only time that its text is shown.
type madeToken struct {
	Place historyView
	Text  string
	Row   tokenRow
	Use   string
}

func (p *Pages) createToken(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	in := api.TokenInput{Role: r.PostFormValue("role"), ActorID: r.PostFormValue("actor_id"), Name: r.PostFormValue("name")}
	// What is not asked of the role that was chosen does not count.
	switch in.Role {
	case string(access.Channel):
		in.AssociationID, _ = strconv.Atoi(r.PostFormValue("association_id"))
	case string(access.Analyst):
		in.PersonalData = r.PostFormValue("personal_data") == "true"
	}
	expires := r.PostFormValue("expires")
	if days, err := strconv.Atoi(expires); err == nil {
		at := v.p.Now().AddDate(0, 0, days)
		in.ExpiresAt = &at
	}
	made, err := v.makeToken(&in, r.PostFormValue("key"))
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError && problem.Status != http.StatusForbidden {
		v.showNewToken(problem.Status, &in, expires, err)
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	names, err := v.associationNames()
	if err != nil { // the token is shown all the same: it is shown once
		v.p.Log.WarnContext(r.Context(), "pages: associations are not known", "request", v.id, "error", err)
	}
	view := madeToken{Place: historyView{Title: v.t("tokens.made"), Back: "/tokens", BackText: v.t("tokens.title")}, Text: made.Text, Row: v.tokenRow(&made.Token, names)}
	view.Use = v.t("tokens.use_person")
	if made.AssociationID != 0 {
		view.Use = v.t("tokens.use_channel", "path", "/v1/channels/"+strconv.Itoa(made.AssociationID)+"/events")
	}
	// This page alone has a secret beside what was typed: how well it compresses is nobody's business.
	v.r.Header.Del("Accept-Encoding")
	v.show(http.StatusOK, "made_token", v.t("tokens.made"), view)
}

// makeToken has the API make a token, once for each key.
func (v *visit) makeToken(in *api.TokenInput, key string) (*api.NewToken, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r, err := v.request(http.MethodPost, "/v1/tokens", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	var made api.NewToken
	_, err = v.answer(r, &made)
	return &made, err
}

func (v *visit) token(id string) (*api.Token, error) {
	var t api.Token
	err := v.get("/v1/tokens/"+url.PathEscape(id), &t)
	return &t, err
}

func (p *Pages) askRevokeToken(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	t, err := v.token(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	name := cmp.Or(t.Name, t.ActorID)
	c := confirm{Title: v.t("tokens.revoke_title", "name", name), Text: v.t("tokens.revoke_text", "actor", t.ActorID), Action: "/tokens/" + t.ID.String() + "/revoke",
		Button: v.t("tokens.revoke_button"), Danger: true, Back: "/tokens"}
	switch {
	case t.Current:
		c.Wrong = &banner{Tone: "warn", Text: v.t("tokens.revoke_own"), More: v.t("tokens.revoke_own_text")}
	case t.AssociationID != 0:
		c.Text = v.t("tokens.revoke_text_channel", "id", strconv.Itoa(t.AssociationID))
	}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) revokeToken(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	t, err := v.token(chi.URLParam(r, "id"))
	if err == nil {
		err = v.send(http.MethodDelete, "/v1/tokens/"+t.ID.String(), nil, nil)
	}
	if err != nil {
		v.refused("/tokens", err)
		return
	}
	v.done("/tokens", notice{Tone: "good", Text: v.t("tokens.now_revoked", "name", cmp.Or(t.Name, t.ActorID))})
}
