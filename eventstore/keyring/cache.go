package keyring

import (
	"sync"

	"github.com/google/uuid"
)

// cache remembers keys, the last ones used for the longest. It has no pointers: each collection of garbage would follow them, a hundred thousand of them, and
// whoever waits for an answer meanwhile notices. It is safe for concurrent use.
type cache struct {
	most    int // how many were used lately, and as many again before those
	mu      sync.Mutex
	tenants map[string]uint32
	used    map[owner]Key
	before  map[owner]Key
}

// owner is a customer of a tenant, which has a number here.
type owner struct {
	tenant   uint32
	customer uuid.UUID
}

func newCache(most int) *cache {
	return &cache{most: most, tenants: map[string]uint32{}, used: map[owner]Key{}, before: map[owner]Key{}}
}

// owner needs the lock.
func (c *cache) owner(n name) owner {
	number, known := c.tenants[n.tenant]
	if !known {
		number = uint32(len(c.tenants))
		c.tenants[n.tenant] = number
	}
	return owner{number, n.customer}
}

func (c *cache) get(n name) (k Key, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.owner(n)
	if k, ok = c.used[o]; ok {
		return k, true
	}
	if k, ok = c.before[o]; ok {
		c.use(o, k)
	}
	return k, ok
}

// use needs the lock.
func (c *cache) use(o owner, k Key) {
	if len(c.used) >= c.most {
		c.used, c.before = c.before, c.used
		clear(c.used)
	}
	c.used[o] = k
}

// put remembers a customer's key, or forgets the customer if it is no key.
func (c *cache) put(n name, k Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.owner(n)
	delete(c.before, o)
	if k.generation > 0 {
		c.use(o, k)
	} else {
		delete(c.used, o)
	}
}
