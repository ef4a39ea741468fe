package pages

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/job"
	"customercenter/domain/settings"
)

// entitle lets acme import.
func (w *world) entitle() {
	w.t.Helper()
	run(w, commands.GrantEntitlement{Entitlement: settings.EntitlementImport})
}

// upload sends a file as the form does, with a dry run; if flags are named, with those instead.
func (v *visitor) upload(name, content string, flags ...string) shown {
	t := v.w.t
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	write := func(out io.Writer, err error, text string) {
		if err == nil {
			_, err = io.WriteString(out, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(flags) == 0 {
		flags = []string{"dry_run"}
	}
	for _, flag := range flags {
		out, err := form.CreateFormField(flag)
		write(out, err, "true")
	}
	out, err := form.CreateFormFile("file", name)
	write(out, err, content)
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.w.server.URL+"/import", &b)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = v.header.Clone()
	r.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := v.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return shown{t: t, path: "POST /import of " + name, status: answer.StatusCode, header: answer.Header, body: string(text)}
}

// imported uploads a file and works on its dry run. It returns the path of the import.
func (w *world) imported(v *visitor, name, content string) string {
	w.t.Helper()
	path := v.upload(name, content).want(http.StatusSeeOther).header.Get("Location")
	w.work(path)
	return path
}

// task is what there is to be done of acme's job whose id a path has: what was asked for last.
func (w *world) task(path string) jobs.Task {
	w.t.Helper()
	id := uuid.MustParse(regexpID.FindString(path))
	events, err := w.store.ReadStream(w.t.Context(), "acme", job.Stream(id), 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	opened, err := w.store.Open(w.t.Context(), events)
	if err != nil {
		w.t.Fatal(err)
	}
	task := jobs.Task{Tenant: "acme", ID: id}
	for _, e := range opened {
		switch e.Type {
		case "import.started", "import.revert_started", "export.requested":
			task.Kind, _, _ = strings.Cut(e.Type, ".")
			task.Position = e.Position
			task.By = commands.By{Tenant: "acme", Actor: e.Envelope.Actor, Correlation: e.Envelope.Correlation, Cause: "acme:" + strconv.FormatInt(e.Position, 10)}
		}
	}
	return task
}

// work works on acme's job until nothing is left to be done, as the policies do, and waits until the lists show it.
func (w *world) work(path string) {
	w.t.Helper()
	for began := time.Now(); ; {
		rest, ended, err := w.runner.Step(w.t.Context(), w.task(path))
		switch {
		case err != nil:
			w.t.Fatal(err)
		case ended:
			w.seen()
			return
		case time.Since(began) > time.Minute:
			w.t.Fatal("a job does not end")
		}
		time.Sleep(rest)
	}
}

// address is what a page leads to by a link or form with this beginning.
func (s shown) address(pattern string) string {
	s.t.Helper()
	found := regexp.MustCompile(`(?:href|action)="(` + pattern + `)"`).FindStringSubmatch(s.body)
	if found == nil {
		s.t.Fatalf("%s leads nowhere like %s: %s", s.path, pattern, s.body)
	}
	return strings.ReplaceAll(found[1], "&amp;", "&")
}
