package pages

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"customercenter/api/access"
)

func TestWhatBrowsersMayDoWithPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "en")
	for _, path := range []string{"/tags", "/nothing", "/sign-in"} {
		page := v.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Referrer-Policy":         "same-origin", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "",
		} {
			if got := page.header.Get(name); got != want {
				t.Errorf("%s: %s: %s", path, name, got)
			}
		}
		page.hides("<style", " style=", "onclick", "javascript:")
		if strings.Count(page.body, "<script") != 1 {
			t.Errorf("%s has other scripts than its one", path)
		}
	}
}

// What another site has a visitor's browser send is turned away, whatever it is.
func TestOtherSitesWriteNothing(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "en")
	for name, header := range map[string]http.Header{
		"another site":          {"Sec-Fetch-Site": {"cross-site"}},
		"a neighbour":           {"Sec-Fetch-Site": {"same-site"}},
		"an old browser":        {"Origin": {"https://evil.example"}},
		"a page without origin": {"Origin": {"null"}},
	} {
		v.header = header
		v.header.Set("Accept-Language", "en")
		for _, path := range []string{"/tags", "/sign-out", "/preferences", "/sign-in"} {
			if page := v.post(path, url.Values{"name": {"evil"}}); page.status != http.StatusForbidden || !strings.Contains(page.body, "Nothing was changed") {
				t.Errorf("%s: %s got %d", name, path, page.status)
			}
		}
	}
	v.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	v.get("/tags").want(http.StatusOK).hides("evil")
}

func TestPagesLeadNowhereElse(t *testing.T) {
	for _, path := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "evil", "/a\r\nX: y", "", "/\t/evil.example"} {
		if got := local(path); got != "/" {
			t.Errorf("%q leads to %q", path, got)
		}
	}
	for _, path := range []string{"/", "/blacklist?q=x&cursor=y", "/tags#new"} {
		if got := local(path); got != path {
			t.Errorf("%q leads to %q", path, got)
		}
	}
}

func TestAssets(t *testing.T) {
	w := start(t)
	v := w.visitor("en")
	page := v.get("/sign-in")
	for _, name := range []string{"style.css", "script.js", "favicon.svg", "icons.svg"} {
		at := strings.Index(page.body, "/assets/")
		path := page.body[at:at+len("/assets/123456789012/")] + name
		got := v.get(path).want(http.StatusOK)
		if got.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %v", name, got.header)
		}
		v.get("/assets/000000000000/" + name).want(http.StatusOK)
	}
	v.get("/assets/000000000000/htmx.LICENSE.txt").want(http.StatusNotFound)
	if script := loadAssets().files["script.js"]; len(script.gzip) == 0 || len(script.gzip) > 25_000 {
		t.Errorf("the script has %d bytes, compressed", len(script.gzip))
	}
}

// Nobody but the pages says inside the process who makes a request: no header does.
func TestNobodyIsGivenByHeaders(t *testing.T) {
	w := start(t)
	for _, header := range []http.Header{{"X-Principal": {"admin"}}, {"Cookie": {"cc_sign_in=x"}}, {"Authorization": {"Bearer x"}}} {
		r, _ := http.NewRequest(http.MethodGet, "http://x/v1/tags", nil)
		r.Header = header
		out := &recorder{header: http.Header{}}
		w.api.ServeHTTP(out, r)
		if out.status != http.StatusUnauthorized {
			t.Errorf("%v got %d", header, out.status)
		}
	}
}

func TestLanguageAndTheme(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "fr, en;q=0.5")
	v.get("/tags").want(http.StatusOK).says(`<html lang="en">`, "Tags")
	v.send("/preferences", url.Values{"language": {"zh"}, "back": {"/tags"}}).want(http.StatusOK).says(`<html lang="zh-CN">`, "客户标签")
	v.send("/preferences", url.Values{"theme": {"dark"}, "back": {"/tags"}}).want(http.StatusOK).says(`<html lang="zh-CN" data-theme="dark">`)
	v.send("/preferences", url.Values{"theme": {"auto"}, "back": {"https://evil.example"}}).want(http.StatusSeeOther)
	w.visitor("").get("/sign-in").says(`<html lang="zh-CN">`)
}

func TestErrorPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	missing := v.get("/nothing").want(http.StatusNotFound).says("没有这个页面", "黑名单")
	if id := missing.header.Get("X-Request-Id"); id == "" || !strings.Contains(missing.body, id) {
		t.Error("the number of the request is not shown")
	}
	v.get("/tags/x/rename").want(http.StatusNotFound)
	w.visitor("zh").get("/nothing").want(http.StatusNotFound).says("没有这个页面").hides("青屿生活")
	v.post("/tags", url.Values{"name": {strings.Repeat("x", maxForm)}}).want(http.StatusRequestEntityTooLarge).says("没有做任何更改")
}

// No page takes half of a form, a file where none is expected, or what cannot be read; nobody has to be signed in to be told so.
func TestFormsAreTakenWholeOrNotAtAll(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "en")
	for name, c := range map[string]struct {
		kind, body string
		want       int
	}{
		"a file":           {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nhalf\r\n--x--\r\n", http.StatusUnsupportedMediaType},
		"without an end":   {"application/x-www-form-urlencoded", "name=half&theme=dark&more=" + strings.Repeat("x", maxForm), http.StatusRequestEntityTooLarge},
		"what is no form":  {"application/x-www-form-urlencoded", "name=%zz", http.StatusBadRequest},
		"semicolons in it": {"application/x-www-form-urlencoded", "name=half;theme=dark", http.StatusBadRequest},
	} {
		for _, path := range []string{"/tags", "/sign-in", "/preferences", "/import/0190a1b2-0000-7000-8000-000000000000/start"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+path, io.MultiReader(strings.NewReader(c.body))) // its length is not told
			if err != nil {
				t.Fatal(err)
			}
			r.Header = v.header.Clone()
			r.Header.Set("Content-Type", c.kind)
			answer, err := v.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode != c.want || !strings.Contains(string(text), "Nothing was changed") {
				t.Errorf("%s at %s got %d: %s", name, path, answer.StatusCode, text)
			}
		}
	}
	v.get("/tags").want(http.StatusOK).hides("half")
}

func TestWhatIsAroundEveryPage(t *testing.T) {
	w := start(t)
	w.as(access.Admin, "zh").get("/tags").want(http.StatusOK).goldenFrames("frame")
	w.visitor("zh").get("/sign-in?why=idle&back=%2Ftags").want(http.StatusOK).goldenFrames("signin")
}

// A form that comes a byte now and then, breaks off, is too large or no form at all is refused when it is read, and nothing waits for the rest.
func TestFormsThatAreNoneAreRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := new(Pages).readForm(w, r, 200*time.Millisecond)
		if own, is := err.(pageError); is {
			w.Header().Set("Connection", "close")
			w.WriteHeader(own.status)
			return
		}
		io.WriteString(w, r.PostFormValue("name"))
	}))
	defer server.Close()
	const form = "POST /tags HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	for name, c := range map[string]struct {
		text     string
		trickles bool
		status   int
		body     string
	}{
		"whole":                   {form + "Content-Length: 8\r\nConnection: close\r\n\r\nname=VIP", false, 200, "VIP"},
		"slow":                    {form + "Content-Length: 100000\r\n\r\nname=", true, 408, ""},
		"slow, of unknown length": {form + "Transfer-Encoding: chunked\r\n\r\nfffff\r\n", true, 408, ""},
		"slow, with files":        {"POST /tags HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\n", true, 415, ""},
		"half":                    {form + "Content-Length: 100\r\n\r\nname=", false, 408, ""},
		"too large":               {form + "Content-Length: 10000000\r\n\r\n", false, 413, ""},
		"too large, unsaid":       {form + "Transfer-Encoding: chunked\r\n\r\n100001\r\n" + strings.Repeat("x", 0x100001) + "\r\n", false, 413, ""},
		"garbled":                 {form + "Content-Length: 3\r\n\r\n%zz", false, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err == nil {
				err = conn.SetDeadline(time.Now().Add(longest))
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() {
				_, err := io.WriteString(conn, c.text)
				for ; c.trickles && err == nil; _, err = conn.Write([]byte("x")) {
					time.Sleep(5 * time.Millisecond)
				}
				if !c.trickles {
					_ = conn.(*net.TCPConn).CloseWrite()
				}
			}()
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != c.status || string(body) != c.body || !answer.Close {
				t.Errorf("got %d %q, closed %v, %v", answer.StatusCode, body, answer.Close, err)
			}
		})
	}
}
