package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/internal/sheet"
)

// outcome is a row of an import as the API tells it.
type outcome struct {
	Row        int
	Outcome    string
	CustomerID *uuid.UUID `json:"customer_id"`
	Column     string
	Code       string
	Detail     string
}

// outcomes reads all pages of what became of the rows of an import, and of the pages how long they are.
func (w *world) outcomes(path, query string) (all []outcome, pages []int) {
	w.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []outcome
			Next  string
		}
		w.admin("GET", path+"/rows?"+query+cursor, nil).want(http.StatusOK).into(&page)
		all, pages = append(all, page.Items...), append(pages, len(page.Items))
		if page.Next == "" {
			return all, pages
		}
		cursor = "&cursor=" + page.Next
	}
}

func TestAnImportsLife(t *testing.T) {
	for _, format := range []sheet.Format{sheet.CSV, sheet.XLSX} {
		t.Run(string(format), func(t *testing.T) {
			w := start(t, options{})
			w.associations("acme/admin")
			w.entitle("acme")
			vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
			w.admin("POST", "/v1/customers", map[string]any{"association_id": 2, "external_id": "old"}).want(http.StatusCreated)
			file := fileOf(t, format, []string{"ID", "昵称", "手机", "客户标签", "关联ID"},
				[]string{"Wang.1", "王小明", "+86 138-0013-8000", "vip", "2"}, []string{"old", "", "", "", "2"}, nil, []string{"li", "", "", "", " 2 "}, []string{"zhao", "赵", "", "", "3"})
			made := w.upload("客户 名单."+string(format), file).want(http.StatusCreated)
			id := made.get("id").(string)
			path := "/v1/imports/" + id
			if made.header.Get("Location") != path || made.position() != w.head("acme") || made.get("status") != "queued" || made.get("kind") != "import" || made.get("rows") != 4.0 ||
				made.get("format") != string(format) || made.get("file_name") != "客户 名单."+string(format) || made.get("bytes") != float64(len(file)) || made.get("created_by.id") != "admin-1" ||
				made.get("dry_run") != false || made.get("progress.done") != 0.0 || made.get("progress.total") != 4.0 || made.get("finished_at") != nil {
				t.Errorf("uploaded: %v %s", made.header, made.body)
			}
			until, err := time.Parse(time.RFC3339Nano, made.get("kept_until").(string))
			if left := time.Until(until); err != nil || left < 29*24*time.Hour || left > 30*24*time.Hour {
				t.Errorf("kept until %v (%v)", until, err)
			}
			if rows, _ := w.outcomes(path, ""); len(rows) > 0 {
				t.Errorf("rows before the start: %v", rows)
			}

			// On trial it changes nothing but itself.
			want := []outcome{{Row: 2, Outcome: "created"}, {Row: 3, Outcome: "rejected", Column: "external_id", Code: "CUSTOMER_EXISTS"}, {Row: 5, Outcome: "created"},
				{Row: 6, Outcome: "rejected", Column: "association_id", Code: "ASSOCIATION_NOT_APP"}}
			for range 2 {
				tried := w.admin("POST", path+"/start", StartInput{DryRun: true}).want(http.StatusAccepted)
				if tried.get("status") != "running" || tried.get("dry_run") != true {
					t.Errorf("tried: %s", tried.body)
				}
				w.admin("POST", path+"/start", nil).refused(http.StatusConflict, "JOB_STATUS", "")
				w.finish(id)
				if shown := w.shown(path); shown.get("status") != "completed" || shown.get("dry_run") != true || shown.get("created") != 2.0 || shown.get("rejected") != 2.0 || shown.get("finished_at") == nil {
					t.Errorf("after a trial: %s", shown.body)
				}
				rows, _ := w.outcomes(path, "")
				for i := range rows {
					if rows[i].Outcome == "rejected" && rows[i].Detail == "" {
						t.Errorf("no words for %v", rows[i])
					}
					rows[i].Detail = ""
				}
				if !slices.Equal(rows, want) {
					t.Errorf("a trial says %v, want %v", rows, want)
				}
			}
			w.admin("POST", path+"/revert", nil).refused(http.StatusConflict, "JOB_STATUS", "")
			if list := w.shown("/v1/customers?filter={}"); list.get("count.value") != 1.0 {
				t.Errorf("a trial left customers: %s", list.body)
			}

			if started := w.admin("POST", path+"/start", StartInput{}).want(http.StatusAccepted); started.get("dry_run") != false || started.get("created") != 0.0 || started.get("progress.done") != 0.0 {
				t.Errorf("started: %s", started.body)
			}
			w.finish(id)
			rows, _ := w.outcomes(path, "")
			if len(rows) != 4 || rows[0].CustomerID == nil || rows[1].CustomerID != nil || rows[2].CustomerID == nil || rows[3].Code != "ASSOCIATION_NOT_APP" {
				t.Fatalf("the rows are %v", rows)
			}
			customer := w.shown("/v1/customers/" + rows[0].CustomerID.String())
			if customer.get("external_id") != "wang.1" || customer.get("profile.nickname") != "王小明" || customer.get("profile.phone") != "+86 138-0013-8000" || customer.get("tags.0.id") != vip ||
				customer.get("created_via") != "import" || customer.get("association_id") != 2.0 || customer.get("session_count") != 0.0 {
				t.Errorf("a customer of an import: %s", customer.body)
			}
			if customer := w.shown("/v1/customers/" + rows[2].CustomerID.String()); customer.get("profile.nickname") != "li" {
				t.Errorf("a customer without a nickname: %s", customer.body)
			}
			for language, words := range map[string]string{"en": ": imported, channel app", "zh": "导入"} {
				if history := w.read("acme/admin", "/v1/customers/"+rows[0].CustomerID.String()+"/history", 0, language).want(http.StatusOK); !strings.Contains(string(history.body), words) {
					t.Errorf("the history does not say %q: %s", words, history.body)
				}
			}
			w.admin("POST", path+"/start", StartInput{DryRun: true}).refused(http.StatusConflict, "JOB_STATUS", "")
			w.admin("POST", path+"/cancel", nil).refused(http.StatusConflict, "JOB_STATUS", "")
			if r := w.do(call{as: "acme/admin", method: "POST", path: path + "/start", headers: map[string]string{"Accept-Language": "zh"}}); !strings.Contains(r.problem().Detail, "已完成") {
				t.Errorf("why it cannot be started again: %s", r.body)
			}
			if any := w.shown("/v1/jobs/" + id); any.get("import.id") != id || any.get("export") != nil || any.get("bulk") != nil || any.get("import.created") != 2.0 {
				t.Errorf("as any job: %s", any.body)
			}
			other := w.upload("2.csv", "ID,关联ID\na,2\n").want(http.StatusCreated).get("id")
			first := w.shown("/v1/imports?limit=1")
			second := w.admin("GET", "/v1/imports?limit=1&cursor="+first.get("next").(string), nil).want(http.StatusOK)
			if first.get("items.0.id") != other || second.get("items.0.id") != id || second.get("next") != nil || second.get("items.1") != nil {
				t.Errorf("the list: %s, %s", first.body, second.body)
			}
		})
	}
}

// TestALargeImportIsFollowed has 1,200 rows, so several appends: after each the progress is told, and the rows so far can be read.
func TestALargeImportIsFollowed(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.entitle("acme")
	var file strings.Builder
	file.WriteString("ID;关联ID\n")
	for i := range 1200 {
		fmt.Fprintf(&file, "user-%d;%d\n", i, 2-(i%3)/2) // every third one is of the web
	}
	id := w.upload("1200.csv", file.String()).want(http.StatusCreated).get("id").(string)
	path := "/v1/imports/" + id
	if name, told := w.follow("acme/admin", id).next(); name != "end" || told.get("import.status") != "queued" { // by itself, nothing happens
		t.Errorf("one that waits: %s %s", name, told.body)
	}
	w.admin("POST", path+"/start", nil).want(http.StatusAccepted)
	events := w.follow("acme/admin", id)
	for pieces := 0; ; pieces++ {
		now := w.shown(path)
		done, refused := int(now.get("progress.done").(float64)), int(now.get("rejected").(float64))
		want := "progress"
		if done == 1200 {
			want = "end"
		}
		name, told := events.next()
		if name != want || told.get("import.progress.done") != float64(done) || told.get("import.progress.total") != 1200.0 || told.get("import.id") != id || refused != done/3 {
			t.Fatalf("after %d pieces: %s %s, want %s of %s", pieces, name, told.body, want, now.body)
		}
		if rows, _ := w.outcomes(path, "limit=200"); len(rows) != done {
			t.Errorf("%d rows of %d", len(rows), done)
		}
		if _, rows := sheetCells(t, w.admin("GET", path+"/rejected", nil).want(http.StatusOK).body); len(rows) != refused+1 {
			t.Errorf("%d rows in the file of %d", len(rows), refused)
		}
		if want == "end" {
			if pieces < 2 {
				t.Error("all at once")
			}
			break
		}
		if w.step(id) {
			t.Fatal("ended early")
		}
	}
	if name, _ := events.next(); name != "" {
		t.Errorf("%s after the end", name)
	}
	for query, want := range map[string]int{"": 1200, "limit=7": 1200, "limit=200": 1200, "outcome=rejected&limit=150": 400, "outcome=rejected&limit=200": 400} {
		rows, pages := w.outcomes(path, query)
		if len(rows) != want || !slices.IsSortedFunc(rows, func(a, b outcome) int { return a.Row - b.Row }) {
			t.Errorf("%s: %d rows in pages of %v, want %d in order", query, len(rows), pages, want)
		}
		for i, r := range rows {
			number := i + 2
			if strings.HasPrefix(query, "outcome") {
				number = 3*i + 4
			}
			if r.Row != number || (r.Outcome == "rejected") != (r.Code == "ASSOCIATION_NOT_APP") || (r.Outcome == "created") != (r.CustomerID != nil) {
				t.Fatalf("%s: row %d is %v", query, number, r)
			}
		}
	}
	next := w.admin("GET", path+"/rows", nil).get("next").(string)
	for query, at := range map[string]string{"cursor=x": "query.cursor", "cursor=" + next[1:]: "query.cursor", "cursor=e30": "query.cursor", "cursor=bnVsbA": "query.cursor", "limit=0": "query.limit", "limit=201": "query.limit",
		"outcome=created": "query.outcome", "cursor=" + strings.Repeat("A", 201): "query.cursor"} {
		w.admin("GET", path+"/rows?"+query, nil).refused(http.StatusUnprocessableEntity, "VALIDATION", at)
	}
	// {"Version":9223372036854775807,"Passed":9223372036854775807}: a place that there is not.
	far := w.admin("GET", path+"/rows?cursor=eyJWZXJzaW9uIjo5MjIzMzcyMDM2ODU0Nzc1ODA3LCJQYXNzZWQiOjkyMjMzNzIwMzY4NTQ3NzU4MDd9", nil).want(http.StatusOK)
	if far.get("items.0") != nil || far.get("next") != nil {
		t.Errorf("far behind the end: %s", far.body)
	}
}

// TestRefusedRowsAreMendedAndUploadedAgain downloads the refused rows, mends them, and uploads the file as it is.
func TestRefusedRowsAreMendedAndUploadedAgain(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.entitle("acme")
	w.admin("POST", "/v1/fields", map[string]any{"type": "text", "label": "@尺码", "key": "size"}).want(http.StatusCreated)
	rows := [][]string{{"关联ID", "", "ID", "nickname", "@尺码", "描述"},
		{"2", "passed over", "right", "=_=", "L", "a\nb"}, {"x", "passed over", "wrong", "@小王", "-", "line 1\nline, \"2\""}, {"2", "", "王", "+86 138-0013-8000", "=1+1", " 3"}}
	reasons := map[string][]string{
		"en": {"“Association ID” is not the number of an association", "“ID” is not a user name of an app"},
		"zh": {"“关联ID”不存在或已解除", "“ID”不是有效的 APP 用户名"},
	}
	headings := map[string][]string{"en": {"Association ID", "", "ID", "Nickname", "@尺码", "Description", "Row", "Why it was refused"}, "zh": {"关联ID", "", "ID", "昵称", "@尺码", "描述", "行号", "拒绝原因"}}
	n := 0
	for _, uploaded := range []sheet.Format{sheet.CSV, sheet.XLSX} {
		for _, format := range []sheet.Format{"", sheet.CSV, sheet.XLSX} {
			for language := range reasons {
				n++
				own := slices.Clone(rows)
				own[1] = slices.Clone(own[1])
				own[1][2] = fmt.Sprint("right-", n)
				path := w.imported("a."+string(uploaded), rewritten(t, uploaded, own))
				want := format
				query := "?format=" + string(format)
				if format == "" {
					want, query = uploaded, ""
				}
				r := w.read("acme/admin", path+"/rejected"+query, 0, language).want(http.StatusOK)
				id := strings.TrimPrefix(path, "/v1/imports/")
				if r.header.Get("Content-Disposition") != `attachment; filename="rejected-`+id+`.`+string(want)+`"` || r.header.Get("Content-Type") != mediaTypes[string(want)] ||
					r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("Content-Security-Policy") != "sandbox" || r.header.Get("Cache-Control") != "no-store" {
					t.Errorf("the headers are %v", r.header)
				}
				is, got := sheetCells(t, r.body)
				if want == sheet.CSV { // else a spreadsheet program would run it
					headings[language][4] = "'@尺码"
				} else {
					headings[language][4] = "@尺码"
				}
				if is != want || len(got) != 3 || !slices.Equal(got[0], headings[language]) {
					t.Fatalf("uploaded as %s, downloaded as %s: %s %q", uploaded, want, is, got)
				}
				for i, row := range got[1:] {
					if len(row) != 8 || row[6] != fmt.Sprint(i+3) || !strings.HasPrefix(row[7], reasons[language][i]) || row[0] != rows[i+2][0] || row[2] != rows[i+2][2] {
						t.Errorf("row %q, want it of %q, because of %q", row, rows[i+2], reasons[language][i])
					}
				}
				// Mended, and handed over as it is, what was added to it too.
				got[1][0], got[2][2] = "2", fmt.Sprint("mended-b-", n)
				got[1][2] = fmt.Sprint("mended-a-", n)
				again := w.imported("b", rewritten(t, want, got))
				outcomes, _ := w.outcomes(again, "")
				if len(outcomes) != 2 || outcomes[0].CustomerID == nil || outcomes[1].CustomerID == nil {
					t.Fatalf("mended: %v", outcomes)
				}
				for i, o := range outcomes {
					made := w.shown("/v1/customers/" + o.CustomerID.String())
					if made.get("profile.nickname") != rows[i+2][3] || made.get("profile.custom.size") != rows[i+2][4] || made.get("profile.description") != strings.TrimSpace(rows[i+2][5]) {
						t.Errorf("uploaded as %s, downloaded as %s: %s, want %q", uploaded, want, made.body, rows[i+2])
					}
				}
			}
		}
	}
	// One with nothing refused has nothing but headings.
	path := w.imported("a.csv", "ID,关联ID\nfine,2\n")
	if _, got := sheetCells(t, w.admin("GET", path+"/rejected", nil).want(http.StatusOK).body); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	w.admin("GET", path+"/rejected?format=pdf", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.format")
	// After 30 days nothing is kept, and what is asked for is said to be gone.
	if _, err := w.store.Pool().Exec(t.Context(), "delete from job_parts"); err != nil {
		t.Fatal(err)
	}
	w.admin("GET", path+"/rejected", nil).refused(http.StatusGone, "FILE_GONE", "")
	id := w.upload("late.csv", "ID,关联ID\nlate,2\n").want(http.StatusCreated).get("id").(string)
	if _, err := w.store.Pool().Exec(t.Context(), "delete from job_parts"); err != nil {
		t.Fatal(err)
	}
	w.admin("POST", "/v1/imports/"+id+"/start", nil).want(http.StatusAccepted)
	w.finish(id)
	for language, words := range map[string]string{"en": "30 days", "zh": "30 天"} {
		if failed := w.read("acme/admin", "/v1/imports/"+id, 0, language); failed.get("status") != "failed" || failed.get("code") != "FILE_GONE" || !strings.Contains(failed.get("detail").(string), words) {
			t.Errorf("what is gone: %s", failed.body)
		}
	}
}

// rewritten is a file whose cells a spreadsheet program has read and saved: in a csv, what it was given stays as it was.
func rewritten(t *testing.T, format sheet.Format, rows [][]string) string {
	t.Helper()
	if format == sheet.XLSX {
		return fileOf(t, format, rows...)
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
		}
		b.WriteString("\r\n")
	}
	return b.String()
}

// TestAnImportIsCanceledAndTakenBack cancels after the first append, and takes back who is untouched since.
func TestAnImportIsCanceledAndTakenBack(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.entitle("acme")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	var file strings.Builder
	file.WriteString("ID,关联ID\n")
	for i := range 700 {
		fmt.Fprintf(&file, "user-%d,2\n", i)
	}
	id := w.upload("700.csv", file.String()).want(http.StatusCreated).get("id").(string)
	path := "/v1/imports/" + id
	w.admin("POST", path+"/start", nil).want(http.StatusAccepted)
	w.step(id)
	w.admin("POST", path+"/revert", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	canceled := w.admin("POST", path+"/cancel", nil).want(http.StatusOK)
	many, _ := canceled.get("created").(float64)
	if canceled.get("status") != "canceled" || many < 10 || many == 700 || canceled.get("progress.done") != many || canceled.get("finished_at") == nil {
		t.Errorf("canceled: %s", canceled.body)
	}
	if again := w.admin("POST", path+"/cancel", nil).want(http.StatusOK); again.get("finished_at") != canceled.get("finished_at") || w.head("acme") != canceled.position() {
		t.Errorf("canceled again: %s", again.body)
	}
	w.admin("POST", path+"/start", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	if !w.step(id) {
		t.Error("what was canceled goes on")
	}
	rows, _ := w.outcomes(path, "limit=200")
	if len(rows) != int(many) {
		t.Fatalf("%d rows", len(rows))
	}
	// Two are touched, one of them and back again: it is not as it was made, either.
	tagged, edited := rows[7].CustomerID.String(), rows[len(rows)-1].CustomerID.String()
	w.admin("PUT", "/v1/customers/"+tagged+"/tags/"+vip, nil).want(http.StatusNoContent)
	w.admin("DELETE", "/v1/customers/"+tagged+"/tags/"+vip, nil).want(http.StatusNoContent)
	w.admin("PATCH", "/v1/customers/"+edited, edit(map[string]*string{"name": ptr("n")})).want(http.StatusOK)

	began := w.do(call{as: "acme/admin", method: "POST", path: path + "/revert", headers: map[string]string{"Idempotency-Key": "k"}}).want(http.StatusAccepted)
	if began.get("status") != "running" || began.get("reverting") != true || began.get("progress.done") != 0.0 || began.get("progress.total") != many || began.get("finished_at") != nil {
		t.Errorf("begun to be taken back: %s", began.body)
	}
	w.admin("POST", path+"/cancel", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	events := w.follow("acme/admin", id)
	if name, told := events.next(); name != "progress" || told.get("import.reverting") != true {
		t.Errorf("%s %s", name, told.body)
	}
	w.finish(id)
	if name, told := events.next(); name != "end" || told.get("import.status") != "reverted" || told.get("import.withdrawn") != many-2 || told.get("import.kept") != 2.0 || told.get("import.progress.done") != many {
		t.Errorf("%s %s", name, told.body)
	}
	if again := w.do(call{as: "acme/admin", method: "POST", path: path + "/revert", headers: map[string]string{"Idempotency-Key": "k"}}).want(http.StatusAccepted); again.position() != began.position() || again.get("status") != "reverted" {
		t.Errorf("taken back again: %s", again.body)
	}
	w.admin("POST", path+"/revert", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	first := w.admin("GET", path+"/kept?limit=1", nil).want(http.StatusOK)
	second := w.admin("GET", path+"/kept?limit=1&cursor="+first.get("next").(string), nil).want(http.StatusOK)
	if first.get("items.0.customer_id") != tagged || first.get("items.0.row") != 9.0 || second.get("items.0.customer_id") != edited || second.get("items.0.row") != many+1 {
		t.Errorf("who is kept: %s, %s", first.body, second.body)
	}
	w.admin("GET", "/v1/customers/"+rows[0].CustomerID.String(), nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("GET", "/v1/customers/"+edited, nil).want(http.StatusOK)
	if list := w.shown("/v1/customers?filter={}"); list.get("count.value") != 2.0 {
		t.Errorf("who is left: %v", list.get("count"))
	}
	// Those who are no more may come again.
	again := w.imported("again.csv", "ID,关联ID\nuser-0,2\nuser-7,2\n")
	if rows, _ := w.outcomes(again, ""); len(rows) != 2 || rows[0].Outcome != "created" || rows[1].Code != "CUSTOMER_EXISTS" {
		t.Errorf("imported again: %v", rows)
	}

	// One that waits can be canceled, too; nobody has come by it.
	waiting := "/v1/imports/" + w.upload("w.csv", "ID,关联ID\na,2\n").want(http.StatusCreated).get("id").(string)
	if canceled := w.admin("POST", waiting+"/cancel", nil).want(http.StatusOK); canceled.get("status") != "canceled" {
		t.Errorf("canceled: %s", canceled.body)
	}
	w.admin("POST", waiting+"/revert", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	w.admin("POST", waiting+"/start", nil).refused(http.StatusConflict, "JOB_STATUS", "")
}

// TestHowAnImportIsStarted sends what says how, and what does not.
func TestHowAnImportIsStarted(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.entitle("acme")
	for body, dryRun := range map[string]bool{"": false, "{}": false, `{"dry_run":false}`: false, `{"dry_run":true}`: true} {
		id := w.upload("a.csv", smallest).want(http.StatusCreated).get("id").(string)
		c := call{as: "acme/admin", method: "POST", path: "/v1/imports/" + id + "/start"}
		if body != "" {
			c.body = body
		}
		if started := w.do(c).want(http.StatusAccepted); started.get("dry_run") != dryRun {
			t.Errorf("%q: %s", body, started.body)
		}
	}
	id := w.upload("a.csv", smallest).want(http.StatusCreated).get("id").(string)
	head := w.head("acme")
	for body, at := range map[string]string{`{`: "body", `[]`: "body", `true`: "body", `{"dry_run":"true"}`: "dry_run", `{"dry_run":1}`: "dry_run", `{"dryrun":true}`: "dryrun", `{"dry_run":true} x`: "body"} {
		w.admin("POST", "/v1/imports/"+id+"/start", body).refused(http.StatusUnprocessableEntity, "VALIDATION", at)
	}
	w.do(call{as: "acme/admin", method: "POST", path: "/v1/imports/" + id + "/start", body: "dry_run=true", headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).
		refused(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "")
	if shown := w.shown("/v1/imports/" + id); shown.get("status") != "queued" || w.head("acme") != head {
		t.Errorf("what was refused has started it: %s", shown.body)
	}
	// Two at once: one of them starts it.
	statuses := make(chan int, 2)
	for range 2 {
		go func() {
			statuses <- w.do(call{as: "acme/admin", method: "POST", path: "/v1/imports/" + id + "/start"}).status
		}()
	}
	if one, two := <-statuses, <-statuses; one+two != http.StatusAccepted+http.StatusConflict {
		t.Errorf("got %d and %d", one, two)
	}
}

// Whoever an import has created and was erased since is called nothing in its rows, also as long as the uploaded file is still kept.
func TestRowsOfWhomWasErased(t *testing.T) {
	w := uploading(t)
	made := w.upload("1.csv", "ID,昵称,关联ID\nwang.1,王小明,2\nli.2,李小红,2\n").want(http.StatusCreated)
	id := made.get("id").(string)
	path := "/v1/imports/" + id
	w.admin("POST", path+"/start", nil).want(http.StatusAccepted)
	w.finish(id)
	rows, _ := w.outcomes(path, "")
	if len(rows) != 2 || rows[0].CustomerID == nil {
		t.Fatalf("the rows are %v", rows)
	}
	if shown := string(w.shown(path + "/rows").body); !strings.Contains(shown, "王小明") || !strings.Contains(shown, "李小红") {
		t.Errorf("before: %s", shown)
	}
	w.do(call{as: "acme/admin", method: "DELETE", path: "/v1/customers/" + rows[0].CustomerID.String(), body: map[string]any{"confirm": "wang.1"}}).want(http.StatusAccepted)
	w.shown("/v1/customers?filter={}") // the list has heard of it
	if shown := string(w.shown(path + "/rows").body); strings.Contains(shown, "王小明") || strings.Contains(shown, "wang.1") || !strings.Contains(shown, "李小红") {
		t.Errorf("afterwards: %s", shown)
	}
}
