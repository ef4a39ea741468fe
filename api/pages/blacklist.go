package pages

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/projections"
)

var blacklistPage = page{
	place:  &place{Section: "customers", Order: 20, Name: "blacklist", Icon: "ban", Path: "/blacklist", Operation: "list-blacklist", Center: true},
	words:  blacklistWords,
	routes: (*Pages).blacklistPages,
}

func (p *Pages) blacklistPages(r chi.Router) {
	r.Get("/blacklist", p.listBlacklist)
	r.Post("/blacklist", p.searchBlacklist)
	r.Get("/blacklist/{id}/remove", p.askUnblacklist)
	r.Post("/blacklist/{id}/remove", p.unblacklist)
	r.Post("/blacklist/{id}/restore", p.blacklistAgain)
}

// blacklistView is the view of the list.
type blacklistView struct {
	Summary string
	Search  *searchBox // nil: the visitor may not search
	Chips   []chip
	Rows    []blacklistRow
	Pager   pager
	Empty   *empty
	May     bool // remove somebody
}

type blacklistRow struct {
	ID         string
	Who        who
	Reason     string
	Actor      string
	Since      *moment
	Expires    *moment // nil: never
	Suppressed string
	Held       string // the address of the messages that were; empty: there are none
	Remove     string // the address of the dialog
}

func (p *Pages) listBlacklist(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var query struct{ Needle string }
	if err := v.loadQuery(&query); err != nil {
		v.fail(err)
		return
	}
	var page projections.BlacklistPage
	if err := v.get("/v1/blacklist?"+url.Values{"q": {query.Needle}, "cursor": {r.URL.Query().Get("cursor")}}.Encode(), &page); err != nil {
		v.fail(err)
		return
	}
	view := blacklistView{
		Summary: v.t("blacklist.summary", "n", page.Count),
		May:     v.mayBlacklist(),
		Pager:   pagerOf(r.URL, v.t("blacklist.pager"), v.t("blacklist.count", "n", page.Count), page.Prev, page.Next),
	}
	if v.in.Personal { // what is masked cannot be looked for
		view.Search = &searchBox{Action: "/blacklist", Label: v.t("blacklist.search"), Value: query.Needle}
	}
	if query.Needle != "" {
		view.Chips = []chip{{v.t("blacklist.needle"), query.Needle, "/blacklist"}}
	}
	for _, b := range page.Items {
		view.Rows = append(view.Rows, v.blacklistRow(&b))
	}
	switch {
	case len(view.Rows) > 0:
	case query.Needle != "":
		view.Empty = &empty{Icon: "search", Title: v.t("blacklist.none_found", "needle", query.Needle), Text: v.t("blacklist.none_found_text"),
			Actions: []action{{Path: "/blacklist", Text: v.t("filter.clear")}}}
	default:
		view.Empty = &empty{Icon: "ban", Title: v.t("blacklist.none"), Text: v.t("blacklist.none_text")}
	}
	v.show(http.StatusOK, "blacklist", v.t("blacklist.title"), view)
}

func (v *visit) blacklistRow(b *projections.Blacklisted) blacklistRow {
	id := b.Customer.ID.String()
	name := b.Customer.Nickname
	row := blacklistRow{
		ID: b.Customer.ExternalID, Who: who{Avatar: avatarOf(name), Name: name, Nameless: v.t("nobody"), Path: customerPath(id)},
		Reason: b.Reason, Actor: v.actor(b.Actor), Since: v.moment(&b.Since), Expires: v.moment(b.ExpiresAt), Suppressed: grouped(int64(b.SuppressedMessages)),
		Remove: "/blacklist/" + id + "/remove",
	}
	if here := v.here(); here != "/blacklist" {
		row.Remove += "?" + url.Values{"back": {here}}.Encode()
	}
	if b.SuppressedMessages > 0 && v.in.Role != access.Agent { // agents' history has no messages
		row.Held = customerPath(id) + "/changes?kind=held"
	}
	return row
}

// mayBlacklist reports whether the visitor may put customers on the list and take them off.
func (v *visit) mayBlacklist() bool {
	return access.May(v.in.Role, "delete-blacklist") && (v.in.Role != access.Agent || v.settings().AgentAccess.Blacklist)
}

// searchBlacklist keeps what was typed out of the address.
func (p *Pages) searchBlacklist(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).search("/blacklist", map[string]string{"Needle": r.PostFormValue("needle")})
}

// askUnblacklist says what it means to take somebody off the list.
func (p *Pages) askUnblacklist(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	customer, err := v.customer(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	c := confirm{
		Title: v.t("blacklist.ask", "name", v.nameOf(customer)), Text: v.t("blacklist.ask_text"), Action: "/blacklist/" + customer.ID.String() + "/remove",
		Fields: hidden{"back": v.back("/blacklist")}, Button: v.t("blacklist.remove_button"), Danger: true, Back: v.back("/blacklist"),
	}
	if customer.Listing != nil && customer.Listing.SuppressedMessages > 0 {
		c.Text = v.t("blacklist.ask_text_suppressed", "n", customer.Listing.SuppressedMessages)
	}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) unblacklist(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	back := v.back("/blacklist")
	customer, err := v.customer(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	path := "/v1/customers/" + customer.ID.String() + "/blacklist"
	if err := v.send(http.MethodDelete, path, nil, nil); err != nil {
		v.refused(back, err)
		return
	}
	n := notice{Tone: "good", Text: v.t("blacklist.removed", "name", v.nameOf(customer))}
	if customer.Listing != nil {
		n.Undo = &undo{Action: "/blacklist/" + customer.ID.String() + "/restore", Fields: hidden{"reason": customer.Listing.Reason, "back": back}}
		if at := customer.Listing.ExpiresAt; at != nil {
			n.Undo.Fields["expires_at"] = at.Format(time.RFC3339Nano)
		}
	}
	v.done(back, n)
}

// blacklistAgain takes back that somebody was taken off the list.
func (p *Pages) blacklistAgain(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	back := v.back("/blacklist")
	in := api.BlacklistInput{Reason: r.PostFormValue("reason")}
	if until := r.PostFormValue("expires_at"); until != "" {
		at, err := time.Parse(time.RFC3339Nano, until)
		if err != nil {
			v.fail(errUnreadable)
			return
		}
		in.ExpiresAt = &at
	}
	var customer projections.Customer
	if err := v.send(http.MethodPut, "/v1/customers/"+url.PathEscape(chi.URLParam(r, "id"))+"/blacklist", in, &customer); err != nil {
		v.refused(back, err)
		return
	}
	v.done(back, notice{Tone: "good", Text: v.t("blacklist.restored", "name", v.nameOf(&customer))})
}
