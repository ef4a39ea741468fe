package projector

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// statements are the SQL of one table: $1 is the tenant, then one array per column (for load and delete: of keys).
type statements struct {
	table                                 pgx.Identifier
	load, loadAll, insert, upsert, delete string
}

func newStatements[R any](identifier pgx.Identifier, columns []Column[R]) statements {
	table := identifier.Sanitize()
	var names, arrays, values, excluded []string
	for i, c := range columns {
		value := "u." + c.name
		if c.wire != c.kind {
			value += "::" + c.kind
		}
		names, values = append(names, c.name), append(values, value)
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", i+2, c.wire))
		if i > 0 {
			excluded = append(excluded, c.name+" = excluded."+c.name)
		}
	}
	list, key := strings.Join(names, ", "), columns[0]
	unnest := fmt.Sprintf("unnest(%s) u(%s)", strings.Join(arrays, ", "), list)
	insert := fmt.Sprintf("insert into %s (tenant, %s) select $1, %s from %s", table, list, strings.Join(values, ", "), unnest)
	return statements{
		table:   identifier,
		load:    fmt.Sprintf("select b.* from %s", byKey(table, list, key.name, key.kind)),
		loadAll: fmt.Sprintf("select %s from %s where tenant = $1", list, table),
		insert:  insert,
		upsert:  fmt.Sprintf("%s on conflict (tenant, %s) do update set %s", insert, key.name, strings.Join(excluded, ", ")),
		delete:  fmt.Sprintf("delete from %s t using %s where t.ctid = b.place", table, byKey(table, "ctid as place", key.name, key.kind)),
	}
}

// byKey reads rows of a tenant, b, by their keys, one by one behind a fence. The planner is asked while there are few rows, and its plan is used when there are many: without
// the fence it may read all rows of the tenant by whatever index begins with it. Behind it, too, an index on something else would cost the same in its eyes as that of the key: but only
// that one has rows of a range in the order that is asked for. It has to come after tenancy.ByIndex in its transaction.
func byKey(table, columns, key, kind string) string {
	return fmt.Sprintf("unnest($2::%s[]) u(key) cross join lateral (select %s from %s where tenant = $1 and %[4]s >= u.key and %[4]s <= u.key order by %[4]s offset 0) b",
		kind, columns, table, key)
}

// beside names something in the schema of the table.
func (s *statements) beside(name string) string { return pgx.Identifier{s.table[0], name}.Sanitize() }
