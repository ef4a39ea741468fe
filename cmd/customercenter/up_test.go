package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/internal/traffic"
)

// process is a `customercenter` started by a test.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	lines  chan string // what it printed, line by line; closed when it ends
	done   chan error
	stderr *buffer
}

// buffer is a bytes.Buffer that two goroutines may use.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start runs the program with these arguments, without servers of the environment.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	return startWith(t, nil, args...)
}

// startWith is start with variables of the environment.
func startWith(t testing.TB, environment []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command("customercenter", args...), lines: make(chan string, 1000), done: make(chan error, 1), stderr: &buffer{}}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "DATABASE_URL=") && !strings.HasPrefix(e, "NATS_URL=") && !strings.HasPrefix(e, "CUSTOMERCENTER_") {
			p.cmd.Env = append(p.cmd.Env, e)
		}
	}
	p.cmd.Env = append(p.cmd.Env, environment...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
		close(p.lines)
		p.done <- p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

// waitFor reads what the process prints until a line matches, and returns all lines up to it.
func (p *process) waitFor(pattern string) []string {
	p.t.Helper()
	var seen []string
	deadline := time.After(2 * time.Minute)
	for match := regexp.MustCompile(pattern); ; {
		select {
		case line, more := <-p.lines:
			if !more {
				p.t.Fatalf("the process ended before it printed %q:\n%s\n%s", pattern, strings.Join(seen, "\n"), p.stderr)
			}
			seen = append(seen, line)
			if match.MatchString(line) {
				return seen
			}
		case <-deadline:
			p.t.Fatalf("no line %q within two minutes:\n%s\n%s", pattern, strings.Join(seen, "\n"), p.stderr)
		}
	}
}

// ended waits for the end of the process and returns its exit code.
func (p *process) ended() int {
	p.t.Helper()
	go func() {
		for range p.lines {
		}
	}()
	select {
	case err := <-p.done:
		p.done <- err
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		if err != nil {
			p.t.Fatal(err)
		}
		return 0
	case <-time.After(time.Minute):
		p.t.Fatalf("the process does not end:\n%s", p.stderr)
		return -1
	}
}

// kill is kill -9, of a process that may have ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.ended()
}

// up starts `up` on free ports.
func up(t testing.TB, data string, args ...string) *process {
	t.Helper()
	t.Cleanup(func() { postgresGone(t, data) }) // after the process was killed, before its directory is removed
	return start(t, append([]string{"up", "--data", data, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"}, args...)...)
}

// postgresGone waits for the end of the private Postgres of an `up` that was killed: it learns of that at once, and needs a moment.
func postgresGone(t testing.TB, data string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(data, "postgres", "data", "postmaster.pid"))
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		first, _, _ := strings.Cut(string(text), "\n")
		pid, err := strconv.Atoi(first)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
		if time.Now().After(end) {
			t.Errorf("Postgres, process %d, does not end", pid)
			return
		}
	}
}

// demoTable reads what --demo says it sent and shows.
func demoTable(t testing.TB, lines []string) (sent, shown map[string]int) {
	t.Helper()
	sent, shown = map[string]int{}, map[string]int{}
	row := regexp.MustCompile(`^(customers|sessions|messages) +(\d+) +(\d+)$`)
	for _, l := range lines {
		if m := row.FindStringSubmatch(l); m != nil {
			var a, b int
			fmt.Sscan(m[2], &a)
			fmt.Sscan(m[3], &b)
			sent[m[1]], shown[m[1]] = a, b
		}
	}
	if len(sent) != 3 {
		t.Fatalf("no table in:\n%s", strings.Join(lines, "\n"))
	}
	return sent, shown
}

func ask(t testing.TB, method, url, token, body string, into any) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %s\n%s", method, url, answer.Status, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v\n%s", url, err, text)
		}
	}
	return answer
}

func info(t testing.TB, data string) *runInfo {
	t.Helper()
	run, err := readRunInfo(data)
	if err != nil || run == nil {
		t.Fatalf("run.json: %v %v", run, err)
	}
	return run
}

// A killed `up` is started again, at any moment of its first traffic, until it gets through: nothing may be missing and nothing doubled.
func TestUpDemoLosesNothingWhenKilledAtAnyMoment(t *testing.T) {
	data := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	args := []string{"--demo", "--demo-events", "1500", "--demo-rate", "0"}
	for range 4 {
		p := up(t, data, args...)
		time.Sleep(time.Duration(300+r.IntN(2500)) * time.Millisecond) // the moment is the point
		p.kill()
	}
	p := up(t, data, args...)
	lines := p.waitFor("Ctrl-C stops everything")
	last := p.waitFor("/sign-in/")
	signsIn(t, strings.TrimSpace(last[len(last)-1]), "演示 Demo", "demo-admin")
	text := strings.Join(lines, "\n")
	if strings.Contains(text, "in the list") { // else an earlier start had got through and was killed afterwards
		sent, shown := demoTable(t, lines)
		for what, n := range sent {
			if n == 0 || shown[what] != n {
				t.Errorf("%s: %d sent, %d shown", what, n, shown[what])
			}
		}
	}
	run := info(t, data)
	var page struct {
		Count struct{ Value int }
	}
	answer := ask(t, "GET", run.URL+"/v1/customers?filter=%7B%7D", run.Tokens["admin"], "", &page)
	if limit := answer.Header.Get("X-RateLimit-Limit"); limit != "10000" { // in ten seconds
		t.Errorf("the limit of a token is %q", limit)
	}
	if page.Count.Value == 0 {
		t.Error("no customers in the list")
	}
	var tags, groups struct {
		Items []struct{ Name string }
	}
	ask(t, "GET", run.URL+"/v1/tags", run.Tokens["admin"], "", &tags)
	ask(t, "GET", run.URL+"/v1/groups", run.Tokens["admin"], "", &groups)
	if len(tags.Items) != 3 || len(groups.Items) != 2 {
		t.Errorf("the demo has the tags %v and the groups %v", tags.Items, groups.Items)
	}

	// A second one on the same data is refused in words; the first goes on.
	second := up(t, data, args...)
	if code := second.ended(); code != 1 || !strings.Contains(second.stderr.String(), "another `customercenter up` is running") {
		t.Errorf("the second up: exit code %d, %s", code, second.stderr)
	}

	// Ctrl-C stops cleanly, the next start goes on with the data.
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.ended(); code != 0 {
		t.Errorf("after Ctrl-C: exit code %d\n%s", code, p.stderr)
	}
	again := up(t, data, args...)
	if text := strings.Join(again.waitFor("Ctrl-C stops everything"), "\n"); !strings.Contains(text, "Going on with the demo tenant") {
		t.Errorf("the next start says:\n%s", text)
	}
	run = info(t, data)
	before := page.Count.Value
	ask(t, "GET", run.URL+"/v1/customers?filter=%7B%7D", run.Tokens["admin"], "", &page)
	if page.Count.Value != before {
		t.Errorf("%d customers before, %d after the restart", before, page.Count.Value)
	}
}

// signsIn follows a sign-in link as a browser does, and sees whose pages it leads to.
func signsIn(t *testing.T, link string, names ...string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	defer client.CloseIdleConnections()
	answer, err := client.PostForm(link, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	for _, name := range names {
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(page), name) {
			t.Errorf("the link leads to %d, without %s (%v): %s", answer.StatusCode, name, err, page)
		}
	}
}

// What an operator does for a new company, by the tools alone; then what the simulator says it sent must be what the API shows.
func TestAnOperatorSetsUpATenantAndTheSimulatorsReportIsWhatTheAPIShows(t *testing.T) {
	data := t.TempDir()
	p := up(t, data)
	p.waitFor("Ctrl-C stops it")
	tool := func(args ...string) string {
		t.Helper()
		c := start(t, append(args, "--data", data)...)
		var lines []string
		for line := range c.lines {
			lines = append(lines, line)
		}
		if code := c.ended(); code != 0 {
			t.Fatalf("%v: exit code %d\n%s", args, code, c.stderr)
		}
		return strings.Join(lines, "\n")
	}
	tool("tenant", "create", "acme", "--name", "Acme")
	signsIn(t, tool("sign-in-link", "--tenant", "acme", "--actor", "boss"), "Acme", "boss")
	token := tool("token", "create", "--tenant", "acme", "--role", "admin", "--actor", "boss")
	run := info(t, data)
	simulate := []string{"simulate", "--tenant", "acme", "--events", "2500", "--customers", "300", "--malformed", "0.02", "--seed", "5", "--json"}
	for _, a := range traffic.Defaults().Associations {
		var made struct{ ID int }
		ask(t, "POST", run.URL+"/v1/associations", token, fmt.Sprintf(`{"channel":%q,"account":%q,"name":"n"}`, a.Channel, a.Account), &made)
		simulate = append(simulate, "--association", fmt.Sprintf("%d:%s:%s", made.ID, a.Channel, a.Account))
	}
	var sent traffic.Summary
	if err := json.Unmarshal([]byte(tool(simulate...)), &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Malformed == 0 || sent.Duplicates == 0 || sent.Late == 0 {
		t.Fatalf("the traffic has nothing difficult in it: %+v", sent)
	}

	type list struct {
		Items []struct {
			ID           uuid.UUID
			State        string
			MessageCount int `json:"message_count"`
			Rating       *struct{ Score int }
		}
		Next  string
		Count struct {
			Value int
			Exact bool
		}
	}
	all := func(path string) (items list) {
		t.Helper()
		for cursor := ""; ; {
			var page list
			ask(t, "GET", run.URL+path+"limit=200&cursor="+cursor, token, "", &page)
			items.Items = append(items.Items, page.Items...)
			items.Count = page.Count
			if cursor = page.Next; cursor == "" {
				return items
			}
		}
	}
	// Malformed events are dead letters; then everything has been handled.
	deadline := time.Now().Add(time.Minute)
	for dead := 0; dead < sent.Malformed; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d malformed events are dead letters", dead, sent.Malformed)
		}
		dead = strings.Count(tool("dead", "list", "--json", "--limit", "1000"), "\n") + 1
	}
	// The operator's page asks the API for the same, and for how far relay and policies are.
	operator := tool("token", "create", "--role", "operator", "--actor", "ops")
	var letters, lags struct {
		Items []struct{ Tenant, Code, Part string }
	}
	ask(t, "GET", run.URL+"/v1/dead-letters?limit=200", operator, "", &letters)
	if len(letters.Items) != min(sent.Malformed, 200) || letters.Items[0].Tenant != "acme" || letters.Items[0].Code == "" {
		t.Errorf("%d malformed events, and the API lists %+v", sent.Malformed, letters.Items)
	}
	ask(t, "GET", run.URL+"/v1/lag", operator, "", &lags)
	if parts := fmt.Sprint(lags.Items); !strings.Contains(parts, "acme  relay") || !strings.Contains(parts, "acme  run-jobs") {
		t.Errorf("what follows the log: %s", parts)
	}
	want := map[string]int{"customers": sent.Customers, "sessions": sent.Sessions, "waiting": sent.Waiting, "processing": sent.Processing,
		"closed": sent.Closed, "aborted": sent.Aborted, "messages": sent.Messages, "ratings": sent.Ratings}
	var customers, sessions list
	var got map[string]int
	for {
		customers, sessions = all("/v1/customers?filter=%7B%7D&"), all("/v1/sessions?")
		got = map[string]int{"customers": len(customers.Items), "sessions": len(sessions.Items), "messages": 0, "ratings": 0, "waiting": 0, "processing": 0, "closed": 0, "aborted": 0}
		for _, s := range sessions.Items {
			got[s.State]++
			got["messages"] += s.MessageCount
			if s.Rating != nil {
				got["ratings"]++
			}
		}
		if maps.Equal(got, want) || time.Now().After(deadline) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for what, n := range want {
		if got[what] != n {
			t.Errorf("%s: %d sent, %d shown", what, n, got[what])
		}
	}
	if customers.Count.Value != sent.Customers || !customers.Count.Exact {
		t.Errorf("the count beside the list is %+v", customers.Count)
	}

	if text := tool("doctor"); !strings.Contains(text, "Nothing is ill; 1 thing should be looked at") || !strings.Contains(text, "CC_DEAD") {
		t.Errorf("the doctor says:\n%s", text)
	}
	if text := tool("projections", "rebuild", "customers"); !strings.Contains(text, "They are equal") {
		t.Errorf("the rebuild says:\n%s", text)
	}
	if text := tool("relay", "status", "--json"); !strings.Contains(text, `"acme"`) {
		t.Errorf("the relay says:\n%s", text)
	}
	metrics, err := http.Get(run.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(metrics.Body)
	if err := errors.Join(err, metrics.Body.Close()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`customercenter_lag_events{part="relay"}`, `customercenter_lag_seconds{part="customers"}`, `customercenter_parked_customers{projection="sessions"} 0`,
		`customercenter_lag_events{part="send-messages"}`} {
		if !strings.Contains(string(text), line) {
			t.Errorf("/metrics does not have %s", line)
		}
	}
	// Nothing that people wrote, and none of their numbers, is in the log of the process.
	log := p.stderr.String()
	for _, c := range []string{"订单", "你好", "1380", "wx_"} {
		if strings.Contains(log, c) {
			t.Errorf("%q stands in the log", c)
		}
	}
}
