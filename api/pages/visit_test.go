package pages

import (
	"net/http"
	"net/url"
	"testing"

	"customercenter/api/access"
)

// What was done is told by the page that somebody is led to, not by a part of another page that was asked for meanwhile.
func TestNoticesAreToldWhereTheyAreSeen(t *testing.T) {
	w := start(t)
	v, part := w.as(access.Admin, "zh"), &visitor{w: w}
	*part = *v
	part.header = v.header.Clone()
	part.header.Set("HX-Request", "true")
	for target, told := range map[string]bool{"section#preview": false, "div#group": false, "": false, "main#main": true, "aside#aside": true} {
		v.post("/tags", url.Values{"name": {"标签" + target}}).want(http.StatusSeeOther)
		if target != "" {
			part.header.Set("HX-Target", target)
		} else {
			part.header.Del("HX-Target")
		}
		if told {
			part.get("/tags").want(http.StatusOK).says(`class="toast good`)
			v.get("/tags").hides(`class="toast good`)
		} else {
			part.get("/tags").want(http.StatusOK).hides(`class="toast good`)
			v.get("/tags").says(`class="toast good`)
		}
	}
}
