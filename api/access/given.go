package access

import (
	"context"
	"sync/atomic"
)

// given is who makes requests inside the process, on behalf of somebody whom the pages have let in.
type given struct {
	who     Principal
	counted atomic.Bool
}

type givenKey struct{}

// WithPrincipal returns a context for requests to the API inside this process: they are made as who, without a token. What comes over
// the network has no such context.
func WithPrincipal(ctx context.Context, who Principal) context.Context {
	return context.WithValue(ctx, givenKey{}, &given{who: who})
}

// GivenPrincipal returns who makes a request, if WithPrincipal says so. first is set once for each context made by WithPrincipal: a page
// counts as one request, however many it takes to make it.
func GivenPrincipal(ctx context.Context) (who Principal, first, ok bool) {
	g, ok := ctx.Value(givenKey{}).(*given)
	if !ok {
		return Principal{}, false, false
	}
	return g.who, g.counted.CompareAndSwap(false, true), true
}
