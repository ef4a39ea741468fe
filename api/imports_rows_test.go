package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"customercenter/internal/sheet"
)

// TestRowsOfAnImport imports rows of every kind with one file, in both formats, and looks at what became of each, in both languages.
func TestRowsOfAnImport(t *testing.T) {
	for _, format := range []sheet.Format{sheet.CSV, sheet.XLSX} {
		t.Run(string(format), func(t *testing.T) { importRows(t, format) })
	}
}

func importRows(t *testing.T, format sheet.Format) {
	w := uploading(t)
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	gone := w.admin("POST", "/v1/tags", TagInput{"gone"}).want(http.StatusCreated).get("id").(string)
	w.admin("DELETE", "/v1/tags/"+gone, nil).want(http.StatusNoContent)
	w.admin("POST", "/v1/customers", map[string]any{"association_id": 2, "external_id": "existing"}).want(http.StatusCreated)
	removed := w.admin("POST", "/v1/associations", AssociationInput{"app", "org#gone", "Gone"}).want(http.StatusCreated).get("id")
	w.admin("DELETE", fmt.Sprint("/v1/associations/", removed), nil).want(http.StatusNoContent)
	choices := []map[string]any{{"label": "甲"}, {"label": "乙, 丙"}}
	for _, f := range []map[string]any{{"type": "text", "label": "文本"}, {"type": "multiline", "label": "多行"}, {"type": "number", "label": "数字"}, {"type": "date", "label": "日期"},
		{"type": "select", "label": "单选", "options": choices}, {"type": "multi_select", "label": "多选", "options": choices},
		{"type": "cascade", "label": "地区", "options": []map[string]any{{"label": "广东", "options": []map[string]any{{"label": "深圳"}, {"label": "广州"}}}, {"label": "北京"}}}} {
		f["key"] = f["type"]
		w.admin("POST", "/v1/fields", f).want(http.StatusCreated)
	}
	headings := []string{"ID", "关联ID", "昵称", "名字", "手机", "邮箱", "描述", "客户标签", "公司", "文本", "多行", "数字", "日期", "单选", "多选", "地区"}
	han, emoji := func(n int) string { return strings.Repeat("长", n) }, func(n int) string { return strings.Repeat("😀", n) }
	at := func(heading, value string) []string {
		row := make([]string, len(headings))
		row[1] = "2"
		row[slices.Index(headings, heading)] = value
		return row
	}
	const refused = "rejected"
	rows := []struct {
		cells            []string // an id is filled in if there is none
		outcome          string   // empty: created
		column, code, zh string
		shown            string // of who was created: path=value
	}{
		{cells: at("名字", han(45)), shown: "profile.name=" + han(45)},
		{cells: at("名字", emoji(45)), shown: "profile.name=" + emoji(45)},
		{cells: at("名字", " "+han(45)+" "), shown: "profile.name=" + han(45)},
		{cells: at("名字", strings.Repeat("e\u0301", 45)), shown: "profile.name=" + strings.Repeat("\u00e9", 45)},
		{cells: at("名字", han(46)), outcome: refused, column: "name", code: "NAME_TOO_LONG", zh: "“名字”超过 45 个字符"},
		{cells: at("名字", emoji(46)), outcome: refused, column: "name", code: "NAME_TOO_LONG", zh: "“名字”超过 45 个字符"},
		{cells: at("手机", han(46)), outcome: refused, column: "phone", code: "PHONE_TOO_LONG", zh: "“手机”超过 45 个字符"},
		{cells: at("公司", emoji(46)), outcome: refused, column: "company", code: "COMPANY_TOO_LONG", zh: "“公司”超过 45 个字符"},
		{cells: at("昵称", emoji(256)), shown: "profile.nickname=" + emoji(256)},
		{cells: at("昵称", han(257)), outcome: refused, column: "nickname", code: "NICKNAME_TOO_LONG", zh: "256"},
		{cells: at("邮箱", strings.Repeat("x", 256)), outcome: refused, column: "email", code: "EMAIL_TOO_LONG", zh: "255"},
		{cells: at("描述", han(100)+"\n"+emoji(99)), shown: "profile.description=" + han(100) + "\n" + emoji(99)},
		{cells: at("描述", han(201)), outcome: refused, column: "description", code: "DESCRIPTION_TOO_LONG", zh: "200"},
		{cells: at("昵称", "a\nb"), outcome: refused, column: "nickname", code: "VALUE_INVALID", zh: "换行符"},
		{cells: at("手机", "a\u0007b"), outcome: refused, column: "phone", code: "VALUE_INVALID", zh: "控制字符"},
		{cells: at("手机", "+86 138-0013-8000"), shown: "profile.phone=+86 138-0013-8000"},
		{cells: at("手机", "13800138000"), shown: "profile.phone=13800138000"},

		{cells: []string{" ", "2", "nobody"}, outcome: refused, column: "external_id", code: "ID_REQUIRED", zh: "缺少“ID”"},
		{cells: []string{"王", "2"}, outcome: refused, column: "external_id", code: "ID_INVALID", zh: "“ID”不是有效的 APP 用户名"},
		{cells: []string{"a b", "2"}, outcome: refused, column: "external_id", code: "ID_INVALID"},
		{cells: []string{strings.Repeat("x", 65), "2"}, outcome: refused, column: "external_id", code: "ID_INVALID"},
		{cells: []string{strings.Repeat("x", 64), "2"}, shown: "external_id=" + strings.Repeat("x", 64)},
		{cells: []string{" Existing ", "2"}, outcome: refused, column: "external_id", code: "CUSTOMER_EXISTS", zh: "该客户已存在"},
		{cells: []string{"Twice", "2"}, shown: "external_id=twice"},
		{cells: []string{"tWICE", "2"}, outcome: refused, column: "external_id", code: "ID_DUPLICATE_IN_FILE", zh: "与第 {twice} 行是同一客户"},
		{cells: []string{"no", ""}, outcome: refused, column: "association_id", code: "ASSOCIATION_REQUIRED", zh: "缺少“关联ID”"},
		{cells: []string{"no", "99"}, outcome: refused, column: "association_id", code: "ASSOCIATION_UNKNOWN", zh: "“关联ID”不存在或已解除"},
		{cells: []string{"no", "App"}, outcome: refused, column: "association_id", code: "ASSOCIATION_UNKNOWN"},
		{cells: []string{"no", "2.5"}, outcome: refused, column: "association_id", code: "ASSOCIATION_UNKNOWN"},
		{cells: []string{"no", "99999999999999999999"}, outcome: refused, column: "association_id", code: "ASSOCIATION_UNKNOWN"},
		{cells: []string{"no", "0"}, outcome: refused, column: "association_id", code: "ASSOCIATION_UNKNOWN"},
		{cells: []string{"no", fmt.Sprint(removed)}, outcome: refused, column: "association_id", code: "ASSOCIATION_UNKNOWN"},
		{cells: []string{"no", "1"}, outcome: refused, column: "association_id", code: "ASSOCIATION_NOT_APP", zh: "只能导入 APP 渠道的客户"},
		{cells: []string{"no2", "3"}, outcome: refused, column: "association_id", code: "ASSOCIATION_NOT_APP"},
		{cells: append(at("昵称", "x"), "", "lost"), outcome: refused, code: "VALUE_INVALID", zh: "首行只有 16 列标题"},
		{cells: append(at("昵称", "x"), "", " "), shown: "profile.nickname=x"},

		{cells: at("客户标签", "vip,ＶＩＰ , ,"), shown: "tags.0.id=" + vip},
		{cells: at("客户标签", "VIP，VIP"), outcome: refused, column: "tags", code: "TAG_UNKNOWN", zh: "英文逗号"},
		{cells: at("客户标签", "VIP,new"), outcome: refused, column: "tags", code: "TAG_UNKNOWN", zh: "“客户标签”中有不存在的标签"},
		{cells: at("客户标签", "gone"), outcome: refused, column: "tags", code: "TAG_UNKNOWN"},

		{cells: at("文本", " a "), shown: "profile.custom.text=a"},
		{cells: at("文本", "a\nb"), outcome: refused, column: "custom.text", code: "VALUE_INVALID", zh: "“文本”含有不允许的字符"},
		{cells: at("文本", han(257)), outcome: refused, column: "custom.text", code: "VALUE_INVALID", zh: "256"},
		{cells: at("多行", "a\n\tb"), shown: "profile.custom.multiline=a\n\tb"},
		{cells: at("多行", han(1001)), outcome: refused, column: "custom.multiline", code: "VALUE_INVALID", zh: "1000"},
		{cells: at("数字", "-0012.50"), shown: "profile.custom.number=-12.5"},
		{cells: at("数字", "1,000"), outcome: refused, column: "custom.number", code: "VALUE_INVALID", zh: "千分位"},
		{cells: at("数字", "12345678901234567"), outcome: refused, column: "custom.number", code: "VALUE_INVALID", zh: "16 位"},
		{cells: at("日期", "2026-11-03"), shown: "profile.custom.date=2026-11-03"},
		{cells: at("日期", "2026/11/3"), shown: "profile.custom.date=2026-11-03"},
		{cells: at("日期", "03.11.2026"), outcome: refused, column: "custom.date", code: "VALUE_INVALID", zh: "2026-11-03"},
		{cells: at("日期", "2026-02-30"), outcome: refused, column: "custom.date", code: "VALUE_INVALID"},
		{cells: at("单选", " 甲 "), shown: "profile.custom.select=o1"},
		{cells: at("单选", "甲, 乙"), outcome: refused, column: "custom.select", code: "VALUE_INVALID", zh: "不在选项内"},
		{cells: at("多选", "乙, 丙,甲"), shown: "profile.custom.multi_select=[o1 o2]"},
		{cells: at("多选", "甲,丁"), outcome: refused, column: "custom.multi_select", code: "VALUE_INVALID", zh: "不在选项内"},
		{cells: at("地区", "广东/深圳"), shown: "profile.custom.cascade=[o1 o2]"},
		{cells: at("地区", "北京"), shown: "profile.custom.cascade=[o4]"},
		{cells: at("地区", "北京/深圳"), outcome: refused, column: "custom.cascade", code: "VALUE_INVALID", zh: "“地区”中有不在选项内的值"},
	}
	file := [][]string{headings}
	twice := 0
	for i, r := range rows {
		if r.cells[0] == "" {
			r.cells[0] = fmt.Sprint("row-", i+2)
		}
		if r.cells[0] == "Twice" {
			twice = i + 2
		}
		file = append(file, r.cells)
	}
	path := w.imported("a", rewritten(t, format, file))
	en, _ := w.outcomes(path, "")
	zh := List[ImportRow]{}
	w.read("acme/admin", path+"/rows?limit=200", 0, "zh").want(http.StatusOK).into(&zh)
	if len(en) != len(rows) || len(zh.Items) != len(rows) {
		t.Fatalf("%d and %d rows of %d", len(en), len(zh.Items), len(rows))
	}
	created := 0
	for i, want := range rows {
		got := en[i]
		if got.Row != i+2 || got.Outcome != "created" && want.outcome == "" || got.Column != want.column || got.Code != want.code {
			t.Errorf("row %d, %q: %+v, want %+v", i+2, want.cells, got, want)
			continue
		}
		if want.outcome == "" {
			created++
			made := w.shown("/v1/customers/" + got.CustomerID.String())
			where, value, _ := strings.Cut(want.shown, "=")
			if is := fmt.Sprint(made.get(where)); is != value {
				t.Errorf("row %d, %q: %s is %q, want %q", i+2, want.cells, where, is, value)
			}
			continue
		}
		words := strings.ReplaceAll(want.zh, "{twice}", fmt.Sprint(twice))
		if detail := zh.Items[i].Detail; !strings.Contains(detail, words) || !strings.HasSuffix(detail, "。") || !strings.HasSuffix(got.Detail, ".") || strings.ContainsAny(detail+got.Detail, "{}[]?") {
			t.Errorf("row %d, %q: %s %s, want %s", i+2, want.cells, detail, got.Detail, words)
		}
	}
	if shown := w.shown(path); shown.get("created") != float64(created) || shown.get("rejected") != float64(len(rows)-created) {
		t.Errorf("%s, want %d created", shown.body, created)
	}
	if list := w.shown("/v1/customers?filter={}&limit=200"); list.get("count.value") != float64(created+1) {
		t.Errorf("%v customers, want %d", list.get("count.value"), created+1)
	}
}

// TestTagsThatAnImportCreates creates each tag once, whoever asks for it, and none on trial.
func TestTagsThatAnImportCreates(t *testing.T) {
	w := uploading(t)
	w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated)
	var b strings.Builder
	b.WriteString("ID,客户标签,关联ID\na,\"vip,New,NEW\",2\nb,ｎｅｗ,2\nc,\"x,more\",99\nd," + strings.Repeat("长", 51) + ",2\n")
	for i := range 600 { // in two appends
		fmt.Fprintf(&b, "u%d,\"tag-%d,new\",2\n", i, i%300)
	}
	id := w.upload("a.csv", b.String(), "create_tags", "dry_run").want(http.StatusCreated).get("id").(string)
	w.finish(id)
	path := "/v1/imports/" + id
	if shown := w.shown(path); shown.get("created") != 602.0 || shown.get("rejected") != 2.0 || shown.get("create_tags") != true {
		t.Errorf("on trial: %s", shown.body)
	}
	if tags := w.shown("/v1/tags"); tags.get("count.value") != 1.0 {
		t.Errorf("a trial has made %v tags", tags.get("count.value"))
	}
	w.finishStarted(id)
	tags := w.shown("/v1/tags")
	if tags.get("count.value") != 302.0 || tags.get("items.1.name") != "New" || tags.get("items.1.customers") != 602.0 || tags.get("items.0.customers") != 1.0 || tags.get("items.2.customers") != 2.0 {
		t.Errorf("there are %v tags: %.600s", tags.get("count.value"), tags.body)
	}
	rows, _ := w.outcomes(path, "outcome=rejected")
	if len(rows) != 2 || rows[0].Code != "ASSOCIATION_UNKNOWN" || rows[1].Code != "VALUE_INVALID" || rows[1].Column != "tags" || !strings.Contains(rows[1].Detail, "50 characters") {
		t.Errorf("refused: %+v", rows)
	}
	// Taken back, the tags stay: they are the catalogue's by now.
	w.admin("POST", path+"/revert", nil).want(http.StatusAccepted)
	w.finish(id)
	if tags := w.shown("/v1/tags"); tags.get("count.value") != 302.0 || tags.get("items.1.customers") != 0.0 {
		t.Errorf("after it was taken back: %.600s", tags.body)
	}
}

// TestTwiceInALargeFile names a customer in the first append and in a later one, and lets another worker go on in between.
func TestTwiceInALargeFile(t *testing.T) {
	w := uploading(t)
	var b strings.Builder
	b.WriteString("ID,关联ID,昵称\n")
	for i := range 1100 {
		id := fmt.Sprint("u", i)
		if i == 1050 {
			id = "U7"
		}
		fmt.Fprintf(&b, "%s,2,\n", id)
	}
	id := w.upload("a.csv", b.String()).want(http.StatusCreated).get("id").(string)
	w.admin("POST", "/v1/imports/"+id+"/start", nil).want(http.StatusAccepted)
	w.step(id)
	other := another(t, w, options{idle: true})
	w.runner = other.runner // which has seen nothing of it
	w.finish(id)
	rows, _ := w.outcomes("/v1/imports/"+id, "outcome=rejected")
	if len(rows) != 1 || rows[0].Row != 1052 || rows[0].Code != "ID_DUPLICATE_IN_FILE" || !strings.Contains(rows[0].Detail, "Row 9 ") {
		t.Errorf("got %+v", rows)
	}
}

// TestCellsOfRefusedRows lists what is in the cells for which rows were refused, wherever in a long file with gaps they are.
func TestCellsOfRefusedRows(t *testing.T) {
	w := uploading(t)
	var file strings.Builder
	file.WriteString("昵称,ID,手机,关联ID\n")
	phones := map[int]string{}
	for row := 2; row < 4000; row++ {
		switch {
		case row%3 == 0 || row > 1000 && row < 2500:
			file.WriteString(",,,\n") // holds nothing, and counts
		case row%601 == 5:
			phones[row] = fmt.Sprint(strings.Repeat("长", 250), row)
			fmt.Fprintf(&file, ",c%d,%s,2\n", row, phones[row])
		case row%601 == 8:
			phones[row] = fmt.Sprint(row, strings.Repeat("0", 45))
			fmt.Fprintf(&file, ",c%d,%s,2\n", row, phones[row])
		default:
			fmt.Fprintf(&file, ",c%d,1,2\n", row)
		}
	}
	id := w.upload("cells.csv", file.String(), "dry_run").want(http.StatusCreated).get("id").(string)
	w.finish(id)
	if len(phones) < 5 {
		t.Fatalf("only %d rows are to be refused", len(phones))
	}
	list := w.read("acme/admin", "/v1/imports/"+id+"/rows?outcome=rejected", w.head("acme"), "zh").want(http.StatusOK)
	for i := range len(phones) {
		at := fmt.Sprintf("items.%d.", i)
		row := int(list.get(at + "row").(float64))
		want := phones[row]
		if row%601 == 5 {
			want = strings.Repeat("长", 200) + "…"
		}
		if list.get(at+"value") != want || list.get(at+"heading") != "手机" {
			t.Errorf("row %d: %s %s", row, list.get(at+"heading"), list.get(at+"value"))
		}
	}
	if _, err := w.store.Pool().Exec(t.Context(), "delete from job_parts"); err != nil {
		t.Fatal(err)
	}
	if gone := w.read("acme/admin", "/v1/imports/"+id+"/rows?outcome=rejected", 0, "zh").want(http.StatusOK); gone.get("items.0.value") != nil || gone.get("items.0.code") != "PHONE_TOO_LONG" {
		t.Errorf("when the rows are gone: %s", gone.body)
	}
}
