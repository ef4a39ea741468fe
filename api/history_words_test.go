package api

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/exports"
	"customercenter/domain/imports"
	"customercenter/eventstore"
	"customercenter/internal/locale"
)

// What an import, an export or a bulk action went through, as people read it.
func TestEventsOfJobsInWords(t *testing.T) {
	vip, who := uuid.UUID{15: 1}, uuid.UUID{15: 2}
	ends := time.Date(2026, 11, 10, 1, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		event  domain.Event
		zh, en string
	}{
		{imports.Uploaded{FileName: "名单.csv", Rows: 12}, "上传了导入文件“名单.csv”，共 12 行。", "The file 名单.csv was uploaded for an import; rows: 12."},
		{imports.Uploaded{Rows: 1}, "上传了导入文件“未设置”，共 1 行。", "The file not set was uploaded for an import; rows: 1."},
		{imports.Started{DryRun: true}, "开始导入；仅校验：是。", "The import was started; only a trial: yes."},
		{imports.Started{}, "开始导入；仅校验：否。", "The import was started; only a trial: no."},
		{imports.RowsRecorded{From: 500, To: 502, Created: []imports.Created{{Row: 502}}, Rejected: []imports.Refused{{Row: 503}}},
			"处理了一批数据行，累计 502 行；本批创建 1 行，拒绝 1 行。", "Rows were dealt with, 502 so far; of these ones created: 1, refused: 1."},
		{imports.RowsRecorded{To: 2}, "处理了一批数据行，累计 2 行；本批创建 0 行，拒绝 0 行。", "Rows were dealt with, 2 so far; of these ones created: 0, refused: 0."},
		{imports.Completed{}, "导入完成。", "The import is complete."},
		{imports.Failed{Code: domain.CodeFileGone}, "导入失败：数据已不再保留。", "The import failed: Not kept any more."},
		{imports.Canceled{}, "取消了导入。", "The import was canceled."},
		{imports.RevertStarted{}, "开始撤销导入。", "The import is to be reverted."},
		{imports.RowsReverted{Count: 3, Kept: []imports.Created{{Row: 9, Customer: who}}}, "撤回了导入的客户：3 个，予以保留：1 个。", "Customers of the import were withdrawn: 3, left alone: 1."},
		{imports.Reverted{}, "导入已撤销。", "The import was reverted."},

		{exports.Requested{Format: "xlsx", Language: "zh"}, "发起了导出；格式：XLSX，语言：中文。", "An export was requested; format xlsx, language Chinese."},
		{exports.Completed{Rows: 40, ExpiresAt: ends}, "导出文件已生成，共 40 行；有效期至 2026-11-10 09:30:00。", "The file of the export is ready; rows: 40; it can be had until 2026-11-10 09:30:00."},
		{exports.Failed{Code: domain.CodeExportTooLarge}, "导出失败：导出文件过大。", "The export failed: The file would be too large."},
		{exports.Canceled{}, "取消了导出。", "The export was canceled."},
		{exports.Downloaded{}, "下载了导出文件。", "The file of the export was downloaded."},
		{exports.Expired{}, "导出文件已删除：已到期。", "The file of the export was deleted: its time was over."},
		{exports.Expired{Code: domain.CodeCustomerErased}, "导出文件已删除：有客户已被删除。", "The file of the export was deleted: Somebody was erased."},

		{bulk.Started{Action: bulk.Tag, Tag: vip}, "发起了批量操作：添加标签；标签：VIP；原因：未设置。", "A bulk action was started: put a tag on; tag: VIP; reason: not set."},
		{bulk.Started{Action: bulk.Blacklist, Reason: "广告"}, "发起了批量操作：加入黑名单；标签：未设置；原因：广告。", "A bulk action was started: put on the blacklist; tag: not set; reason: 广告."},
		{bulk.Selected{Customers: 5}, "选定了批量操作的客户：5 个。", "Customers were selected for the bulk action: 5."},
		{bulk.Applied{To: 5, Changed: []bulk.Change{{Customer: who}}}, "处理了一批客户，累计 5 个；本批变更 1 个，拒绝 0 个。", "Customers were seen to, 5 so far; of these ones changed: 1, refused: 0."},
		{bulk.Completed{}, "批量操作完成。", "The bulk action is complete."},
		{bulk.Failed{Code: domain.CodeInternal}, "批量操作失败：服务器内部错误。", "The bulk action failed: Something went wrong here."},
		{bulk.Canceled{}, "取消了批量操作。", "The bulk action was canceled."},
		{bulk.UndoStarted{}, "开始撤销批量操作。", "The bulk action is to be undone."},
		{bulk.Undone{Count: 4, Kept: []bulk.Refused{{Customer: who}}}, "已为客户撤销：4 个，予以保留：1 个。", "For customers it was undone: 4, left alone: 1."},
		{bulk.Reverted{}, "批量操作已撤销。", "The bulk action was undone."},
	} {
		for l, want := range map[locale.Language]string{locale.Chinese: c.zh, locale.English: c.en} {
			n := &narrator{language: l, personal: true, zone: time.FixedZone("", 8*3600), tags: map[uuid.UUID]string{vip: "VIP"}}
			e := &eventstore.Decoded{Payload: c.event}
			e.Type = c.event.EventType()
			if got := n.of(e).text(); got != want {
				t.Errorf("%s:\n got %s\nwant %s", e.Type, got, want)
			}
		}
	}
}
