package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/api/accounts"
	"customercenter/commands"
	"customercenter/domain/settings"
	"customercenter/internal/oidctest"
)

var (
	ouyang = oidctest.User{ID: "staff-1001", Name: "ouyang", Password: "boss's own", Given: "国强", Family: "欧阳", Email: "ouyang@acme.example", Groups: []string{"everybody", "cc-admins"}}
	he     = oidctest.User{ID: "he.yunzhou", Name: "he", Password: "desk's own", Given: "云舟", Family: "何", Email: "he@acme.example", Groups: []string{"cc-desk"}}
	guest  = oidctest.User{ID: "staff-3003", Name: "guest", Password: "guest's own", Groups: []string{"everybody", "<b>绘画小组</b>"}}
	lost   = oidctest.User{ID: "staff-4004", Name: "lost", Password: "lost's own", Groups: []string{"cc-globex"}}
)

// startCompany brings up a world to which people may sign in with company accounts, for two hours, and the company's provider.
func startCompany(t *testing.T, changes ...func(*Config)) (*world, *oidctest.Provider) {
	t.Helper()
	there := oidctest.Start(t, ouyang, he, guest, lost)
	here := accounts.New(accounts.Config{
		Issuer: there.Issuer, Client: "customer-center", Secret: "client's own", Scopes: []string{"groups", "profile", "email"}, Claim: "groups", Actor: "sub",
		Grants: []accounts.Grant{{Value: "cc-admins", Role: access.Admin, Tenant: "acme"}, {Value: "cc-desk", Role: access.Agent, Tenant: "acme"}, {Value: "cc-globex", Role: access.Admin, Tenant: "globex"}},
	})
	w := start(t, append([]func(*Config){func(c *Config) {
		c.Accounts, c.AccountsFor = here, 2*time.Hour
	}}, changes...)...)
	here.Returns, here.SignedOut = w.server.URL+CompanyReturns, w.server.URL+CompanySignedOut
	there.Register(oidctest.Client{ID: "customer-center", Secret: "client's own", Returns: here.Returns, SignedOut: here.SignedOut, InIDToken: true})
	return w, there
}

// company signs somebody in at the provider and returns the answer to coming back.
func (v *visitor) company(there *oidctest.Provider, who oidctest.User, back string) shown {
	v.w.t.Helper()
	to := v.get("/sign-in/company?back=" + url.QueryEscape(back)).want(http.StatusSeeOther).header.Get("Location")
	return v.get(strings.TrimPrefix(there.SignIn(to, who), v.w.server.URL))
}

func TestSigningInWithACompanyAccount(t *testing.T) {
	w, there := startCompany(t)
	v := w.visitor("en")
	first := v.get("/tags?cursor=x").want(http.StatusSeeOther).header.Get("Location")
	v.get(first).want(http.StatusOK).says(`href="/sign-in/company?back=%2Ftags%3Fcursor%3Dx"`, "Sign in with your company account", `name="token"`)
	begun := v.get("/sign-in/company?back=/tags").want(http.StatusSeeOther)
	for _, want := range []string{"cc_company=", "HttpOnly", "SameSite=Lax", "Max-Age=900"} {
		if !strings.Contains(begun.header.Get("Set-Cookie"), want) {
			t.Errorf("cookie %s", begun.header.Get("Set-Cookie"))
		}
	}
	in := v.company(there, ouyang, "/tags").want(http.StatusSeeOther)
	if cookies := strings.Join(in.header.Values("Set-Cookie"), "\n"); in.header.Get("Location") != "/tags" || !strings.Contains(cookies, "cc_company=; Path=/; Max-Age=0") || !strings.Contains(cookies, "Max-Age=7200") ||
		in.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("led to %s with %s", in.header.Get("Location"), cookies)
	}
	v.get("/tags").want(http.StatusOK).says("staff-1001", "Admin", "青屿生活")

	// What is done is done by the id of the person, and nothing else of them is kept.
	v.send("/tags", url.Values{"name": {"新客"}})
	w.seen()
	var actor, tables string
	if err := w.pool.QueryRow(t.Context(), `select meta->'actor'->>'id' from events where type = 'tag.created' order by position desc limit 1`).Scan(&actor); err != nil || actor != "staff-1001" {
		t.Errorf("the actor is %q, %v", actor, err)
	}
	if err := w.pool.QueryRow(t.Context(), `select (select string_agg(t::text, ' ') from tokens t) || (select string_agg(s::text, ' ') from sign_ins s)`).Scan(&tables); err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{"欧阳", "ouyang"} {
		if strings.Contains(tables, personal) || strings.Contains(w.log.String(), personal) {
			t.Errorf("%s is kept", personal)
		}
	}

	// It ends when the settings say so, also for who is busy.
	for range 4 {
		w.clock.move(30*time.Minute - time.Second)
		v.get("/tags").want(http.StatusOK)
	}
	w.clock.move(4 * time.Second)
	to := v.get("/tags").want(http.StatusSeeOther).header.Get("Location")
	v.get(to).says("has lasted as long as it may")

	// The next one goes on with the same entry in the list of tokens; revoking that ends it, and is nothing for ever.
	v.company(there, ouyang, "/tokens").want(http.StatusSeeOther)
	v.get("/tokens").want(http.StatusOK).says("company account")
	tokens, _, err := w.tokens.List(t.Context(), "acme", uuid.Nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	tokens = slices.DeleteFunc(tokens, func(one access.Token) bool { return one.Name != "company account" })
	if len(tokens) != 1 || tokens[0].Actor != "staff-1001" {
		t.Fatalf("the list of tokens has %+v", tokens)
	}
	if err := w.tokens.Revoke(t.Context(), "acme", tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	v.get("/tags").want(http.StatusSeeOther)
	v.company(there, ouyang, "/tags").want(http.StatusSeeOther)
	v.get("/tags").want(http.StatusOK)
}

// With nothing configured, there is nothing of it.
func TestWithoutCompanyAccounts(t *testing.T) {
	w := start(t)
	v := w.visitor("en")
	v.get("/sign-in").want(http.StatusOK).hides("company")
	v.get("/sign-in/company").want(http.StatusGone) // as any link that there is not
	v.get("/sign-in/company/return?code=x").want(http.StatusNotFound)
}

func TestCompanyAccountsThatDoNotSignIn(t *testing.T) {
	w, there := startCompany(t)
	v := w.visitor("zh")
	v.company(there, guest, "/tags").want(http.StatusForbidden).says("你的账号在客户中心还没有角色", "--oidc-grant", "“groups”", "<code>everybody</code>", "&lt;b&gt;绘画小组&lt;/b&gt;",
		"/sign-in/company?another=&amp;back=%2Ftags", `name="back" value="/sign-in"`).hides("code=", "<b>绘")
	v.in("en").company(there, guest, "/tags").want(http.StatusForbidden).says("Your account has no role here yet", "This page is all they need")
	v.company(there, lost, "/tags").want(http.StatusForbidden).says("租户不存在")
	v.get("/tags").want(http.StatusSeeOther)

	begun := v.get("/sign-in/company?back=/tags").header.Get("Location")
	back := strings.TrimPrefix(there.SignIn(begun, ouyang), w.server.URL)
	w.visitor("en").get(back).want(http.StatusBadRequest).says("was not begun in this browser").hides("code=")
	v.get(back).want(http.StatusSeeOther)
	v.get("/tags").want(http.StatusOK) // who comes back once more is told, and stays signed in
	v.get(back).want(http.StatusBadRequest).says("不是从这个浏览器开始的")
	v.get("/tags").want(http.StatusOK)

	other := w.visitor("en")
	state := func() string {
		t.Helper()
		to, err := url.Parse(other.get("/sign-in/company?back=/tags").want(http.StatusSeeOther).header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return to.Query().Get("state")
	}
	other.get(CompanyReturns + "?error=access_denied&error_description=<script>&state=" + state()).want(http.StatusForbidden).says("did not agree").hides("<script>")
	other.get(CompanyReturns+"?code=guessed&state="+state()).want(http.StatusBadRequest).says("proves nothing", `value="/tags"`)

	// An address that leads elsewhere leads to the first page.
	in := other.company(there, ouyang, "//evil.example/").want(http.StatusSeeOther)
	if in.header.Get("Location") != "/" {
		t.Errorf("led to %s", in.header.Get("Location"))
	}
	for _, secret := range []string{"client's own", "code=", "state=", "绘画小组", "欧阳"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// While the company's sign-in is away, everything else goes on, and afterwards it does, too.
func TestTheCompanysSignInIsAway(t *testing.T) {
	w, there := startCompany(t)
	there.Stop()
	v := w.visitor("en")
	v.get("/sign-in").want(http.StatusOK).says("company account")
	v.get("/sign-in/company?back=/tags").want(http.StatusServiceUnavailable).says("cannot be reached right now", `value="/tags"`, "/sign-in/company?back=%2Ftags")
	v.post("/sign-in", url.Values{"token": {w.texts[access.Admin]}}).want(http.StatusSeeOther)
	v.get("/tags").want(http.StatusOK)
	v.post("/sign-out", nil).want(http.StatusSeeOther)
	there.Again()
	v.company(there, ouyang, "/tags").want(http.StatusSeeOther)
	v.get("/tags").want(http.StatusOK)
	there.Stop()
	w.clock.move(time.Hour)
	v.get("/tags").want(http.StatusOK) // whoever is in stays in
	v.post("/sign-out", nil).want(http.StatusOK)
	v.get("/tags").want(http.StatusSeeOther)
}

// Who signs out here signs out there: by a form that the browser posts, so that nothing of the account stands in an address.
func TestSigningOutOfTheCompanyAccount(t *testing.T) {
	w, there := startCompany(t)
	v := w.visitor("en")
	v.company(there, ouyang, "/tags").want(http.StatusSeeOther)
	out := v.post("/sign-out", url.Values{}).want(http.StatusOK).says(`action="`+there.Issuer+`/end_session"`, `name="id_token_hint"`, "data-at-once")
	if got := out.header.Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self' "+there.Issuer+";") {
		t.Errorf("the policy is %s", got)
	}
	v.get("/tags").want(http.StatusSeeOther)
	v.post("/sign-out", url.Values{}).want(http.StatusSeeOther) // once
	v.post("/sign-in", url.Values{"token": {w.texts[access.Admin]}}).want(http.StatusSeeOther)
	v.post("/sign-out", url.Values{}).want(http.StatusSeeOther) // nobody with a token has an account there
}

func TestCompanyAccountsBehindHTTPS(t *testing.T) {
	w, _ := startCompany(t, func(c *Config) { c.PublicURL = "https://cc.example.com" })
	begun := w.visitor("en").get("/sign-in/company").want(http.StatusSeeOther)
	if cookie := begun.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-cc_company=") || !strings.Contains(cookie, "Secure") {
		t.Errorf("cookie %s", cookie)
	}
}

func TestCompanyPagesInBothLanguages(t *testing.T) {
	w, there := startCompany(t)
	w.visitor("zh").get("/sign-in?back=%2Ftags").want(http.StatusOK).goldenFrames("signin_company")
	for _, language := range []string{"zh", "en"} {
		w.visitor(language).company(there, guest, "/tags").want(http.StatusForbidden).goldenFrame("company_no_role." + language)
	}
}

// An agent comes by a link to a list, signs in at the company, sees what an agent sees there, and signs out of both.
func TestAnAgentSignsInAndOutInABrowser(t *testing.T) {
	w, there := startCompany(t)
	k := w.known()
	run(w, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true}})
	stranger := w.customer("qy_77", "橘子汽水不加冰")
	w.seen()
	b := w.window("", look{language: "zh"}).visit("/customers?limit=50")
	b.sees(`a[href^="/sign-in/company"]`).accessible().shot("signin_company")
	b.click(`a[href^="/sign-in/company"]`).sees("#username")
	b.write("#username", he.Name).write("#password", he.Password).click("button[type=submit]")
	b.sees(`a[href="` + pathOf(k.id) + `"]`)
	if got := b.address(); got != "/customers?limit=50" {
		t.Errorf("it led to %s", got)
	}
	if b.until(`document.querySelectorAll("tbody tr").length === 1`); value[bool](b, `document.body.textContent.includes("橘子汽水不加冰")`) {
		t.Error("an agent sees a stranger")
	}
	b.refuses("404 "+pathOf(stranger)).visit(pathOf(stranger)).says("h1", "没有")
	b.visit("/customers").click(`[popovertarget="account"]`).says("#account", "he.yunzhou").click(`form[action="/sign-out"] button`)
	b.says(".banner", "已退出登录").accessible()
	if out := there.SignedOut(); out != "1" {
		t.Errorf("%s were signed out at the company", out)
	}
	b.visit("/customers").sees(`a[href^="/sign-in/company"]`)

	g := w.window("", look{language: "en", width: narrow}).refuses("403 " + CompanyReturns).visit("/tags")
	g.click(`a[href^="/sign-in/company"]`).sees("#username").write("#username", guest.Name).write("#password", guest.Password).click("button[type=submit]")
	g.says("h1", "no role here yet").accessible().shot("company_no_role")
}
