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
	customer, etag, ok := v.asLeft(chi.URLParam(r, "id"), back)
	if !ok {
		return
	}
	if _, err := v.ask(call{method: http.MethodDelete, path: "/v1/customers/" + customer.ID.String() + "/blacklist", ifMatch: etag}, nil); err != nil {
		v.notAsLeft(customer, back, err)
		return
	}
	n := notice{Tone: "good", Text: v.t("blacklist.removed", "name", v.nameOf(customer))}
	if customer.Listing != nil {
		was := standingOf(customer.Listing)
		n.Undo = undoOfListing(customer.ID.String()+"/restore", back, standing{})
		n.Undo.Fields["reason"], n.Undo.Fields["expires_at"] = was.reason, was.until
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
	customer, etag, ok := v.asLeft(chi.URLParam(r, "id"), back)
	if !ok {
		return
	}
	if _, err := v.ask(call{method: http.MethodPut, path: "/v1/customers/" + customer.ID.String() + "/blacklist", body: in, ifMatch: etag}, nil); err != nil {
		v.notAsLeft(customer, back, err)
		return
	}
	v.done(back, notice{Tone: "good", Text: v.t("blacklist.restored", "name", v.nameOf(customer))})
}

// standing is how somebody stands on the blacklist; without a reason, they do not.
type standing struct{ reason, until string }

func standingOf(l *projections.Listing) (s standing) {
	if l == nil {
		return s
	}
	s.reason = l.Reason
	if l.ExpiresAt != nil {
		s.until = l.ExpiresAt.UTC().Format(time.RFC3339Nano)
	}
	return s
}

// undoOfListing changes how somebody stands on the blacklist, unless they stand otherwise than was left by then.
func undoOfListing(change, back string, left standing) *undo {
	return &undo{Action: "/blacklist/" + change, Fields: hidden{"left.reason": left.reason, "left.until": left.until, "back": back}}
}

// asLeft reads a customer whose place on the blacklist is to be changed. If that is an undo, it gives the ETag to change by, and tells the visitor if
// somebody has changed the place since: then nothing is to be done.
func (v *visit) asLeft(id, back string) (c *projections.Customer, etag string, ok bool) {
	c, etag, err := v.customerWithTag(id)
	if err != nil {
		v.fail(err)
		return nil, "", false
	}
	if !v.r.PostForm.Has("left.reason") {
		return c, "", true
	}
	if left := (standing{v.r.PostFormValue("left.reason"), v.r.PostFormValue("left.until")}); left != standingOf(c.Listing) {
		v.done(back, notice{Tone: "bad", Text: v.t("blacklist.changed_since", "name", v.nameOf(c))})
		return nil, "", false
	}
	return c, etag, true
}

// notAsLeft tells why a place on the blacklist was not changed.
func (v *visit) notAsLeft(c *projections.Customer, back string, err error) {
	if problem, refused := refusal(err); refused && problem.Status == http.StatusPreconditionFailed {
		v.done(back, notice{Tone: "bad", Text: v.t("blacklist.changed_since", "name", v.nameOf(c))})
		return
	}
	v.refused(back, err)
}
