package api

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"customercenter/api/access"
)

// A thousand made up requests that would like to be the other tenant's: with its ids, its name wherever one could be given, and tokens that are missing, of
// the wrong tenant, or forged.
func TestNoRequestReachesAnotherTenant(t *testing.T) {
	w := start(t, options{})
	mine, theirs := neighbours(w)
	before := w.head("other")
	var routes []route
	for _, r := range w.routes() {
		if r.tenant && r.Metadata[streams] == nil {
			routes = append(routes, r)
		}
	}
	token := func(random *rand.Rand) string {
		own, others := w.bearer["acme/admin"], w.bearer["other/admin"]
		switch at := 10 + random.IntN(len(others)-10); random.IntN(4) { // behind what all tokens begin with
		case 0:
			return ""
		case 1: // of ours and theirs
			if forged := others[:at] + own[min(at, len(own)):]; forged != others { // they may end alike
				return forged
			}
			return ""
		case 2: // nearly theirs
			return others[:at-1] + string(others[at-1]^1) + others[at:]
		default:
			roles := access.Roles()
			return "acme/" + string(roles[random.IntN(len(roles)-1)]) // but an operator's
		}
	}
	refused := 0
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(19, seed))
		r := routes[random.IntN(len(routes))]
		ids := theirs.things.ids(t, r)
		for i, own := range mine.ids(t, r) {
			if random.IntN(3) == 0 {
				ids[i] = own
			}
		}
		c := call{as: token(random), method: r.Method, path: r.address(ids...), body: w.body(r, theirs.things, true)}
		if c.as != "" && w.bearer[c.as] == "" && strings.ContainsFunc(c.as, func(r rune) bool { return r < '!' || r > '~' }) {
			c.as = "" // no header would take it
		}
		if random.IntN(2) == 0 {
			c.path += "?" + url.Values{"tenant": {"other"}, "cursor": w.cursors(r, theirs.things)}.Encode()
		}
		if random.IntN(2) == 0 {
			c.headers = map[string]string{"X-Tenant": "other", "X-Forwarded-Host": "other", "X-Customercenter-Tenant": "other", "Cookie": "tenant=other"}
		}
		if body, is := c.body.(map[string]any); is && random.IntN(4) == 0 {
			body["tenant"] = "other"
		}
		sent, err := json.Marshal(c.body)
		if err != nil {
			t.Fatal(err)
		}
		answer := w.do(c)
		if mark := theirs.leaks(answer, c.path, string(sent)); mark != "" {
			t.Errorf("seed %d: %s %s as %q tells %q: %s", seed, c.method, c.path, c.as, mark, answer.body)
		}
		if w.bearer[c.as] == "" {
			if answer.status != http.StatusUnauthorized && answer.status != http.StatusTooManyRequests {
				t.Errorf("seed %d: %s %s as %q: got %d", seed, c.method, c.path, c.as, answer.status)
			}
			refused++
		}
	}
	if refused < 500 {
		t.Errorf("only %d requests had no token or a forged one", refused)
	}
	if after := w.head("other"); after != before {
		t.Errorf("the other tenant's log went from %d to %d", before, after)
	}
}
