package pages

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"customercenter/api/access"
)

func TestSigningInWithAToken(t *testing.T) {
	w := start(t)
	v := w.visitor("en")
	to := v.get("/blacklist?cursor=x").want(http.StatusSeeOther).header.Get("Location")
	if to != "/sign-in?back=%2Fblacklist%3Fcursor%3Dx" {
		t.Fatalf("led to %s", to)
	}
	v.get(to).want(http.StatusOK).says(`name="back" value="/blacklist?cursor=x"`)
	v.post("/sign-in", url.Values{"token": {"cc_wrong"}, "back": {"/blacklist"}}).want(http.StatusUnauthorized).
		says("There is no such token", `value="/blacklist"`).hides("cc_wrong")
	v.post("/sign-in", url.Values{"token": {w.texts[access.Channel]}}).want(http.StatusForbidden).says("opens no pages")
	in := v.post("/sign-in", url.Values{"token": {" " + w.texts[access.Admin] + "\n"}, "back": {"/blacklist?cursor="}}).want(http.StatusSeeOther)
	if in.header.Get("Location") != "/blacklist?cursor=" {
		t.Errorf("led to %s", in.header.Get("Location"))
	}
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"} {
		if cookie := in.header.Get("Set-Cookie"); !strings.Contains(cookie, want) || strings.Contains(cookie, "Secure") {
			t.Errorf("cookie %s", cookie)
		}
	}
	v.get("/blacklist").want(http.StatusOK).says("青屿生活", "shen.zhiyao", "Admin")
	v.post("/sign-out", url.Values{}).want(http.StatusSeeOther)
	v.get("/blacklist").want(http.StatusSeeOther)
	if strings.Contains(w.log.String(), w.texts[access.Admin]) {
		t.Error("a token is in the log")
	}
}

// Guessing is counted by the API, as everywhere.
func TestGuessingTokens(t *testing.T) {
	w := start(t)
	v := w.visitor("zh")
	for range 5 {
		v.post("/sign-in", url.Values{"token": {"cc_guess"}}).want(http.StatusUnauthorized)
	}
	v.post("/sign-in", url.Values{"token": {"cc_guess"}}).want(http.StatusTooManyRequests).says("class=\"wrong\"")
}

func TestASignInLinkWorksOnce(t *testing.T) {
	w := start(t)
	link := func() string {
		secret, err := w.signIns.Link(t.Context(), w.made[access.Admin].ID, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return "/sign-in/" + secret
	}
	path := link()
	v := w.visitor("zh")
	for range 2 { // looking at it does not use it up
		page := v.get(path).want(http.StatusOK).says("shen.zhiyao", "管理员", "acme")
		if page.header.Get("Referrer-Policy") != "no-referrer" || page.header.Get("Set-Cookie") != "" {
			t.Errorf("headers %v", page.header)
		}
	}
	v.post(path, url.Values{}).want(http.StatusSeeOther)
	v.get("/blacklist").want(http.StatusOK)
	second := w.visitor("zh")
	second.post(path, url.Values{}).want(http.StatusGone).says("已经用过")
	second.get(path).want(http.StatusGone).says("已经用过")
	second.get("/blacklist").want(http.StatusSeeOther)
	second.get("/sign-in/nothing").want(http.StatusGone).says("没有这个链接")

	pasted := link()
	second.post("/sign-in", url.Values{"token": {"http://127.0.0.1:8080" + pasted}}).want(http.StatusSeeOther)
	second.get("/blacklist").want(http.StatusOK)

	late := link()
	w.clock.move(time.Hour)
	w.visitor("en").post(late, url.Values{}).want(http.StatusGone).says("has expired")
	for _, secret := range []string{path, pasted, late} {
		if strings.Contains(w.log.String(), strings.TrimPrefix(secret, "/sign-in/")) {
			t.Error("a link is in the log")
		}
	}
}

func TestSignInsEnd(t *testing.T) {
	w := start(t)
	ends := func(v *visitor, words string) {
		t.Helper()
		to := v.get("/tags").want(http.StatusSeeOther).header.Get("Location")
		v.get(to).says(words, `value="/tags"`)
	}
	idle := w.as(access.Admin, "en")
	w.clock.move(access.SignInIdle)
	ends(idle, "after 2 hours without activity")

	busy := w.as(access.Admin, "en")
	for range 8 {
		busy.get("/tags").want(http.StatusOK)
		w.clock.move(90*time.Minute - time.Second)
	}
	w.clock.move(8 * time.Second)
	ends(busy, "has lasted as long as it may")

	revoked := w.as(access.Admin, "en")
	revoked.get("/tags").want(http.StatusOK)
	if err := w.tokens.Revoke(t.Context(), "acme", w.made[access.Admin].ID); err != nil {
		t.Fatal(err)
	}
	ends(revoked, "has expired or was revoked")
}

// A link that does not sign in leaves whoever is signed in as they were.
func TestABadLinkSignsNobodyOut(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "en")
	v.post("/sign-in/nothing", url.Values{}).want(http.StatusGone)
	v.post("/sign-in", url.Values{"token": {"http://127.0.0.1:8080/sign-in/nothing"}}).want(http.StatusGone)
	v.get("/tags").want(http.StatusOK)
}

// A sign-in never goes on with a secret that somebody could have known before.
func TestEverySignInHasItsOwnSecret(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "en")
	address, _ := url.Parse(w.server.URL)
	before := v.client.Jar.Cookies(address)[0].Value
	v.post("/sign-in", url.Values{"token": {w.texts[access.Admin]}}).want(http.StatusSeeOther)
	if now := v.client.Jar.Cookies(address)[0].Value; now == before {
		t.Fatal("the secret is the same")
	}
	old := w.visitor("en")
	old.client.Jar.SetCookies(address, []*http.Cookie{{Name: "cc_sign_in", Value: before}})
	old.get("/tags").want(http.StatusSeeOther)
}

func TestBehindHTTPS(t *testing.T) {
	w := start(t, func(c *Config) { c.PublicURL = "https://cc.example.com" })
	in := w.visitor("en").post("/sign-in", url.Values{"token": {w.texts[access.Admin]}}).want(http.StatusSeeOther)
	if cookie := in.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-cc_sign_in=") || !strings.Contains(cookie, "Secure") {
		t.Errorf("cookie %s", cookie)
	}
	if got := in.header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security: %q", got)
	}
}
