package keyring_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/eventstore/eventstoretest"
	"customercenter/eventstore/keyring"
)

func master(t *testing.T, keys ...byte) *keyring.Master {
	t.Helper()
	var raw [][]byte
	for _, k := range keys {
		raw = append(raw, bytes.Repeat([]byte{k}, 32))
	}
	m, err := keyring.NewMaster(raw...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAKeyIsUsableOnceItsRowIsInserted(t *testing.T) {
	ctx, pool := t.Context(), eventstoretest.Pool(t)
	ring := keyring.New(pool, master(t, 1))
	c := uuid.New()
	if _, err := ring.Current(ctx, "acme", c); !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("before it exists: %v", err)
	}
	insert := func(w keyring.Wrapped) {
		t.Helper()
		if _, err := pool.Exec(ctx, `insert into customer_keys (tenant, customer, generation, master, wrapped) values ('acme', $1, $2, $3, $4)`,
			w.Customer, w.Generation, w.Master, w.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	first, wrapped := ring.Create("acme", c, 1)
	insert(wrapped)
	sealed := first.Seal([]byte("王芳"), []byte("here"))
	loaded, err := keyring.New(pool, master(t, 1)).Current(ctx, "acme", c)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := loaded.Open(sealed, []byte("here")); err != nil || string(text) != "王芳" {
		t.Errorf("%q %v", text, err)
	}
	if _, err := loaded.Open(sealed, []byte("there")); !errors.Is(err, keyring.ErrBroken) {
		t.Errorf("opened at another place: %v", err)
	}
	second, wrapped := ring.Create("acme", c, 2)
	insert(wrapped)
	ring.Keep("acme", c, second)
	keys, err := ring.Of(ctx, "acme", []uuid.UUID{c, c, uuid.New()})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := keys.Of(c, 2); !ok {
		t.Error("the latest generation is missing")
	}
	if keys, err = ring.Reload(ctx, "acme", []uuid.UUID{c}); err != nil {
		t.Fatal(err)
	}
	for generation := 1; generation <= 2; generation++ {
		if _, ok := keys.Of(c, generation); !ok {
			t.Errorf("generation %d is missing", generation)
		}
	}
	if k, err := ring.Current(ctx, "acme", c); err != nil || k != second {
		t.Errorf("the current key is not the latest: %v", err)
	}
	// rotation: a new master first, the old one still unwraps
	if k, err := keyring.New(pool, master(t, 2, 1)).Current(ctx, "acme", c); err != nil || k != second {
		t.Errorf("after rotation: %v", err)
	}
	if _, err := keyring.New(pool, master(t, 2)).Current(ctx, "acme", c); !errors.Is(err, keyring.ErrMaster) {
		t.Errorf("without the old master: %v", err)
	}
	if _, err := pool.Exec(ctx, `insert into tenants (slug, name, secret, master) values ('acme', 'Acme', '', $1)`, wrapped.Master); err != nil {
		t.Fatal(err)
	}
	if err := keyring.New(pool, master(t, 2, 1)).Check(ctx); err != nil {
		t.Errorf("check with the right master: %v", err)
	}
	if err := keyring.New(pool, master(t, 2)).Check(ctx); !errors.Is(err, keyring.ErrMaster) {
		t.Errorf("check with another master: %v", err)
	}
	// a wrapped key cannot be moved to another customer or tenant
	if _, err := pool.Exec(ctx, `update customer_keys set tenant = 'evil'`); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.New(pool, master(t, 1)).Current(ctx, "evil", c); !errors.Is(err, keyring.ErrBroken) {
		t.Errorf("moved to another tenant: %v", err)
	}
}

// A process that had nothing to open for hours, or was frozen, still has its keys. It uses none that was destroyed meanwhile, however long ago.
func TestAKeyDestroyedWhileNobodyLookedIsNotUsed(t *testing.T) {
	ctx, pool := t.Context(), eventstoretest.Pool(t)
	ring := keyring.New(pool, master(t, 1))
	erased, kept := uuid.New(), uuid.New()
	for _, c := range []uuid.UUID{erased, kept} {
		key, wrapped := ring.Create("acme", c, 1)
		if _, err := pool.Exec(ctx, `insert into customer_keys (tenant, customer, generation, master, wrapped) values ('acme', $1, $2, $3, $4)`, c, wrapped.Generation, wrapped.Master, wrapped.Bytes); err != nil {
			t.Fatal(err)
		}
		ring.Keep("acme", c, key)
	}
	if _, err := ring.Current(ctx, "acme", erased); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, `delete from customer_keys where customer = $1`, erased); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, `insert into erasures (tenant, customer, generation, position, erased_at) values ('acme', $1, 1, 1, now() - interval '2 hours')`, erased); err != nil {
		t.Fatal(err)
	}
	for name, idle := range map[string]func(){
		"after it was asked": func() { ring.WasIdle(time.Now().Add(-3 * time.Hour)) },
		"before it was asked": func() { // it has made keys itself
			ring = keyring.New(pool, master(t, 1))
			for _, c := range []uuid.UUID{erased, kept} {
				key, _ := ring.Create("acme", c, 1)
				ring.Keep("acme", c, key)
			}
			ring.Began(time.Now().Add(-3 * time.Hour))
		},
	} {
		idle()
		keys, err := ring.Of(ctx, "acme", []uuid.UUID{erased, kept})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := keys.Of(erased, 1); ok {
			t.Errorf("%s: a key is used that was destroyed two hours ago", name)
		}
		if _, ok := keys.Of(kept, 1); !ok {
			t.Errorf("%s: another's key is not there", name)
		}
	}
}

func TestSealedBytesNameTheirGeneration(t *testing.T) {
	ring := keyring.New(nil, master(t, 1))
	k, _ := ring.Create("acme", uuid.New(), 300)
	sealed := k.Seal(nil, nil)
	if g, err := keyring.Generation(sealed); err != nil || g != 300 {
		t.Errorf("%d %v", g, err)
	}
	if bytes.Equal(k.Seal([]byte("x"), nil), k.Seal([]byte("x"), nil)) {
		t.Error("the same text was sealed to the same bytes")
	}
	for n := range sealed {
		if _, err := k.Open(sealed[:n], nil); !errors.Is(err, keyring.ErrBroken) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	m, err := keyring.NewMaster(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	k, _ := keyring.New(nil, m).Create("acme", uuid.Nil, 1)
	f.Add(k.Seal([]byte("x"), nil))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if text, err := k.Open(sealed, nil); err == nil && string(text) != "x" {
			t.Error("opened what was never sealed")
		}
	})
}

func TestTheMasterKeyFileIsMadeOnceAndForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	var wg sync.WaitGroup
	wrapped := make([]*keyring.Master, 8)
	for i := range wrapped {
		wg.Go(func() {
			m, err := keyring.OpenMasterFile(path)
			if err != nil {
				t.Error(err)
			}
			wrapped[i] = m
		})
	}
	wg.Wait()
	id, secret := keyring.New(nil, wrapped[0]).NewTenantSecret("acme")
	for i, m := range wrapped {
		if _, err := keyring.New(nil, m).TenantSecret("acme", id, secret); err != nil {
			t.Errorf("process %d got another key: %v", i, err)
		}
		if _, err := keyring.New(nil, m).TenantSecret("evil", id, secret); err == nil {
			t.Error("a tenant's secret was unwrapped for another tenant")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".master-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.OpenMasterFile(path); err == nil {
		t.Error("nonsense was taken for a key")
	}
}
