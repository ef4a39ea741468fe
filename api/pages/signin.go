package pages

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
)

// cookieName is the cookie that holds the secret of a sign-in. Where it is for https only, its name keeps other hosts from setting it.
func (p *Pages) cookieName() string {
	if p.secure {
		return "__Host-cc_sign_in"
	}
	return "cc_sign_in"
}

// setCookie hands the browser the secret of a sign-in; a negative age takes it away.
func (p *Pages) setCookie(w http.ResponseWriter, secret string, age int) {
	http.SetCookie(w, &http.Cookie{Name: p.cookieName(), Value: secret, Path: "/", MaxAge: age, Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// signInEnded reports whether an error says that a sign-in does not count any more, and why: the word signin.why_<why>.
func signInEnded(err error) (why string, ended bool) {
	switch {
	case errors.Is(err, access.ErrNoSignIn):
		return "", true
	case errors.Is(err, access.ErrSignInIdle):
		return "idle", true
	case errors.Is(err, access.ErrSignInOver):
		return "over", true
	case errors.Is(err, access.ErrSignInRevoked):
		return "revoked", true
	}
	return "", false
}

func (p *Pages) signInPages(r chi.Router) {
	r.Get("/sign-in", p.signInPage)
	r.Post("/sign-in", p.signIn)
	r.Get("/sign-in/{secret}", p.linkPage)
	r.Post("/sign-in/{secret}", p.useLink)
	r.Post("/sign-out", p.signOut)
	p.companyPages(r)
}

// signInView is the view of the page to sign in on.
type signInView struct {
	Why     string // why one has to sign in again
	Wrong   string // what is wrong with the token
	Trouble string // why the company account did not sign in
	Back    string
	Company string // where one signs in with a company account; empty: nowhere
}

// signInView completes a view with what this installation offers.
func (v *visit) signInView(view signInView) signInView {
	if v.p.Accounts != nil {
		view.Company = companyPath + "?" + url.Values{"back": {view.Back}}.Encode()
	}
	return view
}

func (p *Pages) signInPage(w http.ResponseWriter, r *http.Request) {
	v := p.visit(w, r)
	view := signInView{Back: local(r.URL.Query().Get("back"))}
	switch why := cmp.Or(r.URL.Query().Get("why"), r.URL.Query().Get("state")); why { // the company's sign-in hands a state back
	case "idle", "over", "revoked", "out":
		view.Why = v.t("signin.why_" + why)
	}
	v.show(http.StatusOK, "signin", v.t("signin.title"), v.signInView(view))
}

// signIn takes a token, or a link that was pasted.
func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) {
	v := p.visit(w, r)
	text := strings.TrimSpace(r.PostFormValue("token"))
	back := local(r.PostFormValue("back"))
	if _, secret, ok := strings.Cut(text, "/sign-in/"); ok {
		v.open(back, func() (string, error) { return p.SignIns.Use(r.Context(), secret) })
		return
	}
	me, err := v.whose(text)
	if problem, refused := refusal(err); refused {
		wrong := problem.Detail
		if problem.Status == http.StatusUnauthorized {
			wrong = v.t("signin.unknown")
		}
		v.show(problem.Status, "signin", v.t("signin.title"), v.signInView(signInView{Wrong: wrong, Back: back}))
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	if me.Role == string(access.Channel) {
		v.show(http.StatusForbidden, "signin", v.t("signin.title"), v.signInView(signInView{Wrong: v.t("signin.channel"), Back: back}))
		return
	}
	v.open(back, func() (string, error) { return p.SignIns.Open(r.Context(), me.TokenID) })
}

// whose asks the API whose token this is. It counts those who try, and turns them away.
func (v *visit) whose(token string) (me api.Me, err error) {
	r, err := v.request(http.MethodGet, "/v1/me", http.NoBody)
	if err != nil {
		return me, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	_, err = v.answer(r, &me)
	return me, err
}

// open signs in: always with a new secret, so that none that somebody else knows ever counts.
func (v *visit) open(back string, open func() (secret string, err error)) {
	secret, err := open()
	if wrong, ok := v.linkWrong(err); ok {
		v.show(http.StatusGone, "signin", v.t("signin.title"), v.signInView(signInView{Wrong: wrong, Back: back}))
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.enter(back, secret, access.SignInFor)
}

// enter hands the browser the secret of a sign-in that was opened, for so long, and leads on.
func (v *visit) enter(back, secret string, lasts time.Duration) {
	if old, err := v.r.Cookie(v.p.cookieName()); err == nil {
		_ = v.p.SignIns.Close(v.r.Context(), old.Value) // it goes out of use anyway
	}
	v.p.setCookie(v.w, secret, int(lasts.Seconds()))
	http.Redirect(v.w, v.r, back, http.StatusSeeOther)
}

// linkWrong says why a link does not sign in.
func (v *visit) linkWrong(err error) (string, bool) {
	switch {
	case errors.Is(err, access.ErrLinkUsed):
		return v.t("signin.link_used"), true
	case errors.Is(err, access.ErrLinkOver):
		return v.t("signin.link_over"), true
	case errors.Is(err, access.ErrNoLink):
		return v.t("signin.link_unknown"), true
	}
	return "", false
}

// linkView is the view of the page that a sign-in link opens.
type linkView struct {
	Actor, Role, Tenant string
	Action              string
}

// linkPage shows whom a link signs in, with one button: programs that look at links, as chats and scanners do, press none and do not use it up.
func (p *Pages) linkPage(w http.ResponseWriter, r *http.Request) {
	v := p.visit(w, r)
	w.Header().Set("Referrer-Policy", "no-referrer") // the address is a secret
	who, err := p.SignIns.Look(r.Context(), chi.URLParam(r, "secret"))
	if wrong, ok := v.linkWrong(err); ok {
		v.show(http.StatusGone, "signin", v.t("signin.title"), v.signInView(signInView{Wrong: wrong, Back: "/"}))
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.show(http.StatusOK, "signin_link", v.t("signin.title"),
		linkView{Actor: who.ID, Role: v.speech.one("role", who.Role), Tenant: who.Tenant, Action: r.URL.EscapedPath()})
}

func (p *Pages) useLink(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	p.visit(w, r).open("/", func() (string, error) { return p.SignIns.Use(r.Context(), chi.URLParam(r, "secret")) })
}

func (p *Pages) signOut(w http.ResponseWriter, r *http.Request) {
	v := p.visit(w, r)
	var proof []byte
	if cookie, err := r.Cookie(p.cookieName()); err == nil {
		proof, err = p.SignIns.Proof(r.Context(), cookie.Value)
		if err == nil {
			err = p.SignIns.Close(r.Context(), cookie.Value)
		}
		if err != nil {
			v.fail(err) // better still signed in and told so than signed in unawares
			return
		}
	}
	p.setCookie(w, "", -1)
	if !v.leaveCompany(proof) {
		v.leave("/sign-in?why=out")
	}
}
