package keyring

import "time"

// WasIdle has the keyring have looked for erasures last at an instant, as if nobody had asked it for a key since.
func (r *Keyring) WasIdle(since time.Time) {
	r.Began(since)
	r.destroyed.at = since
}

// Began has the keyring be made at an instant, and nobody have asked it for a key since.
func (r *Keyring) Began(at time.Time) {
	r.destroyed.at, r.destroyed.began = time.Time{}, time.Now().Add(-time.Since(at))
	r.destroyed.looked.Store(0)
}
