package pages

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"customercenter/api"
	"customercenter/api/access"
)

// looked waits until a part that looks back says something, and returns its page.
func (v *visitor) looked(path string) shown {
	v.w.t.Helper()
	for end := time.Now().Add(longest); ; time.Sleep(10 * time.Millisecond) {
		page := v.get(path).want(http.StatusOK)
		if !strings.Contains(page.body, `hx-trigger="every`) {
			return page
		}
		if time.Now().After(end) {
			v.w.t.Fatalf("%s does not end", path)
		}
	}
}

// agedBy has all that was written so far happened so many days ago.
func (w *world) agedBy(days int) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), `update events set recorded_at = recorded_at - make_interval(days => $1)`, days); err != nil {
		w.t.Fatal(err)
	}
}

// pageOf is the address of what was asked with a form.
func pageOf(t *testing.T, form shown) string {
	t.Helper()
	_, after, found := strings.Cut(form.body, `href="/groups/whatif/`)
	if !found {
		t.Fatalf("nothing was asked: %s", form.body)
	}
	id, _, _ := strings.Cut(after, `"`)
	return "/groups/whatif/" + id
}

// Without script: the rule in the form is asked about, and the form stays as it was.
func TestLookingBackWithoutScript(t *testing.T) {
	w := start(t)
	vip, id := w.grouped()
	w.agedBy(10)
	v := w.as(access.Admin, "zh")
	edit := "/groups/" + id.String() + "/edit"
	v.get(edit).want(http.StatusOK).says(`name="do" value="whatif"`, `name="since"`)
	asked := v.post(edit, with(tagTerm(vip), "name", "另一个名字", "do", "whatif", "since", "7")).want(http.StatusOK)
	asked.says(`value="另一个名字"`, `value="7" selected`)
	found := v.looked(pageOf(t, asked))
	found.says("<dd>2</dd>", "<dd>0</dd>", `<svg class="chart"`, "VIP")
	beside := v.get(pageOf(t, asked) + "?since=7").want(http.StatusOK)
	beside.says(`value="7" selected`, `form="group-form"`)
	v.post(edit, url.Values{"c.match": {"all"}, "name": {"x"}, "do": {"whatif"}}).want(http.StatusOK).hides("/groups/whatif/")
	v.get("/groups/whatif/0190a1b2-0000-7000-8000-000000000000").want(http.StatusNotFound)
	w.as(access.Agent, "zh").get(pageOf(t, asked)).want(http.StatusForbidden)
}

// While it looks back, the part looks again by itself, and it can be stopped.
func TestLookingBackIsStopped(t *testing.T) {
	var works []func(context.Context)
	w := startWith(t, func(c *api.Config) { c.Background = func(work func(context.Context)) { works = append(works, work) } })
	vip, _ := w.grouped()
	v := w.as(access.Admin, "zh")
	asked := v.post("/groups/new", with(tagTerm(vip), "name", "新组", "do", "whatif")).want(http.StatusOK)
	page := pageOf(t, asked)
	asked.says(`hx-get="`+page+`?since=30&amp;tick=1"`, `hx-trigger="every 1s"`, "<progress")
	v.get(page).says(`hx-trigger="every 1s"`, "停止")
	v.get(page + "?tick=200").says("已停止自动更新").hides(`hx-trigger="every`)
	v.post(page+"/cancel?since=30", url.Values{}).want(http.StatusOK).says("已停止。", `value="30" selected`)
	if len(works) != 1 {
		t.Errorf("%d works were begun", len(works))
	}
}

// By mouse: the part tells what it has found, beside the rule.
func TestLookingBackByMouse(t *testing.T) {
	w := start(t)
	_, id := w.grouped()
	w.agedBy(10)
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/groups/"+id.String()+"/edit").says("#whatif", "看看过去会怎样").click(`#whatif button[value="whatif"]`)
	b.says("#whatif dd", "2").sees("#whatif svg.chart").says("#whatif", "标签包含任一 VIP").accessible().shot("group.whatif")
	b.until(`document.querySelector("#f-name").value === "高价值客户"`).sees(`#whatif button[value="whatif"]`)
}
