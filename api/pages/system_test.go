package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/projections"
)

// park has the list of customers pass over somebody.
func (w *world) park(customer uuid.UUID) {
	w.t.Helper()
	live, err := w.projector.Live(w.t.Context(), projections.CustomersName)
	if err == nil {
		_, err = w.pool.Exec(w.t.Context(), `insert into parked_customers (build, tenant, customer, position, type, reason) values ($1, 'acme', $2, 8, 'customer.tagged', 'column "tags" is of another type')`,
			live.ID, customer)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// besides builds a second set of sessions beside the one that is served, and returns its number. With other, one of its rows is another.
func (w *world) besides(other bool) int64 {
	w.t.Helper()
	built, err := w.projector.Rebuild(w.t.Context(), projections.SessionsName, nil)
	if err == nil && other {
		_, err = w.pool.Exec(w.t.Context(), fmt.Sprintf(`update %q.session set message_count = message_count + 7`, built.Schema))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return built.ID
}

// troubled makes everything that can be wrong.
func (w *world) troubled() (build int64) {
	w.t.Helper()
	open := w.talks()
	w.park(open.Customer)
	w.lags = []api.Lag{{Part: "relay", Tenant: "acme", Position: 7, Head: 9, LagEvents: 2, LagSeconds: 1, Stopped: "stream_ahead_of_log"},
		{Part: "send-messages", Tenant: "acme", Position: 10, Head: 1244, LagEvents: 1234, LagSeconds: 3 * 3600}, {Part: "run-exports", Tenant: "acme"}}
	return w.besides(true)
}

func TestSystemPages(t *testing.T) {
	w := start(t)
	w.lags = []api.Lag{{Part: "relay", Tenant: "acme", Position: 9, Head: 9}}
	v := w.as(access.Operator, "zh")
	v.get("/system").want(http.StatusOK).goldens("system.well")
	v.get("/system/models/customers/parked").want(http.StatusOK).goldens("system.parked.empty")
	w.troubled()
	v.get("/system").want(http.StatusOK).goldens("system.troubled")
	v.get("/system/models/customers/parked").want(http.StatusOK).goldens("system.parked")
	v.get("/system/models/nosuch/parked").want(http.StatusNotFound).goldens("system.error")
	v.get("/system/tenants").want(http.StatusOK).goldens("system.tenants")
}

func TestComparingSwitchingAndDroppingBuilds(t *testing.T) {
	w := start(t)
	w.talks()
	live, err := w.projector.Live(t.Context(), projections.SessionsName)
	if err != nil {
		t.Fatal(err)
	}
	build := w.besides(true)
	v := w.as(access.Operator, "zh")
	form := url.Values{"build": {fmt.Sprint(build)}}
	const path = "/system/models/sessions/"
	v.post(path+"verify", form).want(http.StatusOK).says("不一致", "session</code>", "没有做任何更改")
	query := "?" + form.Encode()
	v.get(path+"switch"+query).want(http.StatusOK).says(fmt.Sprintf("“历史会话”改用构建 %d？", build), "不会中断服务")
	v.send(path+"switch", form).want(http.StatusOK).says(fmt.Sprintf("“历史会话”已改用构建 %d。", build), "撤销", fmt.Sprintf(`name="build" value="%d"`, live.ID), "之前使用的版本", "切换回去")
	v.send(path+"switch", url.Values{"build": {fmt.Sprint(live.ID)}}).want(http.StatusOK).says("可能与正在使用的不一致")
	v.get(path+"drop"+query).want(http.StatusOK).says(fmt.Sprintf("删除“历史会话”的构建 %d？", build), "不能再切换到它")
	v.send(path+"drop", form).want(http.StatusOK).says("已删除").hides("可能与正在使用的不一致")
	v.send(path+"switch", form).want(http.StatusOK).says("toast bad", "没有这个未启用的构建")
	same := w.besides(false)
	v.send(path+"verify", url.Values{"build": {fmt.Sprint(same)}}).want(http.StatusOK).says("完全一致")
	v.get(path + "switch?build=x").want(http.StatusNotFound)
}

func TestRebuildingFromThePage(t *testing.T) {
	w := start(t)
	w.talks()
	live, err := w.projector.Live(t.Context(), projections.CustomersName)
	if err != nil {
		t.Fatal(err)
	}
	v := w.as(access.Operator, "en")
	v.get("/system/models/customers/rebuild").want(http.StatusOK).says("Rebuild the read model “Customer list”?", "compared row by row")
	v.send("/system/models/customers/rebuild", nil).want(http.StatusOK).says("is being rebuilt")
	for deadline := time.Now().Add(longest); ; time.Sleep(100 * time.Millisecond) {
		page := v.get("/system").want(http.StatusOK)
		if now, err := w.projector.Live(t.Context(), projections.CustomersName); err == nil && now.ID > live.ID && strings.Contains(page.body, "Served before") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not served: %s\n%s", page.body, w.log.String())
		}
	}
}

func TestRetryingWhoIsParked(t *testing.T) {
	w := start(t)
	w.troubled()
	v := w.as(access.Operator, "zh")
	page := v.get("/system/models/customers/parked").want(http.StatusOK).hides("晚风")
	form := url.Values{}
	for _, found := range regexp.MustCompile(`name="(tenant|customer)" value="([^"]*)"`).FindAllStringSubmatch(page.body, -1) {
		form.Set(found[1], found[2])
	}
	v.send("/system/models/customers/retry", form).want(http.StatusOK).says("已重新处理", "没有被搁置的客户")
	v.send("/system/models/customers/retry", form).want(http.StatusOK).says("toast bad", "没有被搁置")
}

func TestSkippingWhatCannotBeApplied(t *testing.T) {
	w := start(t)
	open := w.talks()
	w.park(open.Customer)
	v := w.as(access.Operator, "zh")
	form := url.Values{"tenant": {"acme"}, "customer": {open.Customer.String()}, "reason": {"没有程序认识的格式"}}
	const path = "/system/models/customers/skip"
	v.get(path+"?"+form.Encode()).want(http.StatusOK).says("不再计入客户", "永久保留且不加密", `name="reason"`)
	v.send(path, form).want(http.StatusOK).says("toast bad", "请直接重试")
	if _, err := w.pool.Exec(t.Context(), `update events set type_version = 99 where position = (select min(position) from events where tenant = 'acme' and customer = $1 and type = 'session.message_recorded')`,
		open.Customer); err != nil {
		t.Fatal(err)
	}
	v.post(path, url.Values{"tenant": form["tenant"], "customer": form["customer"], "reason": {" "}}).want(http.StatusUnprocessableEntity).says(`aria-invalid="true"`)
	v.send(path, form).want(http.StatusOK).says("1 条事件已跳过", "没有被搁置的客户")
}

// A row that was changed by hand is found, and the page says so.
func TestVerifyingFromThePage(t *testing.T) {
	w := start(t)
	w.talks()
	v := w.as(access.Operator, "zh")
	v.get("/system").want(http.StatusOK).says("尚未核对", "核对").hides("与日志不一致")
	live, err := w.projector.Live(t.Context(), projections.SessionsName)
	if err == nil {
		_, err = w.pool.Exec(t.Context(), fmt.Sprintf(`update %q.session set message_count = message_count + 7`, live.Schema))
	}
	if err != nil {
		t.Fatal(err)
	}
	v.send("/system/models/sessions/verify", nil).want(http.StatusOK).says("已开始按日志核对“历史会话”")
	for page := v.get("/system"); !strings.Contains(page.body, "1 张表与日志不一致"); page = v.get("/system") {
		time.Sleep(50 * time.Millisecond)
	}
	page := v.get("/system").want(http.StatusOK).says("核对于", "重建这个读模型", "与日志不一致的行", "<code class=\"nowrap\">session</code>")
	for _, key := range w.differing(projections.SessionsName) {
		page.says("<code class=\"nowrap\">" + key + "</code>")
	}
	w.as(access.Admin, "en").get("/system").want(http.StatusOK).says("Rows that are not what the log says")
}

// differing are the keys of the rows that the last verification found to differ.
func (w *world) differing(model string) (keys []string) {
	w.t.Helper()
	found, err := w.projector.Verifications(w.t.Context(), model, "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range found {
		for _, d := range v.Differences {
			keys = append(keys, d.Keys...)
		}
	}
	if len(keys) == 0 {
		w.t.Fatalf("nothing of %s differs", model)
	}
	return keys
}

func TestTenantsOfTheInstallation(t *testing.T) {
	w := start(t)
	v := w.as(access.Operator, "zh")
	v.post("/system/tenants", url.Values{"slug": {"A B"}, "name": {"坏"}}).want(http.StatusUnprocessableEntity).says(`aria-invalid="true"`, `value="坏"`)
	v.post("/system/tenants", url.Values{"slug": {"acme"}, "name": {"又一个"}}).want(http.StatusUnprocessableEntity).says("已有使用此标识的租户")
	v.send("/system/tenants", url.Values{"slug": {"baicao"}, "name": {"百草堂"}}).want(http.StatusOK).says("已添加租户“百草堂”", "--tenant baicao", "共 2 个租户")
	v.get("/system/tenants/baicao/import").want(http.StatusOK).says("允许“百草堂”导入客户？")
	v.send("/system/tenants/baicao/import", url.Values{"do": {"grant"}}).want(http.StatusOK).says("可以导入客户了", "撤销")
	v.get("/system/tenants/baicao/import").want(http.StatusOK).says("收回“百草堂”的导入权限？")
	v.send("/system/tenants/baicao/import", url.Values{"do": {"revoke"}}).want(http.StatusOK).says("不能再导入客户")
	v.get("/system/tenants/nosuch/import").want(http.StatusNotFound)
}

// An operator sees this and nothing of any customer; an admin sees the own tenant and changes nothing; others see nothing of it.
func TestWhoSeesTheSystem(t *testing.T) {
	w := start(t)
	w.troubled()
	if err := w.store.CreateTenant(t.Context(), "other", "别家"); err != nil {
		t.Fatal(err)
	}
	w.lags = append(w.lags, api.Lag{Part: "relay", Tenant: "other", LagEvents: 5, LagSeconds: 100})
	operator := w.as(access.Operator, "zh")
	operator.get("/").want(http.StatusSeeOther)
	operator.get("/system").want(http.StatusOK).says("other</code>", "重建", "/system/tenants").hides("晚风", `href="/sessions"`)
	operator.get("/system?beat=240").want(http.StatusOK).says("已停止自动刷新").hides("hx-get")
	w.as(access.Admin, "zh").get("/system").want(http.StatusOK).says("acme</code>", "由运维进行").hides("other</code>", "/rebuild", "/system/tenants", "/verify")
	w.as(access.Admin, "zh").get("/system/models/customers/parked").want(http.StatusOK).says("customer.tagged").hides("/retry")
	w.as(access.Admin, "zh").get("/system/tenants").want(http.StatusForbidden)
	w.as(access.Admin, "zh").post("/system/models/customers/rebuild", nil).want(http.StatusSeeOther)
	for _, role := range []access.Role{access.Agent, access.Analyst} {
		w.as(role, "zh").get("/system").want(http.StatusForbidden).hides(`href="/system"`)
	}
}
