package pages

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain/settings"
)

// links are the addresses of our own that a page links to, once each, without what stands behind #. Those of files and of the look are left out.
func (s shown) links() (paths []string) {
	for _, found := range regexp.MustCompile(`<a [^>]*?href="(/[^"]*)"`).FindAllStringSubmatch(s.body, -1) {
		path, _, _ := strings.Cut(unescape(found[1]), "#")
		if !strings.HasPrefix(path, "//") && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// kind is an address without what tells one thing from another: of links to pages of one kind, few are followed.
func kind(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	names := []string{}
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	return regexp.MustCompile(`/\d+(/|$)`).ReplaceAllString(regexpID.ReplaceAllString(u.Path, "ID"), "/N$1") + "?" + strings.Join(names, "&")
}

// lived is a world in which everything has happened, so that every page has something to link to.
func (w *world) lived() {
	w.t.Helper()
	w.entitle()
	k := w.known()
	w.inGroup(k.id)
	w.customField("生日", "date")
	vip := w.tag("老客")
	group := w.group("新客", tagged(vip), true)
	w.campaign(vip, group)
	listed := w.customer("qy_77", "橘子汽水不加冰")
	run(w, commands.BlacklistCustomer{Customer: listed, Reason: "辱骂客服"})
	run(w, commands.RemoveAssociation{Association: 4})
	v := w.as(access.Admin, "zh")
	done := w.imported(v, "十一月门店客户.csv", threeBroken)
	v.send(done+"/start", nil)
	w.work(done)
	w.imported(v, "又一个.csv", threeBroken)
	ready := w.export(`{}`, "csv")
	w.work(ready)
	v.get(ready + "/file").want(http.StatusOK)
	w.export(`{"field":"blacklisted","op":"is","value":true}`, "xlsx")
	w.besides(true)
	w.seen()
}

// Whatever is offered to somebody can be gone to: from the first page on, two pages further, without script. No page is missing, fails, or is refused to
// whom it was offered; and none is larger than a page may be.
func TestNoLinkLeadsNowhere(t *testing.T) {
	w := start(t)
	w.lived()
	for _, c := range []struct {
		role   access.Role
		inside bool // agents are let into the customer center
		least  int  // kinds of pages
	}{{access.Admin, true, 60}, {access.Agent, true, 30}, {access.Agent, false, 8}, {access.Analyst, true, 20}, {access.Operator, true, 8}} {
		role := c.role
		run(w, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: c.inside}})
		w.seen()
		v := w.as(role, "zh")
		type step struct{ from, path string }
		next := []step{{"", "/"}}
		gone := map[string]int{} // how many of a kind were gone to
		for depth := range 4 {   // / leads to the first place of the navigation, which is no page further
			var further []step
			for _, s := range next {
				page := v.get(s.path)
				for hops := 0; page.status == http.StatusSeeOther && hops < 3; hops++ {
					page = v.get(page.header.Get("Location"))
				}
				html := strings.HasPrefix(page.header.Get("Content-Type"), "text/html")
				switch {
				case page.status != http.StatusOK:
					t.Errorf("%s: %s offers %s, which answers %d", role, s.from, s.path, page.status)
				case html && len(page.body) > 60_000:
					t.Errorf("%s: %s has %d bytes", role, s.path, len(page.body))
				case html && depth < 3:
					for _, path := range page.links() {
						if k := kind(path); gone[k] < 2 && !strings.HasPrefix(path, "/assets/") {
							gone[k]++
							further = append(further, step{s.path, path})
						}
					}
				}
			}
			next = further
		}
		if len(gone) < c.least {
			t.Errorf("%s got to no more than %d kinds of pages: %v", role, len(gone), gone)
		}
		t.Logf("%s: %d kinds of pages", role, len(gone))
	}
}
