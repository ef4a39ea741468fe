package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/testscript"

	"customercenter/api"
	"customercenter/domain/exports"
	"customercenter/internal/locale"
)

// company is a tenant of a running `up`, which may import, and whose association 1 is an app, 2 a WeChat account.
type company struct {
	data, url, admin, agent string
}

func (c *company) client() *client {
	return &client{address: c.url, token: c.admin, language: "en", silence: time.Minute, patience: time.Minute}
}

// founder makes companies in a running `up`.
func founder(t *testing.T) func(t testing.TB, slug string) *company {
	data := t.TempDir()
	up(t, data).waitFor("Ctrl-C stops it")
	tool := func(t testing.TB, args ...string) string {
		t.Helper()
		p := start(t, append(args, "--data", data)...)
		var lines []string
		for line := range p.lines {
			lines = append(lines, line)
		}
		if code := p.ended(); code != 0 {
			t.Fatalf("%v: exit code %d\n%s", args, code, p.stderr)
		}
		return strings.Join(lines, "\n")
	}
	operator := tool(t, "token", "create", "--role", "operator", "--actor", "ops")
	return func(t testing.TB, slug string) *company {
		t.Helper()
		tool(t, "tenant", "create", slug)
		c := &company{data: data, url: info(t, data).URL}
		c.admin = tool(t, "token", "create", "--tenant", slug, "--role", "admin", "--actor", "boss")
		c.agent = tool(t, "token", "create", "--tenant", slug, "--role", "agent", "--actor", "li.na")
		ask(t, "PUT", c.url+"/v1/tenants/"+slug+"/entitlements/import", operator, "", nil)
		ask(t, "POST", c.url+"/v1/associations", c.admin, `{"channel": "app", "account": "acme#shop", "name": "商城"}`, nil)
		ask(t, "POST", c.url+"/v1/associations", c.admin, `{"channel": "wechat", "account": "gh_acme", "name": "微信"}`, nil)
		return c
	}
}

// The commands that ask a running server for what takes long.
func TestImportsAndExports(t *testing.T) {
	found := founder(t)

	// The scripts in testdata/server each have a company of their own.
	t.Run("scripts", func(t *testing.T) {
		testscript.Run(t, testscript.Params{Dir: "testdata/server", Setup: func(e *testscript.Env) error {
			c := found(e.T().(testing.TB), filepath.Base(e.WorkDir))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("DATABASE_URL", "")
			e.Setenv("NATS_URL", "")
			e.Setenv("CUSTOMERCENTER_DATA", c.data)
			e.Setenv("CUSTOMERCENTER_TOKEN", c.admin)
			e.Setenv("AGENT", c.agent)
			return nil
		}, RequireExplicitExec: true, Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "take": take, "api": askInScript}})
	})
	t.Run("interrupted", func(t *testing.T) { testInterruptedImport(t, found(t, "interrupted")) })
	t.Run("broken", func(t *testing.T) { testBrokenStreams(t, found(t, "broken")) })
	t.Run("failed", func(t *testing.T) { testFailedExport(t, found(t, "failed")) })
}

// askInScript asks the API as the script's admin and prints nothing: api METHOD PATH [BODY].
func askInScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: api METHOD PATH [BODY]")
	}
	run, err := readRunInfo(ts.Getenv("CUSTOMERCENTER_DATA"))
	ts.Check(err)
	r, err := http.NewRequest(args[0], run.URL+args[1], strings.NewReader(strings.Join(args[2:], " ")))
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+ts.Getenv("CUSTOMERCENTER_TOKEN"))
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode >= 300 {
		ts.Fatalf("%s %s: %s %v\n%s", args[0], args[1], answer.Status, err, text)
	}
}

// customersFile is a csv of so many customers.
func customersFile(t *testing.T, n int) string {
	var text bytes.Buffer
	text.WriteString("ID,Nickname,Association ID\n")
	for i := range n {
		fmt.Fprintf(&text, "user%d,客户%d,1\n", i, i)
	}
	file := filepath.Join(t.TempDir(), "many.csv")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Ctrl-C leaves the server to it, and says how to follow and how to stop it.
func testInterruptedImport(t *testing.T, c *company) {
	as := []string{"--url", c.url, "--token", c.admin}
	p := start(t, append([]string{"import", customersFile(t, 20_000), "--yes"}, as...)...)
	var page api.List[api.Import]
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		ask(t, "GET", c.url+"/v1/imports", c.admin, "", &page)
		if len(page.Items) == 1 && !page.Items[0].DryRun && page.Items[0].Created > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the import does not begin: %+v\n%s", page.Items, p.stderr)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.ended(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	id := page.Items[0].ID.String()
	for _, say := range []string{"interrupted", "customercenter import watch " + id, "customercenter import cancel " + id} {
		if !strings.Contains(p.stderr.String(), say) {
			t.Errorf("it does not say %q:\n%s", say, p.stderr)
		}
	}
	cancel := start(t, append([]string{"import", "cancel", id}, as...)...)
	cancel.waitFor(`^Canceled after [\d,]+ of 20,000 rows. [\d,]+ customers stay; to take them back: customercenter import revert ` + id + `$`)
	watch := start(t, append([]string{"import", "watch", id}, as...)...)
	watch.waitFor("^To take it back: customercenter import revert " + id + "$")
	if code := watch.ended(); code != exitFailed || !strings.Contains(watch.stderr.String(), "was canceled after") {
		t.Errorf("exit code %d: %s", code, watch.stderr)
	}
}

// A stream that breaks in every way a stream can is taken up again; nobody notices but by a line on stderr.
func testBrokenStreams(t *testing.T, c *company) {
	server, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(server)
	through.FlushInterval = -1
	var attempt atomic.Int32
	var stale atomic.Value // how the dry run ended
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			through.ServeHTTP(w, r)
			return
		}
		switch attempt.Add(1) {
		case 1, 2, 3:
			http.Error(w, "<html>upstream is away</html>", http.StatusBadGateway)
		case 4: // until the first event
			r, _ := http.NewRequestWithContext(r.Context(), r.Method, c.url+r.URL.Path, nil)
			r.Header.Set("Authorization", "Bearer "+c.admin)
			answer, err := http.DefaultClient.Do(r)
			if err == nil {
				_, _ = io.CopyN(w, answer.Body, 30)
				_ = answer.Body.Close()
			}
			panic(http.ErrAbortHandler)
		case 5:
			kept := &lastLine{ResponseWriter: w}
			through.ServeHTTP(kept, r)
			stale.Store(kept.line)
		case 6: // a server that has not seen the start yet
			fmt.Fprintf(w, "event: end\n%s\n\n", stale.Load())
		default:
			through.ServeHTTP(w, r)
		}
	}))
	defer between.Close()
	p := start(t, "import", customersFile(t, 600), "--yes", "--url", between.URL, "--token", c.admin)
	p.waitFor("^many.csv: 600 customers created, no row refused.$")
	if code := p.ended(); code != 0 || !strings.Contains(p.stderr.String(), "Trying again") {
		t.Errorf("exit code %d: %s", code, p.stderr)
	}
	if attempt.Load() < 7 {
		t.Errorf("%d attempts", attempt.Load())
	}

	// A silent one counts as broken.
	var page api.List[api.Import]
	ask(t, "GET", c.url+"/v1/imports", c.admin, "", &page)
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if attempt.Add(1) == 101 {
			fmt.Fprint(w, ": still here\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		through.ServeHTTP(w, r)
	}))
	defer silent.Close()
	attempt.Store(100)
	client := c.client()
	client.address, client.silence = silent.URL, 100*time.Millisecond
	all := listener{told: func(*api.AnyJob) {}, broken: func() {}, ended: func(*api.AnyJob) bool { return true }}
	if job, err := client.follow(t.Context(), page.Items[0].ID, 0, all); err != nil || job.Import.Created != 600 {
		t.Errorf("behind a silent stream: %+v, %v", job, err)
	}

	// What cannot get better is said at once, and a server that stays away after a while.
	var refused *problem
	if _, err := client.follow(t.Context(), uuid.New(), 0, all); !errors.As(err, &refused) || refused.Code != "NOT_FOUND" {
		t.Errorf("a job that there is not: %v", err)
	}
	silent.Close()
	client.patience = 300 * time.Millisecond
	if _, err := client.follow(t.Context(), page.Items[0].ID, 0, all); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("a server that is away: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.follow(ended, page.Items[0].ID, 0, all); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// An export that fails says why, in the server's words.
func testFailedExport(t *testing.T, c *company) {
	server, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(server)
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			through.ServeHTTP(w, r)
			return
		}
		// More than 50 MiB would take too long to make here.
		const code = "EXPORT_TOO_LARGE"
		text, err := json.Marshal(api.AnyJob{Export: &api.Export{Job: api.Job{
			Status: "failed", Code: code, Detail: locale.Failure(locale.English, code, map[string]any{"max": exports.MaxBytes, "over": 3 << 20}),
		}}})
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "event: end\ndata: %s\n\n", text)
	}))
	defer failing.Close()
	file := filepath.Join(t.TempDir(), "all.csv")
	p := start(t, "export", "-o", file, "--url", failing.URL, "--token", c.admin)
	const want = "customercenter: The file would be larger than 50 MiB, by more than 3 MiB. Narrow the filter or choose fewer columns, and export again. (EXPORT_TOO_LARGE)\n"
	if code := p.ended(); code != exitFailed || p.stderr.String() != want {
		t.Errorf("exit code %d: %s", code, p.stderr)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a file: %v", err)
	}
}

// lastLine keeps the last line of data that goes through.
type lastLine struct {
	http.ResponseWriter
	line string
}

func (l *lastLine) Write(p []byte) (int, error) {
	for s := bufio.NewScanner(bytes.NewReader(p)); s.Scan(); {
		if strings.HasPrefix(s.Text(), "data: ") {
			l.line = s.Text()
		}
	}
	return l.ResponseWriter.Write(p)
}

func (l *lastLine) Unwrap() http.ResponseWriter { return l.ResponseWriter }
