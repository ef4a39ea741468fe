package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/job"
)

// export asks for one as the customer list does, and returns where its pages are.
func (w *world) export(filter, format string) string {
	w.t.Helper()
	return "/exports/" + run(w, commands.RequestExport{Filter: json.RawMessage(filter), Format: format, Language: "zh"}).Job.String()
}

// someCustomers makes three, one of whom is a VIP, and returns the filter that finds her.
func (w *world) someCustomers() (vips string) {
	w.t.Helper()
	w.associations()
	vip := w.tag("VIP")
	w.customer("qy_1", "晚风", vip)
	w.customer("qy_2", "=SUM(1)")
	w.customer("qy_3", "小满")
	w.seen()
	return `{"field":"tags","op":"has_any","value":["` + vip.String() + `"]}`
}

func TestExportPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/exports").want(http.StatusOK).goldens("exports.empty")
	vips := w.someCustomers()
	old := w.export(vips, "csv")
	w.work(old)
	v.get(old + "/file").want(http.StatusOK)
	w.clock.move(8 * 24 * time.Hour)
	v = w.as(access.Admin, "zh")
	canceled := w.export(`{}`, "csv")
	v.send(canceled+"/cancel", nil)
	w.export(vips, "xlsx")
	w.seen()
	v.get("/exports").want(http.StatusOK).goldens("exports.full").says(`<noscript><meta http-equiv="refresh" content="3">`)
	v.get(old + "/file").want(http.StatusGone).goldens("exports.gone")
	v.get("/exports?cursor=nonsense").want(http.StatusUnprocessableEntity).goldens("exports.error")
}

func TestDownloadingAnExport(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	path := w.export(w.someCustomers(), "csv")
	w.seen()
	v.get("/exports").want(http.StatusOK).says("排队中", "标签包含任一 VIP", path+"/cancel").hides(path + "/file")
	v.get(path + "/file").want(http.StatusConflict) // it is not ready
	w.work(path)
	ready := v.get("/exports").says("可下载", "未下载").hides(`http-equiv="refresh"`, path+"/cancel")
	file := v.get(ready.address(path + "/file")).want(http.StatusOK).says("晚风").hides("小满")
	if got := file.header.Get("Content-Disposition"); !strings.HasPrefix(got, `attachment; filename="customers-`) {
		t.Errorf("the file comes as %q", got)
	}
	w.seen()
	v.get(v.get("/exports").says("1 次").address(path+"/downloads")).want(http.StatusOK).says("shen.zhiyao", "共下载 1 次")
	v.get("/exports/" + uuid.NewString() + "/file").want(http.StatusNotFound)
}

// What has expired says so, and the same is exported again, of those who match then.
func TestExportingAgain(t *testing.T) {
	w := start(t)
	path := w.export(w.someCustomers(), "csv")
	w.work(path)
	w.clock.move(6*24*time.Hour + time.Hour)
	w.as(access.Admin, "zh").get("/exports").says("即将到期", path+"/file")
	w.clock.move(24 * time.Hour)
	v := w.as(access.Admin, "zh")
	v.get("/exports").says("已过期").hides(path + "/file")
	gone := v.get(path+"/file").want(http.StatusGone).says("文件已过期", "VIP")
	again := v.send(gone.address(path+"/again"), nil).want(http.StatusOK).says("已开始生成", "排队中")
	second := strings.TrimSuffix(again.address(`/exports/[^"]*/cancel`), "/cancel")
	w.work(second)
	v.get(second + "/file").want(http.StatusOK).says("晚风").hides("小满")
	// A filter that names what is gone cannot be asked for again: the reason is told.
	run(w, commands.DeleteTag{Tag: uuid.MustParse(regexpID.FindString(v.tagOf("VIP")))})
	w.seen()
	v.send(path+"/again", nil).want(http.StatusOK).says("toast bad")
}

// tagOf is where a tag of the catalogue can be deleted.
func (v *visitor) tagOf(name string) string {
	v.w.t.Helper()
	return v.get("/tags").says(name).address(`/tags/[^"]*/delete`)
}

// Of a file that would be too large, the page says by how much, and leads to its filter.
func TestAnExportThatIsTooLarge(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	w.someCustomers()
	path := w.export(`{"field":"nickname","op":"contains","value":"晚风"}`, "xlsx")
	run(w, tooLarge(path))
	w.seen()
	narrow := v.get("/exports").says("没有生成", "超过 50 MiB", "超出 12 MiB").hides(path + "/again").address(path + "/customers")
	to := v.get(narrow).want(http.StatusSeeOther).header.Get("Location")
	if !regexp.MustCompile(`^/customers\?q=[A-Za-z0-9_-]{12}&view=all$`).MatchString(to) {
		t.Errorf("led to %s", to) // what is looked for is not in the address
	}
}

// tooLarge says that the file of an export is.
func tooLarge(path string) commands.FailJob {
	return commands.FailJob{Kind: job.KindExport, Job: uuid.MustParse(regexpID.FindString(path)), Code: domain.CodeExportTooLarge,
		Args: map[string]any{"max": 50 << 20, "over": 12 << 20}}
}

func TestCancellingAnExport(t *testing.T) {
	w := start(t)
	w.associations()
	v := w.as(access.Admin, "en")
	path := w.export(`{}`, "xlsx")
	w.seen()
	v.get(path+"/cancel").want(http.StatusOK).says("Stop making customers-", "Customers are not touched")
	v.send(path+"/cancel", url.Values{}).want(http.StatusOK).says("will not be made", ">Stopped<", path+"/again")
	w.work(path)
	v.send(path+"/cancel", url.Values{}).want(http.StatusOK).says(">Stopped<") // as it was
}

func TestSizes(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1535: "1 KiB", 1536: "2 KiB", 1<<20 - 1: "1.0 MiB", 1 << 20: "1.0 MiB", 50 << 20: "50.0 MiB"} {
		if got := size(bytes); got != want {
			t.Errorf("%d: got %s, want %s", bytes, got, want)
		}
	}
}
