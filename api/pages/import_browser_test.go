package pages

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
)

func TestImportLooks(t *testing.T) {
	w := start(t)
	w.looks(access.Admin, "import.locked", "/import")
	w.entitle()
	w.associations()
	w.tag("VIP")
	v := w.as(access.Admin, "zh")
	done := w.imported(v, "九月门店客户.csv", threeBroken)
	v.send(done+"/start", nil)
	w.work(done)
	tried := w.imported(v, "一个名字很长很长的文件：十一月各门店在活动期间登记的客户清单（最终版）（2）.csv", threeBroken)
	waiting := v.upload("双十一新客.csv", "ID,关联ID\nqy_7,1\n").header.Get("Location")
	w.looks(access.Admin, "import", "/import", "import.trying", waiting, "import.tried", tried, "import.imported", done, "import.revert", done+"/revert")
	v.send(done+"/revert", nil)
	w.work(done)
	w.looks(access.Admin, "import.reverted", done)
}

// choose chooses a file in an input, as the browser's own dialog does.
func (b *window) choose(selector, name, content string) *window {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
	return b
}

// By mouse: a file with three broken rows is tried, imported, its reasons downloaded, and taken back; all of it while one looks on.
func TestImportingInTheBrowser(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	w.tag("VIP")
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/import").choose("#f-file", "十一月门店客户.csv", threeBroken).says(".chosen", "十一月门店客户.csv").accessible().shot("import.chosen")
	b.click("file-upload .primary").says("h1", "十一月门店客户.csv").says("#import .status", "正在试运行").says("#toasts", "已上传 5 行")
	path := b.address()
	b.until(`document.querySelector("job-progress").events.readyState === 1`).accessible()
	w.work(path)
	b.says("#import .status", "待导入").says("#start", "导入 2 行").says("#import-told", "待导入").accessible()
	b.click("#start").says("#import .status", "正在导入").until(`document.querySelector("job-progress").events.readyState === 1`)
	b.visit(path).says("#import .status", "正在导入") // it survives a reload
	w.work(path)
	b.says("#import .status", "已导入").says(".figures", "2").says("tbody", "PHONE_TOO_LONG")
	if text := value[string](b, `fetch(document.querySelector("a[href$='/rejected']").href).then(r => r.text())`); len(text) < 100 {
		t.Errorf("the reasons are %q", text)
	}
	b.click("#revert").sees("#dialogs dialog[open]").says("#dialog-title", "撤销导入“十一月门店客户.csv”？").click("#dialog button.danger")
	b.says("#import .status", "正在撤销").until(`document.querySelector("job-progress").events.readyState === 1`)
	w.work(path)
	b.says("#import .status", "已撤销").accessible().shot("import.taken_back")
	b.click(".crumbs a").says("#imports tbody", "撤回 2 位，保留 0 位")
}

// By keyboard; and a file that is refused says why, on the same page, and another can be chosen.
func TestImportingByKeyboard(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	b := w.window(access.Admin, look{language: "en"}).refuses("422 /import", "413 /import")
	b.visit("/import").choose("#f-file", "wrong.csv", "ID,Hobby,Association ID\nqy_9,fishing,1\n").focus("#f-file").press(kb.Tab, kb.Tab, kb.Enter)
	b.says("#refused", "column B").until(`document.activeElement.id === "refused"`).accessible().shot("import.refused")
	if b.address() != "/import" {
		t.Errorf("ended at %s", b.address())
	}
	b.choose("#f-file", "right.csv", "ID,Association ID\nqy_9,1\n").focus("#f-file").press(kb.Tab, " ", kb.Tab, kb.Enter)
	b.says("h1", "right.csv").says("#import", "unknown tags are created")
	path := b.address()
	b.until(`(history.back(), true)`).says("h1", "Import").until(`(history.forward(), true)`).says("h1", "right.csv")
	b.focus("#cancel")
	w.work(path)
	b.says("#import .status", "Tried").until(`document.activeElement.id === "import"`) // what had the focus is gone
	b.press(kb.Tab, kb.Tab, kb.Enter).says("#import .status", "Importing")
	b.focus("#cancel").press(kb.Enter).sees("#dialogs dialog[open]").press(kb.Tab, kb.Enter).says("#import .status", "Stopped").accessible()
}

// How far it is shows while one looks on, also after the server was gone for a moment. The file was dropped.
func TestAnImportGoesOn(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	b := w.window(access.Admin, look{language: "zh"}).refuses("net /import/")
	b.visit("/import").until(`customElements.get("file-upload")`)
	b.until(`(() => {
		const rows = Array.from({length: 4000}, (_, i) => "qy_" + i + ",1").join("\n");
		const transfer = new DataTransfer();
		transfer.items.add(new File(["ID,关联ID\n" + rows], "dropped.csv", {type: "text/csv"}));
		return !document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
	})()`)
	b.says(".chosen", "dropped.csv").click("file-upload .primary").says("#import .status", "正在试运行").says("job-progress", "0 / 4,000 行")
	path := b.address()
	b.until(`document.querySelector("job-progress").events.readyState === 1`)
	if _, ended, err := w.runner.Step(t.Context(), w.task(path)); err != nil || ended {
		t.Fatalf("a piece of the import: %v %v", ended, err)
	}
	b.until(`Number(document.querySelector("[data-live='progress.done']").textContent.replace(",", "")) > 0`)
	b.until(`Number(document.querySelector("[data-live='created']").textContent.replace(",", "")) > 0 && document.querySelector("progress").value > 0`).shot("import.halfway")
	w.server.CloseClientConnections()
	b.until(`document.querySelector("job-progress").events.readyState !== 1`).until(`document.querySelector("job-progress").events.readyState === 1`)
	w.work(path)
	b.says("#import .status", "待导入").says("#start", "导入 4,000 行")
}

// What a file that is too large needs not be sent for.
func TestAFileThatIsTooLarge(t *testing.T) {
	w := start(t)
	w.entitle()
	w.associations()
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/import").choose("#f-file", "large.csv", string(make([]byte, mostUpload+1))).sees("[data-large]").click("file-upload .primary")
	b.until(`!document.querySelector("file-upload").sent`).accessible()
}
