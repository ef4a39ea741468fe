package pages

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"customercenter/api/access"
)

// search leads from a form that looks for something to the page that shows it. What people type, names and numbers, goes by an id, so that it
// stands in no address: see access.SaveQuery. An empty query is no query.
func (v *visit) search(path string, query map[string]string) {
	for name, value := range query {
		if value == "" {
			delete(query, name)
		}
	}
	if len(query) > 0 {
		id, err := v.saveQuery(query)
		if err != nil {
			v.fail(err)
			return
		}
		path += "?" + url.Values{"q": {id}}.Encode()
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
}

// saveQuery keeps a value for later pages of this sign-in and returns the id to put into an address.
func (v *visit) saveQuery(query any) (id string, err error) {
	text, err := json.Marshal(query)
	if err != nil {
		return "", fmt.Errorf("pages: save query: %w", err)
	}
	return v.p.SignIns.SaveQuery(v.r.Context(), v.in, text)
}

// loadQuery reads the value that the address names with q, and leaves it as it is if the address names none. errQueryGone.
func (v *visit) loadQuery(into any) error {
	id := v.r.URL.Query().Get("q")
	if id == "" {
		return nil
	}
	return v.loadKept(id, into)
}

// loadKept reads a value that was kept by an id. errQueryGone.
func (v *visit) loadKept(id string, into any) error {
	text, err := v.p.SignIns.Query(v.r.Context(), v.in, id)
	if errors.Is(err, access.ErrNoQuery) {
		return errQueryGone
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errQueryGone // kept by another version of the program
	}
	return nil
}
