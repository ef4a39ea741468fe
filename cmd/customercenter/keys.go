package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/keyring"
)

// keysCommand replaces the master key.
type keysCommand struct {
	Status keysStatus `cmd:"" default:"withargs" help:"Which master keys there are, how much is wrapped by each, and which processes have which."`
	Add    keysAdd    `cmd:"" help:"Make a new master key and put it in front of the one in the file; the processes have to be restarted then."`
	Rotate keysRotate `cmd:"" help:"Wrap everything by the first master key given. It can be interrupted, and begun again."`
}

// errMasterReplaced ends a process that was away while the master key was replaced.
var errMasterReplaced = errors.New("the master key was replaced by one that this process does not have, while it could not reach the database: start it again with the new one")

// processName tells people which process this is.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// masterNeeded says what to do about a master key that is not the database's: what it would seal, nobody else could read.
func masterNeeded(err error) error {
	missing := (*keyring.MissingError)(nil)
	switch {
	case !errors.As(err, &missing):
		return err
	case missing.Wraps != "" && missing.ID != missing.Wraps:
		return fmt.Errorf("%w. Give both, separated by a comma, the new one first, until `customercenter keys status` says that nothing is wrapped by the older one", err)
	case missing.Replaced != "":
		return fmt.Errorf("%w. Give the new one with CUSTOMERCENTER_MASTER_KEY or --master-key-file", err)
	}
	return fmt.Errorf("%w. Give the database's own master key with CUSTOMERCENTER_MASTER_KEY or --master-key-file (`up` keeps it as master.key in its data directory)", err)
}

type keysStatus struct {
	target `prefix:""`
	JSON   bool `help:"One JSON object: the master keys and the processes."`
}

// Run prints the status.
func (c *keysStatus) Run(env *environment) error {
	return c.withKeys(env, func(ctx context.Context, _ *pgxpool.Pool, keys *keyring.Keyring) error {
		if err := keys.Check(ctx); err != nil {
			return masterNeeded(err)
		}
		masters, err := keys.Masters(ctx)
		if err != nil {
			return err
		}
		holders, err := keys.Holders(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return table(env.stdout, true, "", []any{map[string]any{"master_keys": masters, "processes": holders}}, nil)
		}
		if err := table(env.stdout, false, "MASTER KEY\tSTATE\tSINCE\tCUSTOMERS' KEYS\tTENANTS' SECRETS", masters, func(m keyring.MasterKey) string {
			state, since := masterState(m)
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", m.ID, state, since.UTC().Format(time.DateTime), grouped(m.Keys), grouped(m.Secrets))
		}); err != nil {
			return err
		}
		if len(holders) > 0 {
			fmt.Fprintln(env.stdout)
			if err := table(env.stdout, false, "PROCESS\tHAS\tRUNNING SINCE\tSEEN", holders, func(h keyring.Holder) string {
				return fmt.Sprintf("%s\t%s\t%s\t%s", h.Name, strings.Join(h.Holds, ", "), h.Started.UTC().Format(time.DateTime), h.Seen.UTC().Format(time.TimeOnly))
			}); err != nil {
				return err
			}
		}
		fmt.Fprintln(env.stdout, "\n"+conclusion(masters, holders))
		return nil
	})
}

func masterState(m keyring.MasterKey) (state string, since time.Time) {
	switch {
	case m.Wraps:
		return "wraps", m.Since
	case m.Retired != nil:
		return "retired", *m.Retired
	}
	return "older", m.Since
}

// conclusion says what has to be done next, if anything.
func conclusion(masters []keyring.MasterKey, holders []keyring.Holder) string {
	var older int64
	retired := map[string]bool{}
	replacing := false
	for _, m := range masters {
		switch {
		case m.Retired != nil:
			retired[m.ID] = true
		case !m.Wraps:
			older += m.Keys + m.Secrets
			replacing = true
		}
	}
	if older > 0 || replacing {
		return fmt.Sprintf("%s still wrapped by an older master key. Go on: customercenter keys rotate", isOrAre(older, "key"))
	}
	for _, h := range holders {
		for _, id := range h.Holds {
			if retired[id] {
				return "Nothing is wrapped by an older master key. Processes that have a retired one may be started without it; keep it as long as there are backups from before."
			}
		}
	}
	return "Nothing is wrapped by an older master key."
}

func isOrAre(n int64, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return howMany(int(n), what) + " are"
}

type keysAdd struct {
	target `prefix:""`
}

// Run writes the new key into the file. Who reads the file sees the old one or both.
func (c *keysAdd) Run(env *environment) error {
	if c.MasterKey != "" {
		return usageError{`the master key is given, and in no file: put a new one in front of it yourself, "$(openssl rand -base64 32),$CUSTOMERCENTER_MASTER_KEY"`}
	}
	file := cmp.Or(c.MasterKeyFile, filepath.Join(c.Data, "master.key"))
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("master key file: %w. Name it with --master-key-file, or the data directory with --data", err)
	}
	old, err := keyring.ParseMaster(string(text))
	if err != nil {
		return fmt.Errorf("%w (file %s)", err, file)
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails, see crypto/rand
	both := []byte(base64.StdEncoding.EncodeToString(key) + "," + string(bytes.TrimSpace(text)) + "\n")
	now, err := keyring.ParseMaster(string(both))
	if err == nil {
		err = replaceSecret(file, both)
	}
	if err != nil {
		return fmt.Errorf("master key file: %w", err)
	}
	fmt.Fprintf(env.stdout, "%s has the new master key %s in front of %s. Put a copy into the safe; restart the processes, one after the other; then: customercenter keys rotate\n", file, now.Given()[0], old)
	return nil
}

// replaceSecret puts a synced file, which only its owner may read, in the place of another.
func replaceSecret(file string, text []byte) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".master-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is there only if something went wrong
	_, err = f.Write(text)
	if owner, known := info.Sys().(*syscall.Stat_t); known && err == nil {
		err = f.Chown(int(owner.Uid), int(owner.Gid))
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

type keysRotate struct {
	target `prefix:""`
}

// Run rotates.
func (c *keysRotate) Run(env *environment) error {
	return c.withKeys(env, func(ctx context.Context, _ *pgxpool.Pool, keys *keyring.Keyring) error {
		shown := env.progress("Wrapping keys", grouped, "")
		done, err := keys.Rotate(ctx, shown.set)
		shown.end()
		switch {
		case errors.As(err, new(*keyring.HoldersError)):
			return fmt.Errorf("%w. Restart them with both keys, separated by a comma; who is not there any more is forgotten a minute later. Nothing was changed", err)
		case errors.Is(err, keyring.ErrRetired):
			return fmt.Errorf("%w. Give the key that is to wrap first; for another new one: customercenter keys add", err)
		case err != nil && done.Keys > 0:
			return fmt.Errorf("%w. What is done stays done, and the same command goes on", err)
		case err != nil:
			return masterNeeded(err)
		}
		fmt.Fprintf(env.stdout, "Everything is wrapped by the master key %s, and nothing by an older one. Wrapped anew just now: %s.\n", done.ID, howMany(int(done.Keys), "key"))
		if len(done.Retired) > 0 {
			fmt.Fprintf(env.stdout, "Processes may be started without %s. Keep it as long as there are backups from before: they cannot be restored without it.\n", strings.Join(done.Retired, ", "))
		}
		return nil
	})
}
