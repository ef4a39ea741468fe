package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/job"
	"customercenter/domain/settings"
	"customercenter/eventstore"
	"customercenter/internal/sheet"
)

// by is an admin of a tenant.
func by(tenant string) commands.By {
	return commands.By{Tenant: tenant, Actor: eventstore.Actor{Kind: "admin", ID: "admin-1"}}
}

// entitle lets tenants import.
func (w *world) entitle(tenants ...string) {
	w.t.Helper()
	for _, tenant := range tenants {
		if _, err := (commands.GrantEntitlement{Entitlement: settings.EntitlementImport}).Run(w.t.Context(), w.center, by(tenant)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// part is a part of a form; one with a file name is a file.
type part struct{ name, file, content string }

// form is a body of multipart/form-data.
type form struct {
	kind string
	text []byte
}

func formOf(t testing.TB, parts ...part) form {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		header := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"`, p.name)}}
		if p.file != "" {
			header["Content-Disposition"][0] += fmt.Sprintf(`; filename="%s"`, p.file)
			header["Content-Type"] = []string{"application/octet-stream"}
		}
		out, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, p.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return form{kind: w.FormDataContentType(), text: b.Bytes()}
}

// upload hands over a file as acme's admin.
func (w *world) upload(name, content string, flags ...string) reply {
	w.t.Helper()
	parts := []part{{"file", name, content}}
	for _, flag := range flags {
		parts = append(parts, part{name: flag, content: "true"})
	}
	return w.do(call{as: "acme/admin", method: "POST", path: "/v1/imports", body: formOf(w.t, parts...)})
}

// imported uploads a file, starts it and works on it to the end. It returns the import's address.
func (w *world) imported(name, content string, flags ...string) string {
	w.t.Helper()
	id := w.upload(name, content, flags...).want(http.StatusCreated).get("id").(string)
	w.admin("POST", "/v1/imports/"+id+"/start", nil).want(http.StatusAccepted)
	w.finish(id)
	return "/v1/imports/" + id
}

// fileOf is a file with these rows, all cells of which are texts.
func fileOf(t testing.TB, format sheet.Format, rows ...[]string) string {
	t.Helper()
	var b bytes.Buffer
	out, err := sheet.NewWriter(&b, format, "Sheet1", rows[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		if err := out.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sheetCells reads a file.
func sheetCells(t testing.TB, file []byte) (format sheet.Format, rows [][]string) {
	t.Helper()
	in, err := sheet.Open(bytes.NewReader(file), int64(len(file)), sheet.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for {
		row, err := in.Next()
		if err == io.EOF {
			return in.Format(), rows
		}
		if err != nil {
			t.Fatal(err)
		}
		cells := make([]string, len(row.Cells))
		for i, c := range row.Cells {
			cells[i] = c.Text
		}
		rows = append(rows, cells)
	}
}

// task is what there is to be done of acme's job: what was asked for last.
func (w *world) task(id string) jobs.Task {
	w.t.Helper()
	parsed := uuid.MustParse(id)
	events, err := w.store.ReadStream(w.t.Context(), "acme", job.Stream(parsed), 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	opened, err := w.store.Open(w.t.Context(), events)
	if err != nil {
		w.t.Fatal(err)
	}
	task := jobs.Task{Tenant: "acme", ID: parsed}
	for _, e := range opened {
		switch e.Type {
		case "import.started", "import.revert_started", "export.requested", "bulk.started", "bulk.undo_started":
			task.Kind, _, _ = strings.Cut(e.Type, ".")
			task.Position = e.Position
			task.By = commands.By{Tenant: "acme", Actor: e.Envelope.Actor, Correlation: e.Envelope.Correlation, Cause: "acme:" + strconv.FormatInt(e.Position, 10)}
		}
	}
	return task
}

// step does the next piece of acme's job, as the policy does, and reports whether nothing was left to be done.
func (w *world) step(id string) (ended bool) {
	w.t.Helper()
	rest, ended, err := w.runner.Step(w.t.Context(), w.task(id))
	if err != nil {
		w.t.Fatalf("a job: %v", err)
	}
	if !ended && rest > 0 {
		time.Sleep(rest) // it waits for a read model
	}
	return ended
}

// finish works on acme's job until nothing is left to be done, and waits until the lists show it.
func (w *world) finish(id string) {
	w.t.Helper()
	for began := time.Now(); !w.step(id); {
		if time.Since(began) > time.Minute {
			w.t.Fatal("a job does not end")
		}
	}
	w.seen(w.head("acme"))
}

// shown is acme's job at an address once it shows all there is.
func (w *world) shown(path string) reply {
	w.t.Helper()
	return w.read("acme/admin", path, w.head("acme"), "en").want(http.StatusOK)
}

// stream is an answer of server-sent events that is being read.
type stream struct {
	t      testing.TB
	answer *http.Response
	lines  *bufio.Scanner
}

// follow begins to follow a job.
func (w *world) follow(as, id string) *stream {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "GET", w.server.URL+"/v1/jobs/"+id+"/events", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.bearer[as])
	answer, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		w.t.Fatalf("following a job answers %d %v", answer.StatusCode, answer.Header)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &stream{t: w.t, answer: answer, lines: lines}
}

// next is the next event; no name at the end of the answer.
func (s *stream) next() (name string, told reply) {
	s.t.Helper()
	told.t = s.t
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			told.body = []byte(value)
			if !json.Valid(told.body) {
				s.t.Fatalf("an event of %q", value)
			}
		case "":
			if name != "" {
				return name, told
			}
		}
	}
	if err := s.lines.Err(); err != nil {
		s.t.Fatal(err)
	}
	return "", told
}
