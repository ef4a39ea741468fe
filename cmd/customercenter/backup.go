package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/internal/postgres"
)

// backupCommand dumps what cannot be made again, in two files of one moment. The system goes on meanwhile.
type backupCommand struct {
	target `prefix:""`
	Log    string `arg:"" help:"New file for the log and the settings." type:"path"`
	Keys   string `arg:"" help:"New file for the customers' keys. Keep it in another place, and for a shorter time." type:"path"`
}

// The tables whose rows a backup does not have.
var (
	// keysTables go into the file of the keys: those that are there, and who was erased.
	keysTables = []string{"customer_keys", "erasures"}
	// madeAgain follows from the log, or belongs to servers and browsers that a restored system does not have.
	madeAgain = []string{
		"relay_cursors", "projection_builds", "projection_live", "projection_checkpoints", "projection_verifications", "parked_customers", "as_of_schemas",
		"sign_ins", "sign_in_links", "sign_in_queries", "job_progress", "master_keys", "master_key_holders",
	}
	// unsealed holds personal data in the open, which must not outlive the customer's key: uploaded rows, and files of exports.
	unsealed = []string{"job_parts"}
)

// Run writes both files, or none.
func (c *backupCommand) Run(env *environment) (err error) {
	f, err := c.find()
	if err != nil {
		return err
	}
	if err := f.needDatabase(); err != nil {
		return err
	}
	for _, file := range []string{c.Log, c.Keys} {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already. A backup overwrites nothing: choose another name", file)
		}
	}
	conn, err := pgx.Connect(env.ctx, f.DatabaseURL)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(env.ctx))) }()
	return pgx.BeginTxFunc(env.ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return c.dump(env, tx, f.DatabaseURL)
	})
}

// dump writes both files as the transaction sees the database.
func (c *backupCommand) dump(env *environment, tx pgx.Tx, dsn string) error {
	var snapshot string
	var major int
	var events int64
	err := tx.QueryRow(env.ctx, `select pg_export_snapshot(), current_setting('server_version_num')::int / 10000, (select count(*) from events)`).Scan(&snapshot, &major, &events)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	rows, err := tx.Query(env.ctx, `select nspname from pg_namespace where nspname <> 'public' and nspname <> 'information_schema' and nspname not like 'pg\_%'`)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	var log []string
	keys := []string{"--data-only"}
	for _, table := range keysTables {
		keys = append(keys, "--table="+table)
	}
	for _, table := range slices.Concat(keysTables, madeAgain, unsealed) {
		log = append(log, "--exclude-table-data="+table)
	}
	for _, schema := range schemas { // rows of read models
		log = append(log, "--exclude-schema="+pgx.Identifier{schema}.Sanitize())
	}
	program, err := postgres.Program(env.ctx, "pg_dump", major)
	if err != nil {
		return err
	}
	database, environ, err := withoutPassword(dsn)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		file string
		args []string
	}{{c.Log, log}, {c.Keys, keys}} {
		unfinished := part.file + ".unfinished"
		if err := begin(unfinished); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		defer os.Remove(unfinished) // it is there only if something went wrong
		cmd := exec.CommandContext(env.ctx, program, append(part.args, "--snapshot="+snapshot, "--format=custom", "--no-owner", "--no-privileges",
			"--file="+unfinished, "--dbname="+database)...)
		cmd.Env = environ
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("backup: pg_dump: %w\n%s", err, out)
		}
	}
	if err := finish(c.Keys); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := finish(c.Log); err != nil {
		return fmt.Errorf("backup: %w", errors.Join(err, os.Remove(c.Keys)))
	}
	fmt.Fprintf(env.stdout, "Log and settings, %d events: %s\nKeys of the customers: %s\nThe master key is in neither of them. Keep master.key, or whatever holds CUSTOMERCENTER_MASTER_KEY, in a third place.\n",
		events, c.Log, c.Keys)
	return nil
}

// begin makes a file that only its owner ever reads, in the place of one that a killed backup has left.
func begin(unfinished string) error {
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// finish gives a file that was written as unfinished its name, once it is on disk.
func finish(file string) error {
	f, err := os.OpenFile(file+".unfinished", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), file) // unlike a renaming it overwrites nothing
}

// withoutPassword takes the passwords out of a URL or a connection string, as everybody on the machine sees the arguments of programs, and puts that of the database
// into their environment. Times in the files are in UTC. Error: the address cannot be read; it is not quoted.
func withoutPassword(dsn string) (database string, environ []string, err error) {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return "", nil, errors.New("DATABASE_URL cannot be read: it is a URL, or words like host=… dbname=…") // the cause may quote it
	}
	environ = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	if config.Password != "" {
		environ = append(environ, "PGPASSWORD="+config.Password)
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return passwordWord.ReplaceAllString(dsn, " "), environ, nil
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	if query := u.Query(); query.Has("password") {
		query.Del("password")
		u.RawQuery = query.Encode()
	}
	return u.String(), environ, nil
}

// passwordWord is the password in a connection string of words, quoted or not.
var passwordWord = regexp.MustCompile(`(?:^|\s)password\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)`)

// madeAt is when a file of a backup was begun, as it says itself, for comparison with others.
func madeAt(ctx context.Context, program, file string) (string, error) {
	cmd := exec.CommandContext(ctx, program, "--list", file)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s is no file of `customercenter backup`: %w", filepath.Base(file), err)
	}
	for line := range strings.Lines(string(out)) {
		if _, at, found := strings.Cut(line, "Archive created at "); found {
			return strings.TrimSpace(at), nil
		}
	}
	return "", fmt.Errorf("%s does not say when it was made", filepath.Base(file))
}
