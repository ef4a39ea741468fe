package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/pgtest"
	"customercenter/internal/postgres"
)

// Her is one person with words of her own, which go everywhere in the system that something personal can go.
const (
	herID    = "zanzibar7"
	herWords = "zanzibar7桑给巴尔"
)

// traces are all forms in which her words may be kept.
func traces() [][]byte {
	escaped := ""
	for _, r := range "桑给巴尔" {
		escaped += fmt.Sprintf(`\u%04x`, r)
	}
	return [][]byte{[]byte(herID), []byte("桑给巴尔"), []byte(escaped), []byte(strings.ToUpper(escaped[:1]) + strings.ReplaceAll(strings.ToUpper(escaped[1:]), `\U`, `\u`)),
		[]byte(hex.EncodeToString([]byte(herID))), []byte(hex.EncodeToString([]byte("桑给巴尔")))}
}

func hasTrace(text []byte) bool {
	return slices.ContainsFunc(traces(), func(trace []byte) bool {
		return bytes.Contains(bytes.ToLower(text), trace) || bytes.Contains(text, trace)
	})
}

// inTables are the tables, of all schemas, with a row that has a trace of her: as text, bytes included.
func inTables(t testing.TB, pool *pgxpool.Pool) (found []string) {
	t.Helper()
	rows, err := pool.Query(t.Context(), `select schemaname::text || '.' || tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema') order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		schema, name, _ := strings.Cut(table, ".")
		rows, err := pool.Query(t.Context(), `select r::text from `+pgx.Identifier{schema, name}.Sanitize()+` r`)
		if err != nil {
			continue // dropped meanwhile
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err == nil && slices.ContainsFunc(all, func(row string) bool { return hasTrace([]byte(row)) }) {
			found = append(found, table)
		}
	}
	return found
}

// inFiles are the files below the data directory with a trace of her. Those of Postgres itself are left out: what is deleted there is overwritten when
// there is need for the room.
func inFiles(t testing.TB, data string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(data, path)
		switch {
		case err != nil || d.IsDir() && name == "postgres":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		if text, err := os.ReadFile(path); err == nil && hasTrace(text) {
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// inDump reports whether a dump of the whole database has a trace of her.
func inDump(t testing.TB, p *place, dsn string) bool {
	t.Helper()
	program, err := postgres.Program(t.Context(), "pg_dump", 0)
	if err != nil {
		t.Fatal(err)
	}
	printed, code := p.run(fmt.Sprintf("%s --dbname='%s'", program, dsn))
	if code != 0 || !strings.Contains(printed, "customer.created") {
		t.Fatalf("%d %.500s", code, printed)
	}
	return hasTrace([]byte(printed))
}

// eraseWorld is a running system with her in it.
type eraseWorld struct {
	t           testing.TB
	p           *place
	u           *process
	run         *runInfo
	token       string
	js          jetstream.JetStream
	pool        *pgxpool.Pool
	association int
	id, session string
	n           int
	words       []string // that she has left, each at one place
}

// word are words of hers, other ones at each place.
func (w *eraseWorld) word(place string) string {
	word := herWords + "-" + place
	w.words = append(w.words, word)
	return word
}

func (w *eraseWorld) ask(method, path, body string, into any) {
	w.t.Helper()
	ask(w.t, method, w.run.URL+path, w.token, body, into)
}

// tell has the channel publish an event of hers.
func (w *eraseWorld) tell(kind, data string) {
	w.t.Helper()
	w.n++
	event := fmt.Sprintf(`{"specversion":"1.0","id":"her-%d","source":"/test","type":%q,"time":%q,"data":%s}`, w.n, kind, time.Now().UTC().Format(time.RFC3339Nano), data)
	if _, err := w.js.Publish(w.t.Context(), fmt.Sprintf("cc.in.%s.%d", w.run.Tenant, w.association), []byte(event)); err != nil {
		w.t.Fatal(err)
	}
}

// until asks again and again: nobody tells when all that follows has happened.
func (w *eraseWorld) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatal(what)
		}
	}
}

func (w *eraseWorld) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// upload sends a file of customers and returns the import.
func (w *eraseWorld) upload(text string) string {
	w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "customers.csv")
	if err == nil {
		_, err = io.WriteString(file, text)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.run.URL+"/v1/imports", &body)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.token)
	request.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	var made struct{ ID string }
	if err := json.NewDecoder(answer.Body).Decode(&made); err != nil || answer.StatusCode >= 300 {
		w.t.Fatalf("%s %v", answer.Status, err)
	}
	return made.ID
}

// lives has everything happen to her.
func (w *eraseWorld) lives() {
	w.t.Helper()
	w.ask("POST", "/v1/fields", `{"key": "shoe", "type": "text", "label": "Shoe"}`, nil)
	ask(w.t, "PUT", w.run.URL+"/v1/tenants/"+w.run.Tenant+"/entitlements/import", w.run.Tokens["operator"], "", nil)
	var named struct{ ID string }
	w.ask("POST", "/v1/groups", `{"name": "who is named", "rule": {"field": "name", "op": "is_set"}}`, &named)
	w.tell("message.received", fmt.Sprintf(`{"external_id": %q, "nickname": %q, "message": {"id": "m1", "kind": "text", "text": %q}, "web": {"region": %q, "user_agent": %q, "referrer": "https://x.example/"}}`,
		herID, w.word("nick"), w.word("said"), w.word("region"), w.word("agent")))
	w.until("she is no customer", func() bool {
		return w.pool.QueryRow(w.t.Context(), `select id::text, open_session::text from `+w.schema("customers")+`.customer join `+w.schema("customers")+`.customer_activity using (tenant, id)
			where external_id = $1 and open_session is not null`, herID).Scan(&w.id, &w.session) == nil
	})
	all := ""
	for _, key := range []string{"name", "phone", "qq", "wechat_id", "email", "company", "description"} {
		all += fmt.Sprintf("%q: %q, ", key, w.word(key))
	}
	w.ask("PATCH", "/v1/customers/"+w.id, `{"profile": {`+all+`"custom": {"shoe": "`+w.word("shoe")+`"}}}`, nil)
	w.ask("PATCH", "/v1/customers/"+w.id, `{"profile": {"name": "`+w.word("married")+`"}}`, nil)
	w.ask("PATCH", "/v1/groups/"+named.ID, `{"rule": {"any": [{"field": "name", "op": "is_set"}, {"field": "phone", "op": "is_set"}]}}`, nil)
	w.until("it is not kept what the newer rule saw", func() bool {
		return w.count(`select count(*) from `+w.schema("groups")+`.group_standing where id = $1 and groups::text like '%evidence%'`, w.id) == 1
	})
	w.ask("POST", "/v1/sessions/"+w.session+"/accept", `{"agent_id": "li.na"}`, nil)
	w.ask("POST", "/v1/sessions/"+w.session+"/messages", `{"kind": "text", "text": "`+w.word("told")+`"}`, nil)
	w.tell("session.closed", fmt.Sprintf(`{"session_id": %q, "by": "agent"}`, w.session))
	w.tell("session.rated", fmt.Sprintf(`{"session_id": %q, "score": 3, "reasons": [%q], "comment": %q}`, w.session, w.word("why"), w.word("comment")))
	w.tell("message.received", fmt.Sprintf(`{"external_id": %q, "message": {"id": "m2", "kind": "file", "url": "https://x.example/1", "name": %q}}`, herID, w.word("file")))
	w.until("her second session is not open", func() bool {
		return w.count(`select count(*) from events where customer = $1 and type = 'customer.session_opened'`, w.id) == 2
	})
	var made struct{ ID string }
	w.ask("POST", "/v1/auto-messages", `{"name": "hello", "text": "How are you?", "audience": {"customers": ["`+w.id+`"]}}`, &made)
	w.ask("POST", "/v1/tags", `{"name": "known"}`, &made)
	w.ask("POST", "/v1/customers/bulk", `{"action": "tag", "tag_id": "`+made.ID+`", "ids": ["`+w.id+`"]}`, nil)
	w.until("she has no tag", func() bool {
		return w.count(`select count(*) from events where customer = $1 and type = 'customer.tagged'`, w.id) == 1
	})
	w.ask("PUT", "/v1/customers/"+w.id+"/blacklist", `{"reason": "`+w.word("reason")+`", "end_session": true}`, nil)
	w.tell("message.received", fmt.Sprintf(`{"external_id": %q, "message": {"id": "m3", "kind": "text", "text": %q}}`, herID, w.word("held")))
	w.tell("no.such.type", fmt.Sprintf(`{"external_id": %q, "message": {"id": "m4", "text": %q}}`, herID, w.word("dead"))) // among the dead letters
	w.until("not all of it has happened", func() bool {
		return w.count(`select count(*) from events where customer = $1 and type in ('session.rated', 'suppressed.message_recorded')`, w.id) == 2
	})
	w.upload(fmt.Sprintf("ID,昵称,关联ID\n%s,%s,%d\nsomebody-else,somebody else,%[3]d\n", herID, w.word("row"), w.association))
	var export struct{ ID string }
	w.ask("POST", "/v1/exports", `{"filter": {}, "columns": ["external_id", "name"]}`, &export)
	w.until("the export has no file", func() bool {
		var e struct{ Status string }
		w.ask("GET", "/v1/exports/"+export.ID, "", &e)
		return e.Status == "completed"
	})
	head := w.count(`select max(position) from events where tenant = $1`, w.run.Tenant)
	w.until("the past is not prepared", func() bool {
		request, err := http.NewRequestWithContext(w.t.Context(), "GET", fmt.Sprintf("%s/v1/customers?filter=%%7B%%7D&as_of=%d", w.run.URL, head), nil)
		if err != nil {
			w.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+w.token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			w.t.Fatal(err)
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
	w.ask("POST", "/v1/groups/whatif", `{"rule": {"field": "name", "op": "is_set"}, "from": "2020-01-01T00:00:00Z"}`, nil)
}

// schema is where a read model is.
func (w *eraseWorld) schema(name string) (schema string) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.t.Context(), `select b.schema from projection_live l join projection_builds b on b.id = l.build where l.name = $1 order by l.version desc limit 1`, name).Scan(&schema); err != nil {
		w.t.Fatal(err)
	}
	return schema
}

// One person goes through everything. Before the erasure her words are in each place where they should be; afterwards they are in no table of any schema,
// no file, no dump, and not in what the process has logged.
func TestNothingIsLeftOfWhoeverIsErased(t *testing.T) {
	p := &place{t, t.TempDir()}
	u := p.up("--demo", "--demo-events", "40", "--demo-rate", "0")
	run := info(t, p.data())
	nc, err := nats.Connect(run.NATSURL)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	w := &eraseWorld{t: t, p: p, u: u, run: run, token: run.Tokens["admin"], pool: eventstoretest.Connect(t, run.DatabaseURL)}
	if w.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	for _, a := range run.Associations {
		if a.Channel == "app" {
			w.association = a.ID
		}
	}
	w.lives()

	tables, files := strings.Join(inTables(t, w.pool), " "), strings.Join(inFiles(t, p.data()), " ")
	customers, groups, sessions := w.schema("customers"), w.schema("groups"), w.schema("sessions")
	for _, want := range []string{customers + ".customer ", customers + ".customer_text ", customers + ".customer_listing ", groups + ".group_subject", groups + ".group_change",
		groups + ".group_standing", sessions + ".session", "public.job_parts", "as_of_"} {
		if !strings.Contains(tables+" ", want) {
			t.Errorf("before, her words are not in %s, but in %s", want, tables)
		}
	}
	for _, want := range []string{"CC_OUT", "CC_DEAD"} {
		if !strings.Contains(files, want) {
			t.Errorf("before, her words are not in a file of %s, but in %s", want, files)
		}
	}
	if strings.Contains(tables, "public.events") || strings.Contains(files, "CC_EVENTS") {
		t.Errorf("her words are in the log: %s, %s", tables, files)
	}
	if !inDump(t, p, run.DatabaseURL) {
		t.Error("before, her words are in no dump")
	}

	w.everything()
	w.ask("DELETE", "/v1/customers/"+w.id, `{"confirm": "`+herID+`"}`, nil)
	w.until("the erasure is not completed", func() bool {
		var e struct {
			Done *time.Time `json:"done_at"`
			Left []string
		}
		w.ask("GET", "/v1/customers/"+w.id+"/erasure", "", &e)
		// Nobody reads from the past that was prepared: the time for those who do need not be waited for.
		if _, err := w.pool.Exec(t.Context(), `update as_of_schemas set changed_at = changed_at - interval '1 minute' where state = 'leaving'`); err != nil {
			t.Fatal(err)
		}
		return e.Done != nil
	})
	if found := inTables(t, w.pool); len(found) > 0 {
		t.Errorf("her words are left in %v", found)
	}
	if found := inFiles(t, p.data()); len(found) > 0 {
		t.Errorf("her words are left in the files %v", found)
	}
	if inDump(t, p, run.DatabaseURL) {
		t.Error("her words are left in a dump of the database")
	}
	if hasTrace([]byte(u.stderr.String())) {
		t.Error("her words are in the log of the process")
	}
	if printed, code := p.run("customercenter projections verify customers && customercenter projections verify groups && customercenter projections verify sessions && customercenter doctor"); code != 0 {
		t.Errorf("afterwards: %s", printed)
	}
	// The others are there.
	if n := w.count(`select count(*) from ` + customers + `.customer`); n < 2 {
		t.Errorf("%d customers are left", n)
	}
	p.stop(u)
}

// erasedInBetween restores a log of before an erasure with the keys of behind it, which erases again, and a log of behind it with the keys of before it, which
// destroys them.
func erasedInBetween(t *testing.T, p *place, token string) {
	t.Helper()
	run := info(t, p.data())
	var made struct{ ID string }
	ask(t, "POST", run.URL+"/v1/customers", token, fmt.Sprintf(`{"association_id": %d, "external_id": "leaving", "profile": {"name": "将要离开"}}`, run.Associations[0].ID), &made)
	p.carried("")
	if printed, code := p.run("customercenter backup with.log.dump with.keys.dump"); code != 0 {
		t.Fatal(printed)
	}
	ask(t, "DELETE", run.URL+"/v1/customers/"+made.ID, token, `{"confirm": "leaving"}`, nil)
	if printed, code := p.run("customercenter backup without.log.dump without.keys.dump"); code != 0 {
		t.Fatal(printed)
	}
	for files, want := range map[string]string{
		"with.log.dump without.keys.dump": "1 customers who were erased after this log are erased again", "without.log.dump with.keys.dump": "restored up to",
	} {
		dsn := pgtest.DSN(t, pgtest.Template{Name: "nothing"})
		if printed, code := p.run("DATABASE_URL='" + dsn + "' customercenter restore " + files); code != 0 || !strings.Contains(printed, want) {
			t.Errorf("restore %s: %d %s", files, code, printed)
			continue
		}
		pool := eventstoretest.Connect(t, dsn)
		var keys, events, erasures int
		if err := pool.QueryRow(t.Context(), `select (select count(*) from customer_keys where customer = $1), (select count(*) from events where customer = $1 and type = 'customer.erased'),
			(select count(*) from erasures where customer = $1 and generation = 1 and position > 0)`, made.ID).Scan(&keys, &events, &erasures); err != nil || keys != 0 || events != 1 || erasures != 1 {
			t.Errorf("restore %s: %d keys, %d events, %d erasures, %v", files, keys, events, erasures, err)
		}
	}
}
