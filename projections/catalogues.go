package projections

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"customercenter/domain"
	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
)

// Catalogues answers from the small catalogues of a tenant, each one stream. Every answer includes all that was committed before it
// was asked for: what is cached saves folding, never reading, but of a past moment, which nothing changes any more. It is safe for concurrent use.
type Catalogues struct {
	store *eventstore.Store
	cache *lru.Cache[catalogueKey, folded]
	to    int64 // position of the log up to which they are told
}

type catalogueKey struct {
	tenant, stream string
	to             int64
}

// wholeLog is after all positions of a log.
const wholeLog = math.MaxInt64

// folded is a catalogue's state up to a version. It is never changed, only replaced.
type folded struct {
	state   any
	version int64
}

// NewCatalogues returns the catalogues of all tenants of a store.
func NewCatalogues(store *eventstore.Store) *Catalogues {
	cache, err := lru.New[catalogueKey, folded](4096)
	if err != nil {
		panic(err) // only a size below 1
	}
	return &Catalogues{store: store, cache: cache, to: wholeLog}
}

// Until returns the catalogues as they were when the log had come to a position, which it has.
func (c *Catalogues) Until(position int64) *Catalogues {
	return &Catalogues{store: c.store, cache: c.cache, to: position}
}

// catalogue is the state of a domain package: S is the struct, *S has the methods.
type catalogue[S any] interface {
	*S
	Apply(e domain.Event, at time.Time)
	Clone() S
}

// read returns the state of a catalogue and the version of its stream.
func read[S any, P catalogue[S]](ctx context.Context, c *Catalogues, tenant, stream string) (S, int64, error) {
	const page = 1000
	key := catalogueKey{tenant, stream, c.to}
	var state S
	if !tenancy.Allows(ctx, tenant) { // what is kept would be told
		return state, 0, nil
	}
	known, _ := c.cache.Get(key)
	if before, same := known.state.(*S); same {
		state = P(before).Clone() // the caller may keep it, and folding changes it
	} else {
		known = folded{} // nothing, or the stream as something else: that of a job may have been taken for that of another kind
	}
	version := known.version
	if version > 0 && c.to != wholeLog {
		return state, version, nil
	}
	for {
		events, err := c.store.ReadStream(ctx, tenant, stream, version, page)
		if err != nil {
			return state, 0, fmt.Errorf("projections: read %s: %w", stream, err)
		}
		later := slices.IndexFunc(events, func(e eventstore.Event) bool { return e.Position > c.to })
		if later >= 0 {
			events = events[:later]
		}
		decoded, err := c.store.Open(ctx, events)
		if err != nil {
			return state, 0, fmt.Errorf("projections: read %s: %w", stream, err)
		}
		for _, d := range decoded {
			e, ok := d.Payload.(domain.Event)
			if !ok {
				return state, 0, fmt.Errorf("projections: read %s: %s is not an event of the domain", stream, d.Type)
			}
			P(&state).Apply(e, d.OccurredAt())
			version = d.Version
		}
		if len(events) < page {
			break
		}
	}
	if version > known.version {
		keep := P(&state).Clone()
		c.cache.Add(key, folded{state: &keep, version: version})
	}
	return state, version, nil
}
