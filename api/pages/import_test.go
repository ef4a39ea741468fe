package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/job"
	"customercenter/domain/settings"
)

// threeBroken has two good rows and three that are refused.
const threeBroken = "ID,昵称,手机,客户标签,关联ID\n" +
	"qy_1,晚风,13800138000,VIP,1\n" +
	"qy_2,,,,1\n" +
	"qy_1,又是我,,,1\n" +
	"qy_3,小满,138001380001380013800138000138001380001380013800138000,,1\n" +
	"qy_4,<b>谷雨</b>,,没有的标签,9\n"

func TestImportPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/import").want(http.StatusOK).goldens("import.locked").hides("<form class=\"body stack\"")
	w.entitle()
	v.get("/import").want(http.StatusOK).says(`href="/associations"`) // without an app nobody can be imported
	w.associations()
	v.get("/import").want(http.StatusOK).goldens("import.empty")
	w.tag("VIP")
	path := w.imported(v, "十一月门店客户.csv", threeBroken)
	v.get(path).want(http.StatusOK).goldens("import.tried").hides("<b>谷雨", "Refresh")
	v.send(path+"/start", url.Values{}).want(http.StatusOK)
	v.get(path).goldens("import.importing").says(`<noscript><meta http-equiv="refresh" content="3">`)
	v.get("/import").goldens("import.full").says(`<noscript><meta http-equiv="refresh" content="3">`)
	w.work(path)
	v.get(path).want(http.StatusOK).goldens("import.imported")
	v.get(path + "?rows=all").want(http.StatusOK).goldens("import.rows")
	for _, language := range []string{"zh", "en"} {
		v.in(language).upload("错.csv", "ID,爱好,关联ID\nqy_9,钓鱼,1\n").want(http.StatusUnprocessableEntity).golden("import.error." + language)
	}
	v.get("/import/" + uuid.NewString()).want(http.StatusNotFound)
	v.get("/import?cursor=nonsense").want(http.StatusUnprocessableEntity)
}

// The whole way, as a browser without script goes it.
func TestImportingAFileWithThreeBrokenRows(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	w.tag("VIP")
	v := w.as(access.Admin, "zh")

	template := v.get(v.get("/import").address(`/import/template\?lang=zh`)).want(http.StatusOK)
	if !strings.HasPrefix(template.body, "PK") || !strings.Contains(template.header.Get("Content-Disposition"), "import-template.xlsx") {
		t.Errorf("the template is %v", template.header)
	}

	v.get("/import/template").want(http.StatusOK)
	v.get("/import/template?lang=fr").want(http.StatusUnprocessableEntity)

	path := v.upload("十一月门店客户.csv", threeBroken).want(http.StatusSeeOther).header.Get("Location")
	v.get(path).want(http.StatusOK).says("已上传 5 行，正在试运行", "正在试运行", `http-equiv="refresh"`)
	w.work(path)
	tried := v.get(path).want(http.StatusOK).says("导入 2 行", "待导入", "第 4 至 6 行", "ID_DUPLICATE_IN_FILE", "与第 2 行是同一客户", "PHONE_TOO_LONG", "“手机”超过 45 个字符", "138001380001380013", "没有写入任何客户")
	tried.hides(`http-equiv="refresh"`, "撤销导入")
	v.send(tried.address(path+"/start"), url.Values{}).want(http.StatusOK).says("开始导入“十一月门店客户.csv”", "正在导入")
	w.work(path)
	done := v.get(path).want(http.StatusOK).says("新建了 2 位客户", "3 行被拒绝", "/customers?filter=%7B%22all").hides(`action="` + path + `/start"`)

	reasons := v.get(done.address(path+"/rejected")).want(http.StatusOK).says("行号", "拒绝原因", "小满", "与第 2 行是同一客户").hides("晚风")
	if got := reasons.header.Get("Content-Disposition"); !strings.HasPrefix(got, `attachment; filename="rejected-`) || !strings.HasSuffix(got, `.csv"`) {
		t.Errorf("the reasons come as %q", got)
	}
	if xlsx := v.get(done.address(path + `/rejected\?format=xlsx`)).want(http.StatusOK); !strings.HasPrefix(xlsx.body, "PK") {
		t.Error("no xlsx of the reasons")
	}
	rows := v.get(done.address(path+`\?rows=all`)).want(http.StatusOK).says("已新建客户", "PHONE_TOO_LONG")
	customer := rows.address("/customers/[^\"]*")

	// Something happens to one of them, who is kept when all of it is taken back.
	run(w, commands.BlacklistCustomer{Customer: uuid.MustParse(regexpID.FindString(customer)), Reason: "试"})
	v.get(path+"/revert").want(http.StatusOK).says("撤销导入“十一月门店客户.csv”？", "2 位客户")
	v.send(path+"/revert", url.Values{}).want(http.StatusOK).says("开始撤销", `http-equiv="refresh"`)
	w.work(path)
	v.get(path).want(http.StatusOK).golden("import.reverted.zh").says("1 位客户在导入之后", "晚风", `href="`+customer+`"`).hides(path + "/revert")
	v.get("/import").says("已撤销", "撤回 1 位，保留 1 位", "shen.zhiyao")
	v.send(path+"/revert", url.Values{}).want(http.StatusOK).says("toast bad") // once
}

func TestStoppingAnImport(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	v := w.as(access.Admin, "en")
	path := v.upload("a.csv", "ID,Association ID\nqy_1,1\n").header.Get("Location")
	v.get(path + "/cancel").says("The dry run stops")
	v.send(path+"/cancel", url.Values{}).want(http.StatusOK).says("is stopped", "Nobody was made a customer", ">Stopped<")
	v.send(path+"/start", url.Values{"dry_run": {"true"}}).says("The dry run of “a.csv” has begun")
	w.work(path)
	v.send(path+"/start", url.Values{}).want(http.StatusOK)
	v.get(path + "/cancel").says("are not dealt with")
	v.send(path+"/cancel", url.Values{}).want(http.StatusOK).says(">Stopped<").hides(path + "/start")
	v.get("/import").says("Nobody was made a customer")
}

// A program may have uploaded a file without trying it.
func TestImportingWithoutTrying(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	v := w.as(access.Admin, "zh")
	path := v.upload("a.csv", "ID,客户标签,关联ID\nqy_1,新标签,1\n", "create_tags").want(http.StatusSeeOther).header.Get("Location")
	v.get(path).want(http.StatusOK).golden("import.waiting.zh").says("待试运行", "未知标签会新建").hides(`http-equiv="refresh"`)
	v.get(path+"/start").want(http.StatusOK).says("不试运行，直接导入“a.csv”？", "1 行")
	v.send(path+"/start", url.Values{}).says("开始导入“a.csv”")
	w.work(path)
	v.get(path).says("新建了 1 位客户", "每一行都已进入", "已新建客户").hides(path + "/rejected")
	v.get("/tags").says("新标签")
}

// What could not be done to the end says why, and what was done can be taken back.
func TestAnImportThatFails(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	v := w.as(access.Admin, "zh")
	fail := func(path string) {
		t.Helper()
		run(w, commands.FailJob{Kind: job.KindImport, Job: uuid.MustParse(regexpID.FindString(path)), Code: "INTERNAL"})
		w.seen()
	}
	path := v.upload("a.csv", "ID,关联ID\nqy_1,1\n").header.Get("Location")
	fail(path)
	v.get(path).says("失败", "多次重试后仍未成功", "再试运行一次").hides("撤销导入")
	v.send(path+"/start", url.Values{}).want(http.StatusOK)
	w.work(path)
	v.send(path+"/revert", url.Values{}).want(http.StatusOK).says("正在撤销")
	fail(path)
	v.get("/import").says("撤销失败")
	v.get(path).says("撤销没有做完", "多次重试后仍未成功", path+"/revert")
	v.send(path+"/revert", url.Values{}).want(http.StatusOK)
	w.work(path)
	v.get(path).says("它新建的客户都已撤回")
}

// When the capability is taken away, what is there can be looked at and taken back, and nothing be started.
func TestAnImportWithoutTheCapability(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	v := w.as(access.Admin, "en")
	path := w.imported(v, "a.csv", "ID,Association ID\nqy_1,1\n")
	run(w, commands.RevokeEntitlement{Entitlement: settings.EntitlementImport})
	v.get(path).says(`aria-disabled="true"`, "importing is not granted").hides(`action="` + path + `/start"`)
	v.send(path+"/start", url.Values{}).says("toast bad")
	v.upload("b.csv", "ID,Association ID\nqy_2,1\n").want(http.StatusForbidden).says("Importing is not switched on", `class="banner bad"`)
}

// Whatever is wrong with a file, is said in words, and nothing is kept.
func TestFilesThatAreRefused(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	v := w.as(access.Admin, "zh")
	for name, c := range map[string]struct {
		content, says string
		status        int
	}{
		"empty":   {"", "没有数据行", http.StatusUnprocessableEntity},
		"heading": {"ID,爱好,关联ID\nqy_9,钓鱼,1\n", "B 列的标题无法识别", http.StatusUnprocessableEntity},
		"missing": {"ID,昵称\nqy_9,钓鱼\n", "首行缺少“关联ID”列", http.StatusUnprocessableEntity},
		"picture": {"\x89PNG\r\n\x1a\n\x00\x00\x00", "xlsx", http.StatusUnprocessableEntity},
		"rows":    {"ID,关联ID\n" + strings.Repeat("a,1\n", 100_001), "100,000", http.StatusUnprocessableEntity},
		"large":   {"ID,关联ID\n" + strings.Repeat("0123456789012345678901234567890123456789\n", 540_000), "20 MiB", http.StatusRequestEntityTooLarge},
	} {
		v.upload(name+".csv", c.content).want(c.status).says(`class="banner bad"`, "什么都没有保存", c.says)
	}
	v.get("/import").says("还没有导入过")
	v.post("/import", url.Values{"file": {"no file"}}).want(http.StatusUnsupportedMediaType).says(`class="banner bad"`)
}

// Two files are imported at once, and their pages tell each its own.
func TestTwoImportsAtOnce(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	v := w.as(access.Admin, "zh")
	one, two := v.upload("one.csv", "ID,关联ID\nqy_1,1\n").header.Get("Location"), v.upload("two.csv", "ID,关联ID\nqy_2,1\nqy_3,1\n").header.Get("Location")
	v.get("/import").says(one+"/events", two+"/events")
	w.work(two)
	w.work(one)
	v.get(one).says("导入 1 行")
	v.get(two).says("导入 2 行")
}

func TestALongListOfRows(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	v := w.as(access.Admin, "zh")
	var file strings.Builder
	file.WriteString("ID,名字,关联ID\n")
	for i := range 120 {
		fmt.Fprintf(&file, "qy_%d,%s,1\n", i, strings.Repeat("长", 46*(i%2)))
	}
	path := w.imported(v, "long.csv", file.String())
	first := v.get(path).says("第 3 至 101 行", "NAME_TOO_LONG").hides(`rel="first"`)
	second := v.get(first.address(path+`\?cursor=[^"]*`)).want(http.StatusOK).says("第 103 至 121 行", `rel="first"`).hides(`rel="next"`)
	v.get(second.address(path)).says("第 3 至 101 行")
	if len(first.body) > 60_000 {
		t.Errorf("a page of %d bytes", len(first.body))
	}
}

// After 30 days the rows are gone, and the page says why nothing can be done with them.
func TestAnImportWhoseRowsAreGone(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	v := w.as(access.Admin, "zh")
	path := w.imported(v, "old.csv", "ID,关联ID\nqy_1,1\n,1\n")
	w.clock.move(jobs.KeptFor + time.Hour)
	w.as(access.Admin, "zh").get(path).want(http.StatusOK).says("只保留 30 天", `aria-disabled="true"`).hides(path+"/rejected", `action="`+path+`/start"`)
}

func TestOnlyAdminsImportAndExport(t *testing.T) {
	w := start(t)
	for _, role := range []access.Role{access.Agent, access.Analyst} {
		v := w.as(role, "en")
		v.get("/import").want(http.StatusForbidden).hides(`href="/import"`)
		v.get("/exports").want(http.StatusForbidden).hides(`href="/exports"`)
		v.get("/import/template?lang=zh").want(http.StatusForbidden)
		v.upload("a.csv", "ID,Association ID\nqy_1,1\n").want(http.StatusForbidden)
	}
}
