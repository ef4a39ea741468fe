package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkRequest is what the surface itself costs: a token that is believed, a rule, a language, a log line, JSON. The database is
// asked for nothing but what the operation needs.
func BenchmarkRequest(b *testing.B) {
	w := start(b, options{})
	w.associations("acme/admin")
	for _, path := range []string{"/v1/tags", "/v1/customers?filter={}", "/livez"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, path, nil)
				r.Header.Set("Authorization", "Bearer "+w.bearer["acme/admin"])
				out := httptest.NewRecorder()
				w.handler.ServeHTTP(out, r)
				if out.Code != http.StatusOK {
					b.Fatal(out.Body)
				}
			}
		})
	}
}
