// Package pages is what people see in a browser: HTML made on the server, a little script that makes it quicker, and nothing from elsewhere.
//
// The pages are a client of the API like any other: what they show and do, they ask the API's own handler for, inside the process, on
// behalf of whoever is signed in. So permissions, masking, validation and the words of refusals are the API's, and nothing can be done here
// that cannot be done there. A page is a set of files: name.go, name.html, words_name.go, name_test.go; docs/pages.md says how to add one.
package pages

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api/access"
	"customercenter/api/accounts"
)

// Config is what the pages work with. API and SignIns are needed.
type Config struct {
	// API answers the requests that pages make: the handler of package api.
	API     http.Handler
	SignIns *access.SignIns
	// PublicURL is where people find the pages, if a proxy stands before this process; cookies are for https only if it is https.
	PublicURL string
	// Accounts is the company's own sign-in; nil: there is none. A sign-in by it lasts AccountsFor, or access.SignInFor if that is shorter.
	Accounts    *accounts.Provider
	AccountsFor time.Duration
	// Parts serves /_parts, which shows every part in all its states, for those who make pages.
	Parts bool
	// Now is the clock by which "3 minutes ago" is told; default time.Now.
	Now func() time.Time
	// Log takes the requests and what went wrong; default slog.Default.
	Log *slog.Logger
}

// Pages serves the pages.
type Pages struct {
	Config
	pages   []page
	secure  bool // cookies are for https only
	assets  *assets
	sheets  map[language]*sheets
	tenants sync.Map // names of tenants, which never change, by slug
}

// page is a set of pages about one thing.
type page struct {
	// place is where it stands in the navigation; nil: nowhere.
	place     *place
	words     words
	takesFile string // the address that takes a file; all others take forms only
	// routes adds its addresses. Everybody who gets there is signed in.
	routes func(p *Pages, r chi.Router)
}

// all are the pages. A new one is one line here.
var all = []page{
	customersPage,
	customerPage,
	bulkPage,
	blacklistPage,
	sessionsPage,
	perDayPage,
	groupsPage,
	autoMessagesPage,
	conditionsPage,
	importPage,
	exportsPage,
	fieldsPage,
	tagsPage,
	associationsPage,
	settingsPage,
	tokensPage,
	systemPage,
	asOfPage,
}

// New returns the handler of the pages. It panics if a template is wrong: a mistake in this package.
func New(c Config) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	p := &Pages{Config: c, pages: all, assets: loadAssets()}
	if c.Parts {
		p.pages = append(slices.Clone(all), partsPage)
	}
	public, err := url.Parse(c.PublicURL)
	p.secure = err == nil && public.Scheme == "https"
	p.sheets = parseSheets(p.assets)

	router := chi.NewMux()
	router.Use(p.arrive)
	router.Get("/assets/{hash}/{name}", p.assets.serve)
	router.Group(func(r chi.Router) {
		r.Use(p.guard)
		r.NotFound(p.notFound)
		r.MethodNotAllowed(p.notFound)
		p.signInPages(r)
		p.preferencePages(r)
		r.Group(func(r chi.Router) {
			r.Use(p.admit)
			r.Get("/", p.home)
			for _, page := range p.pages {
				page.routes(p, r)
			}
		})
	})
	return router
}

// home leads to the first place that the visitor may see.
func (p *Pages) home(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	for _, section := range v.navigation() {
		for _, place := range section.Places {
			http.Redirect(w, r, place.Path, http.StatusSeeOther)
			return
		}
	}
	v.show(http.StatusOK, "nothing_here", v.t("home.nothing"), nil)
}

func (p *Pages) notFound(w http.ResponseWriter, r *http.Request) {
	v := p.visit(w, r)
	_ = v.recognise() // whoever is signed in keeps the navigation; to others, there is nothing to be said of it
	v.fail(errNotFound)
}

// local returns a path of our own pages to go to, or "/" if it is none: nobody is to be led elsewhere by an address that begins with ours.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") ||
		strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}
