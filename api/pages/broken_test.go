package pages

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api/access"
)

// oddInputs are what nobody types into a form, and no page has in its address.
var oddInputs = []string{"", " ", "x", "-1", "0", "1.5", "99999999999999999999", "true", "me", "\x00", "\xff", "\u0007", "\u202eabc", "%", "'; --", "{{.}}", "<script>alert(1)</script>", "../..", "//evil.example", "{", "{}", "[]", "null",
	"0000-01-01T00:00", "9999-12-31", "2026-02-30", "00000000-0000-0000-0000-000000000000", `{"all":[{"field":"any_text","op":"contains","value":"%"}]}`, strings.Repeat("[", 3000), strings.Repeat("长", 2000), "add 0.0.0", "remove 99", "eyJzIjoiIn0"}

// oddNames are names of inputs that forms have.
var oddNames = []string{"name", "q", "filter", "view", "sort", "cursor", "as_of", "back", "etag", "c.match", "c.do", "c.0.field", "c.0.op", "c.0.value", "c.0.kept", "c.0.0.match", "c.0.1.field", "columns", "column", "option_label", "option_id", "gone", "order",
	"move", "type", "key", "tag", "tags", "ids", "all", "action", "reason", "expires", "until", "confirm", "text", "score", "channel", "account", "role", "actor", "number", "tenant", "build", "zone", "week", "rate", "audience", "customers", "groups", "from", "to", "days", "limit", "part"}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// TestNoPageBreaks asks for every page with ids, queries and forms that are none. It may refuse them, but not break, or say more than a refusal.
func TestNoPageBreaks(t *testing.T) {
	w := start(t)
	w.crowd()
	w.seen()
	random := rand.New(rand.NewPCG(11, 26))
	odd := func() string { return oddInputs[random.IntN(len(oddInputs))] }
	fields := func() url.Values {
		form := url.Values{}
		for range random.IntN(8) {
			form.Add(oddNames[random.IntN(len(oddNames))], odd())
		}
		return form
	}
	visitors := []*visitor{w.as(access.Admin, "zh"), w.as(access.Operator, "en")}
	for _, v := range visitors {
		v.client.Timeout = time.Minute // far longer than any page takes
	}
	asked, refused := 0, 0
	err := chi.Walk(New(Config{API: w.api, SignIns: w.signIns, Now: w.clock.now}).(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.HasSuffix(route, "/events") || strings.HasPrefix(route, "/sign-") || strings.Contains(route, "*") {
			return nil // what is followed, and what would sign the visitors out
		}
		v := visitors[0]
		if strings.HasPrefix(route, "/system") {
			v = visitors[1]
		}
		for range 2 {
			path := placeholder.ReplaceAllStringFunc(route, func(string) string { return url.PathEscape(odd() + "x") })
			if query := fields(); len(query) > 0 {
				path += "?" + query.Encode()
			}
			var form url.Values
			if method != http.MethodGet {
				form = fields()
			}
			page := v.do(method, path, form)
			if asked++; page.status >= 400 {
				refused++
			}
			if page.status >= 500 || strings.Contains(page.body, "<script>alert") {
				return fmt.Errorf("%s %s with %q is answered with %d: %.2000s", method, path, form, page.status, page.body)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if asked < 200 || refused < 50 || refused == asked {
		t.Errorf("%d pages were asked for, and %d refused", asked, refused)
	}
	if strings.Contains(w.log.String(), "panic") {
		t.Error("a page panicked")
	}
}
