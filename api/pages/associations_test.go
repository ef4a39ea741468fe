package pages

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"customercenter/api/access"
)

func TestAssociationPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/associations").want(http.StatusOK).goldens("associations.empty")
	w.associations()
	w.customer("qy_1", "晚风")
	w.seen()
	v.post("/associations/4/remove", url.Values{}).want(http.StatusSeeOther)
	v.get("/associations").want(http.StatusOK)
	v.get("/associations").want(http.StatusOK).goldens("associations.full")
	v.get("/associations?removed=1").want(http.StatusOK).goldens("associations.removed")
	v.get("/associations/4/history").want(http.StatusOK).goldens("associations.history")
	v.post("/associations", url.Values{"channel": {"app"}, "account": {"shop"}, "name": {"商城"}}).want(http.StatusUnprocessableEntity).goldens("associations.error")
	v.get("/associations/77/rename").want(http.StatusNotFound)
	v.get("/associations/x/remove").want(http.StatusNotFound)
}

func TestConnectingAndDisconnecting(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/associations/new").want(http.StatusOK).says(`<option value="app" selected>`)
	v.send("/associations", url.Values{"channel": {"app"}, "account": {"org#app"}, "name": {"商城🛍"}}).want(http.StatusOK).says("已关联“商城🛍”，编号 1", "org#app",
		`href="/tokens/new?actor=app-1&amp;association=1&amp;role=channel"`)
	v.post("/associations", url.Values{"channel": {"app"}, "account": {"org#app"}, "name": {"又一个"}}).want(http.StatusConflict).says("该账号已经关联", `value="又一个"`)
	w.customer("qy_1", "晚风")
	w.seen()
	v.get("/associations/1/remove").want(http.StatusOK).says("解除“商城🛍”？", "它的 1 位客户")
	v.send("/associations/1/remove", url.Values{}).want(http.StatusOK).says("已解除“商城🛍”", "撤销", "还没有关联渠道账号")
	v.get("/associations?removed=1").want(http.StatusOK).says("商城🛍", "恢复")
	v.send("/associations/1/restore", url.Values{}).want(http.StatusOK).says("已恢复“商城🛍”，编号仍是 1")
	v.send("/associations/1/rename", url.Values{"new_name": {"新商城"}}).want(http.StatusOK).says("“商城🛍”已改名为“新商城”", "撤销")
	v.post("/associations/1/rename", url.Values{"new_name": {strings.Repeat("长", 51)}}).want(http.StatusUnprocessableEntity).says(`class="wrong"`)
	v.post("/associations/1/rename", url.Values{"new_name": {"x"}, "etag": {`"1"`}}).want(http.StatusPreconditionFailed).says("刚才有人把它改成了“新商城”", `value="x"`)
	v.get("/associations/1/history").want(http.StatusOK).says("<del>商城🛍</del> → <ins>新商城</ins>", "已解除", "shen.zhiyao")
}

func TestOthersSeeAssociationsOnly(t *testing.T) {
	w := start(t)
	w.associations()
	w.seen()
	for _, role := range []access.Role{access.Agent, access.Analyst} {
		v := w.as(role, "en")
		v.get("/associations").want(http.StatusOK).says("青屿服务号").hides("/rename", "/remove", "/tokens/new", "/associations/new")
		for _, path := range []string{"/associations/new", "/associations/1/remove"} {
			v.get(path).want(http.StatusNotFound)
		}
		v.get("/associations/1/history").want(http.StatusForbidden)
		v.send("/associations/1/remove", url.Values{}).want(http.StatusOK).says("toast bad", "商城 App")
	}
}
