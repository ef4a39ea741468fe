package projector_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/field"
	"customercenter/domain/group"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// spoiler changes rows of a build behind the projector's back.
type spoiler struct {
	t      *testing.T
	store  *eventstore.Store
	schema string
	chance *rand.Rand
}

func (s spoiler) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.store.Pool().Exec(s.t.Context(), strings.ReplaceAll(sql, "$.", pgx.Identifier{s.schema}.Sanitize()+"."), args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s spoiler) list(sql string, args ...any) []string {
	s.t.Helper()
	rows, err := s.store.Pool().Query(s.t.Context(), sql, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// tables are those of the build that have rows and are not set aside.
func (s spoiler) tables(d projector.Definition) (names []string) {
	for _, name := range s.list(`select tablename::text from pg_tables where schemaname = $1`, s.schema) {
		if !slices.Contains(d.Aside, name) && s.list(fmt.Sprintf(`select count(*)::text from %s.%s`, s.schema, name))[0] != "0" {
			names = append(names, name)
		}
	}
	slices.Sort(names) // so that a seed always spoils the same
	return names
}

// other is SQL of another value of a type than the one there is.
var other = map[string]string{
	"integer": "%s + 1", "bigint": "%s + 1", "text": "%s || '?'", "uuid": "gen_random_uuid()", "boolean": "not %s", "jsonb": `'{"of": "nobody"}'`, "json": `'{"of": "nobody"}'`,
	"bytea": `%s || '\x07'`, "uuid[]": "%s || gen_random_uuid()", "bigint[]": "%s || 7::bigint", "bit(16384)": "~ %s",
	"timestamp with time zone": "coalesce(%s, now()) + interval '1 microsecond'",
}

// change changes one column of one row of a table, and returns the key of the row. Null stays null in some types: then the next column is tried. Rules of a type that there
// is not could not be read, so that nothing could be compared: that is an error of its own.
func (s spoiler) change(d projector.Definition, table string) string {
	s.t.Helper()
	columns := s.list(`select a.attname || '|' || format_type(a.atttypid, a.atttypmod) from pg_attribute a
		where attrelid = $1::regclass and attnum > 0 and not attisdropped and not ($2 = 'group_catalogue' and attname = 'type') and $2 || '.' || attname <> all ($3)
		and not exists (select from pg_index i where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any(i.indkey))`, s.schema+"."+table, table, append([]string{}, d.Aside...))
	s.chance.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
	for _, c := range columns {
		column, kind, _ := strings.Cut(c, "|")
		sql, known := other[kind]
		if !known {
			s.t.Fatalf("no other value of %s", kind)
		}
		if strings.Contains(sql, "%s") {
			sql = fmt.Sprintf(sql, column)
		}
		s.t.Logf("%s.%s := %s", table, column, sql)
		changed := s.list(fmt.Sprintf(`update %[1]s.%[2]s t set %[3]s = %[4]s where t.ctid = (select ctid from %[1]s.%[2]s where %[4]s is not null limit 1) returning %[5]s`,
			s.schema, table, column, sql, s.key(table)))
		if len(changed) == 1 {
			return changed[0]
		}
	}
	s.t.Fatalf("%s has no column to change", table)
	return ""
}

// key is SQL of a row's key, as a verification names it.
func (s spoiler) key(table string) string {
	return "concat_ws(',', " + strings.Join(s.list(`select 't.' || a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
		where i.indrelid = $1::regclass and i.indisprimary and a.attname <> 'tenant' order by a.attnum`, s.schema+"."+table), ", ") + ")"
}

// remove deletes a row.
func (s spoiler) remove(_ projector.Definition, table string) string {
	s.t.Helper()
	return s.list(fmt.Sprintf(`delete from %[1]s.%[2]s t where t.ctid = (select ctid from %[1]s.%[2]s limit 1) returning %[3]s`, s.schema, table, s.key(table)))[0]
}

// double has a row twice. Whatever forbids that goes first.
func (s spoiler) double(_ projector.Definition, table string) string {
	s.t.Helper()
	key := s.key(table)
	for _, name := range s.list(`select conname::text from pg_constraint where conrelid = $1::regclass and contype in ('p', 'u')`, s.schema+"."+table) {
		s.exec(fmt.Sprintf(`alter table $.%s drop constraint %s`, table, name))
	}
	for _, name := range s.list(`select indexrelid::regclass::text from pg_index where indrelid = $1::regclass and indisunique`, s.schema+"."+table) {
		s.exec(`drop index ` + name)
	}
	return s.list(fmt.Sprintf(`insert into %[1]s.%[2]s as t select * from %[1]s.%[2]s limit 1 returning %[3]s`, s.schema, table, key))[0]
}

// grouped defines groups by tags, by time and by nothing.
func grouped(t *testing.T, world *projectionstest.World) {
	t.Helper()
	for i, rule := range []string{`{"field":"created_at","op":"within","value":{"days":1}}`, `{"field":"session_count","op":"gte","value":1}`,
		fmt.Sprintf(`{"field":"tags","op":"has_any","value":[%q]}`, world.Tags[0])} {
		world.Append(group.Stream, uuid.Nil, group.Defined{Group: uuid.UUID{15: byte(i + 1)}, Name: fmt.Sprint("group ", i), Rule: json.RawMessage(rule)})
	}
}

// Whatever row is changed, removed or doubled by hand, in whatever table: it is named, and nothing else is.
func TestVerifyNamesEveryRowThatWasSpoiled(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 5, 100)
	world.NewTag("VIP")
	world.Append(field.Stream, uuid.Nil, field.Added{Field: "size", Type: field.TypeNumber, Label: "Size"})
	grouped(t, world)
	world.Run(600)
	p := built(t, store, 100, projections.Definitions()...)
	stop := run(t, p)
	for _, d := range projections.Definitions() {
		caughtUp(t, p, d.Name, world.Head())
	}
	stop() // what follows is about rows that nobody changes meanwhile
	for seed, d := range projections.Definitions() {
		t.Run(d.Name, func(t *testing.T) {
			s := spoiler{t, store, live(t, p, d.Name).Schema, rand.New(rand.NewPCG(uint64(seed), 1))}
			wrong := func() map[string][]string {
				t.Helper()
				found, err := p.Verify(t.Context(), d.Name, nil)
				if err != nil || len(found) != 1 {
					t.Fatalf("%+v, %v", found, err)
				}
				kept, err := p.Verifications(t.Context(), d.Name, "")
				if err != nil || len(kept) != 1 || fmt.Sprint(kept[0].Differences) != fmt.Sprint(found[0].Differences) || kept[0].Build != live(t, p, d.Name).ID {
					t.Errorf("kept: %+v, %v, found: %+v", kept, err, found)
				}
				if found[0].Position != world.Head() {
					t.Errorf("verified at %d, want %d", found[0].Position, world.Head())
				}
				named := map[string][]string{}
				for _, d := range found[0].Differences {
					named[d.Table] = d.Keys
				}
				return named
			}
			if found := wrong(); len(found) > 0 {
				t.Fatalf("nothing was spoiled, and %v are wrong", found)
			}
			tables := s.tables(d)
			if len(tables) == 0 && d.Name != projections.JobsName && d.Name != projections.AutoMessagesName {
				t.Fatal("there are no rows")
			}
			for _, table := range tables {
				s.exec(fmt.Sprintf(`create table public.kept_%[1]s as table $.%[1]s`, table))
				s.exec(fmt.Sprintf(`alter table $.%s disable trigger user`, table)) // by hand is what nothing follows from
			}
			for _, kind := range []struct {
				name  string
				spoil func(projector.Definition, string) string
			}{{"changed", s.change}, {"removed", s.remove}, {"doubled", s.double}} {
				want := map[string][]string{}
				for _, table := range tables {
					want[table] = []string{kind.spoil(d, table)}
				}
				if found := wrong(); !maps.EqualFunc(found, want, slices.Equal) {
					t.Errorf("%s: %v, want %v", kind.name, found, want)
				}
				for _, table := range tables {
					s.exec(fmt.Sprintf(`truncate $.%s`, table))
					s.exec(fmt.Sprintf(`insert into $.%[1]s table public.kept_%[1]s`, table))
				}
			}
			if found := wrong(); len(found) > 0 {
				t.Errorf("all is as it was, and %v are wrong", found)
			}
		})
	}
}

// A parked customer whom somebody takes off the list by hand is missing there.
func TestVerifyLooksAtWhoIsParked(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 7, 1)
	victim := world.NewCustomer("victim")
	world.Rename(victim, "again")
	p := built(t, store, 100, trapped(func(e *eventstore.Decoded) error {
		if e.Type == "customer.profile_changed" {
			return fmt.Errorf("not liked")
		}
		return nil
	}))
	verify := func() []projector.Difference {
		t.Helper()
		run(t, p)
		caughtUp(t, p, projections.CustomersName, world.Head())
		found, err := p.Verify(t.Context(), projections.CustomersName, nil)
		if err != nil {
			t.Fatal(err)
		}
		return found[0].Differences
	}
	if found := verify(); len(found) > 0 {
		t.Fatalf("%+v", found)
	}
	if _, err := store.Pool().Exec(t.Context(), `delete from parked_customers`); err != nil {
		t.Fatal(err)
	}
	if found := verify(); len(found) != 1 || found[0].Table != "parked_customers" || found[0].Keys[0] != victim.ID.String() || found[0].Rows != [2]int64{0, 1} {
		t.Errorf("%+v", found)
	}
}

// Everything goes on while it is verified, in small batches, with rules that depend on time: nothing is found wrong.
func TestVerifyUnderTraffic(t *testing.T) {
	store := projectionstest.Store(t, tenant, "other")
	world := projectionstest.NewWorld(t, store, tenant, 3, 20)
	world.Erasing = true
	world.NewTag("VIP")
	grouped(t, world)
	world.Run(1500)
	world.Erasing = false // now and then below: each has to be brought together in both builds
	p := built(t, store, 7, projections.Definitions()...)
	run(t, p)
	done := make(chan struct{})
	written := make(chan struct{})
	go func() {
		defer close(written)
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
				world.Run(5)
			}
			if n%100 == 99 {
				world.Erase(world.Customers[n%len(world.Customers)])
			}
		}
	}()
	for _, name := range []string{projections.CustomersName, projections.GroupsName, projections.SessionsName, projections.HistoryName} {
		found, err := p.Verify(t.Context(), name, nil)
		if err != nil || len(found) != 2 {
			t.Errorf("%s: %+v, %v", name, found, err)
			continue
		}
		for _, v := range found {
			if len(v.Differences) > 0 || v.Tenant == tenant && v.Rows == 0 {
				t.Errorf("%s: %+v", name, v)
			}
		}
	}
	close(done)
	<-written
	var left int
	if err := store.Pool().QueryRow(t.Context(), `select count(*) from projection_builds where status <> 'live'`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d builds are left, %v", left, err)
	}
}
