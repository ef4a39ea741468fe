package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/pgtest"
	"customercenter/internal/postgres"
	"customercenter/internal/traffic"
)

// place is a directory in which an operator works; the system's data are in data below it.
type place struct {
	t   testing.TB
	dir string
}

func (p *place) data() string { return filepath.Join(p.dir, "data") }

// run carries out a command in a shell, and returns what it prints and its exit code.
func (p *place) run(command string) (printed string, code int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", "set -eu\n"+command)
	shell.Dir = p.dir
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "DATABASE_URL" && name != "NATS_URL" && !strings.HasPrefix(name, "CUSTOMERCENTER_") {
			shell.Env = append(shell.Env, v)
		}
	}
	out, err := shell.CombinedOutput()
	if shell.ProcessState == nil {
		p.t.Fatal(err)
	}
	return string(out), shell.ProcessState.ExitCode()
}

// follow carries out the only piece of docs/operations.md below a heading that begins with a command, which must print what the page says.
func (p *place) follow(heading, command string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		p.t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, b := range blocks(section) {
		if !found || !strings.HasPrefix(b.commands, command) {
			continue
		}
		printed, code := p.run(b.commands)
		if code != 0 || b.want != "" && !matches(strings.Join(strings.Fields(b.want), " "), strings.Join(strings.Fields(printed), " ")) {
			p.t.Fatalf("%s, exit code %d, prints\n%s\ninstead of\n%s", b.commands, code, printed, b.want)
		}
		return
	}
	p.t.Fatalf("docs/operations.md has no %q below %q", command, heading)
}

// up starts the system, with the demo's traffic if wished for, and waits until it serves.
func (p *place) up(args ...string) *process {
	p.t.Helper()
	u := up(p.t, p.data(), args...)
	u.waitFor("Ctrl-C stops")
	return u
}

func (p *place) stop(u *process) {
	p.t.Helper()
	if err := u.cmd.Process.Signal(syscall.SIGINT); err != nil {
		p.t.Fatal(err)
	}
	if code := u.ended(); code != 0 {
		p.t.Fatalf("it ends with %d: %s", code, u.stderr)
	}
}

// answer is the body of an answer that shows at least what was in the log at a position.
func answer(t testing.TB, url, token string, position int64) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("X-After-Position", strconv.FormatInt(position, 10))
		got, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		if err := cmp.Or(err, got.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if got.StatusCode == http.StatusOK {
			return string(body)
		}
		if got.StatusCode != http.StatusServiceUnavailable || time.Now().After(end) { // not caught up within two seconds
			t.Fatalf("%s: %s\n%s", url, got.Status, body)
		}
	}
}

// ids are the ids of the items of a list.
func ids(t testing.TB, list string) (all []string) {
	t.Helper()
	var page struct{ Items []struct{ ID string } }
	if err := json.Unmarshal([]byte(list), &page); err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	for _, item := range page.Items {
		all = append(all, item.ID)
	}
	return all
}

// picture is all that the API shows of the demo's tenant, by path.
func picture(t testing.TB, url, token string, position int64) map[string]string {
	t.Helper()
	all := map[string]string{}
	look := func(path string) string {
		t.Helper()
		all[path] = answer(t, url+path, token, position)
		return all[path]
	}
	for _, path := range []string{"/v1/sessions?limit=100", "/v1/tags", "/v1/fields", "/v1/settings", "/v1/views", "/v1/associations", "/v1/blacklist", "/v1/events", "/v1/agents", "/v1/auto-messages"} {
		look(path)
	}
	for _, id := range ids(t, look("/v1/customers?limit=100")) {
		for _, of := range []string{"", "/history", "/sessions", "/transcript", "/groups"} {
			look("/v1/customers/" + id + of)
		}
	}
	for _, id := range ids(t, look("/v1/groups")) {
		look("/v1/groups/" + id + "/members")
	}
	return all
}

// same fails the test unless two pictures are equal, byte for byte.
func same(t testing.TB, when string, before, after map[string]string) {
	t.Helper()
	if len(before) < 50 {
		t.Fatalf("only %d answers are compared", len(before))
	}
	for path, want := range before {
		if got := after[path]; got != want {
			t.Errorf("%s: %s\nwas %.600s\nis  %.600s", when, path, want, got)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%s: %d answers before, %d after", when, len(before), len(after))
	}
}

// onTheBus are the positions of the demo's events in the stream, by epoch.
func onTheBus(t testing.TB, url string) map[string][]int64 {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.OrderedConsumer(t.Context(), "CC_EVENTS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{"cc.events.demo.>"}, HeadersOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	state, err := consumer.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	found := map[string][]int64{}
	for range state.NumPending {
		m, err := messages.Next()
		if err != nil {
			t.Fatal(err)
		}
		position, err := strconv.ParseInt(m.Headers().Get("cc-position"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		found[m.Headers().Get("cc-epoch")] = append(found[m.Headers().Get("cc-epoch")], position)
	}
	return found
}

// carried waits until the relay has carried all of the demo's log, or stands still for a reason, and returns the log's head.
func (p *place) carried(stopped string) int64 {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // nobody tells when a cursor is written
		printed, code := p.run("customercenter relay status --json")
		var s struct {
			Position, Head int64
			Stopped        string
		}
		if err := json.Unmarshal([]byte(printed), &s); err != nil || code != 0 {
			p.t.Fatalf("%v: %s", err, printed)
		}
		if s.Stopped == stopped && (stopped != "" || s.Position == s.Head) {
			return s.Head
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s, want it to stand still for %q", printed, stopped)
		}
	}
}

// wholeEpoch fails the test unless the newest epoch, which is not among the known ones, has all positions once and in order. It returns the epoch.
func wholeEpoch(t testing.TB, bus map[string][]int64, head int64, known ...string) string {
	t.Helper()
	for epoch, positions := range bus {
		if slices.Contains(known, epoch) {
			continue
		}
		for i, position := range positions {
			if position != int64(i)+1 {
				t.Fatalf("message %d of the epoch is of position %d", i, position)
			}
		}
		if int64(len(positions)) != head {
			t.Errorf("%d messages of %d events", len(positions), head)
		}
		return epoch
	}
	t.Fatalf("no epoch but %v is on the bus", known)
	return ""
}

// Backup, loss, restore: first into an empty place, then beside a stream that is ahead, then from a copy of Postgres' files that nobody told us about.
func TestOperations(t *testing.T) {
	p := &place{t, t.TempDir()}
	u := p.up("--demo", "--demo-events", "300", "--demo-rate", "0")
	run := info(t, p.data())
	token := run.Tokens["admin"]
	tag := func(name string) {
		t.Helper()
		ask(t, "POST", info(t, p.data()).URL+"/v1/tags", token, `{"name": "`+name+`"}`, nil)
	}
	ask(t, "POST", run.URL+"/v1/views", token, `{"name": "APP", "filter": {"field": "channel", "op": "in", "value": ["app"]}}`, nil)
	head := p.carried("")
	before := picture(t, run.URL, token, head)
	same(t, "asked twice", before, picture(t, run.URL, token, head))
	first := wholeEpoch(t, onTheBus(t, run.NATSURL), head)

	if printed, code := p.run("customercenter projections verify jobs"); code != 0 { // as happens by itself every day
		t.Fatalf("a verification: %d %s", code, printed)
	}
	p.follow("Back up", "customercenter backup")
	if printed, code := p.run("customercenter backup log.dump other.dump"); code == 0 || !strings.Contains(printed, "overwrites nothing") {
		t.Errorf("a second backup under the same name: %d %s", code, printed)
	}
	noPersonalData(t, p, before)

	// A new machine.
	empty := &place{t, t.TempDir()}
	for _, file := range []string{"log.dump", "keys.dump"} {
		copyFile(t, filepath.Join(p.dir, file), filepath.Join(empty.dir, file))
	}
	if printed, code := empty.run("customercenter restore log.dump keys.dump"); code == 0 || !strings.Contains(printed, "master key is needed first") {
		t.Errorf("without a master key: %d %s", code, printed)
	}
	if err := os.MkdirAll(empty.data(), 0o711); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(p.data(), "master.key"), filepath.Join(empty.data(), "master.key"))
	damaged(t, empty)
	empty.follow("Restore", "customercenter restore")
	if printed, code := empty.run("customercenter restore log.dump keys.dump"); code == 0 || !strings.Contains(printed, "not empty") {
		t.Errorf("a second restore: %d %s", code, printed)
	}
	there := empty.up()
	if n := empty.carried(""); n != head {
		t.Errorf("restored up to %d, want %d", n, head)
	}
	elsewhere := info(t, empty.data())
	same(t, "on a new machine", before, picture(t, elsewhere.URL, token, head))
	wholeEpoch(t, onTheBus(t, elsewhere.NATSURL), head, first)
	empty.follow("Restore", "customercenter doctor")
	empty.stop(there)

	// Here more happens, and is heard on the bus; then the database is lost, and the stream is not.
	for i := range 5 {
		tag(fmt.Sprint("after the backup ", i))
	}
	if after := p.carried(""); after != head+5 {
		t.Fatalf("the log's head is %d", after)
	}
	erasedInBetween(t, p, token)
	newerKeys(t, p, token, before)
	lost := p.carried("")
	u.kill()
	postgresGone(t, p.data())
	if err := os.RemoveAll(filepath.Join(p.data(), "postgres")); err != nil {
		t.Fatal(err)
	}
	p.follow("Restore", "customercenter restore")
	u = p.up()
	p.carried("")
	run = info(t, p.data())
	same(t, "beside a stream that is ahead", before, picture(t, run.URL, token, head))
	bus := onTheBus(t, run.NATSURL)
	if len(bus[first]) < int(lost) {
		t.Errorf("%d messages of the old epoch are left of %d", len(bus[first]), lost)
	}
	second := wholeEpoch(t, bus, head, first)
	tag("positions are given out again")
	p.carried("")
	wholeEpoch(t, onTheBus(t, run.NATSURL), head+1, first)

	// A copy of Postgres' files, put back by somebody who knows nothing of restore.
	p.stop(u)
	cp(t, filepath.Join(p.data(), "postgres"), filepath.Join(p.dir, "copy"))
	u = p.up()
	tag("not in the copy")
	p.carried("")
	p.stop(u)
	if err := os.RemoveAll(filepath.Join(p.data(), "postgres")); err != nil {
		t.Fatal(err)
	}
	cp(t, filepath.Join(p.dir, "copy"), filepath.Join(p.data(), "postgres"))
	u = p.up()
	p.carried("stream_ahead_of_log")
	tag("while it stands still") // under the position of what is not in the copy
	p.follow("If the stream is ahead of the log", "customercenter relay status")
	if printed, code := p.run("customercenter doctor"); code == 0 || !strings.Contains(printed, "customercenter relay renew") {
		t.Errorf("the doctor says %d %s", code, printed)
	}
	run = info(t, p.data())
	if metrics := answer(t, run.URL+"/metrics", token, 0); !strings.Contains(metrics, `customercenter_stopped_tenants{part="relay"} 1`) {
		t.Error("/metrics does not tell that a tenant stands still")
	}
	if !strings.Contains(u.stderr.String(), "the stream is ahead of the log") {
		t.Error("the log does not tell that a tenant stands still")
	}
	p.follow("If the stream is ahead of the log", "customercenter relay renew")
	now := p.carried("")
	wholeEpoch(t, onTheBus(t, run.NATSURL), now, first, second)
	p.follow("Restore", "customercenter doctor")
	p.stop(u)
}

// newerKeys restores the log of the backup with the keys of a later one: who lost their key in between stays unreadable, and who came in between may come again.
// The log of the later one with the keys of the earlier one is refused.
func newerKeys(t *testing.T, p *place, token string, before map[string]string) {
	t.Helper()
	run := info(t, p.data())
	app := run.Associations[slices.IndexFunc(run.Associations, func(a traffic.Association) bool { return a.Channel == "app" })]
	newcomer := fmt.Sprintf(`{"association_id": %d, "external_id": "newcomer", "profile": {"nickname": "新来的"}}`, app.ID)
	ask(t, "POST", run.URL+"/v1/customers", token, newcomer, nil)
	p.carried("")
	erased := ids(t, before["/v1/customers?limit=100"])[0]
	var who struct {
		ExternalID string `json:"external_id"`
	}
	ask(t, "GET", run.URL+"/v1/customers/"+erased, token, "", &who)
	ask(t, "DELETE", run.URL+"/v1/customers/"+erased, token, `{"confirm": "`+who.ExternalID+`"}`, nil)
	if printed, code := p.run("customercenter backup later.log.dump later.keys.dump"); code != 0 {
		t.Fatal(printed)
	}
	later := &place{t, t.TempDir()}
	if err := os.MkdirAll(later.data(), 0o711); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(p.data(), "master.key"), filepath.Join(later.data(), "master.key"))
	from := p.dir
	if printed, code := later.run("customercenter restore " + from + "/later.log.dump " + from + "/keys.dump"); code == 0 || !strings.Contains(printed, "before the log") {
		t.Errorf("keys of before: %d %s", code, printed)
	}
	if printed, code := later.run("customercenter restore " + from + "/log.dump " + from + "/later.keys.dump"); code != 0 {
		t.Fatal(printed)
	}
	u := later.up()
	head := later.carried("")
	url := info(t, later.data()).URL
	was, is := before["/v1/customers/"+erased+"/transcript"], answer(t, url+"/v1/events?customer="+erased, token, head)
	if !strings.Contains(is, `"customer.erased"`) || strings.Contains(is, who.ExternalID) {
		t.Error("who was erased is not erased again")
	}
	var messages struct {
		Items []struct{ Message *struct{ Text string } }
	}
	if err := json.Unmarshal([]byte(was), &messages); err != nil || len(messages.Items) == 0 {
		t.Fatalf("%v: %s", err, was)
	}
	looked := 0
	for _, item := range messages.Items {
		if item.Message != nil && item.Message.Text != "" {
			looked++
			if strings.Contains(is, item.Message.Text) {
				t.Error("what a customer without a key wrote can be read")
			}
		}
	}
	if looked == 0 {
		t.Errorf("no text was looked for: %s", was)
	}
	ask(t, "POST", url+"/v1/customers", token, newcomer, nil)
	later.stop(u)
}

// damaged tries to restore what is cut off, swapped or older than it may be: nothing is there afterwards.
func damaged(t *testing.T, p *place) {
	t.Helper()
	whole, err := os.ReadFile(filepath.Join(p.dir, "log.dump"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "cut.dump"), whole[:len(whole)*9/10], 0o600); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"customercenter restore cut.dump keys.dump":             "nothing was restored",
		"customercenter restore keys.dump keys.dump":            "nothing was restored",
		"customercenter restore log.dump log.dump":              "nothing was restored",
		"customercenter restore data/master.key keys.dump":      "is no file of `customercenter backup`",
		"customercenter restore log.dump keys.dump --data none": "master key is needed first",
	} {
		if printed, code := p.run(command); code == 0 || !strings.Contains(printed, want) {
			t.Errorf("%s: %d %s", command, code, printed)
		}
	}
}

// noPersonalData fails the test if what customers are called stands in the log's file. It is looked for in the unpacked file.
func noPersonalData(t *testing.T, p *place, before map[string]string) {
	t.Helper()
	var page struct {
		Items []struct {
			Profile struct{ Nickname string }
		}
	}
	if err := json.Unmarshal([]byte(before["/v1/customers?limit=100"]), &page); err != nil {
		t.Fatal(err)
	}
	program, err := postgres.Program(t.Context(), "pg_restore", 0)
	if err != nil {
		t.Fatal(err)
	}
	text, code := p.run(program + " -f - log.dump")
	if code != 0 || !strings.Contains(text, "customer.created") {
		t.Fatalf("%d %.500s", code, text)
	}
	looked := 0
	for _, c := range page.Items {
		if name := c.Profile.Nickname; len([]rune(name)) > 2 {
			looked++
			if strings.Contains(text, name) {
				t.Errorf("a customer's name is in the file of the log")
			}
		}
	}
	if looked < 5 {
		t.Errorf("only %d names were looked for", looked)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cp copies a directory with its owners.
func cp(t testing.TB, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// A server of one's own: the files go into the database that is named, if it is empty.
func TestBackupOfADatabaseOfOnesOwn(t *testing.T) {
	nothing := pgtest.Template{Name: "nothing"}
	full := pgtest.DSN(t, eventstoretest.Template())
	key := func(b byte) string {
		return "--master-key=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
	}
	log, keys := filepath.Join(t.TempDir(), "log.dump"), filepath.Join(t.TempDir(), "keys.dump")
	tool := func(code int, says, dsn string, args ...string) {
		t.Helper()
		p := start(t, append(args, "--database-url="+dsn, "--data="+t.TempDir())...)
		var printed strings.Builder
		for line := range p.lines {
			printed.WriteString(line + "\n")
		}
		if got := p.ended(); got != code || !strings.Contains(printed.String()+p.stderr.String(), says) {
			t.Errorf("%v: exit code %d, %s%s", args[0], got, &printed, p.stderr)
		}
	}
	tool(0, "acme", full, "tenant", "create", "acme", key(7))
	tool(0, "Log and settings", full, "backup", log, keys)
	tool(exitFailed, "not empty", full, "restore", log, keys, key(7))
	tool(exitFailed, "not the master key", pgtest.DSN(t, nothing), "restore", log, keys, key(8))
	restored := pgtest.DSN(t, nothing)
	tool(0, "acme: restored up to position 0", restored, "restore", log, keys, key(7))
	tool(0, "acme", restored, "tenant", "list", key(7))
	epoch := func(dsn string) (of string) {
		t.Helper()
		if err := eventstoretest.Connect(t, dsn).QueryRow(t.Context(), `select epoch::text from log_epoch`).Scan(&of); err != nil {
			t.Fatal(err)
		}
		return of
	}
	if epoch(full) == epoch(restored) {
		t.Error("the restored log has the epoch of the other")
	}

	// The master key is replaced. What was backed up before needs the old one, too, and is then wrapped by the new one.
	both := key(9) + strings.Replace(key(7), "--master-key=", ",", 1)
	tool(exitFailed, "not the master key", pgtest.DSN(t, nothing), "restore", log, keys, key(9))
	again := pgtest.DSN(t, nothing)
	tool(0, "restored up to position 0", again, "restore", log, keys, both)
	tool(exitFailed, "not given", again, "tenant", "list", key(9))
	tool(0, "nothing by an older one", again, "keys", "rotate", both)
	tool(0, "acme", again, "tenant", "list", key(9))
	newLog, newKeys := filepath.Join(t.TempDir(), "log.dump"), filepath.Join(t.TempDir(), "keys.dump")
	tool(0, "Log and settings", again, "backup", newLog, newKeys)
	tool(0, "restored up to position 0", pgtest.DSN(t, nothing), "restore", newLog, newKeys, key(9))
}

// The password of a database is in no argument of a program, which everybody on the machine sees.
func TestPasswordsAreNoArguments(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://cc:s%40cret@db.example:5433/customercenter?sslmode=verify-full":              "postgres://cc@db.example:5433/customercenter?sslmode=verify-full",
		"postgres://cc@db.example/customercenter?password=s%40cret&target_session_attrs=primary": "postgres://cc@db.example/customercenter?target_session_attrs=primary",
		"postgres://db1:5432,db2:5433/customercenter?user=cc&password=s%40cret":                  "postgres://db1:5432,db2:5433/customercenter?user=cc",
		"host=db.example user=cc password=s@cret dbname=customercenter":                          "host=db.example user=cc  dbname=customercenter",
		`host=db.example password = 's@cret' user=cc`:                                            "host=db.example  user=cc",
		"password=s@cret host=db.example":                                                        "  host=db.example",
	} {
		database, environ, err := withoutPassword(dsn)
		if err != nil || database != want || !slices.Contains(environ, "PGPASSWORD=s@cret") {
			t.Errorf("%s: %q, %v, and in the environment: %v", dsn, database, err, slices.Contains(environ, "PGPASSWORD=s@cret"))
		}
	}
	if _, _, err := withoutPassword("postgres://cc:s@cret@:x/"); err == nil || strings.Contains(err.Error(), "cret") {
		t.Errorf("an address that cannot be read: %v", err)
	}
}

// Whoever adds a table decides whether it is backed up.
func TestEveryTableIsBackedUpOrLeftOutForAReason(t *testing.T) {
	kept := []string{
		"answers", "events", "goose_db_version", "group_publications", "log_epoch", "policy_due", "policy_positions", "receipts", "tenants", "tokens",
	}
	pool := eventstoretest.Pool(t)
	rows, err := pool.Query(t.Context(), `select tablename::text from pg_tables where schemaname = 'public' order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := slices.Concat(kept, madeAgain, unsealed, keysTables)
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		i := slices.Index(all, table)
		if i < 0 {
			t.Errorf("is the table %s backed up? See backup.go", table)
			continue
		}
		all = slices.Delete(all, i, i+1)
	}
	if err := rows.Err(); err != nil || len(all) > 0 {
		t.Errorf("these tables are gone: %v %v", all, err)
	}
	// Rows that are kept but refer to rows that are not could not be restored.
	var torn []string
	if err := pool.QueryRow(t.Context(), `select coalesce(array_agg(conrelid::regclass::text || ' refers to ' || confrelid::regclass), '{}')
		from pg_constraint where contype = 'f' and conrelid::regclass::text = any($1) and confrelid::regclass::text <> all($1)`, kept).Scan(&torn); err != nil || len(torn) > 0 {
		t.Errorf("what is backed up refers to what is not: %v %v", torn, err)
	}
}

// What a backup writes is its owner's alone from the first byte on, also where one that was killed has left a file.
func TestABackupIsItsOwnersFromTheBeginning(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.dump.unfinished")
	if err := os.WriteFile(file, []byte("left"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := begin(file); err != nil {
		t.Fatal(err)
	}
	at, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if at.Mode().Perm() != 0o600 || at.Size() != 0 {
		t.Errorf("it has mode %v and %d bytes", at.Mode(), at.Size())
	}
}
