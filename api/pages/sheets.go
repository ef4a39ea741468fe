package pages

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
)

//go:embed *.html parts/*.html
var sheetFiles embed.FS

// sheets are all templates in one language.
type sheets struct {
	speech    speech
	templates *template.Template
}

// parseSheets parses all templates, once for each language: what they say is known when they are parsed.
func parseSheets(a *assets) map[language]*sheets {
	all := map[language]*sheets{}
	for _, l := range languages() {
		s := &sheets{speech: speechIn(l)}
		s.templates = template.Must(template.New("").Funcs(template.FuncMap{
			"t":     s.speech.tell,
			"one":   s.speech.one,
			"asset": a.path,
			"icon": func(name string) template.HTML {
				return template.HTML(`<svg class="icon" aria-hidden="true"><use href="` + a.path("icons.svg") + `#` + template.HTMLEscapeString(name) + `"/></svg>`)
			},
			"number": told,
			"pair":   func(a, b any) pair { return pair{a, b} },
			"stars": func(score int) (full [5]bool) {
				for i := range full {
					full[i] = i < score
				}
				return full
			},
		}).ParseFS(sheetFiles, "*.html", "parts/*.html"))
		all[l] = s
	}
	return all
}

// layout is what every page has around its own part.
type layout struct {
	Lang, Theme  string
	Title        string
	Tenant       string // its name; empty for an operator
	Actor, Role  string
	Avatar       avatar
	Here         string // this page's address
	Other        string // the other language
	Sections     []section
	Notice       *notice
	Stale, Again bool
	Refresh      int // seconds after which a browser without script asks again; 0: never
	Main         template.HTML
}

// show answers with a page: the template's name, its title, and its view.
func (v *visit) show(status int, name, title string, view any) {
	main, err := v.execute(name, view)
	if err != nil {
		v.broken(err)
		return
	}
	l := layout{Lang: htmlTag(v.language), Theme: v.theme, Title: title, Here: v.here(), Stale: v.stale, Refresh: v.refresh, Main: main}
	frame := "bare"
	if v.in != nil {
		frame = "shell"
		l.Actor, l.Role, l.Avatar, l.Sections = v.in.ID, v.speech.one("role", v.in.Role), avatarOf(v.in.ID), v.navigation()
		l.Tenant, err = v.tenantName()
		if err != nil {
			v.p.Log.WarnContext(v.r.Context(), "pages: the tenant's name is not known", "request", v.id, "error", err)
			l.Tenant = v.in.Tenant
		}
		if l.Notice, l.Again = v.takeNotice(); l.Again {
			l.Refresh = 1
		}
	}
	whole, err := v.execute(frame, l)
	if err != nil {
		v.broken(err)
		return
	}
	v.write(status, []byte(whole))
}

// dialog is the view of a dialog.
type dialog struct {
	Inside template.HTML
	Over   bool // over the page it was asked from; else a page of its own
}

// showDialog answers with a dialog: over the page it was asked from, if the script asks; as a page of its own otherwise.
func (v *visit) showDialog(status int, name, title string, view any) {
	inside, err := v.execute(name, view)
	if err != nil {
		v.broken(err)
		return
	}
	if v.r.Header.Get("HX-Request") == "" {
		v.show(status, "dialog", title, dialog{Inside: inside})
		return
	}
	over, err := v.execute("dialog", dialog{Inside: inside, Over: true})
	if err != nil {
		v.broken(err)
		return
	}
	h := v.w.Header()
	h.Set("HX-Retarget", "#dialogs")
	h.Set("HX-Reselect", "#dialog")
	h.Set("HX-Reswap", "innerHTML show:none")
	h.Set("HX-Push-Url", "false")
	v.write(status, []byte(over))
}

func (v *visit) execute(name string, view any) (template.HTML, error) {
	var b bytes.Buffer
	if err := v.p.sheets[v.language].templates.ExecuteTemplate(&b, name, view); err != nil {
		return "", fmt.Errorf("pages: %s: %w", name, err)
	}
	return template.HTML(b.String()), nil
}

// write answers with HTML, compressed if the browser takes that. Nothing secret stands in a page beside what its visitor could have written into
// it, so how well it compresses tells nothing.
func (v *visit) write(status int, body []byte) {
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Encoding, Accept-Language, Cookie, HX-Request")
	if takesGzip(v.r) {
		if small := compress(body, gzip.BestSpeed); small != nil {
			h.Set("Content-Encoding", "gzip")
			body = small
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body) // a caller who is gone needs no answer
}

// broken answers when not even a page can be made.
func (v *visit) broken(err error) {
	v.p.Log.ErrorContext(v.r.Context(), "pages: a page cannot be made", "request", v.id, "error", err)
	http.Error(v.w, v.t("error.broken")+" "+v.id, http.StatusInternalServerError)
}
