package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"

	"customercenter/api"
	"customercenter/projections"
)

// diffCommand compares the customers at two times through the API, which decides what the token may see.
type diffCommand struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	From         string `help:"The earlier moment: up to and including this time, such as 2026-11-03T09:30:00Z, or this position of the log." required:"" placeholder:"WHEN"`
	To           string `help:"The later moment, said the same way. Default: now." placeholder:"WHEN"`
	Format       string `help:"table: figures, and the first customers. ndjson: a JSON object for each customer, and one for all. sql: a script that puts all of it into tables." enum:"table,ndjson,sql" default:"table" placeholder:"FORMAT"`
	Limit        int    `help:"So many customers in the table." default:"20"`
	Schema       string `help:"With sql, the schema that the script makes." default:"customer_diff"`
}

// Help is what --help says besides the flags.
func (diffCommand) Help() string {
	return `The net effect is told: what was changed and changed back is no difference.

The script goes into any Postgres: customercenter diff --from TIME --format sql | psql DATABASE. It makes a schema, which must not be there yet, with the tables difference (a row for each customer, and one for each thing that is different), group_traffic and group_flow, in one transaction.`
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// differences are how lines of differences are shown.
type differences interface {
	begin() error
	// customer shows what is different of one customer; raw is the same as it came.
	customer(line *api.DiffLine, raw []byte) error
	// end shows the summary, which is the last line.
	end(line *api.DiffLine, raw []byte) error
}

// Run compares.
func (c *diffCommand) Run(env *environment) error {
	if !schemaName.MatchString(c.Schema) {
		return usageError{"--schema takes small letters, digits and _"}
	}
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	out := bufio.NewWriter(env.stdout)
	var show differences
	switch c.Format {
	case "ndjson":
		show = diffLines{out}
	case "sql":
		show = &diffScript{out: out, schema: c.Schema}
	default:
		show = &diffTable{out: out, limit: c.Limit}
	}
	query := url.Values{"from": {c.From}}
	if c.To != "" {
		query.Set("to", c.To)
	}
	request, err := client.request(env.ctx, http.MethodGet, "/v1/diff?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	answer, err := client.send(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.Header.Get("X-Stale") != "" {
		fmt.Fprintln(env.stderr, "Groups have not been judged up to that time yet: what is told of them is incomplete.")
	}
	if err := show.begin(); err != nil {
		return err
	}
	if err := told(env, answer.Body, show); err != nil {
		return errors.Join(err, out.Flush())
	}
	return out.Flush()
}

// told reads lines of differences and shows them. An answer without its last line is an error.
func told(env *environment, from io.Reader, show differences) error {
	looking, comparing := env.progress("Looking", grouped, " events"), env.progress("Comparing", grouped, " customers")
	looking.set(0, 0)
	defer looking.end()
	defer comparing.end()
	for lines := bufio.NewReaderSize(from, 64<<10); ; {
		raw, err := lines.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("the answer broke off, and what there is of it is incomplete: %w", err)
		}
		var line api.DiffLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		switch line.Kind {
		case "progress":
			if line.Doing == "looking" {
				comparing.end()
				looking.set(line.Done, line.Total)
			} else {
				looking.end()
				comparing.set(line.Done, line.Total)
			}
		case "summary":
			looking.end()
			comparing.end()
			return show.end(&line, raw)
		default:
			if err := show.customer(&line, raw); err != nil {
				return err
			}
		}
	}
}

// diffLines passes lines on as they came.
type diffLines struct{ out io.Writer }

func (diffLines) begin() error { return nil }

func (d diffLines) customer(_ *api.DiffLine, raw []byte) error {
	_, err := d.out.Write(raw)
	return err
}

func (d diffLines) end(_ *api.DiffLine, raw []byte) error {
	_, err := d.out.Write(raw)
	return err
}

// diffTable shows the figures, and the first customers.
type diffTable struct {
	out   io.Writer
	limit int
	first []api.DiffLine
	all   int64
}

func (d *diffTable) begin() error { return nil }

func (d *diffTable) customer(line *api.DiffLine, _ []byte) error {
	d.all++
	if len(d.first) < d.limit {
		d.first = append(d.first, *line)
	}
	return nil
}

func (d *diffTable) end(line *api.DiffLine, _ []byte) error {
	s := line.Summary
	fmt.Fprintf(d.out, "From position %d to %d: %s appeared, %d changed, %d only had sessions, %d withdrawn; %s opened.\n", s.From.Position, s.To.Position,
		howMany(int(s.Appeared), "customer"), s.Changed, s.Active, s.Withdrawn, howMany(int(s.Sessions), "session"))
	if s.Unread > 0 {
		fmt.Fprintf(d.out, "%s could not be read and are not counted.\n", howMany(int(s.Unread), "more customer"))
	}
	w := tabwriter.NewWriter(d.out, 0, 4, 2, ' ', 0)
	if len(s.Fields) > 0 {
		fmt.Fprintln(w, "\nCHANGED\tCUSTOMERS")
		for _, name := range sortedKeys(s.Fields) {
			fmt.Fprintf(w, "%s\t%d\n", name, s.Fields[name])
		}
	}
	if len(s.Groups) > 0 {
		fmt.Fprintln(w, "\nGROUP\tGAINED\tLOST\tENTERED\tLEFT")
		for _, g := range s.Groups {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", g.Name, g.Gained, g.Lost, g.Entered, g.Left)
		}
	}
	if len(s.Flows) > 0 {
		fmt.Fprintln(w, "\nFROM\tTO\tCUSTOMERS")
		for _, f := range s.Flows {
			fmt.Fprintf(w, "%s\t%s\t%d\n", nameOr(f.From), nameOr(f.To), f.Customers)
		}
	}
	if len(d.first) > 0 {
		fmt.Fprintln(w, "\nCUSTOMER\tEXTERNAL ID\tKIND\tWHAT IS DIFFERENT")
		for i := range d.first {
			line := &d.first[i]
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", line.CustomerID, line.ExternalID, line.Kind, strings.Join(differing(line), "; "))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more := d.all - int64(len(d.first)); more > 0 {
		fmt.Fprintf(d.out, "and %s. All of them: --format ndjson\n", howMany(int(more), "more customer"))
	}
	return nil
}

func nameOr(n *projections.Named) string {
	if n == nil {
		return "-"
	}
	return n.Name
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// differing are what is different of a customer, in words.
func differing(line *api.DiffLine) (all []string) {
	for _, r := range rowsOf(line)[1:] {
		name := r.what
		if r.name != "" {
			name += " " + r.name
		}
		switch {
		case r.what == "sessions":
			all = append(all, howMany(line.Sessions, "session"))
		case r.what == "field":
			all = append(all, fmt.Sprintf("%s: %s → %s", r.key, textOr(r.old), textOr(r.new)))
		case r.new == "true":
			all = append(all, "+"+name)
		default:
			all = append(all, "−"+name)
		}
	}
	return all
}

func textOr(value any) string {
	if value == nil {
		return "-"
	}
	return sqlText(value)
}

// diffRow is one thing that is different, as a row of the table difference.
type diffRow struct {
	what, key, name string
	old, new        any // nil: not set
}

// rowsOf are the customer's own row, and one for each thing that is different.
func rowsOf(line *api.DiffLine) []diffRow {
	rows := []diffRow{{what: "customer", old: fmt.Sprint(line.Kind != "appeared"), new: fmt.Sprint(line.Kind != "withdrawn")}}
	for _, name := range sortedKeys(line.Fields) {
		rows = append(rows, diffRow{what: "field", key: name, old: line.Fields[name].Old, new: line.Fields[name].New})
	}
	rows = append(rows, named("tag", line.Tags)...)
	if line.Blacklisted != nil {
		rows = append(rows, diffRow{what: "blacklisted", old: fmt.Sprint(!*line.Blacklisted), new: fmt.Sprint(*line.Blacklisted)})
	}
	if line.Sessions > 0 {
		rows = append(rows, diffRow{what: "sessions", new: fmt.Sprint(line.Sessions)})
	}
	return append(rows, named("group", line.Groups)...)
}

func named(what string, d *api.NamedDiff) (rows []diffRow) {
	if d == nil {
		return nil
	}
	for _, n := range d.Added {
		rows = append(rows, diffRow{what: what, key: n.ID.String(), name: n.Name, old: "false", new: "true"})
	}
	for _, n := range d.Removed {
		rows = append(rows, diffRow{what: what, key: n.ID.String(), name: n.Name, old: "true", new: "false"})
	}
	return rows
}

// diffScript makes a script for any client of Postgres. Values are quoted in it, so that nothing that somebody is called can be taken for a statement,
// also if an earlier one has failed.
type diffScript struct {
	out    io.Writer
	schema string
	table  string // of the statement that rows are being written of; empty: none is open
	rows   int    // in it
}

// scriptRows is how many rows a statement has at most.
const scriptRows = 500

func (d *diffScript) begin() error {
	_, err := fmt.Fprintf(d.out, `begin;
set local standard_conforming_strings = on;
create schema %[1]s;
-- A row for each customer of whom something is different (what = customer: was one, is one), and one for each thing that is.
create table %[1]s.difference (
  customer_id uuid not null,
  kind        text not null, -- appeared, changed, active (only had sessions), withdrawn
  external_id text not null,
  what        text not null, -- customer, field, tag, blacklisted, sessions (opened in between), group
  key         text,          -- of a field; the id of a tag or a group
  name        text,          -- of a tag or a group
  old         text,
  new         text
);
create table %[1]s.group_traffic (id uuid primary key, name text not null, gained bigint not null, lost bigint not null, entered bigint not null, "left" bigint not null);
create table %[1]s.group_flow (from_id uuid, from_name text, to_id uuid, to_name text, customers bigint not null);
`, d.quotedSchema())
	return err
}

func (d *diffScript) quotedSchema() string { return pgx.Identifier{d.schema}.Sanitize() }

func (d *diffScript) customer(line *api.DiffLine, _ []byte) error {
	for _, r := range rowsOf(line) {
		if err := d.row("difference", line.CustomerID.String(), line.Kind, line.ExternalID, r.what, setOrNil(r.key), setOrNil(r.name), r.old, r.new); err != nil {
			return err
		}
	}
	return nil
}

func (d *diffScript) end(line *api.DiffLine, _ []byte) error {
	for _, g := range line.Summary.Groups {
		if err := d.row("group_traffic", g.ID.String(), g.Name, g.Gained, g.Lost, g.Entered, g.Left); err != nil {
			return err
		}
	}
	for _, f := range line.Summary.Flows {
		values := []any{nil, nil, nil, nil, f.Customers}
		if f.From != nil {
			values[0], values[1] = f.From.ID.String(), f.From.Name
		}
		if f.To != nil {
			values[2], values[3] = f.To.ID.String(), f.To.Name
		}
		if err := d.row("group_flow", values...); err != nil {
			return err
		}
	}
	if err := d.close(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(d.out, "create index on %[1]s.difference (customer_id);\ncreate index on %[1]s.difference (what, key);\ncommit;\n", d.quotedSchema())
	return err
}

// row writes a row of a table.
func (d *diffScript) row(table string, values ...any) error {
	if d.table != "" && (d.table != table || d.rows == scriptRows) {
		if err := d.close(); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if d.table == "" {
		fmt.Fprintf(&b, "insert into %s.%s values\n(", d.quotedSchema(), table)
		d.table = table
	} else {
		b.WriteString(",\n(")
	}
	d.rows++
	for i, value := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		if value == nil {
			b.WriteString("null")
		} else {
			b.WriteString("'" + strings.ReplaceAll(sqlText(value), "'", "''") + "'")
		}
	}
	b.WriteByte(')')
	_, err := d.out.Write(b.Bytes())
	return err
}

// close ends the statement that is open.
func (d *diffScript) close() error {
	if d.table == "" {
		return nil
	}
	d.table, d.rows = "", 0
	_, err := io.WriteString(d.out, ";\n")
	return err
}

// sqlText is a value as a text: as it is, or as JSON.
func sqlText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case int64:
		return fmt.Sprint(v)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

func setOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
