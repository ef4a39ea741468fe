package api

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"customercenter/commands"
	"customercenter/domain/imports"
	"customercenter/domain/settings"
)

// smallest is the smallest file that can be imported.
const smallest = "ID,关联ID\na,2\n"

// raw is a form as it goes over the line.
func raw(parts ...string) form {
	var b bytes.Buffer
	for _, p := range parts {
		b.WriteString("--B\r\n" + p + "\r\n")
	}
	b.WriteString("--B--\r\n")
	return form{`multipart/form-data; boundary=B`, b.Bytes()}
}

// disposed is a part with that disposition.
func disposed(disposition, content string) string {
	return "Content-Disposition: form-data; " + disposition + "\r\n\r\n" + content
}

// uploading starts a world whose temporary files can be counted.
func uploading(t *testing.T) *world {
	t.Helper()
	w := start(t, options{})
	w.associations("acme/admin")
	w.entitle("acme")
	t.Setenv("TMPDIR", t.TempDir())
	return w
}

// leftNothing checks that what was refused left nothing behind, once all requests are at their end.
func (w *world) leftNothing() {
	w.t.Helper()
	var files []string
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		var err error
		if files, err = filepath.Glob(filepath.Join(os.TempDir(), "*")); err != nil {
			w.t.Fatal(err)
		}
		if len(files) == 0 {
			break
		}
		if time.Since(began) > 10*time.Second {
			w.t.Errorf("temporary files are left: %v", files)
			break
		}
	}
	var parts int
	if err := w.store.Pool().QueryRow(w.t.Context(), "select count(*) from job_parts").Scan(&parts); err != nil || parts > 0 {
		w.t.Errorf("%d parts are kept (%v)", parts, err)
	}
}

func TestWhatIsNoUpload(t *testing.T) {
	w := uploading(t)
	head := w.head("acme")
	file := disposed(`name="file"; filename="a.csv"`, smallest)
	flag := func(name, value string) string { return disposed(`name="`+name+`"`, value) }
	for what, c := range map[string]struct {
		body     form
		status   int
		code, at string
		rule     string
	}{
		"nothing":                    {form{"multipart/form-data; boundary=B", nil}, 422, "VALIDATION", "body", "invalid"},
		"no parts":                   {raw(), 422, "VALIDATION", "file", "required"},
		"garbage":                    {form{"multipart/form-data; boundary=B", []byte("garbage")}, 422, "VALIDATION", "body", "invalid"},
		"JSON":                       {form{"application/json", []byte(`{"file":"x"}`)}, 415, "UNSUPPORTED_MEDIA_TYPE", "", ""},
		"a file alone":               {form{"text/csv", []byte(smallest)}, 415, "UNSUPPORTED_MEDIA_TYPE", "", ""},
		"a form of the other kind":   {form{"application/x-www-form-urlencoded", []byte("file=x")}, 415, "UNSUPPORTED_MEDIA_TYPE", "", ""},
		"no boundary":                {form{"multipart/form-data", raw(file).text}, 415, "UNSUPPORTED_MEDIA_TYPE", "", ""},
		"another boundary":           {form{"multipart/form-data; boundary=C", raw(file).text}, 422, "VALIDATION", "body", "invalid"},
		"no file":                    {raw(flag("dry_run", "true")), 422, "VALIDATION", "file", "required"},
		"two files":                  {raw(file, file), 422, "VALIDATION", "file", "too_many"},
		"a file without a name":      {raw(disposed(`name="file"`, smallest)), 422, "VALIDATION", "file", "required"},
		"an unknown part":            {raw(file, flag("create_tag", "true")), 422, "VALIDATION", "create_tag", "unknown"},
		"an unknown part of a kind":  {raw(file, flag("a b\\\"", "true")), 422, "VALIDATION", "body", "unknown"},
		"a part without a name":      {raw(file, "\r\ntrue"), 422, "VALIDATION", "body", "unknown"},
		"an unknown file":            {raw(file, disposed(`name="file2"; filename="b.csv"`, smallest)), 422, "VALIDATION", "file2", "unknown"},
		"a flag that is no flag":     {raw(file, flag("dry_run", "yes")), 422, "VALIDATION", "dry_run", "type_bool"},
		"a flag in capitals":         {raw(file, flag("create_tags", "TRUE")), 422, "VALIDATION", "create_tags", "type_bool"},
		"an empty flag":              {raw(file, flag("create_tags", "")), 422, "VALIDATION", "create_tags", "type_bool"},
		"a flag and more":            {raw(file, flag("create_tags", "true\n")), 422, "VALIDATION", "create_tags", "type_bool"},
		"a flag without end":         {raw(flag("create_tags", "true"+strings.Repeat(" ", 1<<20)), file), 422, "VALIDATION", "create_tags", "type_bool"},
		"a flag twice":               {raw(flag("dry_run", "true"), flag("dry_run", "false"), file), 422, "VALIDATION", "dry_run", "duplicate"},
		"a name with NUL":            {raw(disposed("name=\"file\"; filename=\"a\x00.csv\"", smallest)), 422, "VALIDATION", "body", "invalid"},
		"a name with escaped NUL":    {raw(disposed(`name="file"; filename*=UTF-8''a%00.csv`, smallest)), 422, "VALIDATION", "file", "characters"},
		"a name of broken UTF-8":     {raw(disposed("name=\"file\"; filename=\"a\xff.csv\"", smallest)), 422, "VALIDATION", "file", "characters"},
		"a name of two lines":        {raw(disposed(`name="file"; filename*=UTF-8''a%0Ab.csv`, smallest)), 422, "VALIDATION", "file", "characters"},
		"a name that is too long":    {raw(disposed(`name="file"; filename="`+strings.Repeat("长", 252)+`.csv"`, smallest)), 422, "VALIDATION", "file", "too_long"},
		"an end that is missing":     {form{"multipart/form-data; boundary=B", bytes.TrimSuffix(raw(file).text, []byte("--\r\n"))}, 422, "VALIDATION", "body", "invalid"},
		"a file that is cut":         {form{"multipart/form-data; boundary=B", raw(file).text[:80]}, 422, "VALIDATION", "body", "invalid"},
		"very many headers":          {raw(strings.Repeat("A: b\r\n", 20_000) + file), 422, "VALIDATION", "body", "invalid"},
		"a header that is too long":  {raw("A: " + strings.Repeat("b", 11<<20) + "\r\n" + file), 422, "VALIDATION", "body", "invalid"},
		"very many parts":            {raw(append(many(50_000, disposed(`name="dry_run"`, "true")), file)...), 422, "VALIDATION", "dry_run", "duplicate"},
		"a file that is too large":   {raw(disposed(`name="file"; filename="a.csv"`, smallest+strings.Repeat("\n", imports.MaxBytes+1-len(smallest)))), 413, "SHEET_TOO_LARGE", "file", ""},
		"much before the first part": {form{"multipart/form-data; boundary=B", append(bytes.Repeat([]byte("x\r\n"), imports.MaxBytes/3+formMost), raw(file).text...)}, 413, "PAYLOAD_TOO_LARGE", "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			w := *w
			w.t = t
			for language, words := range map[string]string{"en": " ", "zh": "。"} {
				r := w.do(call{as: "acme/admin", method: "POST", path: "/v1/imports", body: c.body, headers: map[string]string{"Accept-Language": language}})
				r.refused(c.status, c.code, c.at)
				p := r.problem()
				if c.rule != "" && (len(p.Errors) != 1 || p.Errors[0].Rule != c.rule) {
					t.Errorf("got %s, want the rule %s", r.body, c.rule)
				}
				if !strings.Contains(p.Detail, words) || c.status == 413 && c.at != "" && !strings.Contains(p.Detail, "20 MiB") || c.status == 415 && !strings.Contains(p.Detail, "multipart/form-data") {
					t.Errorf("%s: %s", language, p.Detail)
				}
			}
		})
	}
	w.leftNothing()
	if w.head("acme") != head {
		t.Error("what was refused left something in the log")
	}
}

func many(n int, one string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = one
	}
	return all
}

func TestWhatIsAnUpload(t *testing.T) {
	w := uploading(t)
	for what, c := range map[string]struct {
		body form
		name string
	}{
		"flags before the file":  {raw(disposed(`name="create_tags"`, "false"), disposed(`name="file"; filename="a.csv"`, smallest)), "a.csv"},
		"a name in Chinese":      {raw(disposed(`name="file"; filename="客户 名单😀.csv"`, smallest)), "客户 名单😀.csv"},
		"an escaped name":        {raw(disposed(`name="file"; filename*=UTF-8''%E5%AE%A2%E6%88%B7.csv`, smallest)), "客户.csv"},
		"a path":                 {raw(disposed(`name="file"; filename="../../etc/passwd"`, smallest)), "passwd"},
		"the longest name":       {raw(disposed(`name="file"; filename="`+strings.Repeat("长", 255)+`"`, smallest)), strings.Repeat("长", 255)},
		"a name that is no name": {raw(disposed(`name="file"; filename="<script>alert(1)</script>"`, smallest)), "script>"},
		"something behind it":    {form{"multipart/form-data; boundary=B", append(raw(disposed(`name="file"; filename="a.csv"`, smallest)).text, "garbage"...)}, "a.csv"},
		// The largest file, most of which is in a column that is passed over.
		"20 MiB": {raw(disposed(`name="file"; filename="a.csv"`, pad("ID,关联ID,\na,2,\n", imports.MaxBytes))), "a.csv"},
	} {
		t.Run(what, func(t *testing.T) {
			w := *w
			w.t = t
			made := w.do(call{as: "acme/admin", method: "POST", path: "/v1/imports", body: c.body}).want(http.StatusCreated)
			if made.get("file_name") != c.name {
				t.Errorf("got %s, want the name %q", made.body, c.name)
			}
			w.finishStarted(made.get("id").(string))
		})
	}
}

// finishStarted starts an import and works on it to the end.
func (w *world) finishStarted(id string) {
	w.t.Helper()
	w.admin("POST", "/v1/imports/"+id+"/start", nil).want(http.StatusAccepted)
	w.finish(id)
}

// pad makes a csv so many bytes long, by rows with nothing but a third cell.
func pad(file string, size int) string {
	row := ",," + strings.Repeat("x", 30_000) + "\n"
	file += strings.Repeat(row, (size-len(file))/len(row))
	return file + ",," + strings.Repeat("x", size-len(file)-3) + "\n"
}

// endless is a form that never ends: what it begins with, and then the same for ever.
type endless struct {
	begin io.Reader
	again string
}

func (e *endless) Read(p []byte) (int, error) {
	if n, err := e.begin.Read(p); err == nil || n > 0 {
		return n, nil
	}
	return copy(p, e.again), nil
}

func TestAnUploadWithoutEndIsRefused(t *testing.T) {
	w := uploading(t)
	for what, c := range map[string]struct {
		begin, again string
		status       int
	}{
		"a file without end":         {"--B\r\n" + disposed(`name="file"; filename="a.csv"`, smallest), strings.Repeat("a,2\n", 1000), 413},
		"a beginning without end":    {"", strings.Repeat("x\r\n", 1000), 413},
		"a line without end":         {"", strings.Repeat("x", 1000), 422},
		"headers without end":        {"--B\r\n", "A: b\r\n", 422},
		"parts without end":          {"", "--B\r\n" + disposed(`name="dry_run"`, "true\r\n"), 422},
		"a flag without end":         {"--B\r\n" + disposed(`name="dry_run"`, "true"), "e", 422},
		"an unknown one without end": {"--B\r\n" + disposed(`name="x"`, ""), "x", 422},
	} {
		t.Run(what, func(t *testing.T) {
			// What is in the way of an answer is broken off, so it is asked over a connection of its own.
			conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n", w.bearer["acme/admin"], int64(1)<<40)
			var sending sync.WaitGroup
			defer sending.Wait()
			sending.Go(func() { _, _ = io.Copy(conn, &endless{strings.NewReader(c.begin), c.again}) }) // until the server hangs up
			text := make([]byte, 4096)
			n, err := io.ReadAtLeast(conn, text, 12)
			if err != nil || !strings.HasPrefix(string(text[:n]), fmt.Sprint("HTTP/1.1 ", c.status)) {
				t.Errorf("got %q (%v), want %d", text[:n], err, c.status)
			}
			conn.Close()
		})
	}
	w.leftNothing()
}

func TestASlowUploadIsRefused(t *testing.T) {
	w := uploading(t)
	w.core.bounds.upload = 50 * time.Millisecond
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 1000\r\n\r\n--B\r\n%s", w.bearer["acme/admin"], disposed(`name="file"; filename="a.csv"`, smallest))
	text, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 408 ") || !strings.Contains(string(text), "Connection: close") {
		t.Errorf("got %q (%v)", text, err)
	}
	w.leftNothing()
	// Half a body, and then the end.
	w.core.bounds.upload = time.Minute
	if conn, err = net.Dial("tcp", w.server.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 1000\r\n\r\n%s", w.bearer["acme/admin"], raw(disposed(`name="file"; filename="a.csv"`, smallest)).text[:70])
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if text, err = io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 422 ") {
		t.Errorf("got %q (%v)", text, err)
	}
	w.leftNothing()
}

// keyed uploads under a key; the boundary of the form is another each time.
func (w *world) keyed(key, name, content string, flags ...part) reply {
	w.t.Helper()
	return w.do(call{as: "acme/admin", method: "POST", path: "/v1/imports", body: formOf(w.t, append([]part{{"file", name, content}}, flags...)...), headers: map[string]string{"Idempotency-Key": key}})
}

func TestTheSameUploadIsCarriedOutOnce(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.entitle("acme")
	first := w.keyed("k1", "a.csv", smallest).want(http.StatusCreated)
	head := w.head("acme")
	again := w.keyed("k1", "a.csv", smallest).want(http.StatusCreated)
	if again.get("id") != first.get("id") || again.position() != first.position() || again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("first %s, then %s", first.body, again.body)
	}
	on := part{name: "dry_run", content: "true"}
	for what, other := range map[string]reply{
		"another file": w.keyed("k1", "a.csv", smallest+"b,2\n"), "another name": w.keyed("k1", "b.csv", smallest), "another flag": w.keyed("k1", "a.csv", smallest, on),
		"no file at all": w.keyed("k1", "a.csv", "\n"),
	} {
		if other.refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", ""); t.Failed() {
			t.Log(what)
		}
	}
	if list := w.shown("/v1/imports"); list.get("items.1") != nil || w.head("acme") != head {
		t.Errorf("there are %s", list.body)
	}
	var jobs, parts int
	if err := w.store.Pool().QueryRow(t.Context(), "select count(distinct job), count(*) from job_parts").Scan(&jobs, &parts); err != nil || jobs != 1 || parts != 1 {
		t.Errorf("%d parts of %d jobs are kept (%v)", parts, jobs, err)
	}
	w.finishStarted(first.get("id").(string))
	if again := w.keyed("k1", "a.csv", smallest).want(http.StatusCreated); again.get("id") != first.get("id") || again.get("status") != "completed" {
		t.Errorf("after all is done: %s", again.body)
	}

	// A file that is refused is refused again, and the key is used.
	w.keyed("k2", "a.csv", "ID,关联ID\n").refused(http.StatusUnprocessableEntity, "SHEET_EMPTY", "file")
	w.keyed("k2", "a.csv", "ID,关联ID\n").refused(http.StatusUnprocessableEntity, "SHEET_EMPTY", "file")
	w.keyed("k2", "a.csv", smallest).refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")

	// A dry run begins once, too, however the import has gone on.
	tried := w.keyed("k3", "a.csv", "ID,关联ID\nb,2\n", on).want(http.StatusCreated)
	id := tried.get("id").(string)
	if tried.get("status") != "running" || tried.get("dry_run") != true || tried.position() != w.head("acme") {
		t.Errorf("tried: %s", tried.body)
	}
	w.finish(id)
	for _, status := range []string{"tried", "done"} {
		head := w.head("acme")
		again := w.keyed("k3", "a.csv", "ID,关联ID\nb,2\n", on).want(http.StatusCreated)
		if again.get("id") != id || again.position() != tried.position() || again.get("status") != "completed" || w.head("acme") != head {
			t.Errorf("when it is %s: %s at %d, and the log went from %d to %d", status, again.body, again.position(), head, w.head("acme"))
		}
		if status == "tried" {
			w.finishStarted(id)
		}
	}

	// The first answer stands, whatever has become of what it depended on.
	field := w.admin("POST", "/v1/fields", map[string]any{"type": "text", "label": "Size"}).want(http.StatusCreated).get("key").(string)
	sized := w.keyed("k4", "a.csv", "ID,关联ID,Size\nc,2,L\n").want(http.StatusCreated)
	w.admin("DELETE", "/v1/fields/"+field, nil).want(http.StatusNoContent)
	if again := w.keyed("k4", "a.csv", "ID,关联ID,Size\nc,2,L\n").want(http.StatusCreated); again.get("id") != sized.get("id") {
		t.Errorf("first %s, then %s", sized.body, again.body)
	}
	w.upload("a.csv", "ID,关联ID,Size\nc,2,L\n").refused(http.StatusUnprocessableEntity, "HEADER_UNKNOWN", "file")

	// Many at once.
	ids := make([]any, 8)
	var together sync.WaitGroup
	for i := range ids {
		together.Go(func() {
			if r := w.keyed("k5", "a.csv", "ID,关联ID\nd,2\n", on); r.status == http.StatusCreated {
				ids[i] = r.get("id")
			} else {
				t.Errorf("got %d %s", r.status, r.body)
			}
		})
	}
	together.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("got %v", ids)
		}
	}
	w.do(call{as: "acme/admin", method: "POST", path: "/v1/imports", body: formOf(t, part{"file", "a.csv", smallest}), headers: map[string]string{"Idempotency-Key": "a b"}}).
		refused(http.StatusUnprocessableEntity, "VALIDATION", "header.Idempotency-Key")
}

func TestWhoIsNotEntitledImportsNothing(t *testing.T) {
	w := uploading(t)
	waiting := w.upload("a.csv", smallest).want(http.StatusCreated).get("id").(string)
	if _, err := (commands.RevokeEntitlement{Entitlement: settings.EntitlementImport}).Run(t.Context(), w.center, by("acme")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Pool().Exec(t.Context(), "delete from job_parts"); err != nil {
		t.Fatal(err)
	}
	body := formOf(t, part{"file", "a.csv", smallest})
	for language, words := range map[string][]string{"en": {"tenant acme", "import"}, "zh": {"租户 acme", "导入"}} {
		for i, c := range []call{{path: "/v1/imports", body: body}, {path: "/v1/imports/" + waiting + "/start"}, {path: "/v1/imports/" + waiting + "/start", body: StartInput{DryRun: true}}} {
			c.as, c.method, c.headers = "acme/admin", "POST", map[string]string{"Accept-Language": language, "Idempotency-Key": fmt.Sprint("k-", language, i)}
			for range 2 {
				r := w.do(c)
				r.refused(http.StatusForbidden, "NOT_ENTITLED", "")
				if !strings.Contains(r.problem().Detail, words[0]) || !strings.Contains(r.problem().Detail, words[1]) {
					t.Errorf("%s: %s", language, r.body)
				}
			}
		}
	}
	w.leftNothing()
	r := w.keyed("again", "a.csv", smallest)
	r.refused(http.StatusForbidden, "NOT_ENTITLED", "")
	w.entitle("acme")
	if again := w.keyed("again", "a.csv", smallest); !bytes.Equal(again.body, r.body) { // it is the same request
		t.Errorf("first %s, then %s", r.body, again.body)
	}
	w.keyed("anew", "a.csv", smallest).want(http.StatusCreated)
}

// TestUploadsTellNothingPersonal uploads, imports and exports what is personal wherever it can be, and reads the log.
func TestUploadsTellNothingPersonal(t *testing.T) {
	w := uploading(t)
	const secret = "secret-13800001234"
	path := w.imported(secret+".csv", "ID,关联ID,昵称,客户标签,手机\n"+secret+",2,"+secret+",,"+secret+"\n"+secret+",2,,,\nother,2,,"+secret+",\n王"+secret+",2,,,\n")
	w.admin("GET", path+"/rows", nil).want(http.StatusOK)
	w.admin("GET", path+"/rejected", nil).want(http.StatusOK)
	w.admin("GET", path+"/rows?cursor="+secret, nil)
	for _, file := range []string{secret, "ID," + secret, "ID,关联ID\n\"" + secret, "ID,关联ID\n" + secret + "\x00", strings.Repeat(secret+",", 600), "PK\x03\x04" + secret} {
		if r := w.upload(secret, file); r.status != http.StatusUnprocessableEntity || strings.Contains(string(r.body), secret) {
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
	for _, body := range []form{raw(disposed(`name="`+secret+`"`, secret)), raw(disposed(`name="dry_run"`, secret)), raw(disposed("name=\"file\"; filename=\""+secret+"\x00\"", secret)), {"multipart/form-data; boundary=" + secret, []byte(secret)}, {secret, nil}} {
		if r := w.do(call{as: "acme/admin", method: "POST", path: "/v1/imports", body: body}); r.status < 400 || r.status >= 500 {
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
	w.admin("POST", "/v1/exports", map[string]any{"filter": map[string]any{"field": "phone", "op": "eq", "value": secret}}).want(http.StatusAccepted)
	w.admin("POST", "/v1/exports", map[string]any{"filter": map[string]any{"field": secret, "op": "eq", "value": secret}, "sort": secret})
	for _, action := range []string{"blacklist", secret} {
		r := w.admin("POST", "/v1/customers/bulk", map[string]any{"action": action, "reason": secret, "filter": map[string]any{"field": "phone", "op": "eq", "value": secret}})
		if r.status == http.StatusAccepted {
			w.finish(r.get("id").(string))
		}
	}
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "13800001234") {
			t.Errorf("the log says: %s", line)
		}
	}
}
