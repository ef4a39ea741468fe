package pages

import (
	"net/http"
	"strings"
	"testing"

	"customercenter/api/access"
)

// Only admins have the link. It leads to a file, and that somebody has got it stands among the changes.
func TestEverythingWeKnowIsAFile(t *testing.T) {
	w := start(t)
	k := w.known()
	path := pathOf(k.id)
	w.as(access.Analyst, "zh").get(path).want(http.StatusOK).hides(path + "/everything")
	w.as(access.Analyst, "zh").get(path + "/everything").want(http.StatusForbidden)
	v := w.as(access.Admin, "zh")
	v.get(path).want(http.StatusOK).says(path+"/everything", "我们所知的一切")
	file := v.get(path+"/everything").want(http.StatusOK).says(`"complete":true`, "v-20481937")
	if got := file.header.Get("Content-Disposition"); !strings.HasPrefix(got, `attachment; filename="customer-`) || file.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", file.header)
	}
	w.seen()
	v.get(path + "/changes").want(http.StatusOK).says("导出了关于此客户的全部信息")
}
