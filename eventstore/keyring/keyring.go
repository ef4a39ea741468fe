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
	"maps"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/tenancy"
)

// cached is how many customer keys a process keeps unwrapped at least, some 100 bytes each; it may be twice as many.
const cached = 50_000

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
func (k Key) Open(sealed, place []byte) ([]byte, error) { return k.AppendOpen(nil, sealed, place) }

// AppendOpen is Open that appends to b, which must not overlap what is sealed.
func (k Key) AppendOpen(b, sealed, place []byte) ([]byte, error) {
	generation, rest, err := header(sealed)
	if err != nil {
		return nil, err
	}
	aead := newAEAD(k.secret[:])
	if generation != k.generation || len(rest) < aead.NonceSize() {
		return nil, ErrBroken
	}
	text, err := aead.Open(b, rest[:aead.NonceSize()], rest[aead.NonceSize():], place)
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
	mu     sync.Mutex             // held while a customer's key is changed
	wraps  atomic.Pointer[string] // id of the master key that wraps, once it is known
	keys   *cache                 // the latest of a customer, if it is not known to be destroyed; with it those before it are

	destroyed *destroyed
}

type name struct {
	tenant   string
	customer uuid.UUID
}

// New returns a keyring over the table customer_keys.
func New(pool *pgxpool.Pool, master *Master) *Keyring {
	return &Keyring{db: tenancy.Over(pool), master: master, keys: newCache(cached), destroyed: newDestroyed()}
}

// Create makes a new key. It becomes valid when its wrapped form is inserted; call Keep then.
func (r *Keyring) Create(tenant string, customer uuid.UUID, generation int) (Key, Wrapped) {
	k, master := Key{generation: generation}, r.wrapping()
	rand.Read(k.secret[:])
	return k, Wrapped{Customer: customer, Generation: generation, Master: master, Bytes: r.master.wrap(master, k.secret[:], place(tenant, customer, generation))}
}

// Keep remembers a key whose insertion was committed.
func (r *Keyring) Keep(tenant string, customer uuid.UUID, k Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(name{tenant, customer}, k)
}

// keep remembers the later one of two keys, this and that in memory, unless it is destroyed. It needs the lock.
func (r *Keyring) keep(n name, k Key) {
	if now, known := r.keys.get(n); known && now.generation > k.generation {
		k = now
	}
	if r.destroyed.is(n, k) {
		k = Key{}
	}
	r.keys.put(n, k)
}

// Current returns the key of the customer's latest generation, or ErrNoKey.
func (r *Keyring) Current(ctx context.Context, tenant string, customer uuid.UUID) (Key, error) {
	if err := r.look(ctx); err != nil {
		return Key{}, err
	}
	if k, ok := r.cached(ctx, name{tenant, customer}); ok {
		return k, nil
	}
	loaded, err := r.load(ctx, tenant, []uuid.UUID{customer})
	if err != nil {
		return Key{}, err
	}
	var latest Key
	for _, k := range loaded {
		if k.generation > latest.generation {
			latest = k
		}
	}
	if latest.generation == 0 {
		return Key{}, ErrNoKey
	}
	return latest, nil
}

// cached is a customer's latest key, if it is in memory and the context may see it.
func (r *Keyring) cached(ctx context.Context, n name) (Key, bool) {
	if !tenancy.Allows(ctx, n.tenant) {
		return Key{}, false
	}
	return r.keys.get(n)
}

// Keys are the keys of some customers of one tenant.
type Keys map[life]Key

// life is a customer between two erasures.
type life struct {
	customer   uuid.UUID
	generation int
}

// Of returns a customer's key of one generation; false if it is gone.
func (k Keys) Of(customer uuid.UUID, generation int) (Key, bool) {
	key, ok := k[life{customer, generation}]
	return key, ok
}

func (k Keys) add(customer uuid.UUID, key Key) { k[life{customer, key.generation}] = key }

// Of returns the keys of these customers, the latest at least, asking the database once for those not cached. Customers without a key are absent.
func (r *Keyring) Of(ctx context.Context, tenant string, customers []uuid.UUID) (Keys, error) {
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	found := make(Keys, len(customers))
	var missing []uuid.UUID
	asked := map[uuid.UUID]bool{}
	for _, c := range customers {
		if k, ok := r.cached(ctx, name{tenant, c}); ok {
			found.add(c, k)
		} else if !asked[c] {
			asked[c], missing = true, append(missing, c)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	loaded, err := r.load(ctx, tenant, missing)
	maps.Copy(found, loaded)
	return found, err
}

// Reload returns all keys of these customers, past the cache: it tells a key that was destroyed from one that another process has made since.
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
		loaded.add(w.Customer, Key{generation: w.Generation, secret: [32]byte(secret)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("keyring: load: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for l, k := range loaded { // a customer without a key is not remembered: it may be created the next moment
		n := name{tenant, l.customer}
		if r.destroyed.is(n, k) { // it may have been since the rows were read
			delete(loaded, l)
		}
		r.keep(n, k)
	}
	return loaded, nil
}

func place(tenant string, customer uuid.UUID, generation int) []byte {
	return fmt.Appendf(nil, "%s\x00%s\x00%d", tenant, customer, generation)
}
