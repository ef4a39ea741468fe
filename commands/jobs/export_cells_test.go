package jobs

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/view"
	"customercenter/projections"
)

// customOfTest are the tenant's own fields, by key.
var customOfTest = []string{"note", "memo", "score", "birthday", "level", "hobby", "city"}

// allColumns are all that a customer can have.
func allColumns() []string {
	columns := view.Columns()
	for _, key := range customOfTest {
		columns = append(columns, customer.CustomPrefix+key)
	}
	return columns
}

// headingsOfTest are those of allColumns.
var headingsOfTest = map[string][]string{
	"en": {"ID", "nickname", "name", "phone", "QQ", "WeChat ID", "email", "company", "description",
		"association ID", "channel", "came by", "created at", "updated at", "tags", "groups",
		"first session at", "last session at", "last message at", "last agent", "sessions", "messages", "suppressed messages",
		"average rating", "last rating", "session open", "ever served", "imported", "blacklisted", "blacklisted at",
		"备注", "Memo, \"long\"", "积分", "生日", "=等级", "爱好", "城市"},
	"zh": {"ID", "昵称", "名字", "手机", "QQ", "微信号", "邮箱", "公司", "描述",
		"关联ID", "渠道", "来源方式", "创建时间", "更新时间", "客户标签", "客户分组",
		"首次会话时间", "最近会话时间", "最近消息时间", "最近服务客服", "会话数", "消息数", "被拦截消息数",
		"平均满意度", "最近一次满意度", "有未结束的会话", "接受过服务", "由导入创建", "在黑名单中", "加入黑名单时间",
		"备注", "Memo, \"long\"", "积分", "生日", "=等级", "爱好", "城市"},
}

// wordsOfTest are what values are called.
var wordsOfTest = map[string]map[string]string{
	"en": {"app": "app", "web": "web", "wechat": "WeChat", "inbound": "reached out", "api": "added by hand or API", "import": "imported", "true": "yes", "false": "no"},
	"zh": {"app": "APP", "web": "网页", "wechat": "微信", "inbound": "主动来访", "api": "手动或接口添加", "import": "导入", "true": "是", "false": "否"},
}

// run are the texts that a spreadsheet program would run, or change in reading.
var run = []string{"=1+1", `=HYPERLINK("http://x","y")`, "@SUM(A1)", "+1+1", "-1-1", "＝1+1", "\u200b=1", "=等级"}

// odd are texts that are hard to write down, besides.
var odd = []string{"+8613800138000", "-12.50", "0012345", "13800138000123456", "1.38E+10", "2026-11-26", "1/2", "a,b;c", `say "hi"`, `"`, "😀👨‍👩‍👧 王", "<b>&amp;</b>", "_x0041_", "'quoted'", "true", "Ａ１"}

// expected is what is known of a customer besides what the list says.
type expected struct {
	lastAgent  string
	lastRating int
}

// peopled has customers of all kinds. The answer has what the list does not say of them, by their ids.
func peopled(w *exportWorld) map[uuid.UUID]expected {
	w.t.Helper()
	for _, a := range []commands.RegisterAssociation{{Channel: "app", Account: "org#shop", Name: "商城"}, {Channel: "web", Account: "org#site", Name: "网站"}, {Channel: "wechat", Account: "gh_1", Name: "公众号"}} {
		w.must(a)
	}
	var tags []uuid.UUID
	for _, name := range []string{"VIP", "退货", "gone", "=sum", `a;b "c" 😀`} {
		tags = append(tags, w.must(commands.CreateTag{Name: name}).Tag)
	}
	for i, f := range []commands.AddField{
		{Type: field.TypeText, Label: "备注"}, {Type: field.TypeMultiline, Label: "Memo, \"long\""}, {Type: field.TypeNumber, Label: "积分"}, {Type: field.TypeDate, Label: "生日"},
		{Type: field.TypeSelect, Label: "=等级", Options: []field.Choice{{Label: "金卡"}, {Label: "=银卡"}}},
		{Type: field.TypeMultiSelect, Label: "爱好", Options: []field.Choice{{Label: "足球"}, {Label: "音乐"}, {Label: "旅行"}}},
		{Type: field.TypeCascade, Label: "城市", Options: []field.Choice{{Label: "广东", Options: []field.Choice{{Label: "深圳"}, {Label: "广州"}}}, {Label: "上海"}}},
	} {
		f.Key = customOfTest[i]
		w.must(f)
	}
	known := map[uuid.UUID]expected{}
	add := func(association int, id string, p customer.Profile, tags ...uuid.UUID) uuid.UUID {
		who := w.must(commands.CreateCustomer{Association: association, ExternalID: id, Profile: p, Tags: tags}).Customer
		known[who] = expected{}
		return who
	}
	add(1, "plain", customer.Profile{})
	full := add(3, "oFull_-1", customer.Profile{Nickname: "王小明", Name: "王明", Phone: "+86 138-0013-8000", QQ: "10001", WechatID: "wx_1", Email: "a@b.cn", Company: "某某公司", Description: "line 1\nline 2, \"quoted\"\n\n=3",
		Custom: map[string]any{"note": "=note", "memo": "first\n\tsecond", "score": "-0012.50", "birthday": "2000-02-29", "level": "o2", "hobby": []any{"o3", "o1"}, "city": []any{"o1", "o2"}}}, tags...)
	add(2, "web-1", customer.Profile{Nickname: "网", Custom: map[string]any{"score": "9999999999999999", "city": []any{"o4"}, "level": "o1"}}, tags[2])
	for i, text := range append(slices.Clone(run), odd...) {
		add(1, fmt.Sprint("odd-", i), customer.Profile{Nickname: text, Name: text, Company: text, Description: text, Custom: map[string]any{"note": text, "score": strconv.Itoa(i * 7 % 10)}}, tags[i%2])
	}
	talk := func(who uuid.UUID, id, agent string, scores ...int) {
		for i, score := range scores {
			s := w.must(commands.ReceiveMessage{Association: 1, ExternalID: id, Message: commands.Message{ID: fmt.Sprint(id, i), Kind: "text", Text: "你好"}}).Session
			of := commands.SessionRef{ID: s}
			w.must(commands.AcceptSession{Session: of, Agent: agent})
			w.must(commands.CloseSession{Session: of, By: domain.PartyAgent})
			w.must(commands.RateSession{Session: of, Score: score})
			known[who] = expected{agent, score}
		}
	}
	first := w.must(commands.ReceiveMessage{Association: 1, ExternalID: "writer", Message: commands.Message{ID: "m", Kind: "text", Text: "hello"}}).Customer
	known[first] = expected{}
	second := w.must(commands.ReceiveMessage{Association: 1, ExternalID: "talker", Message: commands.Message{ID: "m2", Kind: "text", Text: "hello"}})
	known[second.Customer] = expected{}
	w.must(commands.AcceptSession{Session: commands.SessionRef{ID: second.Session}, Agent: "=agent"})
	w.must(commands.CloseSession{Session: commands.SessionRef{ID: second.Session}, By: domain.PartyAgent})
	talk(second.Customer, "talker", "=agent", 5, 4, 4)
	w.must(commands.BlacklistCustomer{Customer: first, Reason: "spam", EndSession: true})
	w.must(commands.ReceiveMessage{Association: 1, ExternalID: "writer", Message: commands.Message{ID: "m3", Kind: "text", Text: "listen"}})
	w.must(commands.BlacklistCustomer{Customer: full, Reason: "for a while", ExpiresAt: time.Now().Add(time.Hour)})
	w.must(commands.DefineGroup{Name: "=大客户, A", Rule: []byte(fmt.Sprintf(`{"field":"tags","op":"has_any","value":[%q]}`, tags[0]))})
	w.must(commands.DefineGroup{Name: "written", Rule: []byte(`{"field":"message_count","op":"gt","value":0}`)})
	w.must(commands.DefineGroup{Name: "everybody", Rule: []byte(`{"field":"session_count","op":"gte","value":0}`)})
	w.must(commands.DeleteTag{Tag: tags[2]})
	w.sync()
	w.until("the groups are not filled", func() bool { // everybody is in the last
		page := w.listed(projections.ListQuery{})
		return len(page) > 0 && !slices.ContainsFunc(page, func(c projections.Customer) bool { return len(c.Groups) == 0 })
	})
	return known
}

func (w *exportWorld) listed(q projections.ListQuery) []projections.Customer {
	w.t.Helper()
	catalogues := projections.NewCatalogues(w.store)
	customers := projections.NewCustomers(w.store, w.projector, catalogues).WithGroups(projections.NewGroups(w.store, w.projector, catalogues))
	q.Limit = projections.MaxLimit
	page, err := customers.List(w.t.Context(), exportTenant, q)
	if err != nil || page.Next != "" {
		w.t.Fatal(page.Next, err)
	}
	return page.Items
}

// cellOf is what a column says of a customer whom the list shows.
func cellOf(c *projections.Customer, e expected, column, language string, zone *time.Location) string {
	clock := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.In(zone).Format(time.DateTime)
	}
	word := func(value any) string { return wordsOfTest[language][fmt.Sprint(value)] }
	names := func(all []projections.Named) string {
		var names []string
		for _, one := range all {
			names = append(names, one.Name)
		}
		return strings.Join(names, ",")
	}
	p := c.Profile
	switch column {
	case "external_id":
		return c.ExternalID
	case "nickname":
		return p.Nickname
	case "name":
		return p.Name
	case "phone":
		return p.Phone
	case "qq":
		return p.QQ
	case "wechat_id":
		return p.WechatID
	case "email":
		return p.Email
	case "company":
		return p.Company
	case "description":
		return p.Description
	case "association":
		return strconv.Itoa(c.AssociationID)
	case "channel":
		return word(c.Channel)
	case "created_via":
		return word(c.CreatedVia)
	case "created_at":
		return clock(&c.CreatedAt)
	case "updated_at":
		return clock(&c.UpdatedAt)
	case "tags":
		return names(c.Tags)
	case "groups":
		return names(c.Groups)
	case "first_session_at":
		return clock(c.FirstSessionAt)
	case "last_session_at":
		return clock(c.LastSessionAt)
	case "last_message_at":
		return clock(c.LastMessageAt)
	case "last_agent":
		return e.lastAgent
	case "session_count":
		return strconv.Itoa(c.SessionCount)
	case "message_count":
		return strconv.Itoa(c.MessageCount)
	case "suppressed_count":
		return strconv.Itoa(c.SuppressedCount)
	case "rating_avg":
		if c.RatingAvg == nil {
			return ""
		}
		return strconv.FormatFloat(*c.RatingAvg, 'f', -1, 64)
	case "rating_last":
		if e.lastRating == 0 {
			return ""
		}
		return strconv.Itoa(e.lastRating)
	case "session_open":
		return word(c.SessionOpen)
	case "ever_served":
		return word(e.lastAgent != "")
	case "imported":
		return word(c.CreatedVia == "import")
	case "blacklisted":
		return word(c.Blacklisted)
	case "blacklisted_at":
		if c.Listing == nil {
			return ""
		}
		return clock(&c.Listing.Since)
	}
	return customCell(string(p.Custom), strings.TrimPrefix(column, customer.CustomPrefix))
}

// customCell is what is in the cell of a custom field, found by hand.
func customCell(custom, key string) string {
	for _, known := range []struct{ key, stored, shown string }{
		{"level", `"level":"o1"`, "金卡"}, {"level", `"level":"o2"`, "=银卡"}, {"hobby", `"hobby":["o1","o3"]`, "足球,旅行"},
		{"city", `"city":["o1","o2"]`, "广东/深圳"}, {"city", `"city":["o4"]`, "上海"},
		{"memo", `"memo":"first\n\tsecond"`, "first\n\tsecond"}, {"birthday", `"birthday":"2000-02-29"`, "2000-02-29"}, {"note", `"note":"=note"`, "=note"},
		{"score", `"score":"-12.5"`, "-12.5"}, {"score", `"score":"9999999999999999"`, "9999999999999999"},
	} {
		if known.key == key && strings.Contains(custom, known.stored) {
			return known.shown
		}
	}
	return ""
}

// defused is how a cell stands in a csv.
func defused(text string) string {
	if text != "" && (slices.Contains(run, text) || strings.HasPrefix(text, "=")) {
		return "'" + text
	}
	return text
}

// wanted is the table that an export has to be.
func wanted(customers []projections.Customer, known map[uuid.UUID]expected, columns []string, language string, zone *time.Location, form func(string) string) [][]string {
	all := allColumns()
	table := [][]string{{}}
	for _, column := range columns {
		table[0] = append(table[0], form(headingsOfTest[language][slices.Index(all, column)]))
	}
	for i := range customers {
		c := &customers[i]
		var row []string
		for _, column := range columns {
			text := cellOf(c, known[c.ID], column, language, zone)
			if at, is := strings.CutPrefix(c.ExternalID, "odd-"); is {
				n, _ := strconv.Atoi(at)
				switch column {
				case "custom.note":
					text = append(slices.Clone(run), odd...)[n]
				case "custom.score":
					text = strconv.Itoa(n * 7 % 10)
				}
			}
			row = append(row, form(text))
		}
		table = append(table, row)
	}
	return table
}

func plainly(text string) string { return text }

// Every column of every customer, in both formats, both languages, another zone and every order, is what the list says.
func TestExportedCells(t *testing.T) {
	w := newExportWorld(t, nil)
	known := peopled(w)
	columns := allColumns()
	for _, name := range []string{"Asia/Shanghai", "America/New_York"} {
		if name != "Asia/Shanghai" {
			w.must(commands.SetTimeZone{TimeZone: name})
		}
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		people := w.listed(projections.ListQuery{})
		if len(people) != len(known) {
			t.Fatalf("%d are listed, and %d are known", len(people), len(known))
		}
		for language, sheet := range map[string]string{"zh": "客户", "en": "customers"} {
			ask := commands.RequestExport{Columns: columns, Language: language}
			same(t, name+" csv "+language, readCSV(t, w.made(ask)), wanted(people, known, columns, language, zone, defused))
			ask.Format = "xlsx"
			same(t, name+" xlsx "+language, readXLSX(t, w.made(ask), sheet), wanted(people, known, columns, language, zone, plainly))
		}
	}
	zone, _ := time.LoadLocation("America/New_York")
	few := []string{"external_id", "custom.score", "nickname"}
	for _, sort := range append(view.Sorts(), "custom.score", "-custom.score", "custom.birthday", "-custom.note") {
		people := w.listed(projections.ListQuery{Sort: sort})
		same(t, sort, readCSV(t, w.made(commands.RequestExport{Columns: few, Sort: sort})), wanted(people, known, few, "zh", zone, defused))
	}
}

// An export that names no columns has those that are shown, tags and times; a filter chooses who is in it, and may choose nobody.
func TestExportOfSome(t *testing.T) {
	w := newExportWorld(t, nil)
	peopled(w)
	w.must(commands.ShowField{Field: "score"})
	got := readCSV(t, w.made(commands.RequestExport{Filter: []byte(`{"field":"channel","op":"in","value":["wechat"]}`)}))
	if want := "ID 昵称 名字 手机 QQ 微信号 邮箱 公司 描述 积分 客户标签 渠道 关联ID 创建时间 更新时间 首次会话时间 最近会话时间 会话数"; len(got) != 2 || strings.Join(got[0], " ") != want || got[1][0] != "oFull_-1" {
		t.Errorf("%q", got)
	}
	nobody := commands.RequestExport{Filter: []byte(`{"field":"name","op":"eq","value":"nobody at all"}`), Language: "en", Columns: []string{"external_id", "groups"}}
	for _, nobody.Format = range []string{"csv", "xlsx"} {
		task := w.request(nobody)
		w.work(w.runner, task)
		read := func(b []byte) [][]string { return readCSV(t, b) }
		if nobody.Format == "xlsx" {
			read = func(b []byte) [][]string { return readXLSX(t, b, "customers") }
		}
		same(t, "of nobody", read(w.file(task)), [][]string{{"ID", "groups"}})
		if state := w.state(task); state.File.Rows != 0 {
			t.Errorf("%d rows are told", state.File.Rows)
		}
	}
}

// Columns and an order by fields that go after the export was asked for are no reason to fail.
func TestExportOfFieldsThatGo(t *testing.T) {
	w := newExportWorld(t, nil)
	peopled(w)
	columns := []string{"external_id", "custom.score", "custom.note", "custom.level"}
	task := w.request(commands.RequestExport{Columns: columns, Sort: "custom.score"})
	w.must(commands.RemoveField{Field: "score"})
	w.must(commands.DisableField{Field: "note"})
	w.work(w.runner, task)
	rows := readCSV(t, w.file(task))
	if want := []string{"ID", "积分", "备注", "'=等级"}; !slices.Equal(rows[0], want) {
		t.Errorf("%q", rows[0])
	}
	levels := 0
	for _, row := range rows[1:] {
		if row[1] != "" || row[2] != "" {
			t.Errorf("%q", row)
		}
		if row[3] != "" {
			levels++
		}
	}
	if levels != 2 {
		t.Errorf("%d have a level", levels)
	}
}

// What LibreOffice shows of a file is what is meant, and it takes no cell for a formula.
func TestExportInLibreOffice(t *testing.T) {
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("LibreOffice is not installed here, so what it shows of exported files is not tested: apt-get install --no-install-recommends libreoffice-calc")
	}
	w := newExportWorld(t, nil)
	known := peopled(w)
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	people, columns, dir := w.listed(projections.ListQuery{}), allColumns(), t.TempDir()
	ask := commands.RequestExport{Columns: columns}
	written := w.made(ask)
	ask.Format = "xlsx"
	for name, content := range map[string][]byte{"a.csv": written, "b.xlsx": w.made(ask)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	convert := func(from, to, as string, more ...string) string {
		t.Helper()
		args := append([]string{"-env:UserInstallation=file://" + filepath.Join(dir, "profile"), "--headless", "--norestore"}, more...)
		out := filepath.Join(dir, to)
		args = append(args, "--convert-to", as, "--outdir", out, filepath.Join(dir, from))
		if said, err := exec.CommandContext(t.Context(), office, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		return filepath.Join(out, strings.TrimSuffix(from, filepath.Ext(from))+"."+strings.SplitN(as, ":", 2)[0])
	}
	read := func(name string) [][]string {
		t.Helper()
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(content), "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	const asShown = `csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,true,false`
	same(t, "xlsx", read(convert("b.xlsx", "1", asShown)), wanted(people, known, columns, "zh", zone, plainly))

	texts := make([]string, len(columns))
	for i := range texts {
		texts[i] = fmt.Sprintf("%d/2", i+1)
	}
	same(t, "csv, read as texts", read(convert("a.csv", "2", asShown, "--infilter=CSV:44,34,76,1,"+strings.Join(texts, "/"))), wanted(people, known, columns, "zh", zone, defused))

	// Read as it is when somebody opens it, numbers and dates become such; but nothing is run.
	for _, name := range []string{convert("a.csv", "3", "xlsx", "--infilter=CSV:44,34,76,1"), convert("b.xlsx", "4", "xlsx")} {
		f, err := excelize.OpenFile(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sheet := f.GetSheetList()[0]
		rows, err := f.GetRows(sheet)
		if err != nil || len(rows) != len(people)+1 {
			t.Fatalf("%d rows instead of %d, %v", len(rows), len(people)+1, err)
		}
		for i := range rows {
			for column := range rows[i] {
				at, _ := excelize.CoordinatesToCellName(column+1, i+1)
				if formula, err := f.GetCellFormula(sheet, at); err != nil || formula != "" {
					t.Errorf("%s of %s is a formula, %v", at, name, err)
				}
			}
		}
	}
}
