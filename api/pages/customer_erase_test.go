package pages

import (
	"net/http"
	"net/url"
	"testing"

	"customercenter/api/access"
)

// Only admins have the button. A wrong ID erases nobody and says so; afterwards the page says what has become of the customer.
func TestErasingACustomer(t *testing.T) {
	w := start(t)
	k := w.known()
	path := pathOf(k.id)
	w.as(access.Analyst, "zh").get(path).want(http.StatusOK).hides(path + "/erase")
	v := w.as(access.Admin, "zh")
	v.get(path).want(http.StatusOK).says(path + "/erase")
	v.get(path + "/erase").want(http.StatusOK).goldens("customer.erase")
	v.post(path+"/erase", url.Values{"confirm": {"somebody else"}}).want(http.StatusUnprocessableEntity).goldens("customer.erase_wrong")
	v.get(path).want(http.StatusOK)
	v.send(path+"/erase", url.Values{"confirm": {"v-20481937"}}).want(http.StatusOK).says("客户已删除")
	w.seen()
	v.get(path).want(http.StatusNotFound).says("客户已被删除")
	v.in("en").get(path).want(http.StatusNotFound).says("The customer was erased")
}

// By mouse and keyboard, in the dialog over the page.
func TestErasingInTheBrowser(t *testing.T) {
	w := start(t)
	k := w.known()
	b := w.window(access.Admin, look{language: "zh"}).refuses("422 /customers/", "404 /customers/")
	b.visit(pathOf(k.id)).click("#aside [href$='/erase']").sees("#dialogs dialog[open]").accessible().shot("customer.erase")
	b.write("#f-confirm", "somebody else").click("#dialog button.danger").says("#dialog", "未删除任何内容")
	b.write("#f-confirm", "v-20481937").click("#dialog button.danger").says("#toasts", "客户已删除")
	if b.address() != "/customers" {
		t.Errorf("ended at %s", b.address())
	}
	b.visit(pathOf(k.id)).says("h1", "客户已被删除").accessible()
}
