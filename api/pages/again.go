package pages

import (
	"net/url"
	"strconv"
)

// mostTicks is how often a page that changes by itself is looked at again: some ten minutes. Then somebody has to ask for it, or a sign-in would
// not end while a page is forgotten in a window.
const mostTicks = 200

// again is the address by which a page that changes by itself is looked at again; empty if that has been done often enough.
func (v *visit) again() string {
	ticks, err := strconv.Atoi(v.r.URL.Query().Get("tick"))
	if err != nil || ticks < 0 {
		ticks = 0
	}
	if ticks >= mostTicks {
		return ""
	}
	u := v.still()
	query := u.Query()
	query.Set("tick", strconv.Itoa(ticks+1))
	return u.Path + "?" + query.Encode()
}

// still is the address of the page, however often it was looked at.
func (v *visit) still() *url.URL {
	query := v.r.URL.Query()
	query.Del("tick")
	return &url.URL{Path: v.r.URL.Path, RawQuery: query.Encode()}
}

// watch makes a part of a page look at itself again, as long as it changes.
type watch struct {
	ID      string // of the part
	Path    string // by which it is looked at again; empty: not any more
	Seconds int
	Here    string // to look again all the same
}

// watch returns how a part is looked at again; nil if it does not change.
func (v *visit) watch(changes bool, id string, seconds int) *watch {
	if !changes {
		return nil
	}
	return &watch{ID: id, Path: v.again(), Seconds: seconds, Here: v.still().RequestURI()}
}
