package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What the list is compared with: all that it shows and searches in one wide table, once with btrees for the orders only (conditions walk the
// order, or read all), and once, as many would do next, with GIN indexes over trigrams (pg_trgm) and tags as well. Both hold one tenant and
// know nothing of other tenants, of sealed data or of folded texts, which is to their advantage.

// patience is how long a baseline may take for one page with its count.
const patience = 5 * time.Second

type plain struct {
	pool   *pgxpool.Pool
	schema string // of the read model, quoted
	trgm   bool   // the extension is there
}

const (
	plainTable = "plain.customer"
	trgmTable  = "plain.customer_trgm"
)

// plainOrders are the btrees of both tables.
var plainOrders = []string{"created_at", "updated_at", "last_session_at", "nickname_key"}

// build copies the read model's rows, unless they are there from an earlier run.
func (p *plain) build(ctx context.Context, customers int64, tell func(format string, args ...any)) error {
	if err := p.pool.QueryRow(ctx, `select exists (select from pg_available_extensions where name = 'pg_trgm')`).Scan(&p.trgm); err != nil {
		return fmt.Errorf("bench: extensions: %w", err)
	}
	if !p.trgm {
		tell("pg_trgm is not installed on this server: it is left out")
	}
	if n, err := p.rows(ctx); err != nil || n == customers {
		return err
	}
	tell("copying the rows for the baselines")
	statements := []string{
		`drop schema if exists plain cascade`, `create schema plain`,
		`create table ` + plainTable + ` as select c.ordinal, c.id, c.association, c.channel, c.external_id, c.nickname, c.nickname_key, c.name, c.phone, c.qq, c.wechat_id, c.email,
			c.company, c.description, c.tags, c.created_via, c.created_at, c.updated_at, a.first_session_at, a.last_session_at, a.last_message_at, a.session_count, a.message_count,
			a.rating_sum, a.rating_count, a.rating_last, a.last_agent, array(select jsonb_array_elements_text(a.agents)) as agents, a.open_session is not null as session_open,
			l.since as blacklisted_at, l.expires_at as blacklisted_until
		from $.customer c join $.customer_activity a on a.tenant = c.tenant and a.id = c.id left join $.customer_listing l on l.tenant = c.tenant and l.customer = c.id
		order by c.ordinal`,
	}
	tables := []string{plainTable}
	if p.trgm {
		tables = append(tables, trgmTable)
		statements = append(statements, `create extension if not exists pg_trgm`, `create table `+trgmTable+` as table `+plainTable)
	}
	for _, table := range tables {
		statements = append(statements, `create unique index on `+table+` (id)`)
		for _, key := range plainOrders {
			statements = append(statements, fmt.Sprintf(`create index on %s (%s, ordinal)`, table, key))
		}
	}
	if p.trgm {
		statements = append(statements, `create index on `+trgmTable+` using gin (tags)`)
		for _, text := range []string{"nickname", "name", "external_id", "phone"} {
			statements = append(statements, fmt.Sprintf(`create index on %s using gin (%s gin_trgm_ops)`, trgmTable, text))
		}
	}
	for _, table := range tables {
		statements = append(statements, `vacuum (analyze) `+table)
	}
	for _, s := range statements {
		if _, err := p.pool.Exec(ctx, strings.ReplaceAll(s, "$.", p.schema+".")); err != nil {
			return fmt.Errorf("bench: baseline table: %w", err)
		}
	}
	return nil
}

// best is the copy with the most indexes.
func (p *plain) best() string {
	if p.trgm {
		return trgmTable
	}
	return plainTable
}

// rows is how many rows the last of the tables has; 0 if it is not there or not finished.
func (p *plain) rows(ctx context.Context) (n int64, err error) {
	err = p.pool.QueryRow(ctx, `select coalesce((select reltuples::bigint from pg_class where oid = to_regclass($1)), 0)`, p.best()).Scan(&n)
	if err == nil && n > 0 { // vacuumed, which is the last step
		err = p.pool.QueryRow(ctx, `select count(*) from `+p.best()).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("bench: baseline table: %w", err)
	}
	return max(n, 0), nil
}

// answer is what a baseline found.
type answer struct {
	ids     []uuid.UUID // of the page
	count   int64       // up to countedTo
	took    time.Duration
	timeout bool
}

// ask asks for a page, and for the count up to countedTo.
func (p *plain) ask(ctx context.Context, table string, q question, limit int) (found answer, err error) {
	order := "created_at desc"
	if q.order != "" {
		order = q.order
	}
	direction := ""
	if strings.HasSuffix(order, "desc") {
		direction = " desc"
	}
	page := fmt.Sprintf(`select id, association, channel, external_id, nickname, name, phone, qq, wechat_id, email, company, description, tags, created_via, created_at, updated_at,
			first_session_at, last_session_at, last_message_at, session_count, message_count, rating_sum, rating_count, session_open, blacklisted_at
		from %s where %s order by %s, ordinal%s limit %d offset %d`, table, q.where, order, direction, limit, q.offset)
	count := fmt.Sprintf(`select count(*) from (select from %s where %s limit %d) c`, table, q.where, countedTo)
	args := append([]any{pgx.QueryExecModeCacheDescribe}, q.args...) // planned for the values at hand, as the product's
	var began time.Time
	err = pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`set local statement_timeout = %d`, patience.Milliseconds())); err != nil {
			return err
		}
		began = time.Now()
		rows, err := tx.Query(ctx, page, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				return err
			}
			found.ids = append(found.ids, values[0].([16]byte))
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return tx.QueryRow(ctx, count, args...).Scan(&found.count)
	})
	found.took = time.Since(began)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "57014" { // statement timeout
		return answer{timeout: true}, nil
	}
	if err != nil {
		return answer{}, fmt.Errorf("bench: plain query: %w", err)
	}
	found.timeout = found.took > patience
	return found, nil
}

// like is the pattern for texts that contain a text.
func like(needle string) string { return "%" + begins(needle) }

// begins is the pattern for texts that begin with a text.
func begins(needle string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(needle) + "%"
}
