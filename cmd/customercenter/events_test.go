package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"customercenter/api"
)

// What the command `events` prints and writes, of logs of a running server.
func TestEvents(t *testing.T) {
	found := founder(t)
	t.Run("followed", func(t *testing.T) { testEventsFollowed(t, found(t, "followed")) })
	t.Run("resumed", func(t *testing.T) { testEventsResumed(t, found(t, "resumed")) })
	t.Run("files", func(t *testing.T) { testEventFiles(t, found(t, "files")) })
	t.Run("masked", func(t *testing.T) { testMaskedEventFiles(t, found(t, "masked")) })
}

// tags lets a company's log, which begins with three events, grow to so many.
func (c *company) tags(t testing.TB, from, to int) {
	t.Helper()
	for n := from + 1; n <= to; n++ {
		ask(t, "POST", c.url+"/v1/tags", c.admin, fmt.Sprintf(`{"name": "tag %d"}`, n), nil)
	}
}

func (c *company) events(t testing.TB, url string, args ...string) *process {
	t.Helper()
	return start(t, append([]string{"events", "--url", url, "--token", c.admin}, args...)...)
}

// all is what a process prints until it ends.
func (p *process) all() (lines []string) {
	for line := range p.lines {
		lines = append(lines, line)
	}
	return lines
}

// dense fails unless lines are the events from one position to another.
func dense(t testing.TB, lines []string, from, to int) {
	t.Helper()
	for i, line := range lines {
		var e api.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Position != int64(from+i) {
			t.Fatalf("line %d is %d (%v), want %d: %s", i+1, e.Position, err, from+i, line)
		}
	}
	if len(lines) != to-from+1 {
		t.Fatalf("%d events, want %d", len(lines), to-from+1)
	}
}

// breaking is a way to the server on which every answer with events breaks off: after so many bytes of it, another number each time.
func breaking(t testing.TB, c *company, after ...int64) (address string, broken *atomic.Int32) {
	t.Helper()
	broken = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(broken.Add(1)) - 1
		if r.URL.Path != "/v1/events" || n >= len(after) {
			passing(t, c).ServeHTTP(w, r)
			return
		}
		if after[n] == 0 {
			http.Error(w, "<html>upstream is away</html>", http.StatusBadGateway)
			return
		}
		request, err := http.NewRequestWithContext(r.Context(), r.Method, c.url+r.URL.RequestURI(), nil)
		if err != nil {
			t.Error(err)
		}
		request.Header = r.Header
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer answer.Body.Close()
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.CopyN(&flushed{w}, answer.Body, after[n])
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	return server.URL, broken
}

// flushed sends at once what is written.
type flushed struct{ http.ResponseWriter }

func (f *flushed) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	return n, errors.Join(err, http.NewResponseController(f.ResponseWriter).Flush())
}

// passing hands on to the server.
func passing(t testing.TB, c *company) http.Handler {
	server, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(server)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of callers who are gone
	return proxy
}

// A log that is followed over a line that breaks again and again, in the middle of events too, is told whole.
func testEventsFollowed(t *testing.T, c *company) {
	address, broken := breaking(t, c, 100, 0, 0, 1500, 3000)
	p := c.events(t, address, "--follow", "--from", "1")
	c.tags(t, 3, 40)
	lines := p.waitFor(`"position":40,`)
	dense(t, lines, 1, 40)
	if broken.Load() < 6 || !strings.Contains(p.stderr.String(), "Trying again") {
		t.Errorf("%d answers: %s", broken.Load(), p.stderr)
	}
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.ended(); code != 0 || !strings.Contains(p.stderr.String(), "All up to position 40 was printed. To go on: --from 41") {
		t.Errorf("exit code %d: %s", code, p.stderr)
	}

	// What has an end, too.
	address, broken = breaking(t, c, 700, 0, 3000)
	q := c.events(t, address)
	dense(t, q.all(), 1, 40)
	if code := q.ended(); code != 0 || broken.Load() != 4 {
		t.Errorf("exit code %d after %d answers: %s", code, broken.Load(), q.stderr)
	}
	some := c.events(t, c.url, "--type", "tag.created", "--from", "39", "--to", "39")
	dense(t, some.all(), 39, 39)

	wrong := c.events(t, c.url, "--type", "tag.create")
	if code := wrong.ended(); code != exitFailed || !strings.Contains(wrong.stderr.String(), "Near to it are tag.created") {
		t.Errorf("exit code %d: %s", code, wrong.stderr)
	}
}

// A script goes on where it was, whether it was ended, killed or not.
func testEventsResumed(t *testing.T, c *company) {
	at := filepath.Join(t.TempDir(), "position")
	c.tags(t, 3, 10)
	first := c.events(t, c.url, "--resume", at)
	dense(t, first.all(), 1, 10)
	again := c.events(t, c.url, "--resume", at)
	dense(t, again.all(), 11, 10)
	c.tags(t, 10, 12)
	// Nothing is left out between two that follow, though neither says from where.
	followed := c.events(t, c.url, "--resume", at, "--follow")
	dense(t, followed.waitFor(`"position":12,`), 11, 12)
	if err := followed.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := followed.ended(); code != 0 {
		t.Errorf("exit code %d: %s", code, followed.stderr)
	}
	c.tags(t, 12, 15)
	killed := c.events(t, c.url, "--resume", at, "--follow")
	dense(t, killed.waitFor(`"position":15,`), 13, 15)
	killed.kill()
	last := c.events(t, c.url, "--resume", at)
	lines := last.all()
	for len(lines) > 3 { // it was killed before it could keep the position: these come again, never less
		t.Fatalf("%d events come again", len(lines))
	}
	if len(lines) > 0 {
		dense(t, lines, 16-len(lines), 15)
	}
	if text, err := os.ReadFile(at); err != nil || !regexp.MustCompile(`^15 [0-9a-f-]{36}\n$`).Match(text) {
		t.Errorf("%q %v", text, err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(at), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v are left (%v)", left, err)
	}

	for text, want := range map[string]string{"99\n": "restored from a backup", "15 " + anotherEpoch: "Begin anew", "x": "holds no position"} {
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := c.events(t, c.url, "--resume", at)
		if code := p.ended(); code == 0 || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%q: exit code %d: %s", text, code, p.stderr)
		}
	}
	if err := os.WriteFile(at, []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := c.events(t, c.url, "--resume", at, "--follow")
	if code := p.ended(); code != exitFailed || !strings.Contains(p.stderr.String(), "restored from a backup") {
		t.Errorf("exit code %d: %s", code, p.stderr)
	}

	// The position is there in a log that was restored meanwhile, and means another event: nothing of it is printed.
	if err := os.WriteFile(at, []byte("7\n"), 0o600); err != nil { // of no log in particular
		t.Fatal(err)
	}
	dense(t, c.events(t, c.url, "--resume", at).all(), 8, 15)
	for _, args := range [][]string{{"--resume", at}, {"--resume", at, "--follow"}} {
		p := c.events(t, restored(t, c), args...)
		if printed := p.all(); p.ended() != exitFailed || len(printed) > 0 || !strings.Contains(p.stderr.String(), "Begin anew") {
			t.Errorf("%v prints %v: %s", args, printed, p.stderr)
		}
	}
}

const anotherEpoch = "0f0e0d0c-0b0a-4908-8706-050403020100"

// restored is the address of the server as if its log had been restored from a backup, and had grown again.
func restored(t testing.TB, c *company) (address string) {
	proxy := passing(t, c).(*httputil.ReverseProxy)
	proxy.ModifyResponse = func(answer *http.Response) error {
		if answer.Header.Get("X-Log-Epoch") != "" {
			answer.Header.Set("X-Log-Epoch", anotherEpoch)
		}
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// row is what these tests look at.
type row struct {
	Position    int64  `parquet:"position"`
	Type        string `parquet:"type"`
	Customer    string `parquet:"customer,optional"`
	RecordedAt  int64  `parquet:"recorded_at,timestamp(microsecond)"`
	Session     string `parquet:"session,optional"`
	Association int32  `parquet:"association,optional"`
	Tag         string `parquet:"tag,optional"`
	MessageKind string `parquet:"message_kind,optional"`
	Sender      string `parquet:"sender,optional"`
	Text        string `parquet:"text,optional"`
	ActorID     string `parquet:"actor_id,optional"`
	Data        string `parquet:"data"`
}

// rows are those of all files of a tenant, in the order of their names within their days.
func rows(t testing.TB, dir, tenant string) (all []row, names []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "tenant="+tenant, "day=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	place := regexp.MustCompile(`/day=(\d{4}-\d\d-\d\d)/part-0*(\d+)-0*(\d+)\.parquet$`)
	for _, name := range names {
		part, err := parquet.ReadFile[row](name)
		if err != nil {
			t.Fatal(err)
		}
		said := place.FindStringSubmatch(filepath.ToSlash(name))
		if said == nil || said[2] != fmt.Sprint(part[0].Position) || said[3] != fmt.Sprint(part[len(part)-1].Position) {
			t.Errorf("%s has %d to %d", name, part[0].Position, part[len(part)-1].Position)
		}
		for _, r := range part {
			if day := time.UnixMicro(r.RecordedAt).UTC().Format(time.DateOnly); said != nil && day != said[1] {
				t.Errorf("%s has an event of %s", name, day)
			}
		}
		all = append(all, part...)
	}
	return all, names
}

// once fails unless the rows are all events up to a position, each once.
func once(t testing.TB, all []row, to int) {
	t.Helper()
	for i, r := range all {
		if r.Position != int64(i+1) {
			t.Fatalf("row %d has the position %d", i+1, r.Position)
		}
	}
	if len(all) != to {
		t.Fatalf("%d events, want %d", len(all), to)
	}
}

// Files have every event once, though the one who writes them is killed in the middle, and whoever comes then goes on behind them.
func testEventFiles(t *testing.T, c *company) {
	dir := t.TempDir()
	c.tags(t, 3, 20)
	p := c.events(t, c.url, "--parquet", dir)
	p.waitFor(`: 20 new events in \d new files?, up to position 20\.$`)
	p.ended()
	first, before := rows(t, dir, "files")
	once(t, first, 20)

	// One that is killed while the server still sends.
	c.tags(t, 20, 40)
	stuck := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/events" {
			passing(t, c).ServeHTTP(w, r)
			return
		}
		var held bytes.Buffer
		recorder := httptest.NewRecorder()
		passing(t, c).ServeHTTP(recorder, r)
		for s := bufio.NewScanner(recorder.Body); s.Scan() && held.Len() < 4000; {
			held.Write(append(s.Bytes(), '\n'))
		}
		for _, name := range []string{"X-Log-Position", "X-Log-Epoch"} {
			w.Header().Set(name, recorder.Header().Get(name))
		}
		_, _ = (&flushed{w}).Write(held.Bytes())
		<-r.Context().Done()
	}))
	defer stuck.Close()
	killed := c.events(t, stuck.URL, "--parquet", dir)
	unfinished := func() []string {
		found, err := filepath.Glob(filepath.Join(dir, "tenant=files", "day=*", ".*.part"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for end := time.Now().Add(time.Minute); len(unfinished()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no file is begun: %s", killed.stderr)
		}
	}
	// Meanwhile nobody else may write, and who reads sees whole files only.
	second := c.events(t, c.url, "--parquet", dir)
	if code := second.ended(); code != exitFailed || !strings.Contains(second.stderr.String(), "somebody else is writing") {
		t.Errorf("exit code %d: %s", code, second.stderr)
	}
	if _, now := rows(t, dir, "files"); !slices.Equal(now, before) {
		t.Errorf("the files are %v", now)
	}
	killed.kill()
	if len(unfinished()) != 1 {
		t.Errorf("left are %v", unfinished())
	}

	// One whose server is cut off keeps what it has, and the next goes on.
	address, _ := breaking(t, c, 1, 3000)
	after := c.events(t, address, "--parquet", dir)
	after.waitFor(`: 20 new events`)
	after.ended()
	all, names := rows(t, dir, "files")
	if once(t, all, 40); len(unfinished()) > 0 {
		t.Errorf("left are %v", unfinished())
	}
	for i, r := range all {
		if i >= 3 && (r.Type != "tag.created" || r.Tag == "" || r.ActorID != "boss" || !json.Valid([]byte(r.Data))) {
			t.Errorf("got %+v", r)
		}
	}
	// Nothing new is no new file.
	idle := c.events(t, c.url, "--parquet", dir)
	idle.waitFor(`: 0 new events in 0 new files, up to position 40\.$`)
	idle.ended()
	if _, now := rows(t, dir, "files"); !slices.Equal(now, names) {
		t.Errorf("the files are %v", now)
	}
	// Nor do events of a log that was restored meanwhile go behind those of before.
	c.tags(t, 40, 41)
	mixed := c.events(t, restored(t, c), "--parquet", dir)
	if code := mixed.ended(); code != exitFailed || !strings.Contains(mixed.stderr.String(), "Begin anew") {
		t.Errorf("exit code %d: %s", code, mixed.stderr)
	}
	if _, now := rows(t, dir, "files"); !slices.Equal(now, names) {
		t.Errorf("the files are %v", now)
	}
	// Other events do not go into the same files.
	other := c.events(t, c.url, "--parquet", dir, "--type", "tag.created")
	if code := other.ended(); code != exitUsage || !strings.Contains(other.stderr.String(), "Choose another directory") {
		t.Errorf("exit code %d: %s", code, other.stderr)
	}
	info, err := os.Stat(names[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// Files of a token that must not see personal data have none, not even compressed; those of another have it in its columns.
func testMaskedEventFiles(t *testing.T, c *company) {
	customer := struct{ ID string }{}
	ask(t, "POST", c.url+"/v1/customers", c.admin, `{"association_id": 1, "external_id": "wang.fang.77", "nickname": "王芳七七", "profile": {"phone": "13800007777"}}`, &customer)
	ask(t, "POST", c.url+"/v1/customers/"+customer.ID+"/callback", c.admin, `{"text": "您好七七"}`, nil)
	tokens := map[string]struct{ Token string }{}
	for name, personal := range map[string]string{"masked": "false", "open": "true"} {
		made := struct{ Token string }{}
		ask(t, "POST", c.url+"/v1/tokens", c.admin, `{"role": "analyst", "actor_id": "sun.li", "name": "`+name+`", "personal_data": `+personal+`}`, &made)
		tokens[name] = made
	}
	secrets := []string{"wang.fang.77", "王芳七七", "13800007777", "您好七七"}
	dirs := map[string]string{}
	for name, token := range tokens {
		dirs[name] = t.TempDir()
		p := start(t, "events", "--url", c.url, "--token", token.Token, "--parquet", dirs[name])
		if code := p.ended(); code != 0 {
			t.Fatalf("%s: exit code %d: %s", name, code, p.stderr)
		}
	}
	masked, names := rows(t, dirs["masked"], "masked")
	open, _ := rows(t, dirs["open"], "masked")
	if len(masked) != len(open) || len(masked) < 6 {
		t.Fatalf("%d and %d events", len(masked), len(open))
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets { // in names, statistics and metadata nothing is compressed
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s shows %s", name, secret)
			}
		}
	}
	shown := map[string]bool{}
	for i := range masked {
		for _, secret := range secrets {
			if strings.Contains(fmt.Sprintf("%+v", masked[i]), secret) {
				t.Errorf("it shows %s: %+v", secret, masked[i])
			}
			if strings.Contains(fmt.Sprintf("%+v", open[i]), secret) {
				shown[secret] = true
			}
		}
		if e := open[i]; e.Type == "session.message_recorded" && (e.Text != "您好七七" || e.MessageKind != "text" || e.Sender != "agent" || e.Session == "" || e.Customer != customer.ID) {
			t.Errorf("the message: %+v", e)
		}
	}
	if len(shown) != len(secrets) {
		t.Errorf("the open ones show only %v", shown)
	}
	// A directory has one kind or the other.
	p := start(t, "events", "--url", c.url, "--token", tokens["masked"].Token, "--parquet", dirs["open"])
	if code := p.ended(); code != exitUsage || !strings.Contains(p.stderr.String(), "without personal data is asked for") {
		t.Errorf("exit code %d: %s", code, p.stderr)
	}
	if _, err := os.Stat(filepath.Join(dirs["open"], "tenant=masked", ".lock")); errors.Is(err, fs.ErrNotExist) {
		t.Error("there is no lock")
	}
}
