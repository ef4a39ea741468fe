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

// Master is the master keys that a process was given. They wrap customers' keys and tenants' secrets. Which one of them wraps, the database says; in a new one,
// and where nobody has asked it, the first.
type Master struct {
	order []string // ids
	keys  map[string][]byte
}

func (m *Master) first() string { return m.order[0] }

// NewMaster takes one or more 32-byte keys.
func NewMaster(keys ...[]byte) (*Master, error) {
	m := &Master{keys: map[string][]byte{}}
	for _, k := range keys {
		if len(k) != 32 {
			return nil, fmt.Errorf("keyring: a master key has 32 bytes, not %d", len(k))
		}
		sum := sha256.Sum256(append([]byte("customercenter master key "), k...))
		id := hex.EncodeToString(sum[:6])
		if m.keys[id] == nil {
			m.order = append(m.order, id)
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

func (m *Master) wrap(id string, secret, place []byte) []byte {
	aead := newAEAD(m.keys[id])
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

// again wraps by one master key what another has wrapped.
func (m *Master) again(id, by string, wrapped, place []byte) ([]byte, error) {
	secret, err := m.unwrap(by, wrapped, place)
	if err != nil {
		return nil, err
	}
	return m.wrap(id, secret, place), nil
}

// NewTenantSecret makes the secret of a tenant and wraps it.
func (r *Keyring) NewTenantSecret(tenant string) (master string, wrapped []byte) {
	secret := make([]byte, 32)
	rand.Read(secret)
	master = r.wrapping()
	return master, r.master.wrap(master, secret, tenantPlace(tenant))
}

// TenantSecret unwraps the secret of a tenant.
func (r *Keyring) TenantSecret(tenant, master string, wrapped []byte) ([]byte, error) {
	return r.master.unwrap(master, wrapped, tenantPlace(tenant))
}

func tenantPlace(tenant string) []byte { return []byte("tenant\x00" + tenant) }
