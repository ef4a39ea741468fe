package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/oidctest"
	"customercenter/internal/pgtest"
)

// witness is a client that notes what it is told and where it goes.
type witness struct {
	t       *testing.T
	base    string
	client  *http.Client
	mu      sync.Mutex
	urls    strings.Builder // every address, also those that it is led to
	errors  strings.Builder // headers and bodies of what was refused
	answers strings.Builder // bodies of all else
	link    string          // the address of a sign-in link, which is a secret by its nature
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := r.URL.String(); at != w.link {
		fmt.Fprintln(&w.urls, at, answer.Header.Get("Location"), answer.Header.Get("HX-Redirect"))
	}
	if answer.StatusCode >= 400 {
		fmt.Fprintln(&w.errors, answer.Header, typed.ReplaceAllString(string(body), ""))
	} else {
		fmt.Fprintln(&w.answers, string(body))
	}
	return answer, nil
}

// typed is what a form that is shown again has in its inputs, for who has typed it.
var typed = regexp.MustCompile(` value="[^"]*"`)

// refused stands for whichever status between 400 and 499, done for one between 200 and 299.
const refused, done = 4, 2

// do makes a request and returns its answer, which must have this status.
func (w *witness) do(want int, method, path, token, kind, body string) string {
	w.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = w.base + path
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want && answer.StatusCode/100 != want {
		w.t.Errorf("%s %s: got %d, want %d: %s %v", method, path, answer.StatusCode, want, text, err)
	}
	return string(text)
}

func (w *witness) api(want int, method, path, token string, body any) (got map[string]any) {
	w.t.Helper()
	text, is := body.(string)
	if !is && body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(encoded)
	}
	_ = json.Unmarshal([]byte(w.do(want, method, path, token, "application/json", text)), &got) // what is none has no members
	return got
}

// form posts a form of the pages and follows where it leads.
func (w *witness) form(want int, path string, fields ...string) string {
	w.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	return w.do(want, http.MethodPost, path, "", "application/x-www-form-urlencoded", values.Encode())
}

// spelled is how a text may stand somewhere.
func spelled(text string) []string {
	ascii := strconv.QuoteToASCII(text)
	quoted := strconv.Quote(text)
	return []string{text, quoted[1 : len(quoted)-1], ascii[1 : len(ascii)-1], url.QueryEscape(text), url.PathEscape(text), base64.StdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text))}
}

// findings are the needles that a text has in one spelling or another.
func findings(text string, needles map[string]string) (names []string) {
	for name, needle := range needles {
		for _, spelling := range spelled(needle) {
			if strings.Contains(text, spelling) {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// commandLines are those of a process and of all that it started, as everybody on the machine can read them.
func commandLines(t *testing.T, pid int) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		out, err := exec.Command("ps", "-axww", "-o", "command=").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	var all strings.Builder
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", next[0]))
		if err != nil {
			continue // it has ended
		}
		fmt.Fprintln(&all, strings.ReplaceAll(string(line), "\x00", " "))
		children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", next[0]))
		for _, file := range children {
			text, _ := os.ReadFile(file)
			for _, child := range strings.Fields(string(text)) {
				if n, err := strconv.Atoi(child); err == nil {
					next = append(next, n)
				}
			}
		}
	}
	return all.String()
}

// The program is used in every way that carries secrets or personal data; then everything that it tells without being asked for them is searched: its log at the most talkative level, the command lines of
// its processes, its metrics, the body of every refusal, and every address. That the search would find them is seen where they do stand.
func TestNothingTellsSecretsOrPersonalData(t *testing.T) {
	staff := oidctest.User{ID: "staff-77", Name: "ouyang.jinse", Password: "pass-of-ouyang-8841", Given: "锦瑟", Family: "欧阳", Email: "jinse.ouyang@staff.example", Groups: []string{"cc-admins"}}
	outsider := oidctest.User{ID: "staff-78", Name: "outsider", Password: "pass-of-outsider-3107", Given: "无题", Family: "夏侯", Email: "wuti.xiahou@staff.example", Groups: []string{"readers"}}
	there := oidctest.Start(t, staff, outsider)
	secrets := map[string]string{"client secret": "client-secret-5de1f0a9c3", "database password": "database-password-91c07e"}
	secretFile := filepath.Join(t.TempDir(), "client-secret")
	if err := os.WriteFile(secretFile, []byte(secrets["client secret"]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	database, err := url.Parse(pgtest.DSN(t, eventstoretest.Template()))
	if err != nil {
		t.Fatal(err)
	}
	query := database.Query()
	query.Set("password", secrets["database password"]) // a server that trusts this machine takes any
	database.RawQuery = query.Encode()

	data := t.TempDir()
	p := startWith(t, []string{"DATABASE_URL=" + database.String(), "CUSTOMERCENTER_OIDC_ISSUER=" + there.Issuer, "CUSTOMERCENTER_OIDC_GRANT=cc-admins=admin@demo;cc-desk=agent@demo"},
		"up", "--data", data, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--nats-tokens", "--demo", "--demo-events", "200", "--demo-rate", "20", "--log-level", "debug",
		"--oidc-client-id", "customer-center", "--oidc-client-secret-file", secretFile, "--oidc-scopes", "groups,profile,email")
	p.waitFor("Ctrl-C stops everything")
	printed := p.waitFor("/sign-in/")
	link := strings.TrimSpace(printed[len(printed)-1])
	run := info(t, data)
	there.Register(oidctest.Client{ID: "customer-center", Secret: secrets["client secret"], Returns: run.URL + "/sign-in/company/return", SignedOut: run.URL + "/sign-in", InIDToken: true})

	for role, token := range run.Tokens {
		secrets["token of "+role] = token
	}
	secrets["sign-in link"] = link[strings.LastIndex(link, "/")+1:]
	nats, err := url.Parse(run.NATSURL)
	if err != nil || nats.User == nil {
		t.Fatalf("no token in %s (%v)", run.NATSURL, err)
	}
	secrets["token of NATS"] = nats.User.Username()
	if password, has := nats.User.Password(); has {
		secrets["token of NATS"] = password
	}
	master, err := os.ReadFile(filepath.Join(data, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets["master key"] = strings.TrimSpace(string(master))
	personal := map[string]string{
		"name": "慕容秋水", "nickname": "雾里看花的鹤", "phone": "13761204958", "e-mail": "heron.qiushui@river.example", "external id": "visitor-zq-40417", "company": "苍梧琉璃作坊", "message": "琥珀色的雨伞落在九号窗口",
		"reply": "雨伞已寄往琉璃巷", "rejected message": "这一句没有人收下", "search": "萤火渡口", "imported name": "司空挽月", "imported phone": "13684470215", "rejected row": "百里拾遗", "reason": "屡次索要退款",
		"signed-in given name": staff.Given, "signed-in family name": staff.Family, "signed-in e-mail": staff.Email, "signed-in user": staff.Name, "refused given name": outsider.Given, "refused e-mail": outsider.Email,
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{t: t, base: run.URL, link: link}
	w.client = &http.Client{Transport: w, Jar: jar, Timeout: time.Minute}
	secrets["cookie"] = useEverything(w, run, there, staff, outsider, personal)
	metrics := w.do(http.StatusOK, http.MethodGet, "/metrics", "", "", "")
	lines := commandLines(t, p.cmd.Process.Pid)

	// The first start of a program that cannot reach what it is told to.
	for _, c := range []struct{ database, bus string }{
		{"postgres://u:" + secrets["database password"] + "@127.0.0.1:port/x", "nats://127.0.0.1:1"},
		{strings.Replace(database.String(), "?", "?sslmode=nonsense&", 1), "nats://127.0.0.1:1"},
	} {
		broken := startWith(t, []string{"DATABASE_URL=" + c.database, "NATS_URL=" + strings.Replace(c.bus, "//", "//"+secrets["token of NATS"]+"@", 1), "CUSTOMERCENTER_DATA=" + t.TempDir()}, "tenant", "list")
		if code := broken.ended(); code != exitFailed {
			t.Errorf("exit code %d", code)
		}
		fmt.Fprintln(p.stderr, broken.stderr)
	}

	told := map[string]string{"the log": p.stderr.String(), "the command lines": lines, "the metrics": metrics, "a refusal": w.errors.String(), "an address": w.urls.String()}
	for _, needles := range []map[string]string{secrets, personal} {
		for where, text := range told {
			for _, what := range findings(text, needles) {
				for line := range strings.Lines(text) {
					if len(findings(line, map[string]string{what: needles[what]})) > 0 {
						t.Errorf("%s has the %s: %.600s", where, what, line)
						break
					}
				}
			}
		}
	}

	// What was searched is what it should be, and the search finds what is there.
	for where, want := range map[string][]string{
		"the log":           {`msg="api: request"`, `route="POST /v1/customers"`, "status=422", `msg="pages: request"`, "pages: signed in with a company account", "pages: a company account did not sign in"},
		"the command lines": {"--nats-tokens", "--oidc-client-secret-file"},
		"the metrics":       {"customercenter_http_request_seconds_count"},
		"a refusal":         {"VALIDATION", "UNAUTHENTICATED", "CUSTOMER_EXISTS", "no role"},
		"an address":        {"/customers?q=", "/sign-in/company/return?code=", "/v1/customers/search"},
	} {
		for _, text := range want {
			if !strings.Contains(told[where], text) {
				t.Errorf("%s does not have %q: was everything searched?", where, text)
			}
		}
	}
	shown := w.answers.String()
	for name, needle := range personal {
		if strings.HasPrefix(name, "signed-in") || strings.HasPrefix(name, "refused") || name == "rejected message" {
			continue // nobody is shown these
		}
		if len(findings(shown, map[string]string{name: needle})) == 0 {
			t.Errorf("the %s is shown nowhere: was it used?", name)
		}
	}
	for name, needle := range secrets {
		for _, spelling := range spelled(needle) {
			if findings("something "+spelling+" something", map[string]string{name: needle}) == nil {
				t.Errorf("the search does not find the %s as %s", name, spelling)
			}
		}
	}
	kept, err := os.ReadFile(filepath.Join(data, "run.json"))
	if err != nil || len(findings(string(kept), secrets)) < 5 { // tokens, password, NATS
		t.Errorf("in run.json, which has secrets and only its owner reads, it finds %v (%v)", findings(string(kept), secrets), err)
	}
}

// useEverything uses the program in every way that carries secrets or personal data, also in wrong ones, and returns the secret of a sign-in.
func useEverything(w *witness, run *runInfo, there *oidctest.Provider, staff, outsider oidctest.User, personal map[string]string) (cookie string) {
	t := w.t
	t.Helper()
	admin, channel, operator := run.Tokens["admin"], run.Tokens["channel"], run.Tokens["operator"]
	if admin == "" || channel == "" || operator == "" {
		t.Fatalf("the demo has tokens for %d roles", len(run.Tokens))
	}
	profile := map[string]any{"name": personal["name"], "phone": personal["phone"], "email": personal["e-mail"], "company": personal["company"]}
	create := map[string]any{"association_id": 1, "external_id": personal["external id"], "nickname": personal["nickname"], "profile": profile}
	made := w.api(http.StatusCreated, "POST", "/v1/customers", admin, create)
	id, _ := made["id"].(string)
	w.api(http.StatusConflict, "POST", "/v1/customers", admin, create)
	w.api(http.StatusUnauthorized, "GET", "/v1/me", admin+"x", nil)
	w.api(http.StatusForbidden, "GET", "/v1/tokens", channel, nil)
	for _, wrong := range []string{
		`{"association_id":1,"external_id":"` + personal["external id"], // it breaks off
		`{"association_id":"` + personal["phone"] + `"}`, `{"association_id":` + personal["phone"] + `,"external_id":"other"}`, `{"association_id":1,"external_id":"` + personal["name"] + ` ` + personal["phone"] + `"}`,
		`{"association_id":1,"external_id":"other","profile":{"name":"` + strings.Repeat(personal["name"], 12) + `"}}`, `{"association_id":1,"external_id":"other","profile":{"phone":` + personal["phone"] + `}}`,
		`{"association_id":1,"external_id":"other","profile":{"email":["` + personal["e-mail"] + `"]}}`, `{"association_id":1,"external_id":"other","tags":["` + personal["company"] + `"]}`,
	} {
		if got := w.api(refused, "POST", "/v1/customers", admin, wrong); got["code"] == nil {
			t.Errorf("%s is refused without a code", wrong)
		}
	}
	w.api(http.StatusUnprocessableEntity, "PATCH", "/v1/customers/"+id, admin, map[string]any{"profile": map[string]any{"email": strings.Repeat(personal["e-mail"], 12)}})
	w.api(http.StatusUnprocessableEntity, "POST", "/v1/customers/search", admin, map[string]any{"filter": map[string]any{"field": "created_at", "op": "is", "value": personal["search"]}})
	w.api(refused, "POST", "/v1/customers/search", admin, map[string]any{"filter": personal["search"]})
	w.api(http.StatusOK, "POST", "/v1/customers/search", admin, map[string]any{"filter": map[string]any{"field": "any_text", "op": "contains", "value": personal["search"]}})
	w.api(done, "PUT", "/v1/customers/"+id+"/blacklist", admin, map[string]any{"reason": personal["reason"]})
	w.api(done, "DELETE", "/v1/customers/"+id+"/blacklist", admin, nil)

	event := func(id, kind string, data map[string]any) map[string]any {
		return map[string]any{"specversion": "1.0", "id": id, "source": "/secrets", "type": kind, "time": time.Now().UTC(), "data": data}
	}
	message := func(text any) map[string]any {
		return map[string]any{"external_id": personal["external id"], "nickname": personal["nickname"], "message": map[string]any{"id": "m1", "kind": "text", "text": text}}
	}
	at := "/v1/channels/1/events"
	w.api(http.StatusOK, "POST", at, channel, event("e1", "message.received", message(personal["message"])))
	w.api(refused, "POST", at, channel, event("e2", "message.received", map[string]any{"external_id": personal["external id"], "message": personal["rejected message"]}))
	w.api(refused, "POST", at, channel, event("e3", "message.received", message(map[string]any{"text": personal["rejected message"]})))
	w.api(refused, "POST", "/v1/channels/2/events", channel, event("e4", "message.received", message(personal["rejected message"])))
	w.api(refused, "POST", at, channel, `{"data":"`+personal["rejected message"])
	var session string
	for end := time.Now().Add(time.Minute); session == ""; time.Sleep(50 * time.Millisecond) { // the list is behind the log
		if items, _ := w.api(http.StatusOK, "GET", "/v1/customers/"+id+"/sessions", admin, nil)["items"].([]any); len(items) > 0 {
			session, _ = items[0].(map[string]any)["id"].(string)
		} else if time.Now().After(end) {
			t.Fatal("the message began no session")
		}
	}
	w.api(done, "POST", "/v1/sessions/"+session+"/accept", admin, map[string]any{"agent_id": "li.na"})
	w.api(done, "POST", "/v1/sessions/"+session+"/messages", admin, map[string]any{"kind": "text", "text": personal["reply"]})
	w.api(refused, "POST", "/v1/sessions/"+session+"/messages", admin, map[string]any{"kind": personal["reply"], "text": personal["reply"]})
	w.do(http.StatusOK, "GET", "/v1/dead-letters", operator, "", "")

	var file bytes.Buffer
	upload := multipart.NewWriter(&file)
	part, err := upload.CreateFormFile("file", personal["imported name"]+".csv")
	if err == nil {
		_, err = fmt.Fprintf(part, "ID,昵称,名字,手机,关联ID\nimported-1,x,%s,%s,1\n,x,%s,,99\n", personal["imported name"], personal["imported phone"], personal["rejected row"])
	}
	if err := errors.Join(err, upload.Close()); err != nil {
		t.Fatal(err)
	}
	job := map[string]any{}
	text := w.do(http.StatusCreated, "POST", "/v1/imports", admin, upload.FormDataContentType(), file.String())
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatal(err)
	}
	w.api(http.StatusAccepted, "POST", fmt.Sprintf("/v1/imports/%v/start", job["id"]), admin, "{}")
	w.finished(job["id"], admin)
	w.do(http.StatusOK, "GET", fmt.Sprintf("/v1/imports/%v/rejected", job["id"]), admin, "", "")
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // the list is behind the log
		got := w.do(http.StatusOK, "POST", "/v1/customers/search", admin, "application/json", `{"filter":{"field":"name","op":"contains","value":"`+personal["imported name"]+`"}}`)
		if strings.Contains(got, personal["imported phone"]) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("who was imported is not in the list: %s", got)
		}
	}
	job = w.api(http.StatusAccepted, "POST", "/v1/exports", admin, map[string]any{"filter": map[string]any{}, "format": "csv"})
	w.finished(job["id"], admin)
	w.do(http.StatusOK, "GET", fmt.Sprintf("/v1/exports/%v/file", job["id"]), admin, "", "")

	// The pages, signed in by the link, and then with a company account.
	w.form(http.StatusOK, w.link)
	address, _ := url.Parse(run.URL)
	for _, c := range w.client.Jar.Cookies(address) {
		if c.Name == "cc_sign_in" {
			cookie = c.Value
		}
	}
	w.form(http.StatusOK, "/customers", "needle", personal["search"])
	w.form(http.StatusOK, "/customers", "needle", personal["phone"])
	w.do(http.StatusOK, "GET", "/customers/"+id, "", "", "")
	w.form(http.StatusConflict, "/customers/new", "association_id", "1", "external_id", personal["external id"], "nickname", personal["nickname"])
	w.form(http.StatusUnprocessableEntity, "/customers/new", "association_id", "1", "external_id", personal["name"]+" "+personal["phone"])
	w.form(http.StatusOK, "/sign-out")
	w.form(http.StatusUnauthorized, "/sign-in", "token", admin+"x")
	if _, kept := w.company(there, outsider, http.StatusForbidden); kept != "" {
		t.Error("an outsider is signed in")
	}
	page, _ := w.company(there, staff, http.StatusOK)
	if !strings.Contains(page, staff.ID) {
		t.Errorf("nobody is signed in: %s", page)
	}
	w.form(http.StatusOK, "/sign-out")
	return cookie
}

// company signs in with a company account, up to a page of ours, and returns that and the secret of the sign-in.
func (w *witness) company(there *oidctest.Provider, who oidctest.User, want int) (page, cookie string) {
	w.t.Helper()
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := w.client.Get(w.base + "/sign-in/company?back=/tags")
	if err != nil {
		w.t.Fatal(err)
	}
	answer.Body.Close()
	w.client.CheckRedirect = nil
	page = w.do(want, http.MethodGet, there.SignIn(answer.Header.Get("Location"), who), "", "", "")
	address, _ := url.Parse(w.base)
	for _, c := range w.client.Jar.Cookies(address) {
		if c.Name == "cc_sign_in" {
			cookie = c.Value
		}
	}
	return page, cookie
}

// finished waits for the end of a job.
func (w *witness) finished(id any, token string) {
	w.t.Helper()
	if id == nil {
		w.t.Fatal("there is no job")
	}
	over := regexp.MustCompile(`"status":"(completed|failed|canceled)"`)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		got := w.do(http.StatusOK, http.MethodGet, fmt.Sprintf("/v1/jobs/%v", id), token, "", "")
		if over.MatchString(got) {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("the job does not end: %s", got)
		}
	}
}
