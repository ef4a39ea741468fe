package keyring

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Master wraps customers' keys and tenants' secrets. The first key given wraps; the others only unwrap.
type Master struct {
	current string
	keys    map[string][]byte
}

// NewMaster returns a master from one or more 32-byte keys.
func NewMaster(keys ...[]byte) (*Master, error) {
	m := &Master{keys: map[string][]byte{}}
	for i, k := range keys {
		if len(k) != 32 {
			return nil, fmt.Errorf("keyring: a master key has 32 bytes, not %d", len(k))
		}
		sum := sha256.Sum256(append([]byte("customercenter master key "), k...))
		id := hex.EncodeToString(sum[:6])
		if i == 0 {
			m.current = id
		}
		m.keys[id] = k
	}
	if len(keys) == 0 {
		return nil, errors.New("keyring: no master key")
	}
	return m, nil
}

// ParseMaster reads one or more base64 keys, separated by commas, the current one first.
func ParseMaster(text string) (*Master, error) {
	var keys [][]byte
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		k, err := base64.StdEncoding.DecodeString(strings.TrimSpace(part))
		if err != nil {
			return nil, errors.New("keyring: the master key is not base64")
		}
		keys = append(keys, k)
	}
	return NewMaster(keys...)
}

// OpenMasterFile reads the master key from a file that only its owner may read, and makes the file if there is none.
// Several processes may do so at once; all get the same key.
func OpenMasterFile(path string) (*Master, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = createMasterFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: master key file: %w", err)
	}
	m, err := ParseMaster(string(text))
	if err != nil {
		return nil, fmt.Errorf("%w (file %s)", err, path)
	}
	return m, nil
}

// createMasterFile writes a complete, synced file beside and links it into place, so that a crash leaves no half key and
// the first of several processes wins.
func createMasterFile(path string) ([]byte, error) {
	key := make([]byte, 32)
	rand.Read(key)
	f, err := os.CreateTemp(filepath.Dir(path), ".master-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(key))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
		if err != nil {
			return nil, err
		}
	}
	return os.ReadFile(path)
}

func (m *Master) wrap(secret, place []byte) []byte {
	aead := newAEAD(m.keys[m.current])
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	return aead.Seal(nonce, nonce, secret, place)
}

func (m *Master) unwrap(id string, wrapped, place []byte) ([]byte, error) {
	key, ok := m.keys[id]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrMaster, id)
	}
	aead := newAEAD(key)
	if len(wrapped) < aead.NonceSize() {
		return nil, ErrBroken
	}
	secret, err := aead.Open(nil, wrapped[:aead.NonceSize()], wrapped[aead.NonceSize():], place)
	if err != nil {
		return nil, ErrBroken
	}
	return secret, nil
}

// NewTenantSecret makes the secret of a tenant and wraps it.
func (r *Keyring) NewTenantSecret(tenant string) (master string, wrapped []byte) {
	secret := make([]byte, 32)
	rand.Read(secret)
	return r.master.current, r.master.wrap(secret, tenantPlace(tenant))
}

// TenantSecret unwraps the secret of a tenant.
func (r *Keyring) TenantSecret(tenant, master string, wrapped []byte) ([]byte, error) {
	return r.master.unwrap(master, wrapped, tenantPlace(tenant))
}

func tenantPlace(tenant string) []byte { return []byte("tenant\x00" + tenant) }
