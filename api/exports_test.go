package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/exports"
	"customercenter/domain/job"
	"customercenter/internal/sheet"
)

// export asks for a file and has it made. It returns the export's address.
func (w *world) export(body any, language string) string {
	w.t.Helper()
	id := w.do(call{as: "acme/admin", method: "POST", path: "/v1/exports", body: body, headers: map[string]string{"Accept-Language": language}}).want(http.StatusAccepted).get("id").(string)
	w.finish(id)
	return "/v1/exports/" + id
}

func TestAnExportsLife(t *testing.T) {
	for language, headings := range map[string]string{"zh": "ID,昵称", "en": "ID,Nickname"} {
		for _, format := range []sheet.Format{sheet.CSV, sheet.XLSX} {
			t.Run(language+" "+string(format), func(t *testing.T) {
				w := start(t, options{})
				w.associations("acme/admin")
				for i, nickname := range []string{"王小明", "=1+1", "a, \"b\""} {
					w.customer("acme/admin", fmt.Sprint("visitor-", i), nickname)
				}
				made := w.do(call{as: "acme/admin", method: "POST", path: "/v1/exports", body: ExportInput{Format: string(format)}, headers: map[string]string{"Accept-Language": language}}).want(http.StatusAccepted)
				id := made.get("id").(string)
				path := "/v1/exports/" + id
				if made.header.Get("Location") != path || made.position() != w.head("acme") || made.get("kind") != "export" || made.get("status") != "queued" || fmt.Sprint(made.get("filter")) != "map[]" || made.get("sort") != "-created_at" ||
					made.get("format") != string(format) || made.get("language") != language || made.get("downloads") != 0.0 || made.get("expired") != false || made.get("expires_at") != nil || made.get("created_by.id") != "admin-1" ||
					made.get("columns.0") != "external_id" || made.get("columns.1") != "nickname" || made.get("progress.total") != 0.0 {
					t.Errorf("asked for: %v %s", made.header, made.body)
				}
				w.admin("GET", path+"/file", nil).refused(http.StatusConflict, "JOB_STATUS", "")
				events := w.follow("acme/admin", id)
				if name, told := events.next(); name != "progress" || told.get("export.status") != "queued" {
					t.Errorf("%s %s", name, told.body)
				}
				before := w.head("acme")
				w.finish(id)
				name, told := events.next()
				for ; name == "progress"; name, told = events.next() {
					if told.get("export.status") != "running" {
						t.Errorf("on the way: %s", told.body)
					}
				}
				if name != "end" || told.get("export.status") != "completed" || told.get("export.rows") != 3.0 {
					t.Errorf("%s %s", name, told.body)
				}
				done := w.shown(path)
				expires, err := time.Parse(time.RFC3339Nano, done.get("expires_at").(string))
				if left := time.Until(expires); err != nil || left > exports.Keep || left < exports.Keep-time.Hour || done.get("status") != "completed" || done.get("rows") != 3.0 || done.get("progress.done") != 3.0 ||
					done.get("position") != float64(before) || done.get("finished_at") == nil || done.get("file_name") != made.get("file_name") {
					t.Errorf("completed: %s (%v)", done.body, err)
				}
				w.admin("POST", path+"/cancel", nil).refused(http.StatusConflict, "JOB_STATUS", "")

				second := w.token(access.New{Tenant: "acme", Role: access.Admin, Actor: "admin-2"})
				for _, as := range []string{"acme/admin", second} {
					got := w.do(call{as: as, method: "GET", path: path + "/file"}).want(http.StatusOK)
					if got.header.Get("Content-Disposition") != `attachment; filename="`+done.get("file_name").(string)+`"` || got.header.Get("Content-Type") != mediaTypes[string(format)] ||
						got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Content-Security-Policy") != "sandbox" || got.header.Get("Cache-Control") != "no-store" ||
						got.header.Get("Content-Length") != fmt.Sprint(done.get("bytes")) || float64(len(got.body)) != done.get("bytes") {
						t.Errorf("the file comes with %v", got.header)
					}
					is, rows := sheetCells(t, got.body)
					if is != format || len(rows) != 4 || !strings.EqualFold(strings.Join(rows[0][:2], ","), headings) || rows[1][1] != `a, "b"` || strings.TrimPrefix(rows[2][1], "'") != "=1+1" || rows[3][1] != "王小明" || rows[3][0] != "visitor-0" ||
						(format == sheet.CSV) != strings.HasPrefix(rows[2][1], "'") {
						t.Errorf("%s: %q", is, rows)
					}
				}
				list := w.shown(path + "/downloads")
				if list.get("count.value") != 2.0 || list.get("items.0.by.id") != "admin-2" || list.get("items.1.by.id") != "admin-1" || list.get("items.2") != nil || list.get("items.0.at") == nil {
					t.Errorf("who has it: %s", list.body)
				}
				if shown := w.shown(path); shown.get("downloads") != 2.0 {
					t.Errorf("downloaded: %s", shown.body)
				}
				if log := w.admin("GET", "/v1/events?type=export.downloaded", nil).want(http.StatusOK); strings.Count(string(log.body), "\n") != 2 || !strings.Contains(string(log.body), "admin-2") {
					t.Errorf("the log has %s", log.body)
				}
			})
		}
	}
}

// TestAnExportIsOfWhomAFilterFinds exports those with a tag, in an order and with columns of the caller's, and what was done just before is in it.
func TestAnExportIsOfWhomAFilterFinds(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	size := w.admin("POST", "/v1/fields", map[string]any{"type": "number", "label": "尺码"}).want(http.StatusCreated).get("key").(string)
	for i, name := range []string{"c", "a", "b", "left out"} {
		id := w.customer("acme/admin", fmt.Sprint("v", i), name)
		if name != "left out" {
			w.admin("PATCH", "/v1/customers/"+id, map[string]any{"profile": map[string]any{"custom": map[string]any{size: i}}}).want(http.StatusOK)
			w.admin("PUT", "/v1/customers/"+id+"/tags/"+vip, nil).want(http.StatusNoContent)
		}
	}
	asked := map[string]any{"filter": hasTag(vip), "sort": "nickname", "columns": []string{"nickname", "tags", "custom." + size, "channel"}, "language": "en"}
	path := w.export(asked, "zh")
	for language, words := range map[string]string{"en": "tags VIP", "zh": "标签包含任一 VIP"} {
		if shown := w.read("acme/admin", path, 0, language).want(http.StatusOK); !strings.Contains(shown.get("description").(string), words) || shown.get("filter.value.0") != vip || shown.get("language") != "en" || shown.get("sort") != "nickname" {
			t.Errorf("%s: %s", language, shown.body)
		}
	}
	_, rows := sheetCells(t, w.admin("GET", path+"/file", nil).want(http.StatusOK).body)
	if want := "[[Nickname Tags 尺码 Channel] [a VIP 1 web] [b VIP 2 web] [c VIP 0 web]]"; !strings.EqualFold(fmt.Sprint(rows), want) {
		t.Errorf("got %s, want %s", fmt.Sprint(rows), want)
	}
	// Nobody matches: headings and no rows.
	path = w.export(map[string]any{"filter": map[string]any{"field": "nickname", "op": "eq", "value": "nobody"}}, "en")
	if _, rows := sheetCells(t, w.admin("GET", path+"/file", nil).want(http.StatusOK).body); len(rows) != 1 || w.shown(path).get("rows") != 0.0 {
		t.Errorf("got %q", rows)
	}
	// What was asked for does not change any more, whatever becomes of the catalogues.
	id := w.admin("POST", "/v1/exports", asked).want(http.StatusAccepted).get("id").(string)
	w.admin("DELETE", "/v1/tags/"+vip, nil).want(http.StatusNoContent)
	w.admin("DELETE", "/v1/fields/"+size, nil).want(http.StatusNoContent)
	w.finish(id)
	if shown := w.shown("/v1/exports/" + id); shown.get("status") != "completed" {
		t.Errorf("with a catalogue that has lost entries: %s", shown.body)
	}
	w.admin("GET", "/v1/exports/"+id+"/file", nil).want(http.StatusOK)
	first := w.shown("/v1/exports?limit=2")
	second := w.admin("GET", "/v1/exports?limit=2&cursor="+first.get("next").(string), nil).want(http.StatusOK)
	if first.get("items.0.id") != id || first.get("items.2") != nil || second.get("items.0.sort") != "nickname" || second.get("next") != nil {
		t.Errorf("the list: %s, %s", first.body, second.body)
	}
	for _, list := range []string{"/v1/imports", "/v1/customers/bulk"} { // a cursor of another list
		w.admin("GET", list+"?cursor="+first.get("next").(string), nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.cursor")
	}
}

func TestAnExportIsCanceled(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	made := w.admin("POST", "/v1/exports", ExportInput{}).want(http.StatusAccepted)
	id := made.get("id").(string)
	path := "/v1/exports/" + id
	events := w.follow("acme/admin", id)
	if name, _ := events.next(); name != "progress" {
		t.Errorf("%s at first", name)
	}
	canceled := w.admin("POST", path+"/cancel", nil).want(http.StatusOK)
	if again := w.admin("POST", path+"/cancel", nil).want(http.StatusOK); canceled.get("status") != "canceled" || canceled.get("finished_at") == nil || again.position() != canceled.position() {
		t.Errorf("canceled: %s, %s", canceled.body, again.body)
	}
	if name, told := events.next(); name != "end" || told.get("export.status") != "canceled" {
		t.Errorf("%s %s", name, told.body)
	}
	w.finish(id)
	for language, words := range map[string]string{"en": "canceled", "zh": "已取消"} {
		r := w.read("acme/admin", path+"/file", 0, language)
		r.refused(http.StatusConflict, "JOB_STATUS", "")
		if !strings.Contains(r.problem().Detail, words) {
			t.Errorf("%s: %s", language, r.body)
		}
	}
	if list := w.shown(path + "/downloads"); list.get("count.value") != 0.0 || list.get("items.0") != nil {
		t.Errorf("who has it: %s", list.body)
	}
	// One that failed says why, and what to do.
	id = w.admin("POST", "/v1/exports", ExportInput{}).want(http.StatusAccepted).get("id").(string)
	fail := commands.FailJob{Kind: job.KindExport, Job: uuid.MustParse(id), Code: domain.CodeExportTooLarge, Args: map[string]any{"max": exports.MaxBytes, "over": 3 << 20}}
	if _, err := fail.Run(t.Context(), w.center, by("acme")); err != nil {
		t.Fatal(err)
	}
	w.seen(w.head("acme"))
	for language, words := range map[string]string{"en": "50 MiB, by more than 3 MiB. Narrow the filter", "zh": "50 MiB 的上限，超出 3 MiB 以上。请缩小筛选范围"} {
		if failed := w.read("acme/admin", "/v1/exports/"+id, 0, language); failed.get("status") != "failed" || failed.get("code") != "EXPORT_TOO_LARGE" || !strings.Contains(failed.get("detail").(string), words) {
			t.Errorf("%s: %s", language, failed.body)
		}
	}
	w.admin("GET", "/v1/exports/"+id+"/file", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	w.admin("POST", "/v1/exports/"+id+"/cancel", nil).refused(http.StatusConflict, "JOB_STATUS", "")
}

func TestAnExportExpires(t *testing.T) {
	clock := &movable{at: time.Now()}
	w := start(t, options{now: clock.now, commandClock: clock.now})
	w.associations("acme/admin")
	w.customer("acme/admin", "v", "x")
	path := w.export(ExportInput{}, "en")
	id := strings.TrimPrefix(path, "/v1/exports/")
	clock.move(exports.Keep - time.Second)
	w.admin("GET", path+"/file", nil).want(http.StatusOK)
	if shown := w.shown(path); shown.get("expired") != false {
		t.Errorf("just before its time is over: %s", shown.body)
	}
	clock.move(time.Second)
	gone := func() {
		t.Helper()
		for language, words := range map[string]string{"en": "7 days", "zh": "7 天"} {
			r := w.read("acme/admin", path+"/file", 0, language)
			r.refused(http.StatusGone, "EXPORT_EXPIRED", "")
			if !strings.Contains(r.problem().Detail, words) {
				t.Errorf("%s: %s", language, r.body)
			}
		}
		if shown := w.shown(path); shown.get("expired") != true || shown.get("status") != "completed" || shown.get("downloads") != 1.0 || shown.get("expires_at") == nil {
			t.Errorf("when its time is over: %s", shown.body)
		}
	}
	gone()
	w.finish(id) // the file is deleted
	gone()
	var parts int
	if err := w.store.Pool().QueryRow(t.Context(), "select count(*) from job_parts").Scan(&parts); err != nil || parts > 0 {
		t.Errorf("%d parts are left (%v)", parts, err)
	}
	// A file that is lost before its time is over is said to be gone.
	path = w.export(ExportInput{}, "en")
	if _, err := w.store.Pool().Exec(t.Context(), "delete from job_parts"); err != nil {
		t.Fatal(err)
	}
	w.admin("GET", path+"/file", nil).refused(http.StatusGone, "FILE_GONE", "")
	if shown := w.shown(path); shown.get("downloads") != 0.0 || w.shown(path+"/downloads").get("items.0") != nil {
		t.Errorf("a download that delivered nothing is counted: %s", shown.body)
	}
}

func TestWhatNoExportCanBe(t *testing.T) {
	t.Parallel() // it waits, most of the time
	w := start(t, options{idle: true})
	w.associations("acme/admin")
	theirs := w.do(call{as: "other/admin", method: "POST", path: "/v1/groups", body: groupInput("theirs", listed)}).want(http.StatusCreated).get("id").(string)
	size := w.admin("POST", "/v1/fields", map[string]any{"type": "multiline", "label": "Notes"}).want(http.StatusCreated).get("key").(string)
	head := w.head("acme")
	columns, err := json.Marshal(many(exports.MaxColumns+1, "tags"))
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ body, code, at string }{
		"no body":                 {"", "VALIDATION", "body"},
		"an unknown member":       {`{"columm":[]}`, "VALIDATION", "columm"},
		"a filter that is a text": {`{"filter":"{}"}`, "VALIDATION", "filter"},
		"a filter that is a list": {`{"filter":[]}`, "VALIDATION", "filter"},
		"an unknown field":        {`{"filter":{"all":[` + listed + `,{"field":"shoe_size","op":"is_set"}]}}`, "VALIDATION", "filter.all[1].field"},
		"an unknown operator":     {`{"filter":{"not":{"field":"blacklisted","op":"eq","value":true}}}`, "VALIDATION", "filter.not.op"},
		"a tag that is nobody's":  {`{"filter":` + string(hasTag(uuid.NewString())) + `}`, "TAG_UNKNOWN", "filter.value[0]"},
		"another tenant's group":  {`{"filter":{"field":"groups","op":"has_any","value":["` + theirs + `"]}}`, "GROUP_UNKNOWN", "filter.value[0]"},
		"an unknown sort":         {`{"sort":"phone"}`, "VALIDATION", "sort"},
		"a sort without an order": {`{"sort":"-custom.` + size + `"}`, "VALIDATION", "sort"},
		"a sort by what is not":   {`{"sort":"custom.never"}`, "VALIDATION", "sort"},
		"an unknown column":       {`{"columns":["nickname","shoe_size"]}`, "VALIDATION", "columns[1]"},
		"a column that is not":    {`{"columns":["custom.never"]}`, "VALIDATION", "columns[0]"},
		"a column without a name": {`{"columns":[""]}`, "VALIDATION", "columns[0]"},
		"a column twice":          {`{"columns":["nickname","tags","nickname"]}`, "VALIDATION", "columns[2]"},
		"very many columns":       {`{"columns":` + string(columns) + `}`, "VALIDATION", "columns"},
		"columns that are none":   {`{"columns":[1]}`, "VALIDATION", "columns[0]"},
		"another format":          {`{"format":"pdf"}`, "VALIDATION", "format"},
		"a format in capitals":    {`{"format":"CSV"}`, "VALIDATION", "format"},
		"another language":        {`{"language":"fr"}`, "VALIDATION", "language"},
		"a needle with NUL":       {`{"filter":{"field":"name","op":"eq","value":"\u0000"}}`, "VALIDATION", "body"},
	} {
		t.Run(what, func(t *testing.T) {
			w := *w
			w.t = t
			for _, language := range []string{"en", "zh"} {
				w.do(call{as: "acme/admin", method: "POST", path: "/v1/exports", body: c.body, headers: map[string]string{"Accept-Language": language}}).refused(http.StatusUnprocessableEntity, c.code, c.at)
			}
		})
	}
	if w.head("acme") != head {
		t.Error("what was refused left something in the log")
	}
	keyed := func(body string) reply {
		return w.do(call{as: "acme/admin", method: "POST", path: "/v1/exports", body: body, headers: map[string]string{"Idempotency-Key": "k"}})
	}
	made := keyed(`{"filter":null,"columns":null,"format":"xlsx"}`).want(http.StatusAccepted) // null is nothing, and nothing is everybody
	if again := keyed(`{"filter":null,"columns":null,"format":"xlsx"}`).want(http.StatusAccepted); again.get("id") != made.get("id") || again.position() != made.position() || made.get("columns.0") != "external_id" {
		t.Errorf("made %s and %s", made.body, again.body)
	}
	keyed(`{"format":"csv"}`).refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")
}
