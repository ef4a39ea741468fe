package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"customercenter/api/access"
)

func TestTokenPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/tokens/new").want(http.StatusOK).goldens("tokens.new")
	w.associations()
	in := w.clock.now().Add(3 * 24 * time.Hour)
	if _, _, err := w.tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Agent, Actor: strings.Repeat("很长的账号", 9), Name: "<b>& 临时</b>", ExpiresAt: in,
		By: access.Maker{Kind: "admin", ID: "shen.zhiyao"}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.tokens.Revoke(t.Context(), "acme", w.made[access.Agent].ID); err != nil {
		t.Fatal(err)
	}
	v.get("/tokens").want(http.StatusOK).goldens("tokens.full")
	v.post("/tokens", url.Values{"role": {"channel"}, "actor_id": {""}, "expires": {"30"}}).want(http.StatusUnprocessableEntity).goldens("tokens.error")
	v.get("/tokens/" + w.made[access.Analyst].ID.String() + "/revoke").want(http.StatusOK).goldens("tokens.revoke")
}

func TestMakingAToken(t *testing.T) {
	w := start(t)
	w.associations()
	v := w.as(access.Admin, "zh")
	form := url.Values{"role": {"channel"}, "actor_id": {"wechat-3"}, "name": {"公众号"}, "association_id": {"3"}, "expires": {"never"}, "key": {"k-1"}, "personal_data": {"true"}}
	v.header.Set("Accept-Encoding", "gzip")
	made := v.post("/tokens", form).want(http.StatusOK).says("只显示这一次", "/v1/channels/3/events", "长期有效", "3 · 青屿服务号")
	secret := regexp.MustCompile(`value="(cc_[^"]+)"`).FindStringSubmatch(made.body)
	if secret == nil || made.header.Get("Content-Encoding") != "" || made.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%v %s", made.header, made.body)
	}
	v.header.Del("Accept-Encoding")
	who, err := w.tokens.Verify(t.Context(), secret[1])
	if err != nil || who.Role != access.Channel || who.Association != 3 {
		t.Fatalf("%v %v", who, err)
	}
	// Sent again, by a reload: the same token, not another one.
	v.post("/tokens", form).want(http.StatusOK).says(secret[1])
	v.get("/tokens").want(http.StatusOK).says("公众号", "还没用过").hides(secret[1])
	if strings.Contains(w.log.String(), secret[1]) {
		t.Error("the token is in the log")
	}
	v.post("/tokens", url.Values{"role": {"analyst"}, "actor_id": {"bi"}, "expires": {"90"}, "personal_data": {"true"}, "association_id": {"3"}}).want(http.StatusOK).says("可见个人资料", "在登录页粘贴").
		hides("长期有效")
	v.post("/tokens", url.Values{"role": {"channel"}, "actor_id": {"x"}, "expires": {"30"}}).want(http.StatusUnprocessableEntity).says(`id="f-association_id-wrong"`)
	v.get("/tokens/new?role=channel&association=3&actor=wechat-3").want(http.StatusOK).says(`value="channel" checked`, `value="3" selected`, `value="wechat-3"`, `value="never" selected`)
}

func TestRevokingATokenSignsOut(t *testing.T) {
	w := start(t)
	admin, agent := w.as(access.Admin, "zh"), w.as(access.Agent, "zh")
	agent.get("/tags").want(http.StatusOK)
	path := "/tokens/" + w.made[access.Agent].ID.String() + "/revoke"
	admin.get(path).want(http.StatusOK).says("吊销令牌“of a test”？", "he.yunzhou")
	admin.send(path, url.Values{}).want(http.StatusOK).says("已吊销令牌", "已吊销</span>")
	if to := agent.get("/tags").want(http.StatusSeeOther).header.Get("Location"); !strings.Contains(to, "why=revoked") {
		t.Errorf("led to %s", to)
	}
	own := "/tokens/" + w.made[access.Admin].ID.String() + "/revoke"
	admin.get(own).want(http.StatusOK).says("这是你现在登录所用的令牌")
	admin.post(own, url.Values{}).want(http.StatusSeeOther)
	admin.get("/tokens").want(http.StatusSeeOther)
}

func TestOnlyAdminsHaveTokensAndSettings(t *testing.T) {
	w := start(t)
	for _, role := range []access.Role{access.Agent, access.Analyst} {
		v := w.as(role, "zh")
		for _, path := range []string{"/tokens", "/settings"} {
			v.get(path).want(http.StatusForbidden).hides(`href="/tokens"`, `href="/settings"`)
		}
		v.get("/tokens/new").want(http.StatusNotFound)
		v.post("/tokens", url.Values{"role": {"admin"}, "actor_id": {"me"}}).want(http.StatusForbidden)
		v.post("/settings", url.Values{"time_zone": {"UTC"}}).want(http.StatusNotFound)
	}
}

func TestManyTokensAndEndedOnes(t *testing.T) {
	w := start(t)
	for i := range 50 {
		n := access.New{Tenant: "acme", Role: access.Agent, Actor: fmt.Sprint("agent-", i), ExpiresAt: w.clock.now().Add(time.Hour)}
		if _, _, err := w.tokens.Create(t.Context(), n, nil); err != nil {
			t.Fatal(err)
		}
	}
	v := w.as(access.Admin, "zh")
	first := v.get("/tokens").want(http.StatusOK).says("agent-49", "即将到期").hides(">analyst-1<")
	next := regexp.MustCompile(`href="(/tokens\?cursor=[^"]+)" rel="next"`).FindStringSubmatch(first.body)
	if next == nil {
		t.Fatal(first.body)
	}
	v.get(next[1]).want(http.StatusOK).says(">analyst-1<", "你正在使用", `href="/tokens" rel="prev"`)
	w.clock.move(61 * time.Minute)
	v.get("/tokens").want(http.StatusOK).says("已过期").hides("即将到期", "/revoke")
	v.get("/tokens?cursor=x").want(http.StatusUnprocessableEntity)
}
