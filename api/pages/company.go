package pages

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api/access"
	"customercenter/api/accounts"
)

const (
	companyPath = "/sign-in/company"
	// CompanyReturns and CompanySignedOut are the paths to which a company's own sign-in leads back: after signing in, and after signing out. They are to be registered there.
	CompanyReturns   = companyPath + "/return"
	CompanySignedOut = "/sign-in"
	// companyWithin is how long somebody may take to sign in there.
	companyWithin = 15 * time.Minute
	// shownValues is how many values of an account without a role are shown, and shownLength how much of each.
	shownValues, shownLength = 20, 100
)

func (p *Pages) companyPages(r chi.Router) {
	if p.Accounts != nil {
		r.Get(companyPath, p.beginCompany)
		r.Get(CompanyReturns, p.endCompany)
	}
}

// companyCookie is the cookie that holds a sign-in with a company account from when it was begun until the browser comes back.
func (p *Pages) companyCookie(value string, age int) *http.Cookie {
	name := "cc_company"
	if p.secure {
		name = "__Host-" + name
	}
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// beginCompany leads to the company's own sign-in.
func (p *Pages) beginCompany(w http.ResponseWriter, r *http.Request) {
	v := p.visit(w, r)
	back := local(r.URL.Query().Get("back"))
	to, keep, err := p.Accounts.Begin(r.Context(), back, r.URL.Query().Has("another"))
	if err != nil {
		v.companyFailed(back, err)
		return
	}
	http.SetCookie(w, p.companyCookie(keep, int(companyWithin.Seconds())))
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// endCompany signs in whoever comes back from there with a proof. Its address holds a code, which counts once and for this browser only; no page that it leads to is told.
func (p *Pages) endCompany(w http.ResponseWriter, r *http.Request) {
	v := p.visit(w, r)
	w.Header().Set("Referrer-Policy", "no-referrer")
	keep := ""
	if cookie, err := r.Cookie(p.companyCookie("", 0).Name); err == nil {
		keep = cookie.Value
	}
	http.SetCookie(w, p.companyCookie("", -1))
	who, back, err := p.Accounts.Finish(r.Context(), keep, r.URL.Query())
	back = local(back)
	var secret string
	if err == nil {
		secret, err = p.SignIns.OpenAccount(r.Context(),
			access.Account{Tenant: who.Tenant, Role: who.Role, Actor: who.Actor, Personal: who.Personal}, p.AccountsFor, []byte(who.IDToken))
	}
	if err != nil {
		v.companyFailed(back, err)
		return
	}
	v.p.Log.InfoContext(r.Context(), "pages: signed in with a company account", "request", v.id, "role", who.Role, "tenant", who.Tenant)
	v.enter(back, secret, p.AccountsFor)
}

// noRole is the view of the page for a company account that may do nothing here.
type noRole struct {
	Text    string // where a role would be, and what the account has there
	Values  []string
	More    int // values that are not shown
	Another string
	Back    string
}

// companyFailed says why somebody is not signed in with a company account, and what to do.
func (v *visit) companyFailed(back string, err error) {
	why, status := "", http.StatusForbidden
	var none *accounts.NoRole
	switch {
	case errors.As(err, &none):
		why = "no_role"
	case errors.Is(err, accounts.ErrAway):
		why, status = "away", http.StatusServiceUnavailable
	case errors.Is(err, accounts.ErrNotBegun):
		why, status = "not_begun", http.StatusBadRequest
	case errors.Is(err, accounts.ErrDeclined):
		why = "declined"
	case errors.Is(err, accounts.ErrUnproven):
		why, status = "unproven", http.StatusBadRequest
	case errors.Is(err, accounts.ErrClient):
		why, status = "client", http.StatusBadGateway
	case errors.Is(err, accounts.ErrNoActor):
		why = "no_actor"
	case errors.Is(err, access.ErrTenant):
		why = "no_tenant"
	default:
		v.fail(err)
		return
	}
	attributes := []any{"request", v.id, "why", why}
	if why == "away" || why == "unproven" {
		attributes = append(attributes, "error", err) // it says nothing of what was answered
	}
	v.p.Log.WarnContext(v.r.Context(), "pages: a company account did not sign in", attributes...)
	if none == nil {
		v.show(status, "signin", v.t("signin.title"), v.signInView(signInView{Trouble: v.speech.one("company_why", why), Back: back}))
		return
	}
	view := noRole{Text: v.t("company.none", "claim", none.Claim), Another: companyPath + "?" + url.Values{"another": {""}, "back": {back}}.Encode(), Back: "/sign-in?" + url.Values{"back": {back}}.Encode()}
	if len(none.Values) > 0 {
		view.Text = v.t("company.some", "claim", none.Claim)
	}
	for i, value := range none.Values {
		if i == shownValues {
			view.More = len(none.Values) - i
			break
		}
		if runes := []rune(value); len(runes) > shownLength {
			value = string(runes[:shownLength]) + "…"
		}
		view.Values = append(view.Values, value)
	}
	v.show(status, "company_no_role", v.t("company.no_role"), view)
}

// companyOut is the view of the page that has a browser sign out at the company, too.
type companyOut struct {
	To     string
	Fields map[string]string
}

// leaveCompany answers with the page that signs out at the company, too, whoever was signed in with an account of it. It reports false, and answers nothing, if there is no
// need: nobody was, or the company's sign-in offers nothing of the kind, or cannot be reached.
func (v *visit) leaveCompany(proof []byte) bool {
	if v.p.Accounts == nil || len(proof) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), 3*time.Second)
	defer cancel()
	leaving, err := v.p.Accounts.Leave(ctx, string(proof))
	if err != nil {
		v.p.Log.WarnContext(v.r.Context(), "pages: nobody is signed out at the company's sign-in", "request", v.id, "error", err)
		return false
	}
	to, err := url.Parse(leaving.To)
	if leaving.To == "" || err != nil {
		return false
	}
	v.w.Header().Set("Content-Security-Policy", strings.Replace(policy, "form-action 'self'", "form-action 'self' "+to.Scheme+"://"+to.Host, 1))
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	v.show(http.StatusOK, "company_out", v.t("company.out"), companyOut{To: leaving.To, Fields: leaving.Fields})
	return true
}
