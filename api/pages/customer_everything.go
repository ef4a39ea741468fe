package pages

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"customercenter/projections"
)

// everythingFile is the address of the file with all that is known of the customer; empty if that is not the visitor's.
func (v *visit) everythingFile(c *projections.Customer) string {
	if !v.may("disclose-customer") {
		return ""
	}
	return customerPath(c.ID.String()) + "/everything"
}

// everything passes the file on.
func (p *Pages) everything(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).pass(http.MethodGet, "/v1/customers/"+url.PathEscape(chi.URLParam(r, "id"))+"/everything")
}
