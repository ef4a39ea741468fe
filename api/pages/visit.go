package pages

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"customercenter/api"
	"customercenter/api/access"
)

// visit is one request for a page: who makes it, in which language, and what has come of it so far. One goroutine uses it.
type visit struct {
	p        *Pages
	w        http.ResponseWriter
	r        *http.Request
	id       string // of the request, the same in the API's log
	language language
	speech   speech
	theme    string         // light, dark or auto
	in       *access.SignIn // nil: nobody is signed in
	own      *api.Settings  // of the tenant; asked for when they are needed
	zone     *time.Location // of the tenant
	wrote    int64          // position of the last write of this request
	stale    bool           // the API could not show the last write in time
	kept     bool           // wrote is known to the next page
	asOf     string         // the moment of the past that the page shows, as its address says it; empty: it shows what is now
	then     time.Time      // the same as an instant, once the API has told it
	refresh  int            // seconds after which a browser without script asks for the page again; 0: never
}

type visitKey struct{}

// visitOf returns the visit of a request that was admitted.
func visitOf(r *http.Request) *visit { return r.Context().Value(visitKey{}).(*visit) }

// visit returns the visit of a request; of nobody, if it was not admitted.
func (p *Pages) visit(w http.ResponseWriter, r *http.Request) *visit {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v
	}
	id, _ := r.Context().Value(idKey{}).(string)
	v := &visit{p: p, w: w, r: r, id: id, language: languageOf(r), theme: themeOf(r)}
	v.speech = p.sheets[v.language].speech
	return v
}

// t says something in the visitor's language, see words.
func (v *visit) t(key string, args ...any) string { return v.speech.tell(key, args...) }

// patience is how long a page waits to show what was written a moment ago. Then it says that it is being updated, and looks once more.
const patience = 500 * time.Millisecond

// admit lets a request through if somebody is signed in, and leads to the page for that otherwise.
func (p *Pages) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := p.visit(w, r)
		err := v.recognise()
		if why, ended := signInEnded(err); ended {
			p.setCookie(w, "", -1)
			v.signInFirst(why)
			return
		}
		if err != nil {
			v.fail(err)
			return
		}
		next.ServeHTTP(w, v.r)
		if v.wrote > 0 && !v.kept {
			if err := p.SignIns.Tell(r.Context(), v.in, nil, v.wrote); err != nil {
				p.Log.WarnContext(r.Context(), "pages: the position of a write is not kept", "request", v.id, "error", err)
			}
		}
	})
}

// recognise finds out who is signed in. Errors are those of access.SignIns.Find.
func (v *visit) recognise() error {
	cookie, err := v.r.Cookie(v.p.cookieName())
	if err != nil {
		return access.ErrNoSignIn
	}
	if v.in, err = v.p.SignIns.Find(v.r.Context(), cookie.Value); err != nil {
		return err
	}
	v.r = v.r.WithContext(access.WithPrincipal(api.WithPatience(context.WithValue(v.r.Context(), visitKey{}, v), patience), v.in.Principal))
	return nil
}

// signInFirst leads to the sign-in page, and from there back here.
func (v *visit) signInFirst(why string) {
	query := url.Values{}
	if v.r.Method == http.MethodGet && v.r.URL.RequestURI() != "/" && v.r.Header.Get("HX-Request") == "" {
		query.Set("back", v.r.URL.RequestURI())
	}
	if current, err := url.Parse(v.r.Header.Get("HX-Current-URL")); err == nil && current.Path != "" && current.Path != "/" {
		query.Set("back", current.RequestURI())
	}
	if why != "" {
		query.Set("why", why)
	}
	to := "/sign-in"
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	v.leave(to)
}

// leave leads to a page as a whole, also if only a part was asked for.
func (v *visit) leave(to string) {
	if v.r.Header.Get("HX-Request") != "" {
		v.w.Header().Set("HX-Redirect", to)
		return
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// notice is what a page tells of what was done on the one before.
type notice struct {
	Tone string `json:"tone"` // good, warn or bad
	Text string `json:"text"`
	Undo *undo  `json:"undo,omitempty"`
	// Late is set once a page could not show what it tells of, and looks again by itself.
	Late bool `json:"late,omitempty"`
}

// undo is the form that takes back what a notice tells.
type undo struct {
	Action string            `json:"action"`
	Fields map[string]string `json:"fields,omitempty"`
}

// done leads to a page that shows what was written, and tells of it.
func (v *visit) done(to string, n notice) {
	text, err := json.Marshal(n)
	if err == nil {
		err = v.p.SignIns.Tell(v.r.Context(), v.in, text, v.wrote)
	}
	if err != nil { // it is done all the same
		v.p.Log.WarnContext(v.r.Context(), "pages: a notice is not kept", "request", v.id, "error", err)
	} else {
		v.kept = true
	}
	http.Redirect(v.w, v.r, local(to), http.StatusSeeOther)
}

// takeNotice returns what this page is to tell, nil for nothing, and whether it is to look again by itself, because it cannot show yet what the
// notice tells of. A notice is told once, or twice if it came too early.
func (v *visit) takeNotice() (n *notice, again bool) {
	if v.in == nil || !v.tells() || len(v.in.Notice) == 0 || json.Unmarshal(v.in.Notice, &n) != nil {
		return nil, false
	}
	if v.stale && !n.Late {
		late := *n
		late.Late = true
		text, err := json.Marshal(late)
		if err == nil {
			err = v.p.SignIns.Tell(v.r.Context(), v.in, text, 0)
		}
		return n, err == nil
	}
	told, err := v.p.SignIns.Told(v.r.Context(), v.in)
	if err != nil {
		v.p.Log.WarnContext(v.r.Context(), "pages: a notice may be told twice", "request", v.id, "error", err)
	} else if !told {
		return nil, false // another page was faster
	}
	return n, false
}

// tells reports whether the script shows what the answer has to tell. Parts that are renewed by themselves, or beside what somebody does, are cut out
// of pages too: they must not take a notice that the page tells which somebody is on the way to.
func (v *visit) tells() bool {
	if v.r.Header.Get("HX-Request") == "" {
		return true
	}
	switch v.r.Header.Get("HX-Target") {
	case "main#main", "aside#aside", "section#records":
		return true
	}
	return false
}

// back is where a form was come to from, as its field "back" says; other if it does not.
func (v *visit) back(other string) string {
	if path := v.r.FormValue("back"); path != "" {
		return local(path)
	}
	return other
}

// here is the address of this page, to come back to.
func (v *visit) here() string {
	if v.r.Method != http.MethodGet {
		return "/"
	}
	if strings.HasPrefix(v.r.URL.Path, companyPath) { // what brought somebody there counts once
		return "/sign-in"
	}
	return v.r.URL.RequestURI()
}

// settings are the tenant's, asked for once; empty for an operator.
func (v *visit) settings() *api.Settings {
	if v.own == nil {
		v.own = &api.Settings{}
		if v.in != nil && v.in.Tenant != "" {
			if err := v.get("/v1/settings", v.own); err != nil { // the page itself will say what is wrong
				v.p.Log.WarnContext(v.r.Context(), "pages: the settings are not known", "request", v.id, "error", err)
			}
		}
	}
	return v.own
}

// location is the tenant's time zone.
func (v *visit) location() *time.Location {
	if v.zone == nil {
		v.zone = time.UTC
		if zone, err := time.LoadLocation(v.settings().TimeZone); err == nil {
			v.zone = zone
		}
	}
	return v.zone
}

// tenantName is what the visitor's tenant is called; empty for an operator.
func (v *visit) tenantName() (string, error) {
	if v.in.Tenant == "" {
		return "", nil
	}
	if name, ok := v.p.tenants.Load(v.in.Tenant); ok {
		return name.(string), nil
	}
	var me api.Me
	if err := v.get("/v1/me", &me); err != nil {
		return "", err
	}
	if me.Tenant == nil {
		return "", errors.New("pages: a tenant without a name")
	}
	v.p.tenants.Store(v.in.Tenant, me.Tenant.Name)
	return me.Tenant.Name, nil
}
