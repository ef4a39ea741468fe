package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"customercenter/api/ingest"
	"customercenter/commands/policies"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
	"customercenter/eventstore/lease"
	"customercenter/eventstore/relay"
	"customercenter/internal/postgres"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// database looks whether the database can be reached and is one that the product can work with.
func (c *clinic) database() bool {
	ctx, cancel := context.WithTimeout(c.env.ctx, 5*time.Second)
	defer cancel()
	pool, err := eventstore.Connect(ctx, c.DatabaseURL, 4)
	if err == nil {
		c.pool = pool
		err = pool.Ping(ctx)
	}
	if !c.show(finding{what: "Postgres", err: err, mend: "is it running (`customercenter up`), and is DATABASE_URL right?"}) {
		if c.pool != nil {
			c.pool.Close()
		}
		return false
	}
	var version int
	var clock float64
	err = pool.QueryRow(ctx, `select current_setting('server_version_num')::int, extract(epoch from clock_timestamp())::float8`).Scan(&version, &clock)
	if err == nil && version < postgres.MinMajor*10000 {
		err = fmt.Errorf("version %d", version/10000)
	}
	c.show(finding{what: "Postgres version", err: err, mend: fmt.Sprintf("PostgreSQL %d or newer is needed", postgres.MinMajor), note: fmt.Sprint(version / 10000)})
	skew := time.Duration((clock - float64(time.Now().UnixMicro())/1e6) * float64(time.Second)).Abs()
	err = nil
	if skew > 30*time.Second {
		err = fmt.Errorf("they differ by %s", skew.Round(time.Second))
	}
	c.show(finding{what: "clocks of this machine and the database", err: err, mend: "mend the time synchronisation: appends are refused from a minute on", note: fmt.Sprintf("(%s apart)", skew.Round(time.Millisecond))})
	return true
}

// vitals are what the server tells of itself.
type vitals struct {
	standby                      bool
	unsafe                       *string // settings that would lose what was acknowledged
	connections, most, freezeAge int64
	oldest, idle                 float64 // seconds that transactions have been open, and idle in between
	inactive, lost               *string // replication slots
	kept                         *int64  // bytes for the slot that lags most
	archiving                    *string // the file that could not be archived
	bytes                        int64
	standbys                     int64
}

const vitalsSQL = `select pg_is_in_recovery(),
	(select string_agg(name || ' = ' || setting, ', ') from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'),
	(select count(*) from pg_stat_activity where backend_type = 'client backend'), current_setting('max_connections')::bigint,
	(select max(age(datfrozenxid)) from pg_database),
	coalesce((select extract(epoch from max(clock_timestamp() - xact_start)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()), 0)::float8,
	coalesce((select extract(epoch from max(clock_timestamp() - state_change)) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'), 0)::float8,
	(select string_agg(slot_name, ', ') from pg_replication_slots where not active and not temporary),
	(select string_agg(slot_name, ', ') from pg_replication_slots where wal_status in ('lost', 'unreserved')),
	case when not pg_is_in_recovery() then (select max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))::bigint from pg_replication_slots) end,
	(select last_failed_wal from pg_stat_archiver where last_failed_time > coalesce(last_archived_time, '-infinity')),
	pg_database_size(current_database()), (select count(*) from pg_stat_replication)`

// server looks at the database server, as one would who answers for it.
func (c *clinic) server() {
	ctx, cancel := context.WithTimeout(c.env.ctx, 10*time.Second)
	defer cancel()
	var v vitals
	err := c.pool.QueryRow(ctx, vitalsSQL).Scan(&v.standby, &v.unsafe, &v.connections, &v.most, &v.freezeAge, &v.oldest, &v.idle, &v.inactive, &v.lost, &v.kept, &v.archiving, &v.bytes, &v.standbys)
	if !c.show(finding{what: "Postgres' own figures", err: err, mend: "may this user read pg_stat_activity and pg_replication_slots? Grant it pg_monitor", note: fmt.Sprintf("(the database has %d MiB)", v.bytes>>20)}) {
		return
	}
	check := func(what string, bad bool, why string, f finding) {
		f.what = what
		if bad {
			f.err = errors.New(why)
		}
		c.show(f)
	}
	check("Postgres takes writes", v.standby, "it is a standby", finding{mend: "name the primary in DATABASE_URL; with several hosts, add target_session_attrs=read-write"})
	check("what is acknowledged is on the disk", v.unsafe != nil, said(v.unsafe), finding{mend: "set them to on and reload: else a loss of power loses, or breaks, what was acknowledged"})
	check("connections", v.connections*10 > v.most*8, fmt.Sprintf("%d of %d are used", v.connections, v.most),
		finding{mend: "who has them? select application_name, client_addr, count(*) from pg_stat_activity group by 1, 2. Each process of the product takes 32 and a few; raise max_connections", note: fmt.Sprintf("(%d of %d)", v.connections, v.most)})
	check("transactions", v.oldest > 3600 || v.idle > 600, fmt.Sprintf("the oldest has been open for %s, one idle for %s", duration(v.oldest), duration(v.idle)),
		finding{minor: true, mend: "nothing deleted since can be cleaned away. See pg_stat_activity, and end it with pg_terminate_backend(pid), unless it is a backup"})
	check("transaction numbers", v.freezeAge > 1_000_000_000, fmt.Sprintf("the oldest is %d ago; at 2,000,000,000 the server stops", v.freezeAge), finding{mend: "is autovacuum on? Run vacuum (freeze) on the database with the oldest datfrozenxid"})
	var slots error
	if v.lost != nil {
		slots = fmt.Errorf("%s cannot be followed any more", *v.lost)
	} else if v.kept != nil && *v.kept > 10<<30 {
		slots = fmt.Errorf("%d GiB of write-ahead log are kept for one that lags", *v.kept>>30)
	} else if v.inactive != nil {
		slots = fmt.Errorf("nobody follows %s: write-ahead log is kept for it until the disk is full", *v.inactive)
	}
	c.show(finding{what: "replication slots", err: slots, mend: "bring the standby back, or drop the slot: select pg_drop_replication_slot('…'), and make the standby anew", note: fmt.Sprintf("(%s)", howMany(int(v.standbys), "follower"))})
	check("archive of the write-ahead log", v.archiving != nil, fmt.Sprintf("%s could not be archived", said(v.archiving)), finding{mend: "see archive_command and the server's log: what is not archived is kept, until the disk is full"})
}

func said(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}

// schema compares the version of the database's tables with this program's.
func (c *clinic) schema(ctx context.Context) finding {
	f := finding{what: "database schema", mend: "run `customercenter migrate`"}
	var migrated bool
	if f.err = c.pool.QueryRow(ctx, `select to_regclass('events') is not null`).Scan(&migrated); f.err != nil {
		return f
	}
	if !migrated {
		f.err = errors.New("there are no tables")
		return f
	}
	var there int
	if f.err = c.pool.QueryRow(ctx, `select coalesce(max(version_id), 0) from goose_db_version where is_applied`).Scan(&there); f.err != nil {
		return f
	}
	files, err := fs.Glob(eventstore.Migrations(), "*.sql")
	if err != nil || len(files) == 0 {
		f.err = errors.Join(errors.New("this program has no migrations"), err)
		return f
	}
	number, _, _ := strings.Cut(path.Base(slices.Max(files)), "_")
	ours, err := strconv.Atoi(number)
	switch {
	case err != nil:
		f.err = err
	case there < ours:
		f.err = fmt.Errorf("version %d, this program has %d", there, ours)
	case there > ours:
		f.err, f.minor, f.mend = fmt.Errorf("version %d is newer than this program's, %d", there, ours), true, "finish the upgrade: this program is of the version before"
	}
	f.note = fmt.Sprintf("(version %d)", there)
	return f
}

// insides looks at what the product keeps in the database, and who works on it.
func (c *clinic) insides() {
	ctx, cancel := context.WithTimeout(c.env.ctx, 30*time.Second)
	defer cancel()
	schema := c.schema(ctx)
	if !c.show(schema) && !schema.minor {
		return
	}
	c.show(isolation(ctx, c.pool))
	master, err := c.existingMaster()
	var store *eventstore.Store
	keys := keyring.New(c.pool, master)
	if err == nil {
		store = eventstore.New(c.pool, codec(), keys)
		var tenants []eventstore.Tenant
		if tenants, err = store.Tenants(ctx); err == nil && len(tenants) > 0 {
			_, err = store.Secret(ctx, tenants[0].Slug)
		}
	}
	if !c.show(finding{what: "master key", err: err, mend: "personal data cannot be read without it: give the right one with CUSTOMERCENTER_MASTER_KEY, or bring back master.key from its backup"}) {
		return
	}
	c.show(olderMaster(ctx, keys))
	c.workers(ctx)
	carried, err := relay.Status(ctx, store)
	mend := "is a process with the role relay running, and NATS? See `customercenter relay status`"
	for _, t := range carried {
		if t.Stopped != "" {
			mend = "was the log restored from a backup? Then run `customercenter relay renew`, else see whether two systems share one NATS"
			err = errors.Join(err, fmt.Errorf("tenant %s stands still: %s", t.Tenant, t.Stopped))
		} else if t.Behind > time.Minute {
			err = errors.Join(err, fmt.Errorf("tenant %s is %d events and %s behind", t.Tenant, t.Lag(), t.Behind.Round(time.Second)))
		}
	}
	c.show(finding{what: "relay", err: err, mend: mend})
	open, oldest, err := policies.OpenErasures(ctx, c.pool)
	if err == nil && oldest > time.Hour {
		err = fmt.Errorf("of %s something is left, of the first since %s", howMany(int(open), "erased customer"), oldest.Round(time.Minute))
	}
	c.show(finding{what: "erasures", err: err, mend: "is a process with the role policies running? GET /v1/customers/{id}/erasure says what is left; see docs/erasure.md"})
	c.readModels(ctx, store, len(carried) > 0)
}

// olderMaster tells whether a rotation of the master key was not brought to its end.
func olderMaster(ctx context.Context, keys *keyring.Keyring) finding {
	f := finding{what: "keys wrapped by an older master key", minor: true, mend: "go on: `customercenter keys rotate`; see `customercenter keys status`", note: "none"}
	older, err := keys.Older(ctx)
	if err == nil && older > 0 {
		err = fmt.Errorf("there are %s, as the master key is being replaced", grouped(older))
	}
	f.err = err
	return f
}

// workers looks for processes that do the work of each role, whoever holds which lease.
func (c *clinic) workers(ctx context.Context) {
	counts := map[string]int{}
	err := c.patiently(ctx, func() error {
		var missing []string
		for _, role := range []string{roleRelay, roleProjector, rolePolicies} {
			group := map[string]string{roleRelay: relay.LeaseName, roleProjector: projector.LeaseName(projections.Definitions()[0]), rolePolicies: policies.LeaseName}[role]
			n, err := lease.Members(ctx, c.pool, group)
			if err != nil {
				return err
			}
			if counts[role] = n; n == 0 {
				missing = append(missing, role)
			}
		}
		if n, err := lease.Members(ctx, c.pool, ingest.LeaseName); err != nil {
			return err
		} else if n == 0 && counts[rolePolicies] > 0 {
			missing = append(missing, "policies (channel events)")
		}
		if len(missing) > 0 {
			return fmt.Errorf("no process of this version has the role %s", strings.Join(missing, ", "))
		}
		return nil
	})
	c.show(finding{what: "workers", err: err, mend: "start one: customercenter serve --role …; if one runs, does its log say that it cannot go on, or is it of another version?",
		note: fmt.Sprintf("(relay %d, projector %d, policies %d)", counts[roleRelay], counts[roleProjector], counts[rolePolicies])})
}

// verifyAge is after how long a comparison with the log is overdue. It happens once a day.
const verifyAge = 3 * 24 * time.Hour

func (c *clinic) readModels(ctx context.Context, store *eventstore.Store, tenants bool) {
	p, err := projector.New(projector.Config{Store: store, Definitions: projections.Definitions(), Log: c.env.log})
	var folded []projector.Status
	if err == nil {
		folded, err = p.Status(ctx)
	}
	var overdue error
	for _, s := range folded {
		switch {
		case s.Stopped != "":
			err = errors.Join(err, fmt.Errorf("%s of tenant %s stands still: %s", s.Projection, s.Tenant, s.Stopped))
		case s.Parked > 0:
			err = errors.Join(err, fmt.Errorf("%s of tenant %s has %d parked customers", s.Projection, s.Tenant, s.Parked))
		case s.State == projector.StatusLive && s.Differing > 0:
			err = errors.Join(err, fmt.Errorf("%s of tenant %s has %d tables that are not what the log says", s.Projection, s.Tenant, s.Differing))
		case s.State == projector.StatusLive && s.LagSeconds > 60:
			err = errors.Join(err, fmt.Errorf("%s of tenant %s is %d events and %.0f s behind", s.Projection, s.Tenant, s.LagEvents, s.LagSeconds))
		}
		if s.State == projector.StatusLive && s.VerifiedAt != nil && time.Since(*s.VerifiedAt) > verifyAge {
			overdue = errors.Join(overdue, fmt.Errorf("%s of tenant %s was last compared with the log %s ago", s.Projection, s.Tenant, time.Since(*s.VerifiedAt).Round(time.Hour)))
		}
	}
	if err == nil && len(folded) == 0 && tenants {
		err = errors.New("no read models are built")
	}
	c.show(finding{what: "read models", err: err, mend: "is a process with the role projector running? See `customercenter projections status`, `projections parked` and `projections verify`"})
	c.show(finding{what: "verification of read models", err: overdue, minor: true, mend: "it happens by itself unless --verify-every is 0: `customercenter projections verify` does it now"})
}
