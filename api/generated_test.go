package api

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"customercenter/api/access"
)

// Requests generated from api/openapi.json, valid and broken: see TestNoGeneratedRequestBreaksTheServer.

// schema is what is used of a JSON schema.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       any                `json:"type"`
	Format     string             `json:"format"`
	Enum       []any              `json:"enum"`
	Minimum    *float64           `json:"minimum"`
	MaxLength  *int               `json:"maxLength"`
	Items      *schema            `json:"items"`
	Properties map[string]*schema `json:"properties"`
}

// parameter is one of an operation.
type parameter struct {
	Name   string `json:"name"`
	In     string `json:"in"`
	Schema schema `json:"schema"`
}

// documented is an operation as the document has it.
type documented struct {
	ID         string      `json:"operationId"`
	Parameters []parameter `json:"parameters"`
	Body       *struct {
		Content map[string]struct {
			Schema *schema `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`
	Responses map[string]json.RawMessage `json:"responses"`
}

// document is api/openapi.json.
type document struct {
	Paths      map[string]map[string]documented `json:"paths"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

func readDocument(t *testing.T) (d document) {
	t.Helper()
	text, err := os.ReadFile("openapi.json")
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *document) resolve(s *schema) *schema {
	for s != nil && s.Ref != "" {
		s = d.Components.Schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	}
	if s == nil {
		return &schema{}
	}
	return s
}

func (s *schema) is(kind string) bool {
	kinds, many := s.Type.([]any)
	return s.Type == kind || many && slices.Contains(kinds, any(kind))
}

// generator makes requests, always the same ones.
type generator struct {
	*rand.Rand
	w       *world
	doc     document
	mine    belongings
	theirs  foreign
	cursors []string // of acme's lists
}

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// nested is a JSON text of so many lists within each other.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// oddTexts are at the edge of what may be, and beyond.
var oddTexts = []string{"", " ", "x", "-1", "0", "1.5", "99999999999999999999", "1e400", "true", "null", "me", "a,,b", "{", "{}", "[]", "\x00", "\xff", "\u0007", "\u202eabc", "\ufeff", "'; --", "%", "%%", "_",
	"../..", "{{.}}", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-02-30T00:00:00Z", "00000000-0000-0000-0000-000000000000", "urn:uuid:00000000-0000-0000-0000-000000000001",
	`{"all":[{"field":"any_text","op":"contains","value":"%"}]}`, `{"field":"created_at","op":"older_than","value":{"days":1e300}}`, `{"not":{"not":{"not":{"not":{"not":{"not":{}}}}}}}`,
	nested(2000), strings.Repeat("长", 1500), strings.Repeat("x", 9000), "eyJzIjoiIn0", "e30"}

// oddValues are the same in JSON.
var oddValues = []json.RawMessage{[]byte(`null`), []byte(`true`), []byte(`-1`), []byte(`0`), []byte(`1.5`), []byte(`1e308`), []byte(`1e400`), []byte(`123456789012345678901234567890`), []byte(`9223372036854775807`),
	[]byte(`2147483648`), []byte(`-0`), []byte(`"\ud800"`), []byte(`""`), []byte(`" "`), []byte(`"\u0007"`), []byte(`"\u202e"`), []byte(`[]`), []byte(`[null]`), []byte(`{}`), []byte(`{"$ref":"#"}`), []byte(`[[[[[[[[[[]]]]]]]]]]`),
	[]byte(`"0000-01-01T00:00:00Z"`), []byte(`"9999-12-31T23:59:59.999999999Z"`), []byte(`"00000000-0000-0000-0000-000000000000"`), []byte(`"' or 1=1 --"`), []byte(`{"a":1,"a":2}`),
	[]byte(`"` + strings.Repeat("长", 25_000) + `"`), []byte(`[` + strings.Repeat(`"x",`, 12_000) + `"x"]`)}

// text is a value for a parameter: one that fits, one that is bent, or one that is odd.
func (g *generator) text(p *parameter, fits bool) string {
	s := g.doc.resolve(&p.Schema)
	if p.Name == "after_position" || p.Name == "X-After-Position" { // what is still to come is waited for: once is enough, and done elsewhere
		return pick(g, []string{"0", "1", "", "x", "-1", "1.5", "99999999999999999999"})
	}
	if !fits {
		switch g.IntN(4) {
		case 0:
			return g.bent()
		case 1:
			return pick(g, g.theirs.marks)
		}
		return pick(g, oddTexts)
	}
	switch {
	case s.is("array"):
		return fmt.Sprint(g.fitting(s.Items))
	case strings.Contains("cursor before after", p.Name):
		return pick(g, append(g.cursors, ""))
	case p.Name == "filter":
		return string(hasTag(g.mine["tags"]))
	}
	return fmt.Sprint(g.fitting(s))
}

// fitting is a value of a schema, as far as the schema knows.
func (g *generator) fitting(s *schema) any {
	s = g.doc.resolve(s)
	switch {
	case len(s.Enum) > 0:
		return pick(g, s.Enum)
	case s.is("integer"), s.is("number"):
		low := 0
		if s.Minimum != nil {
			low = int(*s.Minimum)
		}
		return low + g.IntN(5)
	case s.is("boolean"):
		return g.chance(50)
	case s.is("array"):
		return []any{g.fitting(s.Items)}
	case s.is("object"):
		all := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if g.chance(50) {
				all[name] = g.fitting(s.Properties[name])
			}
		}
		return all
	case s.Format == "uuid":
		return pick(g, []string{g.mine["customers"], g.mine["tags"], g.mine["sessions"]})
	case s.Format == "date-time":
		return "2026-03-01T00:00:00Z"
	}
	return "text"
}

// bent is a cursor of ours with something else in it.
func (g *generator) bent() string {
	if len(g.cursors) == 0 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(pick(g, g.cursors))
	var inside map[string]any
	if err != nil || json.Unmarshal(text, &inside) != nil {
		return string(text)
	}
	name := pick(g, append(slices.Sorted(maps.Keys(inside)), "t", "i", "o", "c", "p", "b"))
	inside[name] = pick(g, append(slices.Clone(oddValues[:len(oddValues)-2]), []byte(`{"position":-5,"at":"0001-01-01T00:00:00Z"}`), []byte(`{"Position":9223372036854775807,"At":"9999-01-01T00:00:00Z"}`)))
	if text, err = json.Marshal(inside); err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// shot is a request for a route, as whoever may make it.
func (g *generator) shot(r route, op *documented, fits bool) call {
	var roles []access.Role
	for _, role := range access.Roles() {
		if access.May(role, r.OperationID) {
			roles = append(roles, role)
		}
	}
	c := call{method: r.Method, headers: map[string]string{}}
	if len(roles) > 0 {
		c.as = "acme/" + string(pick(g, roles))
	}
	ids := r.idsOf(g.w, g.mine)
	for i := range ids {
		if fits || g.chance(60) {
			continue
		}
		if odd := pick(g, oddTexts); odd != "" && g.chance(50) {
			ids[i] = url.PathEscape(odd)
		} else if c.as != "acme/operator" { // who is of no tenant may name any
			ids[i] = r.idsOf(g.w, g.theirs.things)[i]
		}
	}
	query := url.Values{}
	for i := range op.Parameters {
		p := &op.Parameters[i]
		if p.In == "path" || !g.chance(40) {
			continue
		}
		value := g.text(p, fits || g.chance(50))
		switch {
		case p.In == "query":
			query.Add(p.Name, value)
			if !fits && g.chance(10) {
				query.Add(p.Name, value)
			}
		case visible(value, 8000):
			c.headers[p.Name] = value
		}
	}
	if !fits && g.chance(5) {
		query.Add("nothing", "x")
	}
	if c.path = r.address(ids...); len(query) > 0 {
		c.path += "?" + query.Encode()
	}
	g.fill(&c, r, op, fits)
	return c
}

// idsOf are the ids of a route's path among what is own.
func (r route) idsOf(w *world, own belongings) []string { return slices.Clone(own.ids(w.t, r)) }

// fill gives a request its body.
func (g *generator) fill(c *call, r route, op *documented, fits bool) {
	if op.Body == nil {
		return
	}
	things := g.mine
	if !fits && g.chance(25) && c.as != "acme/operator" {
		things = g.theirs.things
	}
	base := g.w.body(r, things, g.chance(50))
	if form, is := base.(form); is {
		if c.body = form; !fits {
			g.breakForm(c)
		}
		return
	}
	if media, is := op.Body.Content["application/json"]; is {
		if all, is := base.(map[string]any); is {
			properties := g.doc.resolve(media.Schema).Properties
			for _, name := range slices.Sorted(maps.Keys(properties)) {
				if _, there := all[name]; !there && g.chance(30) {
					all[name] = g.fitting(properties[name])
				}
			}
		}
	}
	text, err := json.Marshal(base)
	if err != nil {
		g.w.t.Fatal(err)
	}
	if c.body = text; fits {
		return
	}
	if g.chance(15) {
		c.headers["Content-Type"] = pick(g, []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=utf-16", "application/cloudevents-batch+json", ";;"})
	}
	if g.chance(70) {
		c.body = g.misplaced(text)
		return
	}
	c.body = pick(g, [][]byte{{}, []byte("{"), text[:len(text)/2], append(slices.Clone(text), "{}"...), []byte("[]"), []byte("null"), []byte("\"\xff\""), []byte(`{"name":"\u0000"}`), []byte(nested(31)), []byte(nested(5000)),
		[]byte(strings.Repeat("[", 100_000)), append([]byte("\xef\xbb\xbf"), text...), []byte(strings.Repeat(`{"a":`, 31) + "1" + strings.Repeat("}", 31)), []byte("[" + string(text) + "]")})
}

// misplaced is a JSON text with an odd value in the place of one of its own, without a member, or with one that nobody knows.
func (g *generator) misplaced(text []byte) []byte {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		g.w.t.Fatal(err)
	}
	var places []func(any)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				places = append(places, func(odd any) { v[name] = odd })
				walk(v[name])
			}
		case []any:
			for i := range v {
				places = append(places, func(odd any) { v[i] = odd })
				walk(v[i])
			}
		}
	}
	walk(v)
	all, object := v.(map[string]any)
	switch {
	case object && g.chance(10):
		all["nothing"] = pick(g, oddValues)
	case object && len(all) > 0 && g.chance(15):
		delete(all, pick(g, slices.Sorted(maps.Keys(all))))
	case len(places) > 0:
		pick(g, places)(pick(g, oddValues))
	}
	broken, err := json.Marshal(v)
	if err != nil {
		g.w.t.Fatal(err)
	}
	return broken
}

// breakForm breaks an upload.
func (g *generator) breakForm(c *call) {
	whole := c.body.(form)
	name := pick(g, []string{"a.csv", "a.xlsx", "", "a\x00.csv", "../../a.csv", strings.Repeat("长", 300) + ".csv"})
	content := pick(g, []string{"", "ID\n", "\"", "PK\x03\x04", "PK\x05\x06" + strings.Repeat("\x00", 18), "\xff\xfe\x00", strings.Repeat(",", 600) + "\nx\n", "ID,ID\na,b\n", strings.Repeat("x", 40_000) + "\n" + strings.Repeat("y", 40_000)})
	switch g.IntN(4) {
	case 0:
		c.body = form{whole.kind, whole.text[:len(whole.text)/2]}
	case 1:
		c.body = form{pick(g, []string{"multipart/form-data", "multipart/mixed; boundary=x", "application/json", "multipart/form-data; boundary=" + strings.Repeat("b", 200)}), whole.text}
	case 2:
		c.body = formOf(g.w.t, part{"file", name, content}, part{"dry_run", "", pick(g, []string{"true", "1", ""})})
	default:
		c.body = formOf(g.w.t, part{"file", name, content})
	}
}

// TestNoGeneratedRequestBreaksTheServer sends every route of api/openapi.json requests that are as it is described and requests that are not: wrong types,
// what is missing, too long, too deep, too large, odd characters, bent cursors, ids of nobody and of another tenant, other media types, bodies that break
// off. None may be answered with a 5xx but one that is described, or not at all, or tell a byte of the other tenant; refusals are whole problems (do looks).
func TestNoGeneratedRequestBreaksTheServer(t *testing.T) {
	w := start(t, options{})
	w.server.Client().Timeout = time.Minute // for an answer; far more than any takes
	mine, theirs := neighbours(w)
	w.admin("PATCH", "/v1/settings", map[string]any{"agent_access": map[string]any{"customer_center": true, "blacklist": true}}).want(http.StatusOK)
	mine["jobs"] = w.sampleImport("acme", "never-started") // one that runs is followed for as long as it does
	g := &generator{Rand: rand.New(rand.NewPCG(2026, 11)), w: w, doc: readDocument(t), mine: mine, theirs: theirs}
	before, routes := w.head("other"), w.routes()
	for _, r := range routes {
		if r.Method == http.MethodGet && r.tenant && access.May(access.Admin, r.OperationID) {
			answer := w.admin(r.Method, r.address(mine.ids(t, r)...)+"?limit=1", nil)
			for _, name := range []string{"next", "prev", "before", "after"} {
				if answer.status == http.StatusOK && answer.header.Get("Content-Type") == "application/json" {
					if cursor, is := answer.get(name).(string); is && cursor != "" {
						g.cursors = append(g.cursors, cursor)
					}
				}
			}
		}
	}
	if len(g.cursors) < 5 {
		t.Fatalf("there are %d cursors to bend", len(g.cursors))
	}
	answered := map[int]int{} // by hundreds of the status
	fire := func(r route, fits bool) {
		t.Helper()
		op := g.doc.Paths[r.Path][strings.ToLower(r.Method)]
		if op.ID != r.OperationID {
			t.Fatalf("%s is not in api/openapi.json", r)
		}
		c := g.shot(r, &op, fits)
		answer := w.do(c)
		answered[answer.status/100]++
		_, foreseen := op.Responses[fmt.Sprint(answer.status)]
		if answer.status >= 500 && (answer.status != http.StatusServiceUnavailable || !foreseen) {
			t.Errorf("%s %.300s as %s with %.300s is answered with %d: %s", c.method, c.path, c.as, c.body, answer.status, answer.body)
		}
		sent := fmt.Sprintf("%s %s %v", c.path, c.body, c.headers)
		if path, err := url.QueryUnescape(c.path); err == nil {
			sent += path
		}
		if mark := theirs.leaks(answer, sent); mark != "" && c.as != "acme/operator" {
			t.Errorf("%s %.300s as %s tells %q of another tenant: %s", c.method, c.path, c.as, mark, answer.body)
		}
	}
	for _, r := range routes {
		for range 8 {
			fire(r, false)
		}
		if r.Method != http.MethodGet && r.tenant {
			w.halfSent(t, r, mine)
		}
	}
	slices.SortStableFunc(routes, func(a, b route) int { // what is to be found is deleted last
		return slices.Index([]string{"GET", "PUT", "POST", "PATCH", "DELETE"}, a.Method) - slices.Index([]string{"GET", "PUT", "POST", "PATCH", "DELETE"}, b.Method)
	})
	for _, r := range routes {
		for range 2 {
			fire(r, true)
		}
	}
	if answered[2] < 200 || answered[4] < 500 {
		t.Errorf("the requests are no longer valid and broken: %v", answered)
	}
	if after := w.head("other"); after != before {
		t.Errorf("the other tenant's log went from %d to %d", before, after)
	}
	if strings.Contains(w.log.String(), "api: panic") {
		t.Error("an operation panicked")
	}
	w.admin("GET", "/v1/customers?filter={}", nil).want(http.StatusOK)
}

// halfSent sends a route half a body, and ends. What is refused for another reason is refused without it.
func (w *world) halfSent(t *testing.T, r route, own belongings) {
	t.Helper()
	as := "acme/admin"
	for _, role := range access.Roles() {
		if access.May(role, r.OperationID) {
			as = "acme/" + string(role)
		}
	}
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	kind := "application/json"
	if r.OperationID == "upload-import" {
		kind = "multipart/form-data; boundary=x"
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n{\"name\":", r.Method, r.address(own.ids(t, r)...), w.bearer[as], kind)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Errorf("%s: half a body is not answered: %v", r, err)
		return
	}
	answer.Body.Close()
	if answer.StatusCode < 400 || answer.StatusCode >= 500 {
		t.Errorf("%s: half a body is answered with %d", r, answer.StatusCode)
	}
}
