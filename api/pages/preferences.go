package pages

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/internal/locale"
)

// How somebody wants to see the pages is kept in cookies of the browser: it holds before the sign-in, and tells nothing about anybody.
const (
	languageCookie = "cc_language" // zh or en
	themeCookie    = "cc_theme"    // light, dark or auto
	chartsCookie   = "cc_charts"   // open or folded
)

// languageOf is the language that was chosen, else the browser's; Chinese, if that says nothing.
func languageOf(r *http.Request) language {
	if c, err := r.Cookie(languageCookie); err == nil {
		switch c.Value {
		case chinese.Tag():
			return chinese
		case english.Tag():
			return english
		}
	}
	header := r.Header.Get("Accept-Language")
	if header == "" {
		return chinese
	}
	return locale.Parse(header)
}

// themeOf is the theme that was chosen.
func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return "auto"
}

// chartsFolded reports whether the charts over lists were folded.
func chartsFolded(r *http.Request) bool {
	c, err := r.Cookie(chartsCookie)
	return err == nil && c.Value == "folded"
}

func (p *Pages) preferencePages(r chi.Router) {
	r.Post("/preferences", func(w http.ResponseWriter, r *http.Request) {
		keep := func(name string, values ...string) {
			for _, value := range values {
				if r.FormValue(name) == value {
					http.SetCookie(w, &http.Cookie{Name: "cc_" + name, Value: value, Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
						Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
				}
			}
		}
		keep("language", "zh", "en")
		keep("theme", "light", "dark", "auto")
		keep("charts", "open", "folded")
		http.Redirect(w, r, local(r.FormValue("back")), http.StatusSeeOther)
	})
}
