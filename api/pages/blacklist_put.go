package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/domain/customer"
	"customercenter/domain/text"
	"customercenter/projections"
)

// blacklistDays are after how many days somebody may come off the blacklist by themselves.
var blacklistDays = []int{1, 7, 30, 90}

// listing is somebody who is to be put on the blacklist: from their own page, or from a session.
type listing struct {
	customer string // the id
	name     string
	path     string // where it is asked; behind /v1, where it is done
	back     string
	open     bool                 // a session of theirs has not ended
	already  *projections.Listing // nil: they are not on the list
}

// listingOf is the listing of a customer.
func (v *visit) listingOf(id string) (*listing, error) {
	c, err := v.customer(id)
	if err != nil {
		return nil, err
	}
	path := customerPath(id)
	return &listing{customer: id, name: v.nameOf(c), path: path + "/blacklist", back: v.back(path), open: c.OpenSession != nil, already: c.Listing}, nil
}

// listingIn is the listing of a session's customer.
func (v *visit) listingIn(id string) (*listing, error) {
	var s projections.Session
	if err := v.get("/v1/sessions/"+url.PathEscape(id), &s); err != nil {
		return nil, err
	}
	return &listing{customer: s.CustomerID.String(), name: v.nameInSession(&s), path: "/sessions/" + s.ID.String() + "/blacklist", back: v.back("/sessions"), open: s.EndedAt == nil}, nil
}

// nameInSession is what to call the customer of a session.
func (v *visit) nameInSession(s *projections.Session) string {
	if c := s.Customer; c != nil {
		for _, name := range []string{c.Nickname, c.Name, c.ExternalID} {
			if name != "" {
				return name
			}
		}
	}
	return v.t("nobody")
}

func (p *Pages) askBlacklist(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	l, err := v.listingOf(chi.URLParam(r, "id"))
	if err != nil {
		v.failCustomer(err)
		return
	}
	v.showListing(http.StatusOK, l, "")
}

func (p *Pages) blacklist(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	l, err := v.listingOf(chi.URLParam(r, "id"))
	if err != nil {
		v.failCustomer(err)
		return
	}
	v.putListing(l)
}

func (p *Pages) askBlacklistSession(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	l, err := v.listingIn(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	v.showListing(http.StatusOK, l, "")
}

func (p *Pages) blacklistSession(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	l, err := v.listingIn(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	v.putListing(l)
}

// showListing asks why, for how long, and what becomes of a session that is open.
func (v *visit) showListing(status int, l *listing, wrongReason string) {
	until := []option{{Text: v.t("blacklist.never")}}
	for _, days := range blacklistDays {
		value := strconv.Itoa(days)
		until = append(until, option{Value: value, Text: v.t("blacklist.put_days", "n", days), Chosen: v.r.PostFormValue("days") == value})
	}
	c := confirm{
		Title: v.t("blacklist.put_ask", "name", l.name), Text: v.t("blacklist.put_text"), Action: l.path,
		Fields: hidden{"back": l.back}, Button: v.t("blacklist.put"), Danger: true, Back: l.back,
		Inputs: []field{
			{Name: "reason", Label: v.t("blacklist.put_reason"), Hint: v.t("blacklist.put_hint", "n", customer.MaxReason), Lines: 3, Value: v.r.PostFormValue("reason"), Wrong: wrongReason, Required: true, Focus: true},
			{Name: "days", Label: v.t("blacklist.expires"), Options: until},
		},
	}
	if l.open {
		c.Text = v.t("blacklist.put_text_open")
		c.Inputs = append(c.Inputs, field{Name: "end", Label: v.t("blacklist.put_open"), Options: []option{
			{Text: v.t("blacklist.put_goes_on")}, {Value: "now", Text: v.t("blacklist.put_ends"), Chosen: v.r.PostFormValue("end") == "now"}}})
	}
	if l.already != nil {
		c.Wrong = &banner{Tone: "warn", Text: v.t("blacklist.put_already"), More: l.already.Reason}
	}
	v.showDialog(status, "confirm", c.Title, c)
}

func (v *visit) putListing(l *listing) {
	in := api.BlacklistInput{Reason: v.r.PostFormValue("reason"), EndSession: v.r.PostFormValue("end") == "now"}
	if typed := v.r.PostFormValue("days"); typed != "" {
		days, err := strconv.Atoi(typed)
		if err != nil || !slices.Contains(blacklistDays, days) {
			v.fail(errUnreadable)
			return
		}
		at := v.p.Now().UTC().Add(time.Duration(days) * 24 * time.Hour).Truncate(time.Microsecond) // as the log keeps it
		in.ExpiresAt = &at
	}
	err := v.send(http.MethodPut, "/v1"+l.path, in, nil)
	if why := wrong(err, "reason", false); why != "" {
		v.showListing(http.StatusUnprocessableEntity, l, why)
		return
	}
	if err != nil {
		v.refused(l.back, err)
		return
	}
	in.Reason, _ = text.Line(in.Reason) // as the log has it
	v.done(l.back, notice{Tone: "good", Text: v.t("blacklist.listed", "name", l.name),
		Undo: undoOfListing(l.customer+"/remove", l.back, standingOf(&projections.Listing{Reason: in.Reason, ExpiresAt: in.ExpiresAt}))})
}
