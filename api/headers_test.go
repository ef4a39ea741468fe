package api

import (
	"net/http"
	"testing"
)

// Whatever the API answers, a browser that is led there does nothing with it, shows it in no frame, and keeps nothing.
func TestWhatBrowsersMayDoWithAnswers(t *testing.T) {
	w := start(t, options{})
	for path, status := range map[string]int{"/v1/tags": http.StatusOK, "/v1/tags/none": http.StatusNotFound, "/v1/nothing": http.StatusNotFound, "/livez": http.StatusOK, "/metrics": http.StatusOK} {
		got := w.admin("GET", path, nil).want(status)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Access-Control-Allow-Origin": "", "Set-Cookie": "",
		} {
			if header := got.header.Get(name); header != want {
				t.Errorf("%s: %s is %q", path, name, header)
			}
		}
	}
}
