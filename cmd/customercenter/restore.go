package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/commands"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
	"customercenter/internal/flock"
	"customercenter/internal/postgres"
)

// restoreCommand puts a backup into an empty database. Read models and the event stream are made again at the next start.
type restoreCommand struct {
	target `prefix:""`
	Log    string `arg:"" help:"File of the log and the settings." type:"existingfile"`
	Keys   string `arg:"" help:"File of the customers' keys, of the same backup or of a later one: who was erased in between is erased again." type:"existingfile"`
}

// Run restores everything, or nothing.
func (c *restoreCommand) Run(env *environment) (err error) {
	master, err := found{target: c.target}.existingMaster()
	if err != nil {
		return fmt.Errorf("the master key is needed first, as without it nobody's personal data could be read: bring back master.key to %s, or set CUSTOMERCENTER_MASTER_KEY (%w)", c.Data, err)
	}
	dsn := c.DatabaseURL
	if dsn == "" {
		var stop func() error
		if dsn, stop, err = c.private(env.ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	conn, err := pgx.Connect(env.ctx, dsn)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(env.ctx))) }()
	var major int
	var tables int64
	err = conn.QueryRow(env.ctx, `select current_setting('server_version_num')::int / 10000,
		(select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind in ('r', 'p', 'v'))`).Scan(&major, &tables)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if tables > 0 {
		return errors.New("the database is not empty, and a restore overwrites nothing: give it an empty one")
	}
	if err := c.load(env.ctx, dsn, major); err != nil {
		return err
	}
	return c.check(env, master, dsn)
}

// private starts the Postgres of `up` on the data directory, with an empty database if there is none.
func (c *restoreCommand) private(ctx context.Context) (dsn string, stop func() error, err error) {
	if err := os.MkdirAll(c.Data, 0o711); err != nil {
		return "", nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := flock.Try(filepath.Join(c.Data, "up.lock"))
	if errors.Is(err, flock.ErrLocked) {
		return "", nil, fmt.Errorf("a `customercenter up` is running on %s (%w). Stop it first, or choose another directory with --data", c.Data, err)
	}
	if err != nil {
		return "", nil, err
	}
	cluster, err := postgres.Start(ctx, postgres.Config{Dir: filepath.Join(c.Data, "postgres"), Durable: true})
	if err != nil {
		return "", nil, errors.Join(err, lock.Release())
	}
	stop = func() error { return errors.Join(cluster.Stop(), lock.Release()) }
	if err := cluster.EnsureDatabase(ctx, databaseName); err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return cluster.DSN(databaseName), stop, nil
}

// afterwards makes a restored log another one than that which others have heard: under its new epoch the event stream is filled again. Keys of customers
// who are not in it come from a later backup; should those write again, they get new ones.
//
// Whoever is erased stays erased, whichever of the files is the older one. What the log says of that destroys keys that are older than it; what only the
// keys' file says is marked as to be written to the log again, see commands.Center.EraseAgain.
const afterwards = `
update public.log_epoch set epoch = gen_random_uuid();
delete from public.customer_keys k where not exists (
  select from public.events e where e.tenant = k.tenant and e.customer = k.customer and e.type = 'customer.created' and (e.data->>'generation')::int = k.generation);
do $$ begin if to_regclass('public.erasures') is not null then
  update public.erasures r set position = 0 where not exists (
    select from public.events e where e.tenant = r.tenant and e.customer = r.customer and e.type = 'customer.erased' and (e.data->>'generation')::int = r.generation);
  insert into public.erasures (tenant, customer, generation, position, erased_at, done_at)
  select e.tenant, e.customer, (e.data->>'generation')::int, e.position, e.recorded_at, case when not exists (
    select from public.policy_due d where d.tenant = e.tenant and d.policy = 'erase-customers' and d.position = e.position) then now() end
  from public.events e where e.type = 'customer.erased'
  on conflict do nothing;
  delete from public.customer_keys k using public.erasures r where r.tenant = k.tenant and r.customer = k.customer and k.generation <= r.generation;
end if; end $$;
`

// keyless fails if somebody's key is missing who was not erased.
const keyless = `
do $$ declare missing bigint; begin
  select count(*) into missing from public.events e where e.type = 'customer.created' and not exists (
    select from public.customer_keys k where k.tenant = e.tenant and k.customer = e.customer and k.generation = (e.data->>'generation')::int)
  and (to_regclass('public.erasures') is null or not exists (
    select from public.erasures r where r.tenant = e.tenant and r.customer = e.customer and r.generation >= (e.data->>'generation')::int));
  if missing > 0 then raise exception '% customers have no key', missing; end if;
end $$;
`

// load carries both files into the database, in one transaction that is committed when all of it is there.
func (c *restoreCommand) load(ctx context.Context, dsn string, major int) error {
	reader, err := postgres.Program(ctx, "pg_restore", major)
	if err != nil {
		return err
	}
	writer, err := postgres.Program(ctx, "psql", major)
	if err != nil {
		return err
	}
	logAt, err := madeAt(ctx, reader, c.Log)
	if err != nil {
		return err
	}
	keysAt, err := madeAt(ctx, reader, c.Keys)
	if err != nil {
		return err
	}
	database, environ, err := withoutPassword(dsn)
	if err != nil {
		return err
	}
	psql := exec.CommandContext(ctx, writer, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output="+os.DevNull, "--dbname="+database)
	psql.Env = environ
	var complaint strings.Builder
	psql.Stderr = &complaint
	in, err := psql.StdinPipe()
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := psql.Start(); err != nil {
		return fmt.Errorf("restore: psql: %w", err)
	}
	// What ends before the commit, for whatever reason, leaves nothing behind.
	_, err = io.WriteString(in, "begin;\n")
	for _, file := range []string{c.Log, c.Keys} {
		if err == nil {
			err = unpack(ctx, reader, file, in)
		}
	}
	after := afterwards
	if keysAt < logAt {
		after += keyless
	}
	if err == nil {
		_, err = io.WriteString(in, after+"commit;\n")
	}
	err = errors.Join(err, in.Close())
	if ended := psql.Wait(); ended != nil {
		if strings.Contains(complaint.String(), "customers have no key") {
			return fmt.Errorf("the keys are of %s, before the log of %s: customers who came in between could not be read, so nothing was restored. Give the keys of the same backup, or of a later one", keysAt, logAt)
		}
		err = errors.Join(fmt.Errorf("psql: %w\n%s", ended, firstLines(complaint.String())), err)
	}
	if err != nil {
		return fmt.Errorf("restore: nothing was restored: %w", err)
	}
	return nil
}

// unpack writes a file of a backup as SQL.
func unpack(ctx context.Context, program, file string, to io.Writer) error {
	cmd := exec.CommandContext(ctx, program, "--no-owner", "--no-privileges", "--file=-", file)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	cmd.Stdout = to
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pg_restore: %w\n%s", err, firstLines(complaint.String()))
	}
	return nil
}

// firstLines is the beginning of what a program complained about. Lines that may hold rows are left out: rows may be personal.
func firstLines(complaint string) string {
	var lines []string
	for line := range strings.Lines(complaint) {
		if strings.Contains(line, "ERROR:") || strings.Contains(line, "error:") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines[:min(len(lines), 5)], "\n")
}

// check opens what is sealed with the master key, brings the tables to the version of this program, and says what is there now.
func (c *restoreCommand) check(env *environment, master *keyring.Master, dsn string) error {
	pool, err := eventstore.Connect(env.ctx, dsn, 4)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := eventstore.Migrate(env.ctx, pool); err != nil {
		return err
	}
	keys := keyring.New(pool, master)
	if err := keys.Check(env.ctx); err != nil {
		return fmt.Errorf("everything is restored, but this is not the master key it belongs to, or not all of them: bring back the right one before the next start (%w)", err)
	}
	store := eventstore.New(pool, codec(), keys)
	tenants, err := store.Tenants(env.ctx)
	if err != nil {
		return err
	}
	again, err := commands.NewCenter(store, time.Now, newID).EraseAgain(env.ctx)
	if err != nil {
		return fmt.Errorf("everything is restored, but who was erased since is not erased again: the next start does it (%w)", err)
	}
	for _, t := range tenants {
		head, err := store.Head(env.ctx, t.Slug)
		if err != nil {
			return err
		}
		if _, err := store.Secret(env.ctx, t.Slug); err != nil {
			return fmt.Errorf("everything is restored, but this is not the master key it belongs to: bring back the right one before the next start (tenant %s: %w)", t.Slug, err)
		}
		fmt.Fprintf(env.stdout, "%s: restored up to position %d\n", t.Slug, head)
	}
	if again > 0 {
		fmt.Fprintf(env.stdout, "%d customers who were erased after this log are erased again.\n", again)
	}
	fmt.Fprintln(env.stdout, "The log has a new epoch. The next start makes read models and the event stream again.")
	return nil
}
