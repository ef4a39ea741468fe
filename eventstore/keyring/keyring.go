// Package keyring seals personal data with a key per customer, and keeps those keys wrapped by a master key.
//
// A customer's key is inserted in the append that creates the customer. Deleting its row makes everything sealed with it
// unreadable, in the log, on the bus and in every copy of them. Losing the master key does so for everybody: back it up.
//
// Processes keep keys in memory. One that was destroyed is used for a second more at most: see destroyed.go.
package keyring

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/tenancy"
)

// cached is how many customer keys a process keeps unwrapped, some 250 bytes each.
const cached = 60_000

// Key seals and opens the personal data of one customer and generation.
type Key struct {
	generation int
	secret     [32]byte
}

// Wrapped is a customer's key as the database keeps it.
type Wrapped struct {
	Customer   uuid.UUID
	Generation int
	Master     string
	Bytes      []byte
}

var (
	// ErrNoKey says that a customer has no key: never created, or erased.
	ErrNoKey = errors.New("keyring: the customer has no key")
	// ErrBroken says that sealed bytes were changed, moved to another event, or sealed with another key.
	ErrBroken = errors.New("keyring: sealed data cannot be opened")
	// ErrMaster says that a key was wrapped with a master key that this process does not have.
	ErrMaster = errors.New("keyring: wrapped with a master key that was not given")
)

const format = 1 // first byte of everything sealed

// Seal encrypts and authenticates text together with the place it belongs to (AES-256-GCM, random nonce).
// The result begins with a format byte and the generation of the key.
func (k Key) Seal(text, place []byte) []byte {
	aead := newAEAD(k.secret[:])
	out := make([]byte, 0, 2+binary.MaxVarintLen16+aead.NonceSize()+len(text)+aead.Overhead())
	out = binary.AppendUvarint(append(out, format), uint64(k.generation))
	n := len(out)
	out = out[:n+aead.NonceSize()]
	rand.Read(out[n:]) // never fails, see crypto/rand
	return aead.Seal(out, out[n:], text, place)
}

// Open reverses Seal. It returns ErrBroken when the bytes or the place are not what was sealed.
func (k Key) Open(sealed, place []byte) ([]byte, error) {
	generation, rest, err := header(sealed)
	if err != nil {
		return nil, err
	}
	aead := newAEAD(k.secret[:])
	if generation != k.generation || len(rest) < aead.NonceSize() {
		return nil, ErrBroken
	}
	text, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], place)
	if err != nil {
		return nil, ErrBroken
	}
	return text, nil
}

// Generation tells which generation of the customer's key sealed these bytes.
func Generation(sealed []byte) (int, error) {
	g, _, err := header(sealed)
	return g, err
}

func header(sealed []byte) (generation int, rest []byte, err error) {
	if len(sealed) < 2 || sealed[0] != format {
		return 0, nil, ErrBroken
	}
	g, n := binary.Uvarint(sealed[1:])
	if n <= 0 || g > 1<<31 {
		return 0, nil, ErrBroken
	}
	return int(g), sealed[1+n:], nil
}

func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only a wrong key length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// Keyring hands out customer keys. It is safe for concurrent use.
type Keyring struct {
	db     *tenancy.DB
	master *Master
	mu     sync.Mutex              // held while a customer's list is changed
	wraps  atomic.Pointer[string]  // id of the master key that wraps, once it is known
	keys   *lru.Cache[name, []Key] // all generations of a customer, ascending; none that is known to be destroyed

	destroyed *destroyed
}

type name struct {
	tenant   string
	customer uuid.UUID
}

// New returns a keyring over the table customer_keys.
func New(pool *pgxpool.Pool, master *Master) *Keyring {
	keys, err := lru.New[name, []Key](cached)
	if err != nil {
		panic(err) // only a size below 1
	}
	return &Keyring{db: tenancy.Over(pool), master: master, keys: keys, destroyed: newDestroyed()}
}

// Create makes a new key. It becomes valid when its wrapped form is inserted; call Keep then.
func (r *Keyring) Create(tenant string, customer uuid.UUID, generation int) (Key, Wrapped) {
	k, master := Key{generation: generation}, r.wrapping()
	rand.Read(k.secret[:])
	return k, Wrapped{Customer: customer, Generation: generation, Master: master, Bytes: r.master.wrap(master, k.secret[:], place(tenant, customer, generation))}
}

// Keep remembers a key whose insertion was committed.
func (r *Keyring) Keep(tenant string, customer uuid.UUID, k Key) {
	n := name{tenant, customer}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, _ := r.keys.Peek(n)
	if k.generation > 1 && len(old) == 0 {
		return // earlier generations may exist: let the next use load them all
	}
	r.keys.Add(n, r.destroyed.without(n, merge(old, []Key{k})))
}

// merge unites two lists of a customer's keys, ascending by generation.
func merge(a, b []Key) []Key {
	out := append(make([]Key, 0, len(a)+len(b)), a...)
	for _, k := range b {
		if !slices.ContainsFunc(out, func(o Key) bool { return o.generation == k.generation }) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b Key) int { return a.generation - b.generation })
	return out
}

// Current returns the key of the customer's latest generation, or ErrNoKey.
func (r *Keyring) Current(ctx context.Context, tenant string, customer uuid.UUID) (Key, error) {
	if err := r.look(ctx); err != nil {
		return Key{}, err
	}
	keys, ok := r.cached(ctx, name{tenant, customer})
	if !ok {
		loaded, err := r.load(ctx, tenant, []uuid.UUID{customer})
		if err != nil {
			return Key{}, err
		}
		keys = loaded[customer]
	}
	if len(keys) == 0 {
		return Key{}, ErrNoKey
	}
	return keys[len(keys)-1], nil
}

// cached are a customer's keys that are in memory, if there are any and the context may see them.
func (r *Keyring) cached(ctx context.Context, n name) (keys []Key, ok bool) {
	if !tenancy.Allows(ctx, n.tenant) {
		return nil, false
	}
	keys, _ = r.keys.Get(n)
	return keys, len(keys) > 0
}

// Keys are the keys of some customers of one tenant.
type Keys map[uuid.UUID][]Key

// Of returns a customer's key of one generation; false if it is gone.
func (k Keys) Of(customer uuid.UUID, generation int) (Key, bool) {
	for _, key := range k[customer] {
		if key.generation == generation {
			return key, true
		}
	}
	return Key{}, false
}

// Of returns the keys of these customers, asking the database once for those not cached. Customers without a key are absent.
func (r *Keyring) Of(ctx context.Context, tenant string, customers []uuid.UUID) (Keys, error) {
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	found := make(Keys, len(customers))
	var missing []uuid.UUID
	for _, c := range customers {
		if _, seen := found[c]; seen {
			continue
		}
		keys, ok := r.cached(ctx, name{tenant, c})
		found[c] = keys
		if !ok {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	loaded, err := r.load(ctx, tenant, missing)
	for c, keys := range loaded {
		found[c] = keys
	}
	return found, err
}

// Reload is Of past the cache: it tells a key that was destroyed from one that another process has made since.
func (r *Keyring) Reload(ctx context.Context, tenant string, customers []uuid.UUID) (Keys, error) {
	return r.load(ctx, tenant, customers)
}

func (r *Keyring) load(ctx context.Context, tenant string, customers []uuid.UUID) (Keys, error) {
	// Each customer is looked up by itself: a plan that was made while there were few keys would read all of them.
	rows, err := r.db.Query(ctx, `select k.customer, k.generation, k.master, k.wrapped from unnest($2::uuid[]) u(id)
		cross join lateral (select customer, generation, master, wrapped from customer_keys where tenant = $1 and customer = u.id order by generation offset 0) k`,
		tenant, customers)
	if err != nil {
		return nil, fmt.Errorf("keyring: load: %w", err)
	}
	loaded := make(Keys, len(customers))
	var w Wrapped
	_, err = pgx.ForEachRow(rows, []any{&w.Customer, &w.Generation, &w.Master, &w.Bytes}, func() error {
		secret, err := r.master.unwrap(w.Master, w.Bytes, place(tenant, w.Customer, w.Generation))
		if err != nil {
			return err
		}
		loaded[w.Customer] = append(loaded[w.Customer], Key{generation: w.Generation, secret: [32]byte(secret)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("keyring: load: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for c, keys := range loaded { // a customer without a key is not remembered: it may be created the next moment
		n := name{tenant, c}
		loaded[c] = r.destroyed.without(n, keys) // they may have been since the rows were read
		old, _ := r.keys.Peek(n)                 // and one of these may have been kept
		r.keys.Add(n, r.destroyed.without(n, merge(keys, newer(old, keys))))
	}
	return loaded, nil
}

// newer are the cached keys behind the latest that was loaded; those before it, if they were not loaded, are destroyed.
func newer(cached, loaded []Key) []Key {
	last := loaded[len(loaded)-1].generation
	return slices.DeleteFunc(slices.Clone(cached), func(k Key) bool { return k.generation <= last })
}

func place(tenant string, customer uuid.UUID, generation int) []byte {
	return fmt.Appendf(nil, "%s\x00%s\x00%d", tenant, customer, generation)
}
