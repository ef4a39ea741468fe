package keyring

import "time"

// WasIdle has the keyring have looked for erasures last at an instant, as if nobody had asked it for a key since.
func (r *Keyring) WasIdle(since time.Time) {
	r.destroyed.at, r.destroyed.began = since, time.Now().Add(-time.Since(since))
	r.destroyed.looked.Store(0)
}
