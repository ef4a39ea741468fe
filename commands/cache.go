package commands

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"customercenter/domain"
	"customercenter/domain/customer"
)

// cachedStates is how many folded states a center keeps, half a kilobyte each on average.
const cachedStates = 50_000

// streamKey names a stream of a tenant.
type streamKey struct{ tenant, stream string }

// folded is the state of a stream up to a version. It is never changed once it is in the cache.
type folded struct {
	state    any   // a pointer to the aggregate's state
	version  int64 // of the last event folded
	position int64 // of that event in the log
	began    int64 // position of the first event
	edited   int64 // version of the last event that edits a customer, see edits
	erased   int64 // position of the last event that erases a customer; 0 if none does
}

// reached notes that an event was folded, at a version of the stream and a position of the log.
func (f *folded) reached(e domain.Event, version, position int64) {
	f.version, f.position = version, position
	if version == 1 {
		f.began = position
	}
	if edits(e) {
		f.edited = version
	}
	if _, erases := e.(customer.Erased); erases {
		f.erased = position
	}
}

// cache keeps folded states, so that a command folds only what is new in its streams. What it holds may be old: whoever uses it
// reads the tail of the stream as well. No lock is held while anything is read or written elsewhere.
type cache struct {
	mu     sync.Mutex // makes compare and store one step
	states *lru.Cache[streamKey, folded]
}

func newCache(size int) *cache {
	states, err := lru.New[streamKey, folded](size)
	if err != nil {
		panic(err) // only a size below 1
	}
	return &cache{states: states}
}

func (c *cache) get(tenant, stream string) (folded, bool) {
	return c.states.Get(streamKey{tenant, stream})
}

func (c *cache) has(tenant, stream string) bool {
	return c.states.Contains(streamKey{tenant, stream})
}

// put remembers a state, unless a newer one is known.
func (c *cache) put(tenant, stream string, f folded) {
	key := streamKey{tenant, stream}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, known := c.states.Peek(key); known && old.version > f.version {
		return
	}
	c.states.Add(key, f)
}

// distrust forgets the state of a stream that is known here in a later version than the log has. That happens when the log was
// restored from a backup under a running process.
func (c *cache) distrust(tenant, stream string, actual int64) {
	key := streamKey{tenant, stream}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, known := c.states.Peek(key); known && old.version > actual {
		c.states.Remove(key)
	}
}
