package keyring

import (
	"testing"

	"github.com/google/uuid"
)

// The last keys used are remembered, and twice as many are never.
func TestTheCacheRemembersWhatIsUsed(t *testing.T) {
	c := newCache(10)
	var all []name
	for i := range 25 {
		n := name{[]string{"acme", "beta"}[i%2], uuid.New()}
		all = append(all, n)
		c.put(n, Key{generation: 1, secret: [32]byte{byte(i)}})
		if k, ok := c.get(all[0]); !ok || k.secret[0] != 0 {
			t.Fatalf("the first, used each time, is forgotten after %d", i)
		}
		if kept := len(c.used) + len(c.before); kept > 20 {
			t.Fatalf("%d are kept", kept)
		}
	}
	for i, n := range all[16:] {
		if k, ok := c.get(n); !ok || k.secret[0] != byte(16+i) {
			t.Errorf("key %d is forgotten, or another's: %v", 16+i, ok)
		}
	}
	if _, ok := c.get(all[1]); ok {
		t.Error("the oldest is kept")
	}
	if _, ok := c.get(name{"beta", all[0].customer}); ok {
		t.Error("a key is another tenant's, too")
	}
	c.put(all[0], Key{})
	if _, ok := c.get(all[0]); ok {
		t.Error("a key is kept that was taken away")
	}
}
